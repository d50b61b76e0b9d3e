"""The Kubernetes API server on etcd: real authentication, authorisation, admission and audit, no nodes.

Audit goes two ways at once, as in a cluster: to a file (`audit_log`) and to the webhook (`webhook`).
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import yaml
from parts.audit_webhook import AuditWebhook, Collected
from parts.kubelet import Kubelet
from parts.kubernetes_build import ETCD_VERSION, KUBERNETES_VERSION, kubernetes_program
from parts.kubernetes_flags import api_server_flags, etcd_flags
from parts.kubernetes_keys import account_keys, need_openssl
from parts.kubernetes_users import Users

from daemon.demo.error import PartFailedError
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, free_ports

NODE: Final = "node-1"
_READY_S: Final = 60.0
_STOP_S: Final = 15.0
_CALL_S: Final = 15.0


class KubernetesPart:
    """etcd and kube-apiserver. `admin_token` is of system:masters; data stays in `folder` over restarts."""

    name: str = "kube-apiserver"
    version: str = f"{KUBERNETES_VERSION} (etcd {ETCD_VERSION})"

    def __init__(self, folder: Path) -> None:
        """Prepare the servers with data and logs in `folder`. Nothing is built or started."""
        self._folder = folder
        self.port, self._etcd, self._peer = free_ports(3)
        self.url = f"https://{LOOPBACK}:{self.port}"
        self.ca_file = folder / "certs" / "apiserver.crt"
        self.audit_log = folder / "audit.jsonl"
        self.admin_token = secrets.token_urlsafe(24)
        self._program: Path | None = None
        self._children: list[Child] = []
        self._client: httpx.Client | None = None

    def fetch(self) -> None:
        """Bring the program into the cache: a build of minutes the first time. Raises PartMissingError."""
        need_openssl()
        self._program = kubernetes_program()

    def start(self) -> None:
        """Start etcd, the API server and what it calls; wait until /readyz. Raises PartFailedError."""
        program = str(self._program or kubernetes_program())
        self._folder.mkdir(parents=True, exist_ok=True)
        self.webhook, self.users, self.kubelet = AuditWebhook(), Users(), Kubelet(self._folder / "kubelet")
        for helper in (self.webhook, self.users, self.kubelet):
            helper.start()
        self._write_files()
        self._child("etcd", (program, "etcd", *etcd_flags(self._folder, self._etcd, self._peer)), 300)
        flags = api_server_flags(self._folder, self.port, self._etcd, self.audit_log)
        server = self._child("kube-apiserver", (program, "kube-apiserver", *flags), 600)
        server.wait_until(self._ready, _READY_S)
        self._register_node()

    def stop(self) -> None:
        """Stop the API server, then etcd, then what they called."""
        self._disconnect()
        for child in reversed(self._children):
            child.stop(_STOP_S)
        if self._children:
            for helper in (self.webhook, self.users, self.kubelet):
                helper.stop()
        self._children = []

    def pids(self) -> list[int]:
        """etcd and kube-apiserver, as far as they run."""
        return [child.pid for child in self._children if child.running]

    def user_token(self, name: str, groups: Sequence[str] = ()) -> str:
        """Return a bearer token of the user `name`; it has no right before RBAC gives it one."""
        return self.users.add(name, tuple(groups))

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig with the admin's token to `folder` and return its path."""
        path = folder / "kubeconfig"
        path.touch(mode=0o600)
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        path.write_text(_config(cluster, {"token": self.admin_token}), encoding="utf-8")
        return path

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Call the API as the admin, or as the bearer of `token` ("" = without any). Any status returns.

        `body` is bytes as they are, or what becomes JSON. A patch whose `headers` name no content type is a
        merge patch.
        """
        if self._client is None:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            self._client = httpx.Client(base_url=self.url, verify=context, timeout=_CALL_S, trust_env=False)
        bearer = self.admin_token if token is None else token
        sent = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if body is not None:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            sent["Content-Type"] = f"application/{kind}"
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        return self._client.request(method, path, content=content, headers={**sent, **(headers or {})})

    def made(self, path: str, body: Mapping[str, Any], *, token: str | None = None) -> dict[str, Any]:
        """Create an object by POST to its collection; return it. Raises PartFailedError when refused."""
        answer = self.call("POST", path, body, token=token)
        if answer.status_code != 201:
            raise PartFailedError(f"POST {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def _ready(self) -> bool:
        """A certificate that is still being written is no error; nothing of a failed try is kept."""
        try:
            return self.ca_file.exists() and self.call("GET", "/readyz").status_code == 200
        except (httpx.TransportError, ssl.SSLError):
            self._disconnect()
            return False

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _child(self, name: str, command: tuple[str, ...], memory_mb: int) -> Child:
        # Go gives memory back only under pressure: the limits are soft, and slow nothing down here.
        environment = {"PATH": os.environ["PATH"], "GOMEMLIMIT": f"{memory_mb}MiB", "GOGC": "50"}
        child = Child(name=name, command=command, log=self._folder / f"{name}.log", environment=environment)
        self._children.append(child)
        child.start()
        return child

    def _write_files(self) -> None:
        self.ca_file.parent.mkdir(exist_ok=True)
        account_keys(self._folder)
        tokens = self._folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.admin_token},admin,admin,"system:masters"\n', encoding="utf-8")
        (self._folder / "webhook.yaml").write_text(_config({"server": self.webhook.url}), encoding="utf-8")
        (self._folder / "users.yaml").write_text(_config({"server": self.users.url}), encoding="utf-8")

    def _register_node(self) -> None:
        """Tell the server where the node's kubelet listens, as a kubelet does for itself.

        Waits until that was audited, so that what sinks are given afterwards begins with what they do.
        """
        status = {
            "addresses": [{"type": "InternalIP", "address": LOOPBACK}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet.port}},
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": status}
        seen = Collected()
        with self.webhook.into(seen):
            self.call("DELETE", f"/api/v1/nodes/{NODE}")
            self.made("/api/v1/nodes", node)
            seen.wait(_node_was_made)


def _node_was_made(event: Mapping[str, Any]) -> bool:
    target = event.get("objectRef", {}).get("resource")
    return (target, event["verb"], event["stage"]) == ("nodes", "create", "ResponseComplete")


def _config(cluster: Mapping[str, str], user: Mapping[str, str] | None = None) -> str:
    """Return a kubeconfig of one cluster and one user."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stack", "cluster": dict(cluster)}],
            "users": [{"name": "stack", "user": dict(user or {})}],
            "contexts": [{"name": "stack", "context": {"cluster": "stack", "user": "stack"}}],
            "current-context": "stack",
        }
    )
