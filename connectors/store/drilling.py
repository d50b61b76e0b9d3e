"""Drills: a person asks that a target is rotated now, to prove that it can be."""

from __future__ import annotations

from sqlalchemy import insert, select

from connectors.store import audit
from connectors.store.database import Database
from connectors.store.error import UnknownRowError
from connectors.store.planned_row import row_of, target_row
from connectors.store.schema import actions
from playbooks.action import TERMINAL
from playbooks.incident import drill_id
from playbooks.plan import rotating, rotation_plan
from playbooks.policy import Policy
from playbooks.target import TargetRef


def request_drill(
    database: Database, target: TargetRef | str, now: float, requester: str, policy: Policy
) -> str:
    """Propose a drill of a target; return the action's id, or that of the drill already waiting or running.

    `target` may be its key, ``mount/name``, or its name. `now`: seconds (UTC). Raises UnknownRowError
    when it is no configured target or the name fits several.
    """
    chosen = find_target(target, policy)
    with database.transaction() as connection:
        running = connection.execute(
            select(actions.c.id).where(
                actions.c.target_key == chosen.key, actions.c.drill, actions.c.state.not_in(sorted(TERMINAL))
            )
        ).scalar()
        if running is not None:
            return str(running)
        playbook = rotating(list(policy.playbooks.values()), chosen.kind)
        epoch = target_row(connection, chosen.key)["epoch"]
        plan = rotation_plan(chosen, policy, playbook, epoch=epoch, incident_id=None, drill=True)
        identifier = drill_id(chosen.key, requester, now)
        row = row_of(plan, chosen, policy, now, drill=True, requester=requester)
        connection.execute(insert(actions).values({**row, "id": identifier, "trigger_time": now}))
        audit.record(connection, now, requester, "drill.request", identifier, "done", {"target": chosen.key})
        audit.publish(connection, now)
    return identifier


def find_target(target: TargetRef | str, policy: Policy) -> TargetRef:
    """Return the configured target that is meant, or one instance of it by its key.

    Raises UnknownRowError that names the configured ones.
    """
    if isinstance(target, TargetRef):
        target = target.key
    fitting = [t for t in policy.targets if target in (t.key, f"{t.mount}/{t.name}", t.name)]
    instance = policy.target(target)
    if instance is not None and not fitting:
        return instance
    if len(fitting) != 1:
        names = ", ".join(t.key for t in policy.targets) or "none"
        problem = "fits several targets" if fitting else "is not a configured target"
        raise UnknownRowError(f"{target!r} {problem}; configured: {names}")
    return fitting[0]
