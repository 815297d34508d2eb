"""Operating systems in one vocabulary, their support, announcements, life cycle and promises.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
SUBJECTS = ("tables", "rules", "support", "views_systems", "views_lifecycle", "views_promises")


def upgrade() -> None:
    for subject in SUBJECTS:
        # Alembic would read a colon before a word, as in a cast, as a parameter.
        op.execute((SQL / f"0003_{subject}.sql").read_text(encoding="utf-8").replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "0003_drop.sql").read_text(encoding="utf-8").replace(":", "\\:"))
