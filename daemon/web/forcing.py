"""Recording that an approver agrees to cut off the consumers that an orderly rotation waits for.

The word goes into the audit chain; respond reads it there and checks it again (`playbooks/forcing.py`).
"""

from __future__ import annotations

from sqlalchemy import Connection

from connectors.store import audit, forcing, reading
from connectors.store.records import ActionRecord
from daemon.web import consumers_view
from daemon.web.deciding import asked_of, ref, refused_for, subjects_of
from daemon.web.identity import Person
from daemon.web.refusal import RefusalError
from daemon.web.site import Site
from playbooks.forcing import ForceVote, force_refusal


async def force(site: Site, who: Person, action_id: str, digest: str) -> ActionRecord:
    """Record that `who` agrees to cut off everybody whom `digest` names; return the action.

    Refusals (404, 403, 409) are raised after their audit row is committed.
    """
    now = site.clock()

    def change(connection: Connection) -> ActionRecord | RefusalError:
        record = reading.action(connection, action_id)
        no = _why_not(connection, record, who, digest, now)
        detail: dict[str, object] = {"via": who.via, "digest": digest[:64]}
        if no is not None or record is None:
            no = no or RefusalError(404, "not_found", "There is no action with this id.")
            detail |= {"guard": no.guard, "reason": no.reason}
            audit.record(connection, now, who.name, forcing.DEED, action_id, "refused", detail)
            return no
        detail["cut_off"] = sorted(_left(record))
        audit.record(connection, now, who.name, forcing.DEED, action_id, "allowed", detail)
        return record

    outcome = await site.write(change)
    if isinstance(outcome, RefusalError):
        raise outcome
    site.metrics.decisions.labels("force").inc()
    return outcome


def _why_not(
    connection: Connection, record: ActionRecord | None, who: Person, digest: str, now: float
) -> RefusalError | None:
    if record is None:
        return None
    left = _left(record)
    if not left or not consumers_view.waiting(record):
        return RefusalError(409, "state", "This action waits for no consumer; there is nobody to cut off.")
    vote = ForceVote(who.approver.name, digest, left, now)
    reason = force_refusal(asked_of(record, subjects_of(connection, record)), vote, ref(who.approver))
    if reason == "digest_changed":
        return RefusalError(409, "digest", "Who is left has changed. Read the list again, then decide.")
    return refused_for(reason, record) if reason is not None else None


def _left(record: ActionRecord) -> frozenset[str]:
    found = consumers_view.table(record)
    return frozenset(found.left) if found is not None else frozenset()
