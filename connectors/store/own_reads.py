"""Davylamp's own use of credentials: an intent row near in time explains it; without one it is an alarm."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from connectors.store.schema import actions, steps
from detectors.finding import Finding
from playbooks.credential import names_credential, targets_named
from playbooks.policy import Policy


def explained(connection: Connection, finding: Finding, policy: Policy) -> bool:
    """Return whether a step intended what `finding` tells, on the same target, within `times.intent_s`."""
    margin = policy.times.intent_s
    named = [target.key for target in targets_named(finding.entities, policy.targets)]
    if not named and names_credential(finding.entities):
        return False
    query = (
        select(steps.c.action_id)
        .join(actions, actions.c.id == steps.c.action_id)
        .where(
            steps.c.intent_at.is_not(None),
            steps.c.intent_at <= finding.event_time + margin,
            or_(
                steps.c.intent_at >= finding.event_time - margin,
                steps.c.done_at >= finding.event_time - margin,
            ),
        )
        .limit(1)
    )
    if named:
        instances = [actions.c.target_key.startswith(f"{key}/", autoescape=True) for key in named]
        query = query.where(or_(actions.c.target_key.in_(named), *instances))
    return connection.execute(query).first() is not None
