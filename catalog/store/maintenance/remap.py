"""Typed columns, tags, flags and properties rebuilt from stored documents; no revision begins or ends.

What a mapping cannot decide again stays: dates, status periods, and whether a record counts as a deletion.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from catalog.fields import REVISION_FIELD_COLUMNS
from catalog.model import ContentRules, MappedImage
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.rule import Content, Revision
from catalog.store.history.stage import OWNER_HASH, Stage, StageRow, prefixed
from catalog.store.history.stage import SQL as STAGE

STEP = 1000
SQL = load(
    "remap.sql",
    owner_hash=OWNER_HASH,
    fields=", ".join(REVISION_FIELD_COLUMNS),
    r_fields=prefixed("r", REVISION_FIELD_COLUMNS),
    s_fields=prefixed("s", REVISION_FIELD_COLUMNS),
    i_fields=prefixed("i", REVISION_FIELD_COLUMNS),
)
_START = datetime.min.replace(tzinfo=UTC)
_CHILDREN = ("delete_tags", "insert_tags", "delete_capabilities", "insert_capabilities",
             "delete_properties", "insert_properties")  # fmt: skip


@dataclass(slots=True)
class Rebuilt:
    """Rows that were not as today's mapping says, by table; `documents` read."""

    documents: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    place: tuple[str, datetime] | None = ("", _START)
    """Where the next step begins; None at the end."""
    warnings: list[str] = field(default_factory=list)

    def add(self, table: str, count: int) -> None:
        if count:
            self.rows[table] = self.rows.get(table, 0) + count

    def join(self, step: Rebuilt) -> None:
        """Adds the next step, once it is committed."""
        self.documents += step.documents
        self.place = step.place
        self.warnings += step.warnings
        for table, count in step.rows.items():
            self.add(table, count)


def rebuild_step(
    connection: Connection, source_id: str, rules: ContentRules, place: tuple[str, datetime]
) -> Rebuilt:
    """Rebuilds rows of one source from a place on, in the caller's transaction; what this one step did."""
    so_far = Rebuilt()
    image_id, at = place
    rows = SQL.run(connection, "documents", source=source_id, image=image_id, at=at, step=STEP).fetchall()
    so_far.place = (rows[-1][0], rows[-1][1]) if len(rows) == STEP else None
    if not rows:
        return so_far
    run_id = str(uuid.uuid4())
    staged = []
    for image_id, observed_at, document, present, reported in rows:
        image = rules.map_document(document)
        so_far.warnings.extend(image.warnings)
        staged.append(_staged(image, image_id, observed_at, present, reported, run_id))
    so_far.documents += len(rows)
    with Stage(connection, source_id, run_id, datetime.now(UTC)) as stage:
        stage.copy(staged)
        for name, table in (("records", "revisions"), ("absences", "revisions"), ("images", "images"),
                            ("state", "image_state"), ("systems", "image_state")):  # fmt: skip
            so_far.add(table, SQL.count(connection, name, **stage.values))
        for name in _CHILDREN:
            so_far.add("image_" + name.split("_")[1], STAGE.count(connection, name, **stage.values))
    return so_far


def _staged(
    image: MappedImage, image_id: str, observed_at: datetime, present: bool, reported: bool, run_id: str
) -> StageRow:
    content = Content(image.content_hash, reported=reported)
    revision = Revision(observed_at, observed_at, content, run_id, change="updated", period_from=observed_at)
    return StageRow(image_id, revision, image=image, present=present)
