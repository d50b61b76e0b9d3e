"""The vault's audit log on an ordinary week: workloads log in and read what they always read.

The lines are made here, not by the vault (eight days cannot be waited for), in the very shape in which the
running OpenBao writes them, and under the entity ids that this OpenBao gave to the workloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from daemon.demo.traffic.platform import Platform, Pod, Workload
from daemon.demo.traffic.record import VAULT, Body, Record, hexes, moments, new_uuid, record, rfc3339

_VERSION: Final = "v2.7.2+builtin.bao"
_KV_CHANCE: Final = 0.35
_LOGIN_CHANCE: Final = 0.25


@dataclass(frozen=True, slots=True)
class VaultIdentity:
    """Who a workload is to the vault: what a login told about it. No token, no accessor."""

    entity_id: str
    display_name: str
    role: str
    policies: tuple[str, ...]
    metadata: Mapping[str, str]


def records(
    platform: Platform,
    identities: Mapping[str, VaultIdentity],
    rng: Random,
    begin: float,
    end: float,
    count: int,
) -> Iterator[Record]:
    """Yield about `count` records in order of time; in the first hour every usual read is seen.

    `identities` is by workload key (``name.namespace``). Each call gives a `request` and a `response` line.
    """
    usual = [(w, role) for w in platform.readers for role in w.credentials]
    opening = [(begin + 3600 * i / len(usual) / 2, *pair) for i, pair in enumerate(usual * 2)]
    times = moments(rng, begin + 3600, end, count // 2 - len(opening))
    for at, workload, role in opening:
        yield from _call(rng, at, identities[workload.key], workload, f"database/static-creds/{role}")
    for at in times:
        workload, role = rng.choice(usual)
        path = f"database/static-creds/{role}"
        dice = rng.random()
        if dice < _KV_CHANCE:
            path = f"kv/data/{workload.namespace}/{workload.name}"
        elif dice < _KV_CHANCE + _LOGIN_CHANCE:
            path = "auth/jwt/login"
        yield from _call(rng, at, identities[workload.key], workload, path)


def _call(rng: Random, at: float, identity: VaultIdentity, workload: Workload, path: str) -> Iterator[Record]:
    pod = rng.choice(workload.pods)
    request, auth = _request(rng, identity, pod, path), _auth(rng, at, identity, path)
    login = path.startswith("auth/")
    asked: Body = {"policy_results": {"allowed": True}, "token_type": "default"} if login else auth
    mount = {key: request[key] for key in ("mount_point", "mount_type", "mount_accessor", "mount_class")}
    answer: Body = {**mount, "mount_running_plugin_version": _VERSION}
    if login:
        answer["auth"] = {key: value for key, value in auth.items() if key != "policy_results"}
    else:
        answer["data"] = _data(rng, at, path)
    yield record(VAULT, at, {"time": rfc3339(at, 9), "type": "request", "auth": asked, "request": request})
    later = at + 0.003
    body: Body = {
        "time": rfc3339(later, 9),
        "type": "response",
        "auth": auth,
        "request": request,
        "response": answer,
    }
    yield record(VAULT, later, body)


def _request(rng: Random, identity: VaultIdentity, pod: Pod, path: str) -> Body:
    mount = "auth/jwt/" if path.startswith("auth/") else f"{path.split('/', 1)[0]}/"
    kind = {"auth/jwt/": "jwt", "database/": "database", "kv/": "kv"}[mount]
    request: Body = {
        "id": new_uuid(rng),
        "client_id": identity.entity_id,
        "operation": "update" if kind == "jwt" else "read",
        "mount_point": mount,
        "mount_type": kind,
        "mount_accessor": f"{kind}_{sum(mount.encode()):08x}",
        "mount_running_version": _VERSION,
        "mount_class": "auth" if kind == "jwt" else "secret",
        "namespace": {"id": "root"},
        "path": path,
        "remote_address": pod.address,
        "remote_port": rng.randint(32768, 60999),
    }
    if kind == "jwt":
        request["data"] = {"jwt": _hashed(rng), "role": _hashed(rng)}
    else:
        request["client_token"] = _hashed(rng)
        request["client_token_accessor"] = _hashed(rng)
    return request


def _auth(rng: Random, at: float, identity: VaultIdentity, path: str) -> Body:
    policies = list(identity.policies)
    auth: Body = {
        "client_token": _hashed(rng),
        "accessor": _hashed(rng),
        "display_name": identity.display_name,
        "policies": policies,
        "token_policies": policies,
        "policy_results": {
            "allowed": True,
            "granting_policies": [{"name": policies[-1], "namespace_id": "root", "type": "acl"}],
        },
        "metadata": dict(identity.metadata),
        "entity_id": identity.entity_id,
        "token_type": "service",
        "token_ttl": 3600,
    }
    if not path.startswith("auth/"):
        auth["token_issue_time"] = rfc3339(at - rng.randint(5, 1800), 0)
    return auth


def _data(rng: Random, at: float, path: str) -> Body:
    if path.startswith("kv/"):
        return {"data": {"endpoint": _hashed(rng)}, "metadata": {"version": 3, "destroyed": False}}
    return {
        "last_vault_rotation": rfc3339(at - rng.randint(600, 80_000), 9),
        "password": _hashed(rng),
        "rotation_period": 86_400,
        "ttl": rng.randint(600, 86_400),
        "username": _hashed(rng),
    }


def _hashed(rng: Random) -> str:
    return f"hmac-sha256:{hexes(rng, 64)}"
