"""The values of an incident that a playbook page may show, from its `davylamp.incident/1` object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from detectors.event import Fields, Json
from playbooks.credential import parse_credential

_BY_TYPE: Final[Mapping[str, str]] = {
    "vault_entity": "vault_entity",
    "vault_token": "vault_token",
    "iam_principal": "iam_principal",
    "access_key": "access_key",
    "workload": "workload",
    "host": "host",
    "address": "address",
    "namespace": "namespace",
}
_ACTORS: Final = (
    "k8s_user",
    "iam_principal",
    "service_account",
    "vault_entity",
    "access_key",
    "workload",
    "pod",
)


def values_of(incident: Mapping[str, Json]) -> dict[str, str]:
    """Return the values known of an incident (names: `playbooks.page.VALUES`); the first of a kind wins."""
    values = {
        "incident_id": _text(incident, "incident_id"),
        "number": _text(incident, "number"),
        "title": _text(incident, "title"),
        "level": _text(incident, "level"),
        "status": _text(incident, "status"),
        "first_event_at": _text(incident, "first_event_at"),
        "opened_at": _text(incident, "opened_at"),
    }
    primary = cast(Fields, incident.get("primary") or {})
    values["primary"] = _text(primary, "id")
    listed = [cast(Fields, item) for item in cast(list[Json], incident.get("entities") or [])]
    entities = [(_text(item, "type"), _text(item, "id"), _text(item, "role")) for item in listed]
    first = (_text(primary, "type"), _text(primary, "id"), "target")
    for kind, entity_id, _ in (first, *entities):
        _add(values, kind, entity_id)
    values["actor"] = _actor(entities)
    actions = cast(list[Json], incident.get("actions") or [])
    if actions:
        latest = cast(Fields, actions[-1])
        values["action_id"] = _text(latest, "action_id")
        values["action_state"] = _text(latest, "state")
        values["grade"] = _text(latest, "grade") or "none yet"
    return {name: value for name, value in values.items() if value}


def _add(values: dict[str, str], kind: str, entity_id: str) -> None:
    if kind in _BY_TYPE:
        values.setdefault(_BY_TYPE[kind], entity_id)
    if kind in ("pod", "service_account") and "/" in entity_id:
        namespace, name = entity_id.split("/", 1)
        values.setdefault("namespace", namespace)
        values.setdefault(kind, name)
    if kind == "credential":
        values.setdefault("credential", entity_id)
        credential = parse_credential(kind, entity_id)
        if credential is not None:
            values.setdefault("mount", credential.mount)
            values.setdefault("role", credential.name)


def _actor(entities: list[tuple[str, str, str]]) -> str:
    acting = [(kind, entity_id) for kind, entity_id, role in entities if role == "actor"]
    ranked = sorted(acting, key=lambda item: _ACTORS.index(item[0]) if item[0] in _ACTORS else len(_ACTORS))
    return ranked[0][1] if ranked else ""


def _text(document: Mapping[str, Json], key: str) -> str:
    value = document.get(key)
    return "" if value is None else str(value)
