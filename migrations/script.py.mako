"""${message}

House rules: SQL stands in migrations/sql/${up_revision}_*.sql, readable and frozen. Additions only while
the release before still runs on this schema: new columns are nullable or have a default, nothing is renamed,
nothing that it reads is dropped. Every table and column has a comment. Lock and statement time-outs are
set by env.py; a long data change goes in batches outside of the migration.

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
"""

from __future__ import annotations

from alembic import context

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
