"""The views and functions that people and dashboards query, and what the catalog knows from the start.

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
FILES = ("0002_views_present.sql", "0002_views_history.sql", "0002_views_lineage.sql", "0002_seeds.sql")


def upgrade() -> None:
    for name in FILES:
        # Alembic would read a colon before a word as a parameter; there are none in these files.
        op.execute((SQL / name).read_text().replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "0002_drop.sql").read_text())
