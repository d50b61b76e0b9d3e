"""Who an audit event's names stand for: users, service accounts, and the pod of a bound token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.sources.untrusted import ID_LIMIT, entity, list_at, text_at
from detectors.event import Entity, EntityRole

SERVICE_ACCOUNT: Final = "system:serviceaccount:"
POD_NAME: Final = "authentication.kubernetes.io/pod-name"


def user(name: str, role: EntityRole) -> Entity:
    """Return the service account NAMESPACE/NAME of its user name, else the user."""
    return _known_user(name, role) if len(name) <= ID_LIMIT else _user(name, role)


def _user(name: str, role: EntityRole) -> Entity:
    if name.startswith(SERVICE_ACCOUNT):
        namespace, _, account = name.removeprefix(SERVICE_ACCOUNT).partition(":")
        return entity("service_account", f"{namespace}/{account}", role)
    return entity("k8s_user", name, role)


_known_user: Final = lru_cache(maxsize=4096)(_user)
"""A cluster's few users do most of what is done in it."""


def own_pod(fields: Mapping[str, Any]) -> str | None:
    """Return NAMESPACE/NAME of the pod that a bound token belongs to: the server's word, not the caller's."""
    name = text_at(fields, "user", "username")
    if not name or not name.startswith(SERVICE_ACCOUNT):
        return None
    pods = list_at(fields, "user", "extra", POD_NAME)
    if not pods or not isinstance(pods[0], str) or not pods[0]:
        return None
    return f"{name.removeprefix(SERVICE_ACCOUNT).partition(':')[0]}/{pods[0]}"
