"""Kafka: where the brokers are, how to log in, what the topics are called."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from config.secret import Secret
from config.section import Section

LOGIN: Final = (
    "security_protocol",
    "sasl_mechanism",
    "username",
    "password",
    "token",
    "ca_file",
    "cert_file",
    "key_file",
)
"""The settings of `Kafka` that a role needs to be let in."""


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
    """Brokers, login, topics, and where the per-partition counters are kept.

    `token` is for OAUTHBEARER, `cert_file` and `key_file` (PEM, no passphrase) for listeners that want a
    certificate of the client; all are read again when they change.
    """

    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret = Secret()
    token: Secret = Secret()
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    session_timeout_s: float = Field(default=10.0, ge=1, le=300)
    heartbeat_interval_s: float = Field(default=2.0, gt=0, le=60)
    rebalance_timeout_s: float = Field(default=30.0, ge=1, le=600)
    topics: RawTopics = RawTopics()
    internal_partitions: int = Field(default=4, ge=1, le=256)
    replication_factor: int = Field(default=1, ge=1, le=9)
    counters: Literal["commit_metadata", "file"] = "commit_metadata"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        if self.cert_file is not None and self.security_protocol not in ("SSL", "SASL_SSL"):
            raise ValueError(f"cert_file is of no use with security_protocol {self.security_protocol}")
        if self.token.given() and self.sasl_mechanism != "OAUTHBEARER":
            raise ValueError(f"token is for sasl_mechanism OAUTHBEARER, not {self.sasl_mechanism}")
        if self._logs_in() and self.sasl_mechanism == "OAUTHBEARER":
            if not self.token.given():
                raise ValueError("sasl_mechanism OAUTHBEARER needs token")
            if self.security_protocol == "SASL_PLAINTEXT":
                raise ValueError("OAUTHBEARER sends the token as it is: use security_protocol SASL_SSL")
        return self

    def _logs_in(self) -> bool:
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")
