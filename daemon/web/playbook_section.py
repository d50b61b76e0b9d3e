"""The playbook of an incident with the incident's values filled in, as safe HTML."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from connectors.store.records import IncidentRecord
from detectors.finding import rfc3339
from playbooks.page import render_html
from playbooks.playbook import Playbook


def section_html(playbooks: Mapping[str, Playbook], record: IncidentRecord) -> Markup | None:
    """Return the playbook's page for this incident, or None when the library does not have it.

    `render_html` escapes every value and sanitises its result: that is why it may be marked safe here.
    """
    playbook = playbooks.get(record.row.playbook_id)
    if playbook is None:
        return None
    return Markup(render_html(playbook, values(record)))  # noqa: S704 - sanitised by nh3 in playbooks/page.py


def values(record: IncidentRecord) -> dict[str, str]:
    """Return what a playbook may name (`playbooks.page.VALUES`) as far as this incident knows it."""
    row = record.row
    out = {
        "incident_id": row.id,
        "number": str(row.number),
        "title": row.title,
        "level": row.level,
        "status": row.status,
        "first_event_at": rfc3339(row.first_event_at),
        "opened_at": rfc3339(row.opened_at),
        "primary": row.primary_id,
    }
    out |= _of_entities(record)
    for action in record.actions:
        grade = str(action.proof.get("grade") or "") if action.proof else ""
        out |= {"action_id": action.id, "action_state": action.state, "grade": grade}
        out |= {"mount": action.mount, "role": action.name}
    return out


def _of_entities(record: IncidentRecord) -> dict[str, str]:
    """Return the entity that most findings name, type by type; the primary one before all others."""
    first: dict[str, str] = {record.row.primary_type: record.row.primary_id}
    actor = ""
    for entity in record.entities:
        first.setdefault(entity.type, entity.id)
        if entity.role == "actor" and not actor:
            actor = entity.id
    out = {name: first[name] for name in first if name not in ("pod", "service_account", "credential")}
    out["actor"] = actor
    for kind in ("pod", "service_account"):
        if kind in first:
            namespace, _, name = first[kind].rpartition("/")
            out[kind] = name
            out.setdefault("namespace", namespace)
    if "credential" in first:
        out["credential"] = first["credential"]
        mount, _, role = first["credential"].partition(":")[2].partition("/")
        out |= {"mount": mount, "role": role}
    return out
