"""Vault audit entries, as Vault and OpenBao write them: a request and a response, text values as HMAC.

https://developer.hashicorp.com/vault/docs/audit - numbers and truth values stand in clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from daemon.demo.traffic.record import Body, hexes, new_uuid, rfc3339
from daemon.lab.inventory import login_name
from daemon.lab.stage import VAULT, Stage
from daemon.lab.world import Person, Workload

_VERSION: Final = "v2.7.2+builtin.bao"
_TYPES: Final[Mapping[str, str]] = {"sys": "system", "identity": "identity", "cubbyhole": "cubbyhole"}


@dataclass(frozen=True, slots=True)
class Login:
    """A token and whom the vault takes its holder for."""

    display_name: str
    policies: tuple[str, ...]
    entity_id: str
    address: str
    token: str
    accessor: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


def person(stage: Stage, who: Person, *policies: str, address: str = "") -> Login:
    """Return someone's token after a login with name and password."""
    at = address or who.address
    return _login(stage, f"userpass-{who.user}", policies, who.vault_entity, at, {"username": who.user})


def workload(stage: Stage, who: Workload, address: str = "") -> Login:
    """Return a pod's token after a login with its service account."""
    about = {
        "role": who.name,
        "service_account_name": who.name,
        "service_account_namespace": who.namespace,
        "service_account_secret_name": "",
        "service_account_uid": who.account_uid,
    }
    at = address or stage.pod(who).address
    return _login(
        stage, login_name(who.namespace, who.name), (f"app-{who.name}",), who.vault_entity, at, about
    )


def root(stage: Stage, address: str = "") -> Login:
    """Return a root token."""
    token = _hash(stage, new_uuid(stage.rng)), _hash(stage, new_uuid(stage.rng))
    return Login("root", ("root",), "", address or stage.foreign, *token)


def call(
    stage: Stage,
    login: Login | None,
    operation: str,
    path: str,
    data: Body | None = None,
    answer: Body | None = None,
    *,
    kind: str = "kv",
    error: str = "",
    address: str = "",
    answered: bool = True,
    given: Body | None = None,
) -> None:
    """Write one request and its response. `kind` is the mount's type, `given` the response's own `auth`.

    `answered` false: the entry of the request alone, as for sealing. Text in `data` and `answer` is hashed.
    """
    request = _request(stage, login, operation, path, kind, address)
    if data is not None:
        request["data"] = _hashed(stage, data)
    auth = _auth(stage, login, allowed="permission denied" not in error)
    entry: Body = {"time": rfc3339(stage.at, 9), "type": "request", "auth": auth, "request": request}
    if "permission denied" in error:
        entry["error"] = error
    stage.add(VAULT, entry, request["id"])
    if not answered:
        return
    response: Body = {
        key: request[key] for key in ("mount_point", "mount_type", "mount_accessor", "mount_class")
    }
    response["mount_running_plugin_version"] = _VERSION
    if answer is not None:
        response["data"] = _hashed(stage, answer)
    if given is not None:
        response["auth"] = given
    entry = {
        "time": rfc3339(stage.at, 9),
        "type": "response",
        "auth": given or auth,
        "request": request,
        "response": response,
    }
    if error:
        entry["error"] = error
    stage.add(VAULT, entry, request["id"])


def new_token(stage: Stage, login: Login, policies: tuple[str, ...], **more: Any) -> Body:
    """Return the `auth` of a response that hands out a token."""
    return {
        "client_token": _hash(stage, new_uuid(stage.rng)),
        "accessor": _hash(stage, new_uuid(stage.rng)),
        "display_name": login.display_name,
        "policies": list(policies),
        "token_policies": list(policies),
        "metadata": dict(login.metadata),
        "entity_id": login.entity_id,
        "token_type": "service",
        "token_ttl": 2_764_800,
        **more,
    }


def _login(
    stage: Stage, name: str, policies: tuple[str, ...], entity: str, address: str, about: Mapping[str, str]
) -> Login:
    token, accessor = _hash(stage, new_uuid(stage.rng)), _hash(stage, new_uuid(stage.rng))
    return Login(name, ("default", *policies), entity, address, token, accessor, about)


def _request(stage: Stage, login: Login | None, operation: str, path: str, kind: str, address: str) -> Body:
    mount = "/".join(path.split("/")[: 2 if path.startswith("auth/") else 1]) + "/"
    first = mount.split("/", 1)[0]
    accessor = hashlib.blake2b(f"{stage.world.vault.accessors}{mount}".encode(), digest_size=4).hexdigest()
    request: Body = {
        "id": new_uuid(stage.rng),
        "operation": operation,
        "mount_point": mount,
        "mount_type": _TYPES.get(first, kind),
        "mount_accessor": f"{_TYPES.get(first, kind)}_{accessor}",
        "mount_running_version": _VERSION,
        "mount_class": "auth" if first == "auth" else "secret",
        "namespace": {"id": "root"},
        "path": path,
        "remote_address": address or (login.address if login else stage.foreign),
        "remote_port": stage.rng.randint(32768, 60999),
        "headers": {"user-agent": ["Go-http-client/1.1"]},
    }
    if login:
        request |= {"client_token": login.token, "client_token_accessor": login.accessor}
        request["client_id"] = login.entity_id or hexes(stage.rng, 32)
    return request


def _auth(stage: Stage, login: Login | None, *, allowed: bool) -> Body:
    if login is None:
        return {"policy_results": {"allowed": allowed}, "token_type": "default"}
    return {
        "client_token": login.token,
        "accessor": login.accessor,
        "display_name": login.display_name,
        "policies": list(login.policies),
        "token_policies": list(login.policies),
        "policy_results": {"allowed": allowed},
        "metadata": dict(login.metadata),
        "entity_id": login.entity_id,
        "token_type": "service",
        "token_ttl": 3600,
        "token_issue_time": rfc3339(stage.at - 60, 0),
    }


def _hashed(stage: Stage, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hashed(stage, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hashed(stage, inner) for inner in value]
    return _hash(stage, value) if isinstance(value, str) else value


def _hash(stage: Stage, text: str) -> str:
    key = str(stage.world.vault.accessors).encode()
    return "hmac-sha256:" + hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest()
