"""Acknowledging an incident: a person says "I have it". respond moves the incident's state."""

from __future__ import annotations

from sqlalchemy import Connection

from connectors.store import approvals, audit, reading
from daemon.web.identity import Person
from daemon.web.refusal import RefusalError
from daemon.web.site import Site


async def acknowledge(site: Site, who: Person, incident_id: str) -> bool:
    """Record it once a person; return whether it was new. Refuses unknown (404), closed (409) ones."""
    now = site.clock()

    def change(connection: Connection) -> bool | RefusalError:
        found = reading.incident(connection, incident_id, findings=0, timeline=0, entities=0)
        refusal: RefusalError | None = None
        if found is None:
            refusal = RefusalError(404, "not_found", "There is no incident with this id.")
        elif not found.row.open:
            refusal = RefusalError(409, "state", f"The incident is {found.row.status}.")
        if refusal is not None:
            detail = {"guard": refusal.guard, "reason": refusal.reason}
            audit.record(connection, now, who.name, "incident.acknowledge", incident_id, "refused", detail)
            return refusal
        new = approvals.acknowledge(connection, incident_id, who.name, now)
        if new:
            audit.record(
                connection, now, who.name, "incident.acknowledge", incident_id, "done", {"via": who.via}
            )
        return new

    outcome = await site.write(change)
    if isinstance(outcome, RefusalError):
        raise outcome
    if outcome:
        site.metrics.decisions.labels("acknowledge").inc()
    return outcome
