"""The stage of the loop test: the demo's play on real Kafka, API server, Envoy, Elasticsearch and OpenSearch.

Vault and PostgreSQL are the demo's own, which are real there as well.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from parts.audit_webhook import AuditWebhook
from parts.audit_webhook_kafka import NotConfirmedError

from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.error import DemoError
from daemon.demo.pipe import Pipe
from daemon.demo.scene import Scene
from daemon.demo.traffic.record import KUBERNETES, Record

NAMESPACE: Final = "loop"
_CONFIRM_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Reals:
    """The real servers, started. `targets` are the SIEM targets as the configuration names them."""

    brokers: str
    webhook: AuditWebhook
    mesh_log: Path
    targets: tuple[dict[str, Any], ...]


class LoopScene(Scene):
    """The demo's scene on `reals`; counters ride in Kafka's commits as in production."""

    def __init__(self, seed: int, folder: Path, reals: Reals) -> None:
        super().__init__(seed, keep=folder, broker=reals.brokers)
        self._reals = reals
        self._gate = threading.Lock()
        self._followers: list[AuditShipper] = []

    def configure(self, document: dict[str, Any]) -> None:
        """Send to the real SIEMs, and keep counters in the commits."""
        document["kafka"]["counters"] = "commit_metadata"
        document["forwarding"] = {"namespace": NAMESPACE, "targets": list(self._reals.targets)}
