"""First-seen readers of credentials: a vault entity reads a database credential it never read before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from detectors.anomaly.model import Novelty
from detectors.level import Level
from detectors.wording import listed, plain

RULE_ID: Final = "davylamp-first-seen-credential-reader"


class CredentialReader:
    """Always high: who may read which credential changes rarely and on purpose."""

    name: str = "credential_reader"
    rule_id: str = RULE_ID
    version: int = 1
    title: str = "Vault entity read a credential for the first time"
    source: str = "vault_audit"
    attack: tuple[str, ...] = ("T1555", "T1078")
    labels: Mapping[str, str] = MappingProxyType({"playbook": "leaked-credential"})

    def level(self, novelty: Novelty) -> Level:
        """Return high."""
        return "high"

    def explain(self, novelty: Novelty) -> str:
        """Return for example: vault_entity e read credential c for the first time; in 8.0 days ... ."""
        known = listed([name for _, name in novelty.known])
        many = len(novelty.known)
        return (
            f"{novelty.subject[0]} {plain(novelty.subject[1])} read {novelty.peer[0]} "
            f"{plain(novelty.peer[1])} for the first time; in {novelty.days:.1f} days it had read "
            f"{many} credential{'' if many == 1 else 's'}{': ' if many else ''}{known}"
        )
