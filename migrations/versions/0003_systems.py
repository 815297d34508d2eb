"""Operating systems in one vocabulary, their support, announcements, life cycle and promises.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

from alembic import op

from catalog.store.db.schema import run_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SUBJECTS = ("tables", "rules", "support", "views_systems", "views_lifecycle", "views_promises")


def upgrade() -> None:
    for subject in SUBJECTS:
        run_file(f"0003_{subject}.sql", op.execute)


def downgrade() -> None:
    run_file("0003_drop.sql", op.execute)
