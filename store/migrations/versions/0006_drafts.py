"""What a person wrote over a digest's draft, and who let it go out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXTS = ("opinion", "advice", "edited_by", "approved_by", "mark")
_TIMES = ("edited_at", "approved_at")


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column(
            "digests", sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)
        )
    for name in _TIMES:
        op.add_column("digests", sa.Column(name, sa.DateTime(), nullable=True))


def downgrade() -> None:
    for name in (*_TIMES, *_TEXTS):
        op.drop_column("digests", name)
