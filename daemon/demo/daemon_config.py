"""The configuration file of the demo's daemon, and the secret files beside it (mode 0600)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from config.settings import ROLES
from daemon.demo.database_scene import ANALYTICS, CUSTOMERS, OBSERVER
from daemon.demo.parts.openbao import ESCROW_KEY, OpenBaoPart
from daemon.demo.parts.ports import LOOPBACK, free_ports

APPROVERS: Final = ("alice", "bob")
RAW_PARTITIONS: Final = 2
SITE: Final = "terraminer"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the daemon's files lie, and the two approvers' tokens (name -> token)."""

    folder: Path
    config: Path
    database: Path
    vault_token: Path
    observer_password: Path
    pager_url: Path
    pager_bearer: Path
    approvers: dict[str, str] = field(repr=False)

    @property
    def database_url(self) -> str:
        """The database of record."""
        return f"sqlite:///{self.database}"


def lay_out(folder: Path) -> Files:
    """Return the files below `folder`, with new tokens for the approvers."""
    folder.mkdir(parents=True, exist_ok=True)
    return Files(
        folder=folder,
        config=folder / "davylamp.yaml",
        database=folder / "davylamp.sqlite",
        vault_token=folder / "vault-token",
        observer_password=folder / "observer-password",
        pager_url=folder / "pager-url",
        pager_bearer=folder / "pager-bearer",
        approvers={name: secrets.token_urlsafe(24) for name in APPROVERS},
    )


def write_secret(path: Path, value: str) -> None:
    """Write a secret that only this user may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(value + "\n", encoding="utf-8")


def document(files: Files, brokers: str, vault: OpenBaoPart, postgres_port: int) -> dict[str, Any]:
    """Return the configuration: auto mode, two targets, two approvers, a pager, a file as the SIEM.

    The skew margin is nothing: vault, database and daemon share this machine's clock, and the drill is
    seconds old when the breach begins.
    """
    ports = free_ports(len(ROLES) + 1)
    return {
        "site": SITE,
        "state_dir": str(files.folder / "state"),
        "kafka": {
            "brokers": [brokers],
            "session_timeout_s": 2.0,
            "heartbeat_interval_s": 0.5,
            "rebalance_timeout_s": 2.0,
            "internal_partitions": 2,
            "counters": "file",
        },
        "detection": {"lateness": dict.fromkeys(_KINDS, 1.0)},
        "forwarding": {
            "namespace": "demo",
            "targets": [{"kind": "file", "folder": str(files.folder / "siem")}],
        },
        "response": {
            "database_url": {"value": files.database_url},
            "mode": "auto",
            "skew_s": 0.0,
            "lease_s": 15.0,
            "targets": [
                _target("analytics", ANALYTICS, "internal", files, postgres_port),
                _target("customer-records", CUSTOMERS, "restricted", files, postgres_port),
            ],
        },
        "vault": {
            "address": vault.address,
            "token": {"file": str(files.vault_token)},
            "escrow_key": ESCROW_KEY,
        },
        "web": {
            "host": LOOPBACK,
            "port": ports[-1],
            "approvers": [
                {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}
                for name, token in files.approvers.items()
            ],
        },
        "notify": [
            {
                "kind": "webhook",
                "name": "pager",
                "url": {"file": str(files.pager_url)},
                "bearer": {"file": str(files.pager_bearer)},
                "min_level": "high",
            }
        ],
        "operation": {"health_ports": dict(zip(ROLES, ports, strict=False))},
    }


def write(files: Files, document: Mapping[str, Any]) -> None:
    """Write the configuration file; only this user may read it."""
    files.config.touch(mode=0o600)
    files.config.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")


_KINDS: Final = ("cloudtrail", "kubernetes_audit", "istio_access", "vault_audit")


def _target(name: str, username: str, classification: str, files: Files, port: int) -> dict[str, Any]:
    return {
        "name": name,
        "username": username,
        "classification": classification,
        "owner": "data-platform",
        "probe": {
            "host": LOOPBACK,
            "port": port,
            "sslmode": "disable",
            "observer": OBSERVER,
            "observer_password": {"file": str(files.observer_password)},
        },
    }
