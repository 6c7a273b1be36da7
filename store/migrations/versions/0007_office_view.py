"""Which items an office was told of, found without reading every notice."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_notices_office_item"), "notices", ["office", "item"])


def downgrade() -> None:
    op.drop_index(op.f("ix_notices_office_item"), table_name="notices")
