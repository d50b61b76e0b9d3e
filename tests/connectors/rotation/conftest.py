"""A real vault over a real PostgreSQL, with a token that may do exactly what the rotation declares."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from config.response import DatabaseProbe, Response, Target
from config.secret import Secret
from config.settings import Settings
from config.vault import Vault
from connectors.rotation.catalogue import policy
from connectors.rotation.tools import Tools
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.postgres import PostgresPart

OBSERVER = "davylamp_observer"


@dataclass
class Scene:
    """The two servers, and targets made on demand."""

    vault: OpenBaoPart
    database: PostgresPart
    observer_password: str

    @classmethod
    def start(cls, folder: Path, auth: Literal["scram-sha-256", "trust"] = "scram-sha-256") -> Scene:
        database = PostgresPart(folder / "postgres", auth=auth)
        database.start()
        vault = OpenBaoPart(folder / "vault", durable=True)
        vault.start()
        scene = cls(vault, database, secrets.token_urlsafe(16))
        scene.execute(f"CREATE ROLE {OBSERVER} LOGIN PASSWORD '{scene.observer_password}'")
        scene.execute(f"GRANT pg_signal_backend, pg_read_all_stats TO {OBSERVER}")
        scene.execute("CREATE ROLE vault_admin LOGIN SUPERUSER PASSWORD 'vault-admin-password'")
        vault.call(
            "POST",
            "database/config/platform",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:"
                f"{database.port}/postgres?sslmode=disable&connect_timeout=3",
                "username": "vault_admin",
                "password": "vault-admin-password",
                "password_authentication": "scram-sha-256",
            },
        )
        return scene

    def stop(self) -> None:
        self.vault.stop()
        self.database.remove()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def target(self, **changes: object) -> Target:
        """Make a database user with its static role; its name is new each time."""
        name = "analytics_" + secrets.token_hex(4)
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'first'").format(sql.Identifier(name)))
        self.vault.call(
            "POST",
            f"database/static-roles/{name}",
            {"db_name": "platform", "username": name, "rotation_period": "24h"},
        )
        probe = DatabaseProbe(
            port=self.database.port,
            sslmode="disable",
            observer=OBSERVER,
            observer_password=Secret(value=SecretStr(self.observer_password)),
        )
        target = Target(name=name, classification="internal", owner="data", probe=probe)
        return target.model_copy(update=changes)

    def settings(self, *targets: Target, folder: Path | None = None) -> Settings:
        """Return settings with a token that has the least policy and nothing else."""
        blank = Settings(response=Response(targets=targets))
        name = "davylamp-" + secrets.token_hex(4)
        self.vault.call("PUT", f"sys/policies/acl/{name}", {"policy": policy(blank)})
        made = self.vault.call(
            "POST", "auth/token/create-orphan", {"policies": [name], "no_default_policy": False}
        )
        token = Secret(value=SecretStr(made["auth"]["client_token"]))
        url = Secret(value=SecretStr(f"sqlite:///{folder}/davylamp.db")) if folder else Secret()
        return Settings(
            vault=Vault(address=self.vault.address, token=token, timeout_s=5),
            response=Response(targets=targets, database_url=url, lease_s=6),
        )

    def tools(self, settings: Settings) -> Tools:
        return Tools(
            settings=settings,
            vault=VaultClient(settings.vault.address, settings.vault.token.reveal),
            sleep=time.sleep,
            random_password=lambda: SecretText(secrets.token_urlsafe(24)),
        )

    def served(self, target: Target) -> str:
        """Return the password that the vault serves now."""
        data = self.vault.call("GET", f"database/static-creds/{target.name}")["data"]
        return str(data["password"])

    def mark(self, target: Target) -> str:
        return str(
            self.vault.call("GET", f"database/static-roles/{target.name}")["data"]["last_vault_rotation"]
        )

    def login(self, target: Target, password: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.database.dsn_for(target.login, password), autocommit=True)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Servers shared by the tests that do not stop them."""
    made = Scene.start(tmp_path_factory.mktemp("scene"))
    yield made
    made.stop()


@pytest.fixture
def own_scene(tmp_path: Path) -> Iterator[Scene]:
    """Servers of one test, which may stop and seal them."""
    made = Scene.start(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def trusting_scene(tmp_path: Path) -> Iterator[Scene]:
    """A PostgreSQL that lets anybody in (trust)."""
    made = Scene.start(tmp_path, auth="trust")
    yield made
    made.stop()
