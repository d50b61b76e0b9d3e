"""event.category and event.type of Kubernetes requests: by resource, subresource and verb."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_TYPES: Final = {
    "create": "creation",
    "post": "creation",
    "update": "change",
    "patch": "change",
    "put": "change",
    "delete": "deletion",
    "deletecollection": "deletion",
    "get": "access",
    "head": "access",
    "list": "access",
    "watch": "access",
}
_IAM: Final = {
    "roles": ["admin"],
    "clusterroles": ["admin"],
    "rolebindings": ["admin"],
    "clusterrolebindings": ["admin"],
    "serviceaccounts": ["user"],
    "certificatesigningrequests": ["user"],
    "users": ["user"],
    "groups": ["group"],
}
_REVIEWS: Final = frozenset(
    {
        "subjectaccessreviews",
        "localsubjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
    }
)
_AUTHENTICATION: Final = frozenset({"tokenreviews", "selfsubjectreviews"})
# What a request into a pod, a node or a service does: (category, type), whatever the verb.
_INTO: Final = {
    "exec": (["process"], ["start"]),
    "attach": (["session"], ["start"]),
    "portforward": (["network"], ["connection"]),
    "proxy": (["network"], ["access"]),
    "ephemeralcontainers": (["process"], ["change"]),
    "eviction": (["process"], ["end"]),
}
_HELD: Final = frozenset({"pods", "services", "nodes"})


def classify(verb: str, resource: str | None, subresource: str | None) -> tuple[list[str], list[str]]:
    """Return (event.category, event.type), values of ECS only; the lists are shared, read them.

    `resource` and `subresource` are objectRef's, None for a path that is no resource; a caller's texts.
    """
    if len(verb) > 64 or len(resource or "") > 256 or len(subresource or "") > 256:
        return ["configuration"], ["info"]
    return _classify(verb, resource, subresource)


@lru_cache(maxsize=2048)
def _classify(verb: str, resource: str | None, subresource: str | None) -> tuple[list[str], list[str]]:
    effect = _TYPES.get(verb, "info")
    if resource is None:
        return ["api"], [effect]
    if resource in _HELD and subresource in _INTO:
        return _into(subresource, verb)
    if resource in _AUTHENTICATION:
        return ["authentication"], ["info"]
    if resource in _REVIEWS:
        return ["iam"], ["info"]
    if resource in _IAM:
        return ["iam"], ["info" if effect == "access" else effect, *_IAM[resource]]
    return ["configuration"], [effect]


def _into(subresource: str, verb: str) -> tuple[list[str], list[str]]:
    """Ephemeral containers and evictions may also be looked at."""
    category, kind = _INTO[subresource]
    looked = subresource == "ephemeralcontainers" and _TYPES.get(verb) == "access"
    return (category, ["access"]) if looked else (category, kind)
