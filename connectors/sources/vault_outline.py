"""A vault audit entry in outline (`connectors.sources.outline`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from connectors.sources.moment import seconds
from connectors.sources.outline import Glance, Outline
from connectors.sources.untrusted import address, entity, names_one_machine
from connectors.sources.vault_outcome import ANSWERED
from connectors.sources.vault_token_names import token_names
from detectors.event import Alias
from detectors.identifier import source_id
from detectors.sigma.path import MISSING

_LONGEST: Final = 256


def outline() -> Outline:
    """Return how: answers that failed, read a credential, name a service account or ARN are read in full."""
    fields = (
        ("time",),
        ("type",),
        ("request", "id"),
        ("request", "path"),
        ("request", "remote_address"),
        ("auth", "accessor"),
        ("auth", "client_token"),
        ("auth", "metadata", "service_account_name"),
        ("auth", "metadata", "client_arn"),
        ("auth", "policy_results", "allowed"),
        ("error",),
        ("response", "data", "error"),
        ("response", "data", "errors"),
        ("response", "data", "http_status_code"),
    )
    return Outline(fields, _glance, objects=frozenset({"request"}))


def _glance(
    stamp: Any,
    kind: Any,
    request: Any,
    path: Any,
    remote: Any,
    accessor: Any,
    hashed: Any,
    account: Any,
    arn: Any,
    allowed: Any,
    *failures: Any,
) -> Glance | None:
    if type(kind) is not str or type(stamp) is not str:
        return None
    time = seconds(stamp, "time")
    event_id = f"{source_id(request)}/{source_id(kind)}" if type(request) is str and request else None
    if kind not in ANSWERED:
        return event_id, time, (), None, 0
    if type(path) is str and "creds/" in path:
        return None
    if allowed is False or account is not MISSING or arn is not MISSING:
        return None
    if any(_told(failed) for failed in failures):
        return None
    if type(accessor) is not str or not accessor:
        return event_id, time, (), None, 0
    if len(accessor) > _LONGEST:
        return None
    names = token_names(accessor, hashed, time)
    found = (names,) if names is not None else ()
    if type(remote) is not str or not remote:
        return event_id, time, found, None, 0
    if len(remote) > _LONGEST:
        return None
    ip = _machine(remote)
    if ip is None:
        return event_id, time, found, None, 0
    token = entity("vault_token", accessor, "actor")[:2]
    return event_id, time, (Alias(token, ("address", ip), time), *found), None, 0


def _told(failed: Any) -> bool:
    return failed is not MISSING and bool(failed)


@lru_cache(maxsize=4096)
def _machine(remote: str) -> str | None:
    ip = address(remote)
    return ip if ip and names_one_machine(ip) else None
