"""The sources by kind. Adding one: its file here, its ECS file, its data folder in tests, one line below."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.sources.cloudtrail import CloudTrail
from connectors.sources.istio_access import IstioAccess
from connectors.sources.kubernetes_audit import KubernetesAudit
from connectors.sources.source import Source
from connectors.sources.vault_audit import VaultAudit

SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {source.kind: source for source in (CloudTrail(), KubernetesAudit(), IstioAccess(), VaultAudit())}
)
KINDS: Final[tuple[str, ...]] = tuple(SOURCES)


class UnknownSourceError(ValueError):
    """No source of this kind; the message names the allowed ones."""


def profile(kind: str) -> Source:
    """Return the source of `kind`, always the same object. Raises UnknownSourceError."""
    try:
        return SOURCES[kind]
    except KeyError:
        raise UnknownSourceError(f"source {kind!r} is not one of {', '.join(KINDS)}") from None
