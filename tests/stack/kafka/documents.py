"""Configuration of the roles in these tests: short sessions, counters in the commits, our own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

RULES: Final = Path(__file__).parent / "rules"
LATENESS_S: Final = 10.0
SESSION_S: Final = 2.0
_KINDS: Final = ("cloudtrail", "kubernetes_audit", "istio_access", "vault_audit")


def document(brokers: str, folder: Path, *, rule: str = "") -> dict[str, Any]:
    """Return a configuration whose only rules are the file `rule`, or all of `rules/`."""
    return {
        "state_dir": str(folder / "state"),
        "kafka": {
            "brokers": [brokers],
            "session_timeout_s": SESSION_S,
            "heartbeat_interval_s": 0.5,
            "rebalance_timeout_s": 3.0,
            "counters": "commit_metadata",
        },
        "detection": {
            "builtin_rules": False,
            "rules": [str(RULES / rule)],
            "learning_days": 1,
            "lateness": dict.fromkeys(_KINDS, LATENESS_S),
        },
    }
