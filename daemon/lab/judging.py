"""The rules over a folder of the lab, by the code of `davylamp scan`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.lab.folder import MESH_TEXT, file_of
from daemon.lab.stage import ISTIO, KINDS
from daemon.scanning import scan
from detectors.sigma.ruleset import RuleSet


def findings_of(folder: Path, ruleset: RuleSet, *, mesh_text: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the findings on the four sources of `folder`; `mesh_text`: read the mesh's TEXT file instead.

    Without baselines: what is first seen means nothing in a company that is new. Raises FileUnreadableError.
    """
    for kind in KINDS:
        name = MESH_TEXT if mesh_text and kind == ISTIO else file_of(kind)
        for located in scan([folder / name], kind, ruleset, learning_s=None):
            yield located.to_json()
