"""Events of sweeps, and how far each webhook has been told of them.

Revision: 0002
Follows: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Alembic would read a colon before a word, as in a cast, as a parameter.
    op.execute((SQL / "0002_changes.sql").read_text(encoding="utf-8").replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "0002_drop.sql").read_text(encoding="utf-8").replace(":", "\\:"))
