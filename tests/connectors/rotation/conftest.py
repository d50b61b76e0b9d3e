"""A real vault over a real PostgreSQL, with a token that may do exactly what the rotation declares."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg import sql
from pydantic import SecretStr

from config.response import DatabaseProbe, Response, Target
from config.secret import Secret
from config.settings import Settings
from config.vault import Vault
from connectors.rotation.catalogue import policy
from connectors.rotation.database_dynamic_leases import DynamicLeasesTarget
from connectors.rotation.database_static_pair import DatabaseStaticPairTarget
from connectors.rotation.database_static_role import DatabaseStaticRoleTarget
from connectors.rotation.tools import Tools
from connectors.rotation.vault_approle import AppRoleTarget
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.demo.error import SceneError
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.postgres import PostgresPart

OBSERVER = "davylamp_observer"


@dataclass
class AppLogin:
    """A secret id and the token that a login with it gave."""

    role_id: str
    secret_id: str
    accessor: str
    auth: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.auth["client_token"])

    @property
    def entity(self) -> str:
        return str(self.auth["entity_id"])


@dataclass
class Hurry:
    """A clock on which sleep passes at once, all but a moment: for tests of anything but the waiting."""

    skipped_s: float = 0.0

    def sleep(self, seconds: float) -> None:
        moment = min(seconds, 0.02)
        time.sleep(moment)
        self.skipped_s += seconds - moment

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped_s

    def now(self) -> float:
        return time.time() + self.skipped_s


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

    def target(self, **changes: object) -> DatabaseStaticRoleTarget:
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
        target = DatabaseStaticRoleTarget(name=name, classification="internal", owner="data", probe=probe)
        return target.model_copy(update=changes)

    def probe(self) -> DatabaseProbe:
        return DatabaseProbe(
            port=self.database.port,
            sslmode="disable",
            observer=OBSERVER,
            observer_password=Secret(value=SecretStr(self.observer_password)),
        )

    def dynamic_role(self, revocation: str = "", **changes: object) -> DynamicLeasesTarget:
        """Make a dynamic role; its name is new each time. `revocation` replaces dropping the user."""
        name = secrets.token_hex(4) + "-reports"
        create = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        role: dict[str, Any] = {"db_name": "platform", "creation_statements": [create], "default_ttl": "1h"}
        if revocation:
            role["revocation_statements"] = [revocation]
        self.vault.call("POST", f"database/roles/{name}", role)
        target = DynamicLeasesTarget(name=name, classification="internal", owner="data", probe=self.probe())
        return target.model_copy(update=changes)

    def pair(self, **changes: object) -> DatabaseStaticPairTarget:
        """Make a pair of static roles with its pointer at the first half; names are new each time."""
        first, second = self.target().name, self.target().name
        name = "pair-" + secrets.token_hex(4)
        if "secret/" not in self.vault.call("GET", "sys/mounts")["data"]:
            self.vault.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        data = {"role": first, "note": "kept"}
        until = time.monotonic() + 10
        while True:
            try:
                self.vault.call("POST", f"secret/data/{name}", {"data": data})
                break
            except SceneError:
                # A new KV mount answers 400 while it upgrades itself to version 2.
                assert time.monotonic() < until
                time.sleep(0.1)
        target = DatabaseStaticPairTarget(
            name=name,
            first=first,
            second=second,
            pointer_path=name,
            classification="internal",
            owner="data",
            probe=self.probe(),
        )
        return target.model_copy(update=changes)

    def approle(self, *, batch: bool = False, **changes: object) -> AppRoleTarget:
        """Make an AppRole; its name is new each time."""
        name = "app-" + secrets.token_hex(4)
        kind = "batch" if batch else "service"
        role = {"token_type": kind, "token_ttl": "1h", "token_policies": "default"}
        self.vault.call("POST", f"auth/approle/role/{name}", role)
        target = AppRoleTarget(name=name, classification="internal", owner="data")
        return target.model_copy(update=changes)

    def kubernetes_role(self, namespace: str, account: str) -> str:
        """Make a role of the Kubernetes auth method for one service account; its name is new each time."""
        if "kubernetes/" not in self.vault.call("GET", "sys/auth")["data"]:
            self.vault.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        name = "pods-" + secrets.token_hex(4)
        role = {
            "bound_service_account_names": account,
            "bound_service_account_namespaces": namespace,
            "token_policies": "default",
            "token_ttl": "1h",
        }
        self.vault.call("POST", f"auth/kubernetes/role/{name}", role)
        return name

    @property
    def certificate(self) -> str:
        """A certificate for a setting that wants one; nothing is signed with it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "davylamp test")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def app_login(self, role: str) -> AppLogin:
        """Make a secret id of `role` and log in with it."""
        path = f"auth/approle/role/{role}"
        role_id = self.vault.call("GET", f"{path}/role-id")["data"]["role_id"]
        made = self.vault.call("POST", f"{path}/secret-id", {})["data"]
        body = {"role_id": role_id, "secret_id": made["secret_id"]}
        auth = self.vault.call("POST", "auth/approle/login", body, token="")["auth"]
        return AppLogin(role_id, made["secret_id"], made["secret_id_accessor"], auth)

    def lets_in(self, token: str) -> bool:
        """Return whether the vault lets `token` look itself up; a 403 is a no, anything else a fault."""
        reply = httpx.get(
            f"{self.vault.address}/v1/auth/token/lookup-self",
            headers={"X-Vault-Token": token},
            trust_env=False,
        )
        assert reply.status_code in (200, 403)
        return reply.status_code == 200

    def settings(self, *targets: Target, folder: Path | None = None, without: str = "") -> Settings:
        """Return settings with a token that has the least policy and nothing else, not even `default`.

        The line `without` of the policy is left out.
        """
        blank = Settings(response=Response(targets=targets))
        name = "davylamp-" + secrets.token_hex(4)
        text = policy(blank).replace(without + "\n", "") if without else policy(blank)
        self.vault.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        made = self.vault.call(
            "POST", "auth/token/create-orphan", {"policies": [name], "no_default_policy": True}
        )
        token = Secret(value=SecretStr(made["auth"]["client_token"]))
        url = Secret(value=SecretStr(f"sqlite:///{folder}/davylamp.db")) if folder else Secret()
        return Settings(
            vault=Vault(address=self.vault.address, token=token, timeout_s=5),
            response=Response(targets=targets, database_url=url, lease_s=6),
        )

    def tools(self, settings: Settings, time_passes: Hurry | None = None) -> Tools:
        return Tools(
            settings=settings,
            vault=VaultClient(
                settings.vault.address, settings.vault.token.reveal, timeout_s=settings.vault.timeout_s
            ),
            sleep=time_passes.sleep if time_passes else time.sleep,
            random_password=lambda: SecretText(secrets.token_urlsafe(24)),
            monotonic=time_passes.monotonic if time_passes else time.monotonic,
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
