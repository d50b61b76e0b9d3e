"""Whether two signals meet: findings of different sources that, by the alias table, tell of one thing."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Select, select, tuple_

from connectors.store.aliases import neighbours_at
from connectors.store.schema import finding_entities, findings
from detectors.level import LEVELS, rank
from playbooks.decision import OPENING_LEVEL
from playbooks.policy import Policy
from playbooks.signals import Node, reach

_SERIOUS: Final = [level for level in LEVELS if rank(level) >= rank(OPENING_LEVEL)]
_MAX_FINDINGS: Final = 50
OWN_SOURCE: Final = "davylamp"
"""The source of findings that respond makes itself: they are no second witness of anything."""


def sources(connection: Connection, row: Any, policy: Policy) -> tuple[str, ...]:
    """Return the sources whose findings meet around action `row`, sorted; one source is no meeting.

    The walk begins at the incident's findings near the trigger, goes over aliases valid at the
    trigger's time, and ends at findings of any incident in the window (`times.signals_window_s`).
    """
    window, at = policy.times.signals_window_s, row["trigger_time"]
    start: dict[str, set[Node]] = {}
    query = _entities(at, window).where(findings.c.incident_id == row["incident_id"])
    for source, kind, name in connection.execute(query.limit(_MAX_FINDINGS * 64)).all():
        start.setdefault(source, set()).add((kind, name))
    met: set[str] = set()
    neighbours = neighbours_at(connection, at, policy.times.skew_s)
    for source, nodes in sorted(start.items()):
        reached = sorted(reach(nodes, neighbours, own=policy.own_identities))
        if not reached:
            continue
        others = (
            _entities(at, window)
            .where(
                findings.c.source != source,
                tuple_(finding_entities.c.type, finding_entities.c.entity_id).in_(reached),
            )
            .limit(_MAX_FINDINGS)
        )
        found = {other for other, _, _ in connection.execute(others).all()}
        if found:
            met |= found | {source}
    return tuple(sorted(met or start))


def _entities(at: float, window: float) -> Select[str, str, str]:
    """Serious findings near `at`, never Davylamp's own: (source, entity type, entity id)."""
    return (
        select(findings.c.source, finding_entities.c.type, finding_entities.c.entity_id)
        .join(finding_entities, finding_entities.c.finding_id == findings.c.finding_id)
        .where(
            findings.c.event_time.between(at - window, at + window),
            findings.c.level.in_(_SERIOUS),
            findings.c.disposition == "incident",
            findings.c.source != OWN_SOURCE,
        )
        .distinct()
    )
