"""The first release: tables, the views and functions that people query, and what is known from the start.

Revision: 0001
"""

from __future__ import annotations

from alembic import op

from catalog.store.db.schema import run_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SUBJECTS = ("tables", "views_present", "views_history", "views_lineage", "seeds")


def upgrade() -> None:
    for subject in SUBJECTS:
        run_file(f"0001_{subject}.sql", op.execute)


def downgrade() -> None:
    run_file("0001_drop.sql", op.execute)
