"""The first release: tables, the views and functions that people query, and what is known from the start.

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
SUBJECTS = ("tables", "views_present", "views_history", "views_lineage", "seeds")


def upgrade() -> None:
    for subject in SUBJECTS:
        # Alembic would read a colon before a word as a parameter; there are none in these files.
        op.execute((SQL / f"0001_{subject}.sql").read_text(encoding="utf-8").replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "0001_drop.sql").read_text(encoding="utf-8"))
