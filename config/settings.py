"""The whole configuration: one section a room, and which role may hold which secret."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field

from config.canary import Canary
from config.detection import Detection
from config.evidence import Evidence
from config.forwarding import Forwarding
from config.istio import Istio
from config.kafka import Kafka
from config.notification import Webhook
from config.response import Response
from config.section import Section
from config.vault import Vault
from config.web import Web

Role = Literal["detect", "correlate", "respond", "forward", "web"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Operation(Section):
    """Logs and the loopback ports of health and metrics (0 lets the system choose); stopping and reloading.

    `reload_watch_s`: how often folders of rules and playbooks are looked at, in seconds; 0: never.
    """

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_host: str = "127.0.0.1"
    health_ports: dict[Role, int] = Field(
        default_factory=lambda: {
            "detect": 8481,
            "correlate": 8482,
            "respond": 8483,
            "forward": 8484,
            "web": 8485,
        }
    )
    stop_timeout_s: float = Field(default=10.0, gt=0, le=300)
    reload_watch_s: float = Field(default=5.0, ge=0, le=3600)


class Settings(Section):
    """Everything an operator may say. `site` is the tenant in incident keys."""

    site: str = Field(default="default", pattern=r"^[a-z0-9-]{1,32}$")
    state_dir: Path = Path("state")
    kafka: Kafka = Kafka()
    detection: Detection = Detection()
    canary: Canary = Canary()
    istio: Istio = Istio()
    forwarding: Forwarding = Forwarding()
    response: Response = Response()
    evidence: Evidence = Evidence()
    vault: Vault = Vault()
    web: Web = Web()
    notify: tuple[Webhook, ...] = ()
    operation: Operation = Operation()
