"""The end of an action: proof, target, drill, incident, audit and messages in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, or_, select

from connectors.store import audit, debt, incidents, paging, releasing, timeline
from connectors.store.canonical import dumps, storable
from connectors.store.database import Database
from connectors.store.leases import Lease, LeaseLostError
from connectors.store.schema import actions, drills, proofs, steps, targets
from playbooks.action import ActionState, check_action
from playbooks.containment import CONTAIN, RELEASE, Release
from playbooks.plan import ROTATE
from playbooks.policy import Policy
from playbooks.proof import Proof

_DEEDS: Final = {ROTATE: "rotation", CONTAIN: "containment", RELEASE: "release"}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an action ended. `rotated_at` is the vault's clock when the credential did change, else None.

    `proof` is given whenever the credential changed, graded or not. `release` ends what a containment did.
    """

    state: ActionState
    reason: str
    rotated_at: float | None = None
    proof: Proof | None = None
    release: Release | None = None

    @property
    def proven(self) -> bool:
        """Whether the old credential is proven dead."""
        return self.proof is not None and self.proof.grade is not None

    @property
    def may_live(self) -> bool:
        """Whether something changed, or may have, and the old credential may be alive."""
        return not self.proven and (self.proof is not None or self.state in ("verify_failed", "needs_human"))


def finish(database: Database, lease: Lease, now: float, ending: Ending, policy: Policy) -> Proof | None:
    """End the action and return its proof with the epoch that it closes. Raises LeaseLostError.

    A proof closes the target's epoch: the next rotation has the next number. Drills never count as a
    success for the cooldown. The escrow goes with a proof, and when nothing was rotated. A proof is told to
    those who want the incident's level; an action that failed is told to all.
    """
    with database.transaction() as connection:
        row = _held(connection, lease)
        check_action(row["state"], ending.state)
        epoch = _epoch(connection, lease)
        proof = replace(ending.proof, epoch=epoch) if ending.proof is not None else None
        if proof is not None:
            _keep_proof(connection, lease, proof)
        _target(connection, lease, now, ending, epoch)
        skew_s = policy.times.skew_s
        if lease.action.verb == ROTATE:
            debt.ended(connection, lease, now, proof, ending.reason, may_live=ending.may_live, skew_s=skew_s)
        if lease.action.drill:
            _drill(connection, lease, now, proof)
        if ending.proven or ending.rotated_at is None:
            connection.execute(steps.update().where(steps.c.action_id == lease.action.id).values(escrow=None))
        values = {"state": ending.state, "reason": storable(ending.reason), "finished_at": now}
        values |= {"lease_owner": None, "lease_until": None, "version": row["version"] + 1}
        connection.execute(actions.update().where(actions.c.id == lease.action.id).values(values))
        _audit(connection, lease, now, ending, proof)
        if ending.release is not None:
            releasing.queue(connection, lease, ending.release, policy, now)
        elif lease.action.verb == RELEASE and ending.state != "succeeded":
            releasing.queue_again(connection, row, now)
        if lease.action.incident_id is not None:
            _incident(connection, lease, lease.action.incident_id, now, ending, proof)
            _page(connection, lease, lease.action.incident_id, now, ending, policy)
        return proof


def _held(connection: Connection, lease: Lease) -> Mapping[Any, Any]:
    row = connection.execute(select(actions).where(actions.c.id == lease.action.id)).mappings().first()
    if row is None or row["lease_owner"] != lease.owner or row["fence"] != lease.fence:
        raise LeaseLostError(lease.action.id, lease.fence)
    return row


def _epoch(connection: Connection, lease: Lease) -> int:
    """Return the epoch that this action closes; an action proven again keeps its own."""
    known = connection.execute(select(proofs.c.epoch).where(proofs.c.action_id == lease.action.id)).scalar()
    if known is not None:
        return known
    current = connection.execute(
        select(targets.c.epoch).where(targets.c.key == lease.action.target.key)
    ).scalar()
    return max(lease.action.epoch, current or 0)


def _keep_proof(connection: Connection, lease: Lease, proof: Proof) -> None:
    """Keep the proof. One without a grade gives way to a later one of its epoch: the audit has it."""
    superseded = and_(
        proofs.c.target_key == lease.action.target.key,
        proofs.c.epoch == proof.epoch,
        proofs.c.grade.is_(None),
    )
    connection.execute(delete(proofs).where(or_(proofs.c.action_id == lease.action.id, superseded)))
    connection.execute(
        proofs.insert().values(
            action_id=lease.action.id,
            target_key=lease.action.target.key,
            epoch=proof.epoch,
            grade=proof.grade,
            proven_at=proof.proven_at,
            document=dumps(proof.to_json()),
        )
    )


def _target(connection: Connection, lease: Lease, now: float, ending: Ending, epoch: int) -> None:
    key = lease.action.target.key
    values: dict[str, Any] = {}
    if lease.action.verb == RELEASE:
        return
    if lease.action.verb == CONTAIN and ending.proof is not None:
        values["epoch"] = epoch + 1
    if ending.rotated_at is not None:
        values |= {"epoch": epoch + 1, "rotated_at": ending.rotated_at}
    if ending.proven:
        values["verified_at"] = now
    if not lease.action.drill:
        values["last_success_at" if ending.proven else "last_failure_at"] = now
    if not values:
        return
    known = connection.execute(select(targets.c.epoch).where(targets.c.key == key)).scalar()
    if known is None:
        connection.execute(targets.insert().values({"key": key, "epoch": 0, **values}))
    else:
        values["epoch"] = max(known, values.get("epoch", 0))
        connection.execute(targets.update().where(targets.c.key == key).values(values))


def _drill(connection: Connection, lease: Lease, now: float, proof: Proof | None) -> None:
    grade = proof.grade if proof is not None else None
    connection.execute(delete(drills).where(drills.c.action_id == lease.action.id))
    connection.execute(
        drills.insert().values(
            action_id=lease.action.id,
            target_key=lease.action.target.key,
            at=now,
            passed=grade is not None,
            grade=grade,
        )
    )


def _audit(connection: Connection, lease: Lease, now: float, ending: Ending, proof: Proof | None) -> None:
    detail: dict[str, object] = {"state": ending.state, "reason": ending.reason, "drill": lease.action.drill}
    if proof is not None:
        detail["proof"] = proof.to_json()
    audit.record(
        connection,
        now,
        lease.owner,
        "action.finish",
        f"{lease.action.target.key} action {lease.action.id}",
        "done" if ending.state == "succeeded" else "failed",
        detail,
    )


def _incident(
    connection: Connection, lease: Lease, incident_id: str, now: float, ending: Ending, proof: Proof | None
) -> None:
    data = {"action_id": lease.action.id, "target": lease.action.target.key, "grade": proof and proof.grade}
    timeline.append(connection, incident_id, now, ending.state, ending.reason, data)
    if ending.proven and lease.action.verb == ROTATE:
        incidents.mark_contained(connection, incident_id, now, lease.action.id)
    else:
        incidents.publish(connection, incident_id, now)


def _page(
    connection: Connection, lease: Lease, incident_id: str, now: float, ending: Ending, policy: Policy
) -> None:
    target = lease.action.target
    what = _DEEDS.get(lease.action.verb, lease.action.verb)
    text = f"{what} of {target.mount}/{target.name}: {ending.state.replace('_', ' ')}, {ending.reason}"
    occasion = f"{ending.state}:{lease.action.id}"
    paging.page(connection, policy, incident_id, occasion, text, now, always=ending.state != "succeeded")
