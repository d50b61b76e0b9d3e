"""Campaigns: which findings of one actor an incident of its own holds together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table `campaign_findings`."""
    op.create_table(
        "campaign_findings",
        sa.Column("finding_id", sa.String(length=36), nullable=False),
        sa.Column("campaign_id", sa.String(length=36), nullable=False),
        sa.Column("tactics", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_campaign_findings")),
        sa.ForeignKeyConstraint(
            ["finding_id"],
            ["findings.finding_id"],
            name=op.f("fk_campaign_findings_finding_id_findings"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["incidents.id"], name=op.f("fk_campaign_findings_campaign_id_incidents")
        ),
    )
    op.create_index("ix_campaign_findings_campaign_id", "campaign_findings", ["campaign_id"], unique=False)
