"""Response: what may be rotated, by whose leave, how often, and the kill switch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from config.secret import Secret
from config.section import Section

DataClass = Literal["public", "internal", "confidential", "restricted", "unknown"]


class DatabaseProbe(Section):
    """How proof reaches the database: an address and a login that may end sessions."""

    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    dbname: str = "postgres"
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "require"
    observer: str = "davylamp_observer"
    observer_password: Secret = Secret()
    pooled: bool = False


class Target(Section):
    """One credential that Davylamp may rotate. `name` is the static role's name in the vault."""

    kind: Literal["database_static_role"] = "database_static_role"
    mount: str = "database"
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    classification: DataClass = "unknown"
    owner: str = "unowned"
    username: str | None = None
    probe: DatabaseProbe = DatabaseProbe()

    @property
    def key(self) -> str:
        """The canonical name of the target: kind, mount and name."""
        return f"{self.kind}:{self.mount}/{self.name}"

    @property
    def login(self) -> str:
        """The database user name; the static role's name unless said otherwise."""
        return self.username or self.name


class Caps(Section):
    """How many automatic actions may start in an hour; over a cap an action is proposed and paged."""

    per_actor_hour: int = Field(default=2, ge=0)
    per_owner_hour: int = Field(default=2, ge=0)
    site_hour: int = Field(default=10, ge=0)
    fresh_actor_share: float = Field(default=0.25, ge=0, le=1)


class Response(Section):
    """Database of record, targets, guards."""

    database_url: Secret = Secret()
    playbooks: tuple[Path, ...] = ()
    builtin_playbooks: bool = True
    mode: Literal["propose", "auto"] = "propose"
    kill_switch: bool = False
    targets: tuple[Target, ...] = ()
    caps: Caps = Caps()
    cooldown_success_s: float = Field(default=1800.0, ge=0)
    cooldown_failure_s: float = Field(default=600.0, ge=0)
    freshness_s: float = Field(default=86_400.0, ge=0)
    skew_s: float = Field(default=60.0, ge=0)
    signals_window_s: float = Field(default=3600.0, gt=0)
    drill_days: float = Field(default=90.0, gt=0)
    approval_expiry_s: float = Field(default=3600.0, gt=0)
    lease_s: float = Field(default=30.0, gt=1)
