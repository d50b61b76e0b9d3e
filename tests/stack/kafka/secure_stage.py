"""A broker with users and ACLs: topics and rights made by `davylamp topics create --acls`, roles as users."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import yaml
from click.testing import CliRunner
from confluent_kafka.admin import AclOperation  # pyright: ignore[reportPrivateImportUsage]
from kafka.cluster import Cluster
from kafka.documents import document
from kafka.role_child import RoleChild
from parts.secure_kafka import SecureKafkaPart, every_acl

from config.settings import Role
from daemon.cli.main import cli

FORWARDING = {"namespace": "default", "targets": [{"kind": "file", "name": "file", "folder": "siem"}]}
PLATFORM = "platform"


class SecureStage:
    """Empty topics, no rights but those of the contract, a user for each role and one for the platform."""

    def __init__(self, part: SecureKafkaPart, folder: Path, stack: ExitStack) -> None:
        """Wipe the broker, then make topics and rights with the product's own command."""
        self.part = part
        self.folder = folder
        self._stack = stack
        self.admin = Cluster(part.admin_brokers)
        self.admin.wipe()
        part.remove_acls(every_acl())
        self.passwords: Mapping[str, str] = {
            name: part.add_user(name)
            for name in (*map("davylamp-{}".format, ("detect", "correlate", "forward", "dlq")), PLATFORM)
        }
        self.made = self._create_topics()

    def give_back(self) -> None:
        """Make what rights are missing. Safe inside a running loop: the command has a loop of its own."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self._create_topics).result()

    def _create_topics(self) -> dict[str, Any]:
        """Run `davylamp topics create --raw --acls --json` as the super user; return its document."""
        config = self.folder / "admin.yaml"
        plain = document(self.part.admin_brokers, self.folder)
        config.write_text(yaml.safe_dump(plain | {"forwarding": FORWARDING}), encoding="utf-8")
        words = ("--raw", "--acls", "--principal", f"platform={PLATFORM}", "--json")
        ran = CliRunner().invoke(cli, ["topics", "create", "--config", str(config), *words])
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return json.loads(ran.stdout)

    def settings(self, role: Role | Literal["dlq"], **kafka: Any) -> dict[str, Any]:
        """Return the settings of a role, or of the dlq command, as its own user; `kafka` replaces some."""
        login = {
            "brokers": [self.part.brokers],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "username": f"davylamp-{role}",
            "password": {"value": self.passwords[f"davylamp-{role}"]},
            "ca_file": str(self.part.ca_file),
        }
        made = document(self.part.brokers, self.folder) | {"forwarding": FORWARDING}
        made["kafka"] |= login | kafka
        return made

    def role(self, role: Role, **kafka: Any) -> RoleChild:
        """Return such a role as a child, not started."""
        child = RoleChild(role, self.settings(role, **kafka), self.folder / role)
        self._stack.callback(child.stop)
        return child

    def user(self, name: str) -> Cluster:
        """Return the broker as a user sees it."""
        login = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": self.passwords[name],
            "ssl.ca.location": str(self.part.ca_file),
        }
        return Cluster(self.part.brokers, login)

    def take_away(self, name: str, operation: str, user: str) -> None:
        """Remove one right of a user. Raises AssertionError when there was none."""
        unwanted = every_acl(name, AclOperation[operation.upper()], f"User:{user}")
        assert self.part.remove_acls(unwanted) == 1, (name, operation, user)
