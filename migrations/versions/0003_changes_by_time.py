"""What changed since a moment, without a look at each revision.

Revisions are written in the order of time, so a block-range index tells old pages from new ones; it costs a
first load next to nothing, and a hundredth of a B-tree's room.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_revisions_changed ON revisions USING brin (valid_from) WITH (autosummarize = on)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_revisions_changed")
