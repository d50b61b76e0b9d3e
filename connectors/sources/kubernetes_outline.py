"""A Kubernetes audit event in outline (`connectors.sources.outline`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from connectors.sources.kubernetes_aliases import ARN, arn_alias
from connectors.sources.kubernetes_names import POD_NAME, SERVICE_ACCOUNT, user
from connectors.sources.moment import seconds
from connectors.sources.outline import Glance, Outline
from connectors.sources.untrusted import ID_LIMIT, entity
from detectors.event import Alias, EntityType
from detectors.identifier import digest16, source_id
from detectors.sigma.path import MISSING

_LONG: Final = 1 << 63
_STAGES: Final = frozenset({"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"})
_Name = tuple[EntityType, str]


def outline() -> Outline:
    """Return how: a pod's status, which may state its address, is read in full."""
    fields = (
        ("stageTimestamp",),
        ("verb",),
        ("stage",),
        ("auditID",),
        ("requestURI",),
        ("user", "username"),
        ("user", "extra", POD_NAME),
        ("user", "extra", ARN),
        ("responseStatus", "code"),
        ("objectRef", "resource"),
        ("objectRef", "subresource"),
    )
    return Outline(fields, _glance)


def _glance(
    stamp: Any,
    verb: Any,
    stage: Any,
    audit_id: Any,
    uri: Any,
    name: Any,
    pods: Any,
    arns: Any,
    code: Any,
    resource: Any,
    subresource: Any,
) -> Glance | None:
    if type(stamp) is not str or type(verb) is not str or type(stage) is not str:
        return None
    if subresource == "status" and resource == "pods":
        return None
    if type(code) is int:
        if not -_LONG <= code < _LONG:
            return None
    elif code is not MISSING and code is not None:
        return None
    time = seconds(stamp, "stageTimestamp")
    known = type(name) is str
    event_id = None
    if type(audit_id) is str and audit_id:
        told = "" if code is MISSING or code is None else str(code)
        mark = digest16(stamp, name if known else "", verb, uri if type(uri) is str else "", told)
        event_id = f"{source_id(audit_id)}/{stage if stage in _STAGES else source_id(stage)}/{mark}"
    if not known:
        return event_id, time, (), None, 0
    if not name.startswith(SERVICE_ACCOUNT):
        login = arn_alias(name, arns[0], time) if type(arns) is tuple and len(arns) == 1 else None
        return event_id, time, () if login is None else (login,), None, 0
    if pods is MISSING or pods is None:
        return event_id, time, (), None, 0
    if type(pods) is not tuple:
        return event_id, time, (), None, 0
    if not pods or not pods[0]:
        return event_id, time, (), None, 0
    if len(name) > ID_LIMIT or len(pods[0]) > ID_LIMIT:
        return None
    account, pod = _names(name, pods[0])
    return event_id, time, (Alias(account, pod, time),), None, 0


@lru_cache(maxsize=4096)
def _names(name: str, pod: str) -> tuple[_Name, _Name]:
    """The service account of a user name, and the pod of its token."""
    namespace = name.removeprefix(SERVICE_ACCOUNT).partition(":")[0]
    return user(name, "actor")[:2], entity("pod", f"{namespace}/{pod}", "actor")[:2]
