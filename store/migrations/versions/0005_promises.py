"""What was promised for each stage of an item, and how far a notice has been passed on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "promises",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("item", _ID, nullable=False),
        sa.Column("visit", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("entered_at", sa.DateTime(), nullable=False),
        sa.Column("counted_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.Column("acked_at", sa.DateTime(), nullable=True),
        sa.Column("paused_until", sa.DateTime(), nullable=True),
        sa.Column("released", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name=op.f("fk_promises_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        sa.UniqueConstraint("item", "visit", "stage", name=op.f("uq_promises_item_visit_stage")),
    )
    op.create_index(op.f("ix_promises_next_at"), "promises", ["next_at"])
    op.add_column("items", sa.Column("promised", sa.Integer(), server_default="0", nullable=False))
    where = sa.text("promised < version")
    op.create_index(
        "ix_items_to_promise", "items", ["id"], sqlite_where=where, postgresql_where=where
    )
    op.add_column("notices", sa.Column("passed", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("notices", "passed")
    op.drop_index("ix_items_to_promise", table_name="items")
    op.drop_column("items", "promised")
    op.drop_table("promises")
