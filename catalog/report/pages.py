"""History in parts, newest first: the changes of many images, and the revisions of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalog.report.queries import ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement
from catalog.store.db.connection import Connection

Rows = list[dict[str, Any]]


class Place(NamedTuple):
    """A place among changes: that of a revision."""

    changed_at: datetime
    source_id: str
    image_id: str


def page_of_changes(
    connection: Connection,
    limit: int,
    after: Place | None = None,
    *,
    since: datetime,
    source: Sequence[str] = (),
    change: Sequence[str] = (),
    field: Sequence[str] = (),
    tag: Sequence[str] = (),
) -> tuple[Rows, Place | None]:
    """At most `limit` revisions that changed something from a moment on, and the place of the last one if more follow.

    `change` and `field` are alternatives, and each `tag` must be there. Raises UsageError for a glob that fits no
    source.
    """
    values = {
        "sources": asked_sources(connection, source),
        "since": since,
        "change": list(change) or None,
        "field": list(field) or None,
        "tag": list(tag) or None,
        "after_at": after and after.changed_at,
        "after_source": after and after.source_id,
        "after_image": after and after.image_id,
        "limit": limit + 1,
    }
    rows = ask(connection, statement("images/changes"), values).dicts()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], Place(last["changed_at"], last["source_id"], last["image_id"])


def page_of_history(
    connection: Connection,
    source_id: str,
    image_id: str,
    limit: int,
    after: datetime | None = None,
) -> tuple[Rows, datetime | None]:
    """At most `limit` revisions of one image, before a moment, and the last one's `valid_from` if more follow."""
    values = {"source": source_id, "image": image_id, "after_at": after, "limit": limit + 1}
    rows = ask(connection, statement("image/history"), values).dicts()
    return rows[:limit], rows[limit - 1]["valid_from"] if len(rows) > limit else None
