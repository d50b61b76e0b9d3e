"""The vault of the demo: the database engine on the real database, identities, Davylamp's own login.

Workloads log in as they do in a cluster: with a service account token. The tokens are signed by a transit
key that stands for the cluster's issuer, and the vault checks them by its public half (JWT auth).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from daemon.demo.database_scene import ANALYTICS, CUSTOMERS, VAULT_LOGIN, DatabaseScene
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.ports import LOOPBACK
from daemon.demo.parts.postgres import PostgresPart
from daemon.demo.traffic.platform import Platform, Pod, Workload
from daemon.demo.traffic.vault_audit import VaultIdentity

ISSUER_KEY: Final = "cluster-issuer"
AUDIENCE: Final = "vault"
STATIC_ROLES: Final[Mapping[str, str]] = {"analytics": ANALYTICS, "customer-records": CUSTOMERS}
ENTERED: Final = "etl-worker.terraminer-data"
"""The workload that the thief enters; its policy reads every static role, which is the mistake."""


@dataclass(slots=True)
class VaultScene:
    """What the set-up left: Davylamp's token, who each reader is (by workload key), and a pod's token.

    `stolen` is the service account token that lies in the pod the thief enters.
    """

    davylamp_token: str = field(repr=False)
    stolen: str = field(repr=False)
    identities: dict[str, VaultIdentity] = field(default_factory=dict)


def prepare(
    vault: OpenBaoPart, postgres: PostgresPart, database: DatabaseScene, platform: Platform, own_policy: str
) -> VaultScene:
    """Set everything up; `own_policy` (HCL) is all that Davylamp's token may do. Raises SceneError."""
    _database_engine(vault, postgres, database)
    _issuer(vault)
    for workload in platform.readers:
        _reader(vault, workload)
    entered = platform.workload(ENTERED)
    stolen = _account_token(vault, entered, entered.pods[0])
    scene = VaultScene(_own_token(vault, own_policy), stolen)
    for workload in platform.readers:
        scene.identities[workload.key] = _identity(vault, workload, workload.pods[0])
    return scene


def login(vault: OpenBaoPart, workload: Workload, pod: Pod, account_token: str) -> dict[str, Any]:
    """Log in with a service account token from the address of `pod`; return the `auth` of the reply."""
    body = {"role": workload.service_account, "jwt": account_token}
    return vault.call("POST", "auth/jwt/login", body, token="", client_address=pod.address)["auth"]


def _database_engine(vault: OpenBaoPart, postgres: PostgresPart, database: DatabaseScene) -> None:
    vault.call(
        "POST",
        "database/config/analytics",
        {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": (
                f"postgresql://{{{{username}}}}:{{{{password}}}}@{LOOPBACK}:{postgres.port}/postgres?sslmode=disable"
            ),
            "username": VAULT_LOGIN,
            "password": database.vault_password,
            "password_authentication": "scram-sha-256",
            "allowed_roles": list(STATIC_ROLES),
        },
    )
    for name, username in STATIC_ROLES.items():
        role = {"db_name": "analytics", "username": username, "rotation_period": "24h"}
        vault.call("POST", f"database/static-roles/{name}", role)


def _issuer(vault: OpenBaoPart) -> None:
    vault.call("POST", f"transit/keys/{ISSUER_KEY}", {"type": "ecdsa-p256"})
    key = vault.call("GET", f"transit/keys/{ISSUER_KEY}")["data"]["keys"]["1"]["public_key"]
    vault.call("POST", "sys/auth/jwt", {"type": "jwt"})
    vault.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [key]})


def _reader(vault: OpenBaoPart, workload: Workload) -> None:
    names = ["*"] if workload.key == ENTERED else list(workload.credentials)
    lines = [f'path "database/static-creds/{name}" {{ capabilities = ["read"] }}' for name in names]
    vault.call("PUT", f"sys/policies/acl/{workload.name}", {"policy": "\n".join(lines)})
    vault.call(
        "POST",
        f"auth/jwt/role/{workload.service_account}",
        {
            "role_type": "jwt",
            "bound_audiences": [AUDIENCE],
            "bound_subject": _subject(workload),
            "user_claim": "sub",
            "claim_mappings": {
                "/kubernetes.io/serviceaccount/name": "service_account_name",
                "/kubernetes.io/namespace": "service_account_namespace",
            },
            "token_policies": [workload.name],
            "token_ttl": "1h",
        },
    )


def _own_token(vault: OpenBaoPart, policy: str) -> str:
    """Return a token of Davylamp's own entity: AppRole, because the daemon is no workload of the cluster."""
    vault.call("PUT", "sys/policies/acl/davylamp", {"policy": policy})
    role = {"token_policies": ["davylamp"], "token_ttl": "24h", "token_max_ttl": "24h"}
    vault.call("POST", "auth/approle/role/davylamp", role)
    role_id = vault.call("GET", "auth/approle/role/davylamp/role-id")["data"]["role_id"]
    secret_id = vault.call("POST", "auth/approle/role/davylamp/secret-id", {})["data"]["secret_id"]
    reply = vault.call("POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret_id}, token="")
    return str(reply["auth"]["client_token"])


def _identity(vault: OpenBaoPart, workload: Workload, pod: Pod) -> VaultIdentity:
    auth = login(vault, workload, pod, _account_token(vault, workload, pod))
    looked = vault.call(
        "GET", "auth/token/lookup-self", token=auth["client_token"], client_address=pod.address
    )
    return VaultIdentity(
        entity_id=str(auth["entity_id"]),
        display_name=str(looked["data"]["display_name"]),
        role=workload.service_account,
        policies=tuple(str(policy) for policy in auth["policies"]),
        metadata={str(key): str(value) for key, value in (auth.get("metadata") or {}).items()},
    )


def _subject(workload: Workload) -> str:
    return f"system:serviceaccount:{workload.namespace}:{workload.service_account}"


def _account_token(vault: OpenBaoPart, workload: Workload, pod: Pod) -> str:
    """Return a bound service account token as the API server issues it (KEP-1205), valid for an hour."""
    now = int(time.time())
    claims = {
        "iss": "https://kubernetes.default.svc.cluster.local",
        "sub": _subject(workload),
        "aud": [AUDIENCE],
        "iat": now,
        "nbf": now - 5,
        "exp": now + 3600,
        "kubernetes.io": {
            "namespace": workload.namespace,
            "pod": {"name": pod.name, "uid": pod.uid},
            "serviceaccount": {"name": workload.service_account, "uid": workload.service_account_uid},
        },
    }
    signed = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}"
    body = {"input": base64.b64encode(signed.encode()).decode(), "marshaling_algorithm": "jws"}
    reply = vault.call("POST", f"transit/sign/{ISSUER_KEY}/sha2-256", body)
    return f"{signed}.{str(reply['data']['signature']).rpartition(':')[2]}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()
