"""One credential of each kind, stolen: how it is made, and how the thief tries it again. A test's tool."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import kubernetes_logins
import psycopg
import pytest
from pydantic import SecretStr

from config.response import Target
from config.secret import Secret
from connectors.rotation.database_dynamic_leases import WITNESS_S
from connectors.rotation.vault_entity import VaultEntityTarget
from connectors.rotation.vault_kubernetes_login import KubernetesLoginTarget
from connectors.rotation.vault_token import VaultTokenTarget
from daemon.demo.error import SceneError


@dataclass
class Case:
    """`target` is configured, `meant` what the action names; `effect` matches the call that kills.

    `still_works` replays the stolen thing; `stolen` is its text, which must stand nowhere. `left_behind` is
    for how many seconds more the longest-lived thing lives that the rotation made for its proof.
    """

    target: Target
    meant: Target
    effect: str
    effects: int
    grade: str
    stolen: str
    still_works: Callable[[], bool]
    left_behind: Callable[[], float] = lambda: 0.0


def static_role(scene: Any) -> Case:
    target = scene.target()
    stolen = scene.served(target)
    return Case(
        target,
        target,
        f"database/rotate-role/{target.name}",
        1,
        "A",
        stolen,
        lambda: _logs_in(scene, target.login, stolen),
    )


def static_pair(scene: Any) -> Case:
    target = scene.pair()
    data = scene.vault.call("GET", f"database/static-creds/{target.first}")["data"]
    user, stolen = data["username"], data["password"]
    call = f"database/rotate-role/{target.first}"
    return Case(target, target, call, 1, "A", stolen, lambda: _logs_in(scene, user, stolen))


def dynamic_lease(scene: Any) -> Case:
    target = scene.dynamic_role()
    made = scene.vault.call("GET", f"database/creds/{target.name}")
    user, stolen = made["data"]["username"], made["data"]["password"]
    meant = _instance(target, made["lease_id"].rpartition("/")[2])

    def left_behind() -> float:
        """End the children of our token as their time would: no lease of the role may outlive them."""
        longest = 0.0
        for accessor in scene.vault.call("GET", "auth/token/accessors?list=true")["data"]["keys"]:
            found = scene.vault.call("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
            if found["path"] == "auth/token/create" and found["explicit_max_ttl"] == WITNESS_S:
                longest = max(longest, float(found["ttl"]))
                scene.vault.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
        with pytest.raises(SceneError, match="HTTP 404"):
            scene.vault.call("GET", f"sys/leases/lookup/database/creds/{target.name}?list=true")
        return longest

    # Beside the lease itself: the witness, and the credential that shows that new ones are let in.
    return Case(
        target,
        meant,
        "PUT .*sys/leases/revoke",
        3,
        "A",
        stolen,
        lambda: _logs_in(scene, user, stolen),
        left_behind,
    )


def secret_id(scene: Any) -> Case:
    target = scene.approle()
    login = scene.app_login(target.name)
    target = target.model_copy(update={"leaked": _secret(login.secret_id), "entity": login.entity})
    body = {"role_id": login.role_id, "secret_id": login.secret_id}

    def replay() -> bool:
        url = f"{scene.vault.address}/v1/auth/approle/login"
        status = httpx.post(url, json=body, trust_env=False).status_code
        assert status in (200, 400)
        return status == 200 or scene.lets_in(login.token)

    def left_behind() -> float:
        try:
            scene.vault.call("GET", f"auth/approle/role/{target.name}/secret-id?list=true")
        except SceneError:
            return 0.0
        return float("inf")

    call = "secret-id-accessor/destroy"
    meant = _instance(target, login.accessor)
    return Case(target, meant, call, 3, "A", login.secret_id, replay, left_behind)


def token(scene: Any) -> Case:
    auth = scene.vault.call("POST", "auth/token/create-orphan", {"policies": ["default"]})["auth"]
    stolen = auth["client_token"]
    target = VaultTokenTarget(name="any", classification="internal", owner="data", leaked=_secret(stolen))
    meant = _instance(target, auth["accessor"])
    return Case(target, meant, "auth/token/revoke-accessor", 1, "B", stolen, lambda: scene.lets_in(stolen))


def batch_token(scene: Any) -> Case:
    login = scene.app_login(scene.approle(batch=True).name)
    target = VaultEntityTarget(
        name=login.entity, classification="internal", owner="data", leaked=_secret(login.token)
    )
    call = f"POST .*identity/entity/id/{login.entity}"
    return Case(target, target, call, 1, "B", login.token, lambda: scene.lets_in(login.token))


def kubernetes_login(scene: Any) -> Case:
    account = "ingest-" + secrets.token_hex(4)
    token = kubernetes_logins.service_account_token(account)
    name = scene.kubernetes_role(kubernetes_logins.NAMESPACE, account)
    with kubernetes_logins.reviewer(account) as address:
        scene.vault.call("POST", "auth/kubernetes/config", _cluster(address, token, scene))
        body = {"role": name, "jwt": token}
        auth = scene.vault.call("POST", "auth/kubernetes/login", body, token="")["auth"]
    stolen = auth["client_token"]
    target = KubernetesLoginTarget(
        name=name,
        namespace=kubernetes_logins.NAMESPACE,
        service_account=account,
        classification="internal",
        owner="data",
        leaked=_secret(stolen),
        entity=auth["entity_id"],
    )
    call = "auth/token/revoke-accessor"
    return Case(target, target, call, 1, "B", stolen, lambda: scene.lets_in(stolen))


CASES: dict[str, Callable[[Any], Case]] = {
    "static_role": static_role,
    "static_pair": static_pair,
    "dynamic_lease": dynamic_lease,
    "secret_id": secret_id,
    "token": token,
    "batch_token": batch_token,
    "kubernetes_login": kubernetes_login,
}


def _cluster(address: str, token: str, scene: Any) -> dict[str, Any]:
    return {
        "kubernetes_host": address,
        "token_reviewer_jwt": token,
        "disable_local_ca_jwt": True,
        "kubernetes_ca_cert": scene.certificate,
    }


def _logs_in(scene: Any, user: str, password: str) -> bool:
    try:
        psycopg.connect(scene.database.dsn_for(user, password)).close()
    except psycopg.OperationalError as error:
        assert "authentication failed" in str(error)
        return False
    return True


def _instance(target: Target, name: str) -> Target:
    return target.model_copy(update={"name": f"{target.name}/{name}"})


def _secret(text: str) -> Secret:
    return Secret(value=SecretStr(text))
