"""Kafka: where the brokers are, how to log in, what the topics are called."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from config.secret import Secret
from config.section import Section


class RawTopics(Section):
    """Topic names of the raw sources; several topics of one kind are allowed."""

    cloudtrail: tuple[str, ...] = ("aws.cloudtrail",)
    kubernetes_audit: tuple[str, ...] = ("k8s.audit",)
    istio_access: tuple[str, ...] = ("istio.access",)
    vault_audit: tuple[str, ...] = ("vault.audit",)

    def kinds(self) -> dict[str, str]:
        """Return topic -> source kind."""
        return {
            topic: kind
            for kind in ("cloudtrail", "kubernetes_audit", "istio_access", "vault_audit")
            for topic in getattr(self, kind)
        }


class Kafka(Section):
    """Brokers, login, topics, and where the per-partition counters are kept."""

    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret = Secret()
    ca_file: Path | None = None
    session_timeout_s: float = Field(default=10.0, ge=1, le=300)
    heartbeat_interval_s: float = Field(default=2.0, gt=0, le=60)
    rebalance_timeout_s: float = Field(default=30.0, ge=1, le=600)
    topics: RawTopics = RawTopics()
    internal_partitions: int = Field(default=4, ge=1, le=256)
    replication_factor: int = Field(default=1, ge=1, le=9)
    counters: Literal["commit_metadata", "file"] = "commit_metadata"
