"""Findings that a dead credential was used: our own proof is no thief, and the old incident is told."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from connectors.store import timeline
from connectors.store.schema import incidents, revocation_debt, steps
from detectors.dead_credential import RULE_ID
from detectors.finding import Finding, rfc3339
from playbooks.policy import Policy


def explained(connection: Connection, finding: Finding, policy: Policy) -> bool:
    """Return whether a proof of ours tried the old credential within `times.intent_s` of the event.

    A thief in the same minute is taken for us; the next one is not.
    """
    if finding.rule_id != RULE_ID:
        return False
    margin, at = policy.times.intent_s, finding.event_time
    ended = func.coalesce(steps.c.done_at, steps.c.called_at, steps.c.intent_at)
    query = select(steps.c.action_id).where(
        steps.c.action_id == finding.labels.get("action_id", ""),
        steps.c.name == "old_refused",
        or_(steps.c.checks != "[]", steps.c.state != "done"),
        steps.c.intent_at <= at + margin,
        ended >= at - margin,
    )
    return connection.execute(query.limit(1)).first() is not None


def tell(connection: Connection, finding: Finding, now: float) -> set[str]:
    """Write the use into the timeline of the incident that the proof belonged to; return it, if there is one.

    Once a minute of uses, as the findings are. Only for an action whose debt this database knows.
    """
    if finding.rule_id != RULE_ID:
        return set()
    query = (
        select(revocation_debt.c.incident_id, revocation_debt.c.target_key)
        .join(incidents, incidents.c.id == revocation_debt.c.incident_id)
        .where(revocation_debt.c.action_id == finding.labels.get("action_id", ""))
    )
    row = connection.execute(query).first()
    if row is None:
        return set()
    text = f"the dead credential of {row.target_key} was used again at {rfc3339(finding.event_time)}"
    data = {"finding_id": finding.finding_id}
    timeline.append(connection, row.incident_id, now, "dead_credential_used", text, data)
    return {str(row.incident_id)}
