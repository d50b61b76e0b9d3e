"""Waiting actions, looked at again: guards and approvals decide whether one starts, waits on, or ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from connectors.store import acknowledging, audit, incidents, paging, timeline
from connectors.store.canonical import dumps
from connectors.store.database import Database
from connectors.store.drilling import request_drill
from connectors.store.guarding import context_of
from connectors.store.replanning import refresh
from connectors.store.schema import actions
from connectors.store.schema import audit as audit_table
from detectors.finding import rfc3339
from playbooks.approval import WORDS
from playbooks.containment import CONTAIN
from playbooks.guard import GuardContext, Verdict
from playbooks.policy import Policy
from playbooks.promotion import SHADOW, Promotion, judge, would_start

__all__ = ["PromotedAction", "promote", "request_drill"]
_BATCH = 500


@dataclass(frozen=True, slots=True)
class PromotedAction:
    """An action that left `proposed`, or whose guards say something else than before."""

    action_id: str
    state: str
    auto: bool
    reason: str
    verdicts: tuple[Verdict, ...]


def promote(database: Database, now: float, policy: Policy) -> list[PromotedAction]:
    """Judge every proposed action, each in its own transaction; return those that changed.

    Also applies the acknowledgements that people gave on the pages. `now`: seconds (UTC). Raises
    StoreError; what earlier transactions did stands, and the next call goes on.
    """
    acknowledging.apply(database, now)
    with database.reading() as connection:
        query = (
            select(actions.c.id)
            .where(actions.c.state == "proposed")
            .order_by(actions.c.created_at, actions.c.id)
        )
        waiting = list(connection.execute(query.limit(_BATCH)).scalars())
    changed: list[PromotedAction] = []
    for action_id in waiting:
        with database.transaction() as connection:
            moved = _promote_one(connection, action_id, policy, now)
            if moved is not None:
                changed.append(moved)
                audit.publish(connection, now)
    return changed


def _promote_one(connection: Connection, action_id: str, policy: Policy, now: float) -> PromotedAction | None:
    query = select(actions).where(actions.c.id == action_id, actions.c.state == "proposed")
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if refresh(connection, row, policy, now):
        row = connection.execute(query).mappings().one()
    context = context_of(connection, row, policy, now)
    outcome = judge(context)
    refused = _audit_refusals(connection, row, context, now)
    paged = _page(connection, row, outcome, policy, now)
    verdicts = (*outcome.verdicts, *_shadow(row, context, outcome, now))
    guards = dumps([verdict.to_json() for verdict in verdicts])
    same = outcome.state == "proposed" and guards == row["guards"] and outcome.needed == row["needed"]
    if same and not refused and not paged:
        return None
    _write(connection, row, outcome, guards, now)
    if outcome.state != "proposed":
        _tell(connection, row, outcome, now)
    if row["incident_id"] is not None:
        incidents.publish(connection, row["incident_id"], now)
    return PromotedAction(action_id, outcome.state, outcome.auto, outcome.reason, outcome.verdicts)


def _shadow(row: Any, context: GuardContext, outcome: Promotion, now: float) -> list[Verdict]:
    """Return what auto would have done: once it would have started the action, that stays said."""
    if row["drill"] or outcome.auto:
        return []
    for said in json.loads(row["guards"]):
        if said["name"] == SHADOW and said["passed"]:
            return [Verdict(SHADOW, True, said["reason"], "propose")]
    would = would_start(context)
    reason = f"auto would have started it at {rfc3339(now)}" if would else "auto would not have started it"
    return [Verdict(SHADOW, would, reason, "propose")]


def _write(connection: Connection, row: Any, outcome: Promotion, guards: str, now: float) -> None:
    values: dict[str, Any] = {
        "state": outcome.state,
        "reason": outcome.reason,
        "guards": guards,
        "needed": outcome.needed,
        "auto": outcome.auto,
        "version": row["version"] + 1,
    }
    if outcome.state == "queued":
        step = json.loads(row["plan"])
        values |= {"queued_at": now, "deadline_at": now + float(step["deadline_s"])}
    elif outcome.state != "proposed":
        values["finished_at"] = now
    connection.execute(update(actions).where(actions.c.id == row["id"]).values(values))


def _tell(connection: Connection, row: Any, outcome: Promotion, now: float) -> None:
    data = {"action_id": row["id"], "target": row["target_key"], "auto": outcome.auto, "drill": row["drill"]}
    audit.record(
        connection,
        now,
        "davylamp",
        f"action.{outcome.state}",
        row["id"],
        "done",
        {**data, "reason": outcome.reason},
    )
    if row["incident_id"] is not None:
        text = f"{row['mount']}/{row['name']}: {outcome.state}, {outcome.reason}"
        timeline.append(connection, row["incident_id"], now, outcome.state, text, data)


def _page(connection: Connection, row: Any, outcome: Promotion, policy: Policy, now: float) -> int:
    """Page a proposal that waits for people, and one that ended because nobody came."""
    if row["incident_id"] is None:
        return 0
    name = f"{row['mount']}/{row['name']}"
    deed = "cut off" if row["verb"] == CONTAIN else "rotate"
    if outcome.state == "expired":
        text = f"the proposal to {deed} {name} expired: nobody decided"
        return paging.page(
            connection, policy, row["incident_id"], f"expired:{row['id']}", text, now, always=True
        )
    waited = now - row["created_at"] >= policy.times.proposal_page_after_s
    if outcome.state != "proposed" or not (waited or outcome.over_cap):
        return 0
    text = f"waits for {outcome.needed} to approve to {deed} {name}: {outcome.reason}"
    occasion = f"proposal:{row['id']}"
    return paging.page(connection, policy, row["incident_id"], occasion, text, now, always=outcome.over_cap)


def _audit_refusals(connection: Connection, row: Any, context: GuardContext, now: float) -> int:
    """Write each refused vote once: who, why, about which digest."""
    written = 0
    for vote, reason in context.tally.refused:
        known = connection.execute(
            select(audit_table.c.seq)
            .where(
                audit_table.c.action == "approval.refused",
                audit_table.c.actor == vote.approver,
                audit_table.c.subject == row["id"],
                audit_table.c.detail
                == dumps({"digest": vote.digest, "reason": reason, "why": WORDS[reason]}),
            )
            .limit(1)
        ).first()
        if known is None:
            detail = {"reason": reason, "why": WORDS[reason], "digest": vote.digest}
            audit.record(connection, now, vote.approver, "approval.refused", row["id"], "refused", detail)
            written += 1
    return written
