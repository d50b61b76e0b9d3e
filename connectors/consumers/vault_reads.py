"""Who read a credential from the vault: findings of the vault's audit log that respond keeps.

Only readers with a vault entity are told apart: one without it has another accessor with each token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.orm import aliased

from connectors.store.schema import aliases, finding_entities, findings
from playbooks.consumers import Side, Sighting, shown

READ_RULE: Final = "44b44819-3225-5ada-b46e-837c8485397f"
"""The shipped rule vault_database_credential_read; a read of a KV secret alone is no finding."""
MAX_READERS: Final = 1_024


def reads_seen(
    connection: Connection,
    credential: tuple[str, str],
    side: Side,
    since: float,
    own: Iterable[tuple[str, str]] = (),
) -> list[Sighting]:
    """Return the last read of `credential` (entity type, id) by each vault entity from `since` on, latest
    first; at most 1,024. `own` are Davylamp's entities (type, id), which are left out.
    """
    what, who = aliased(finding_entities.alias()), aliased(finding_entities.alias())
    last = func.max(findings.c.event_time).label("at")
    rows = connection.execute(
        select(who.c.entity_id, last)
        .select_from(findings)
        .join(what, what.c.finding_id == findings.c.finding_id)
        .join(who, who.c.finding_id == findings.c.finding_id)
        .where(
            and_(what.c.type == credential[0], what.c.entity_id == credential[1]),
            and_(who.c.type == "vault_entity", who.c.role == "actor"),
            findings.c.rule_id == READ_RULE,
            findings.c.event_time >= since,
        )
        .group_by(who.c.entity_id)
        .order_by(last.desc(), who.c.entity_id)
        .limit(MAX_READERS)
    ).all()
    ours = frozenset(own)
    readers = [(str(row[0]), float(row[1])) for row in rows if ("vault_entity", str(row[0])) not in ours]
    accounts = _accounts(connection, [entity for entity, _ in readers])
    return [_sighting(entity, accounts.get(entity, ""), side, at) for entity, at in readers]


def _sighting(entity: str, account: str, side: Side, at: float) -> Sighting:
    name = f"service account {account}" if account else f"vault entity {entity}"
    return Sighting(how="read", side=side, at=at, name=shown(name), entity=entity, account=account)


def _accounts(connection: Connection, entities: list[str]) -> dict[str, str]:
    """Return entity -> the service account that logged in as it last."""
    if not entities:
        return {}
    rows = connection.execute(
        select(aliases.c.b_id, aliases.c.a_id)
        .where(
            aliases.c.a_type == "service_account",
            aliases.c.b_type == "vault_entity",
            aliases.c.b_id.in_(entities),
        )
        .order_by(aliases.c.valid_from)
    )
    return {str(entity): str(account) for entity, account in rows}
