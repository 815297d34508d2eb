"""${message}

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
"""

from __future__ import annotations

from alembic import op

from catalog.store.db.schema import run_file

revision = "${up_revision}"
down_revision = "${down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file("${up_revision}_changes.sql", op.execute)


def downgrade() -> None:
    run_file("${up_revision}_drop.sql", op.execute)
