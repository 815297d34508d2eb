"""${message}

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "${up_revision}"
down_revision = "${down_revision}"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Alembic would read a colon before a word, as in a cast, as a parameter.
    op.execute((SQL / "${up_revision}_changes.sql").read_text(encoding="utf-8").replace(":", "\\:"))


def downgrade() -> None:
    op.execute((SQL / "${up_revision}_drop.sql").read_text(encoding="utf-8").replace(":", "\\:"))
