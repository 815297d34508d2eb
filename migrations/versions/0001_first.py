"""The tables of the first release.

Revision: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    op.execute((SQL / "0001_tables.sql").read_text())


def downgrade() -> None:
    op.execute((SQL / "0001_drop.sql").read_text())
