"""The tables of record. Times are seconds since the epoch (UTC) as floats; documents are JSON text.

No column ever holds a plaintext secret: `steps.escrow` is ciphertext of the vault's transit engine.
The web role may write only the tables of `WEB_MAY_WRITE`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_BIG: Final = BigInteger().with_variant(Integer(), "sqlite")
OPEN_STATUSES: Final = ("new", "acknowledged", "contained", "recovered", "reopened")
WEB_MAY_WRITE: Final = (
    "approvals",
    "notes",
    "acknowledgements",
    "sessions",
    "session_links",
    "audit",
    "page_switches",
)

offsets = Table(
    "offsets",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", _BIG, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("key", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("level", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("playbook_id", String(64), nullable=False),
    Column("playbook_version", String(16), nullable=False),
    Column("primary_type", String(32), nullable=False),
    Column("primary_id", Text, nullable=False),
    Column("owner", Text),
    Column("first_event_at", Float, nullable=False),
    Column("last_event_at", Float, nullable=False),
    Column("detected_at", Float, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("acked_at", Float),
    Column("contained_at", Float),
    Column("recovered_at", Float),
    Column("closed_at", Float),
    Column("close_reason", String(32)),
    Column("note", Text),
    Column("parent_id", String(36)),
    Column("stale", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=False, default=1),
    Column("updated_seq", _BIG, nullable=False),
)
_open = text("status IN ('new','acknowledged','contained','recovered','reopened')")
Index(
    "uq_incidents_open_key",
    incidents.c.key,
    unique=True,
    sqlite_where=_open,
    postgresql_where=_open,
)
Index("ix_incidents_updated_seq", incidents.c.updated_seq)

findings = Table(
    "findings",
    metadata,
    Column("finding_id", String(36), primary_key=True),
    Column("rule_id", String(64), nullable=False),
    Column("source", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("event_time", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("incident_id", String(36), ForeignKey("incidents.id")),
    Column("disposition", String(32), nullable=False),
    Column("document", Text, nullable=False),
)
Index("ix_findings_incident_id", findings.c.incident_id)
Index("ix_findings_event_time", findings.c.event_time)

finding_entities = Table(
    "finding_entities",
    metadata,
    Column("finding_id", String(36), ForeignKey("findings.finding_id"), primary_key=True),
    Column("type", String(32), primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("role", String(8), primary_key=True),
)
Index("ix_finding_entities_entity", finding_entities.c.type, finding_entities.c.entity_id)

timeline = Table(
    "timeline",
    metadata,
    Column("seq", _BIG, primary_key=True, autoincrement=True),
    Column("incident_id", String(36), ForeignKey("incidents.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False, default="{}"),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
Index("ix_timeline_incident_id", timeline.c.incident_id)

aliases = Table(
    "aliases",
    metadata,
    Column("a_type", String(32), primary_key=True),
    Column("a_id", Text, primary_key=True),
    Column("b_type", String(32), primary_key=True),
    Column("b_id", Text, primary_key=True),
    Column("valid_from", Float, primary_key=True),
    Column("valid_to", Float),
)
Index("ix_aliases_b", aliases.c.b_type, aliases.c.b_id)

targets = Table(
    "targets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("epoch", Integer, nullable=False, default=0),
    Column("rotated_at", Float),
    Column("verified_at", Float),
    Column("last_success_at", Float),
    Column("last_failure_at", Float),
)

actions = Table(
    "actions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("incident_id", String(36), ForeignKey("incidents.id")),
    Column("verb", String(64), nullable=False),
    Column("target_key", Text, nullable=False),
    Column("target_kind", String(64), nullable=False),
    Column("mount", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("classification", String(16), nullable=False),
    Column("target_owner", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("drill", Boolean, nullable=False, default=False),
    Column("playbook_id", String(64), nullable=False),
    Column("playbook_version", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("plan", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("needed", Integer, nullable=False),
    Column("auto", Boolean, nullable=False, default=False),
    Column("requester", Text, nullable=False),
    Column("actors", Text, nullable=False, default="[]"),
    Column("trigger_time", Float, nullable=False),
    Column("state", String(24), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("guards", Text, nullable=False, default="[]"),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("queued_at", Float),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("deadline_at", Float),
    Column("lease_owner", Text),
    Column("lease_until", Float),
    Column("fence", Integer, nullable=False, default=0),
    Column("version", Integer, nullable=False, default=1),
)
Index("ix_actions_state", actions.c.state)
Index("ix_actions_incident_id", actions.c.incident_id)
_busy = text("state IN ('queued','executing','verifying','rolling_back')")
Index(
    "uq_actions_busy_target",
    actions.c.target_key,
    unique=True,
    sqlite_where=_busy,
    postgresql_where=_busy,
)

steps = Table(
    "steps",
    metadata,
    Column("action_id", String(36), ForeignKey("actions.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False, default="pending"),
    Column("attempt", Integer, nullable=False, default=0),
    Column("intent_at", Float),
    Column("called_at", Float),
    Column("done_at", Float),
    Column("context", Text, nullable=False, default="{}"),
    Column("escrow", Text),
    Column("checks", Text, nullable=False, default="[]"),
    Column("note", Text, nullable=False, default=""),
)

approvals = Table(
    "approvals",
    metadata,
    Column("action_id", String(36), ForeignKey("actions.id"), primary_key=True),
    Column("approver", Text, primary_key=True),
    Column("decision", String(8), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("via", String(16), nullable=False),
)

proofs = Table(
    "proofs",
    metadata,
    Column("action_id", String(36), ForeignKey("actions.id"), primary_key=True),
    Column("target_key", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("grade", String(1)),
    Column("proven_at", Float, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("target_key", "epoch", name="uq_proofs_target_epoch"),
)

drills = Table(
    "drills",
    metadata,
    Column("action_id", String(36), ForeignKey("actions.id"), primary_key=True),
    Column("target_key", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("grade", String(1)),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", _BIG, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("sent_at", Float),
)
Index("ix_outbox_sent_at", outbox.c.sent_at)

deliveries = Table(
    "deliveries",
    metadata,
    Column("notification_id", String(36), primary_key=True),
    Column("incident_id", String(36), ForeignKey("incidents.id"), nullable=False),
    Column("notifier", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("state", String(16), nullable=False, default="pending"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float, nullable=False),
    Column("delivered_at", Float),
    Column("last_error", Text, nullable=False, default=""),
)

switches = Table(
    "switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("engaged", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Float, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("incident_id", String(36), ForeignKey("incidents.id"), nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("text", Text, nullable=False),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("incident_id", String(36), ForeignKey("incidents.id"), primary_key=True),
    Column("person", Text, primary_key=True),
    Column("at", Float, nullable=False),
)

session_links = Table(
    "session_links",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("approver", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("approver", Text, nullable=False),
    Column("csrf_sha256", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _BIG, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False, default="{}"),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

revocation_debt = Table(
    "revocation_debt",
    metadata,
    Column("action_id", String(36), ForeignKey("actions.id"), primary_key=True),
    Column("incident_id", String(36), ForeignKey("incidents.id")),
    Column("target_key", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("credential", Text, nullable=False),
    Column("handles", Text, nullable=False, default="[]"),
    Column("since", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("looks", Integer, nullable=False, default=0),
    Column("next_at", Float),
    Column("ended_at", Float),
    Column("grade", String(1)),
    Column("settled_by", Text),
    Column("note", Text),
)
Index("ix_revocation_debt_state", revocation_debt.c.state)
Index("ix_revocation_debt_incident_id", revocation_debt.c.incident_id)

page_switches = Table(
    "page_switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("engaged", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Float, nullable=False),
)

campaign_findings = Table(
    "campaign_findings",
    metadata,
    Column("finding_id", String(36), ForeignKey("findings.finding_id"), primary_key=True),
    Column("campaign_id", String(36), ForeignKey("incidents.id"), nullable=False),
    Column("tactics", Text, nullable=False),
)
Index("ix_campaign_findings_campaign_id", campaign_findings.c.campaign_id)
