"""The one way in which people name an image: by its id, the beginning of an id, or its name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from catalog.errors import UsageError
from catalog.report.sources import matching_sources
from catalog.report.statements import statement
from catalog.store.db.connection import Connection
from catalog.text import listed

SHORTEST_PREFIX = 8
"""Characters of an id's beginning that stand for it."""


class Found(NamedTuple):
    """An image in one source, as a name leads to it."""

    source_id: str
    source: str
    image_id: str
    name: str | None
    status: str | None
    visibility: str | None
    created_at: datetime | None
    deleted_at: datetime | None


FOUND_COLUMNS = Found._fields[1:]


class SeveralImages(UsageError):
    """More than one image is called so."""

    def __init__(self, image: str, found: Sequence[Found]) -> None:
        self.found = tuple(found)
        ids = list(dict.fromkeys(each.image_id for each in found))
        super().__init__(f"{image!r} means {len(ids)} images; name one by its id: {listed(ids, 5)}")


def beginning_with(connection: Connection, beginning: str, most: int) -> list[tuple[str, str | None]]:
    """(id, name) of live images whose id or name begins so, at most so many."""
    values = {"beginning": beginning, "most": most}
    return connection.execute(statement("images/beginning_with"), values).fetchall()


def image_of(connection: Connection, source_id: str, image_id: str) -> Found | None:
    """The image of this id in one source, deleted or not; None if the source never held it."""
    row = connection.execute(statement("images/by_key"), {"source": source_id, "image": image_id}).fetchone()
    return None if row is None else Found(*row)


def find_image(
    connection: Connection,
    image: str,
    sources: Sequence[str] = (),
    *,
    live_only: bool = False,
) -> list[Found]:
    """The one image that is meant, in each source that knows it, deleted or not unless `live_only`: by its id, by the
    beginning of an id (SHORTEST_PREFIX characters or more), or by its name.

    Raises SeveralImages, and UsageError where none is meant, or a glob of `sources` fits none.
    """
    values = {"image": image, "sources": matching_sources(connection, sources), "live_only": live_only}
    found = [Found(*row) for row in connection.execute(statement("images/by_id"), values)]
    if not found:
        found = [Found(*row) for row in connection.execute(statement("images/by_prefix_or_name"), values)]
    if not found:
        raise UsageError(
            f"no {'live ' if live_only else ''}image has the id or the name {image!r}, nor an id that begins so (with"
            f" {SHORTEST_PREFIX} characters or more); `catalog images TEXT` finds parts of both"
        )
    if len({each.image_id for each in found}) > 1:
        raise SeveralImages(image, found)
    return found
