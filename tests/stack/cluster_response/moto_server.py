"""AWS as moto plays it, in a process of its own: a double, not AWS.

What it enforces once `enforce` was called: signatures, that a key exists, policies by their actions. What it
does not: resources and conditions of policies, that a key is active, eventual consistency.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from config.secret import Secret
from connectors.aws.account import Account
from connectors.aws.client import Answer, AwsClient, Credentials
from connectors.vault.secret_text import SecretText
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, free_ports

ACCOUNT_ID = "123456789012"
_ROOT = Credentials("AKIAROOTROOTROOTROOT", SecretText("root"))


class MotoServer:
    """The server, and what tests make in it."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://{LOOPBACK}:{port}/"
        endpoints: Any = {"iam": self.url, "sts": self.url}
        self.client = AwsClient(endpoints, "us-east-1", transport=httpx.HTTPTransport(verify=False))
        self._http = httpx.Client(verify=False, trust_env=False)
        command = (sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port))
        self._child = Child(
            name="moto", command=command, log=folder / "moto.log", environment={"PATH": "/bin"}
        )

    def start(self) -> None:
        """Start and wait until it answers."""
        self._child.start()
        self._child.wait_until(self._ready, 60.0)

    def stop(self) -> None:
        """Stop it."""
        self.client.close()
        self._http.close()
        self._child.stop(10.0)

    def enforce(self, on: bool) -> None:
        """Check signatures and policies from now on, or no more."""
        self._http.post(f"{self.url}moto-api/reset-auth", content="0" if on else "inf").raise_for_status()

    def ask(self, action: str, **fields: str) -> Answer:
        """Call IAM as nobody in particular; only while nothing is enforced."""
        return self.client.call("iam", action, _ROOT, fields)

    def account(self, credentials: Credentials) -> Account:
        """Return settings that reach this server as `credentials`."""
        return Account(
            access_key_id=Secret(value=SecretStr(credentials.access_key_id)),
            secret_access_key=Secret(value=SecretStr(credentials.secret.reveal())),
            iam_endpoint=self.url,
            sts_endpoint=self.url,
        )

    def user(self, policy: Mapping[str, Any] | None = None) -> tuple[str, Credentials]:
        """Make a user with one key and this policy; return its name and key."""
        name = f"user-{secrets.token_hex(4)}"
        self.ask("CreateUser", UserName=name)
        if policy is not None:
            self.ask("PutUserPolicy", UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        made = self.ask("CreateAccessKey", UserName=name)
        secret = SecretText(made.text("SecretAccessKey"))
        return name, Credentials(made.text("AccessKeyId"), secret)

    def _ready(self) -> bool:
        time.sleep(0.05)
        try:
            return self._http.get(f"{self.url}moto-api/data.json").status_code == 200
        except httpx.TransportError:
            return False
