"""The end of a containment as an action of its own: queued for its time in the transaction that needs it.

`queued_at` is the time from which a worker may take it. It is no proposal: what ends by itself was approved
with the containment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, insert, or_, select, update

from connectors.store import audit, timeline
from connectors.store.canonical import dumps
from connectors.store.database import Database
from connectors.store.error import UnknownRowError
from connectors.store.leases import Lease
from connectors.store.schema import actions
from detectors.finding import rfc3339
from detectors.identifier import derive
from playbooks.containment import RELEASE, RELEASE_AGAIN_S, RELEASE_DEADLINE_S, Release, release_plan
from playbooks.incident import plan_digest
from playbooks.policy import Policy

_COPIED: Final = (
    "incident_id",
    "target_key",
    "target_kind",
    "mount",
    "name",
    "classification",
    "target_owner",
    "mode",
    "playbook_id",
    "playbook_version",
    "epoch",
    "actors",
    "trigger_time",
)


def queue(connection: Connection, lease: Lease, release: Release, policy: Policy, now: float) -> str:
    """Queue the release of what the leased containment did; return its id."""
    done = connection.execute(select(actions).where(actions.c.id == lease.action.id)).mappings().one()
    plan = release_plan(
        lease.action.target,
        policy,
        lease.action.id,
        release,
        epoch=lease.action.epoch,
        incident_id=lease.action.incident_id,
    )
    return _insert(connection, done, plan, derive("release", lease.action.id, "0"), release.at, now)


def queue_again(connection: Connection, row: Mapping[Any, Any], now: float) -> str | None:
    """Queue a release that failed for a later time; return its id, or None when it was tried often enough."""
    plan = json.loads(row["plan"])
    tried = connection.execute(
        select(func.count()).where(
            actions.c.verb == RELEASE,
            actions.c.target_key == row["target_key"],
            actions.c.digest == row["digest"],
        )
    ).scalar_one()
    if tried > len(RELEASE_AGAIN_S):
        return None
    identifier = derive("release", str(plan["undoes"]), str(tried))
    return _insert(connection, row, plan, identifier, now + RELEASE_AGAIN_S[tried - 1], now)


def release_now(database: Database, action_id: str, by: str, now: float) -> str:
    """Let a waiting release begin now. `action_id` names it or its containment; return the release's id.

    Raises UnknownRowError when nothing of this id waits for its time.
    """
    with database.transaction() as connection:
        for found in waiting(connection):
            if action_id not in (found.release_id, found.undoes):
                continue
            deadline = now + RELEASE_DEADLINE_S
            values = {"queued_at": now, "deadline_at": deadline, "requester": by}
            mine = actions.c.id == found.release_id
            connection.execute(update(actions).where(mine).values(values))
            incident = connection.execute(select(actions.c.incident_id).where(mine)).scalar()
            said = f"{by}: {found.target_key} is released now"
            _tell(connection, incident, found.release_id, found.target_key, said, by, now)
            audit.publish(connection, now)
            return found.release_id
    raise UnknownRowError(f"nothing that {action_id} did waits for its release")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A containment that stands: what it holds, which action made it, and when (seconds, UTC) it ends."""

    target_key: str
    at: float
    undoes: str
    release_id: str

    def to_json(self) -> dict[str, str]:
        """Return it for a program."""
        return {
            "target": self.target_key,
            "released_at": rfc3339(self.at),
            "containment": self.undoes,
            "release": self.release_id,
        }


def waiting(connection: Connection) -> list[Waiting]:
    """Return the releases that wait for their time, the next one first."""
    rows = connection.execute(
        select(actions.c.target_key, actions.c.queued_at, actions.c.plan, actions.c.id)
        .where(actions.c.verb == RELEASE, actions.c.state == "queued")
        .order_by(actions.c.queued_at, actions.c.id)
    )
    return [Waiting(key, at, str(json.loads(plan).get("undoes")), one) for key, at, plan, one in rows]


def standing_on(connection: Connection, target_key: str) -> float | None:
    """Return until when (seconds, UTC) a containment stands on a target, or None."""
    return connection.execute(
        select(func.max(actions.c.queued_at)).where(
            actions.c.verb == RELEASE,
            actions.c.target_key == target_key,
            or_(actions.c.state == "queued", actions.c.state == "executing"),
        )
    ).scalar()


def _insert(
    connection: Connection,
    row: Mapping[Any, Any],
    plan: Mapping[str, Any],
    identifier: str,
    at: float,
    now: float,
) -> str:
    values: dict[str, Any] = {name: row[name] for name in _COPIED}
    values |= {
        "id": identifier,
        "verb": RELEASE,
        "plan": dumps(dict(plan)),
        "digest": plan_digest(plan),
        "needed": 0,
        "requester": "davylamp",
        "state": "queued",
        "created_at": now,
        "queued_at": at,
        "deadline_at": at + RELEASE_DEADLINE_S,
    }
    connection.execute(insert(actions).values(values))
    text = f"{row['target_key']}: released at {rfc3339(at)}"
    _tell(connection, row["incident_id"], identifier, row["target_key"], text, "davylamp", now)
    return identifier


def _tell(
    connection: Connection, incident: str | None, identifier: str, key: str, text: str, by: str, now: float
) -> None:
    data = {"action_id": identifier, "target": key}
    if incident is not None:
        timeline.append(connection, incident, now, "release", text, data)
    audit.record(connection, now, by, "action.release", identifier, "done", data)
