"""What an audit event proves to be one thing: a pod, its address, its service account; a user and its ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.kubernetes_names import SERVICE_ACCOUNT, own_pod, user
from connectors.sources.untrusted import (
    ID_LIMIT,
    address,
    entity,
    integer_at,
    list_at,
    names_one_machine,
    text_at,
)
from detectors.event import Alias, Event

ARN: Final = "arn"
"""Where the authenticator of AWS puts who logged in, in `user.extra`."""
_ARNS: Final = ("arn:aws:iam::", "arn:aws:sts::", "arn:aws-")
_NODE: Final = "system:node:"


def announced(event: Event) -> list[Alias]:
    """Return what a pod's status says: only node identities may state a pod's address."""
    fields = event.fields
    target = fields.get("objectRef")
    if not isinstance(target, dict) or target.get("subresource") != "status":
        return []
    if target.get("resource") != "pods":
        return []
    reporter = text_at(fields, "user", "username") or ""
    code = integer_at(fields, "responseStatus", "code") or 0
    if not reporter.startswith("system:node:") or not 200 <= code < 300 or "impersonatedUser" in fields:
        return []
    namespace, name = text_at(target, "namespace"), text_at(target, "name")
    if not namespace or not name or fields.get("verb") not in {"patch", "update"}:
        return []
    pod = entity("pod", f"{namespace}/{name}", "target")
    found: list[Alias] = []
    for body in ("responseObject", "requestObject"):
        ip = address(text_at(fields, body, "status", "podIP"))
        shared = address(text_at(fields, body, "status", "hostIP"))
        if ip and ip != shared and names_one_machine(ip):
            found.append(Alias(pod[:2], ("address", ip), event.time))
            break
    for body in ("responseObject", "requestObject"):
        account = text_at(fields, body, "spec", "serviceAccountName")
        if account:
            runs_as = entity("service_account", f"{namespace}/{account}", "target")
            found.append(Alias(pod[:2], runs_as[:2], event.time))
            break
    return found


def bound(fields: Mapping[str, Any], at: float) -> list[Alias]:
    """Return the service account and the pod of a bound token, valid from `at` (seconds, UTC)."""
    pod = own_pod(fields)
    if not pod:
        return []
    account = user(text_at(fields, "user", "username") or "", "actor")
    return [Alias(account[:2], entity("pod", pod, "actor")[:2], at)]


def authenticated(fields: Mapping[str, Any], at: float) -> list[Alias]:
    """Return the user and the AWS identity that the API server's authenticator took it for."""
    arns = list_at(fields, "user", "extra", ARN)
    if len(arns) != 1 or not isinstance(arns[0], str):
        return []
    found = arn_alias(text_at(fields, "user", "username") or "", arns[0], at)
    return [found] if found else []


def arn_alias(name: str, arn: str, at: float) -> Alias | None:
    """Return that user `name` is AWS identity `arn`; None for nodes, service accounts and what is no ARN."""
    if not name or name.startswith((_NODE, SERVICE_ACCOUNT)) or not arn.startswith(_ARNS):
        return None
    if len(name) > ID_LIMIT or len(arn) > ID_LIMIT:
        return None
    return Alias(user(name, "actor")[:2], entity("iam_principal", arn, "actor")[:2], at)
