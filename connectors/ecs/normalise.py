"""`davylamp normalise`: the documents that forward would send for a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.istio import Istio
from connectors.sources.files import read_events
from connectors.sources.istio_configured import configured
from connectors.sources.reject import Reject


def documents(
    path: Path, kind: str, rejects: list[Reject] | None = None, istio: Istio | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the ECS document of each event of `path`; what cannot be read is appended to `rejects`.

    `istio` names access log formats besides Istio's own. Raises UnknownSourceError, FileUnreadableError and
    ConfigurationError (a format).
    """
    source = configured(kind, istio or Istio())
    for found in read_events(path, source):
        if not isinstance(found, Reject):
            yield source.ecs(found)
        elif rejects is not None:
            rejects.append(found)
