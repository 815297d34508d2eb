"""What changed since a moment, without a look at each revision; and comments on the last silent columns.

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


def upgrade() -> None:
    # Alembic would read a colon before a word as a parameter; there are none in this file.
    op.execute((SQL / "0003_changes.sql").read_text().replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "0003_drop.sql").read_text())
