"""Fingerprints of own pages; findings of watches are looked up by key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fingerprints",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.Column("baseline_at", sa.DateTime(), nullable=False),
        sa.Column("looked_at", sa.DateTime(), nullable=False),
        sa.Column("latest", sa.JSON(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("since", sa.DateTime(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("channel", "url", name=op.f("pk_fingerprints")),
    )
    op.create_index(op.f("ix_fingerprints_channel_since"), "fingerprints", ["channel", "since"])
    op.create_index(op.f("ix_findings_key"), "findings", ["key"])


def downgrade() -> None:
    op.drop_index(op.f("ix_findings_key"), table_name="findings")
    op.drop_table("fingerprints")
