"""Events of sweeps, and how far each webhook has been told of them.

Revision: 0002
Follows: 0001
"""

from __future__ import annotations

from alembic import op

from catalog.store.db.schema import run_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file("0002_changes.sql", op.execute)


def downgrade() -> None:
    run_file("0002_drop.sql", op.execute)
