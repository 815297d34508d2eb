"""The listing of `catalog images`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from catalog.errors import UsageError
from catalog.report.page_data import STATES as PRESENT_STATES
from catalog.report.queries import IMAGES_NOW, IMAGES_THEN, Report, ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement

GONE = "gone"
STATES = (*PRESENT_STATES, GONE)
"""States of `image_lifecycle`, from what can be used to what is gone."""
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Other words for an architecture."""
OS_TEXT = "os.distro || coalesce('-' || os.release, '')"
"""What `--os` takes: ubuntu-22.04."""
SORTED_CHARACTERS = 200
"""Of a text that is sorted by: a place among images has to fit into an address."""
NAME = f'left(lower(i.name) COLLATE "C", {SORTED_CHARACTERS})'
"""By its bytes: a locale's own order takes ten times as long, and differs between machines."""
ORDERS = {
    "source": "i.source",
    "name": NAME,
    "status": "i.status",
    "visibility": "i.visibility",
    "os": OS_TEXT,
    "owner": "coalesce(p.name, i.owner)",
    "created": "i.created_at",
    "updated": "i.updated_at",
    "size": "true_size(i.kind, i.image_type, i.image_size, i.size)",
    "deleted": "i.deleted_at",
    "id": "i.image_id",
}
"""What images can be sorted by."""
_TYPES = {"created": "timestamptz", "updated": "timestamptz", "deleted": "timestamptz", "size": "bigint"}
"""Types of what is sorted by, where they are not text."""
_TIE = f"i.source, i.name IS NULL, coalesce({NAME}, ''), i.image_id"
"""Order of images that are equal in what is sorted by: total, and made so that rows of it can be compared."""


MOST_WITH_STATES = 20_000
"""Images of a catalog whose states are counted: an image's state depends on all others of its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """What `catalog images` is asked for. An image must fit all that is given; None and empty: whatever."""

    text: str | None = None
    """Part of a name or an id, in any case."""
    sources: tuple[str, ...] = ()
    """Globs; none: all that are not retired."""
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    os: str | None = None
    arch: str | None = None
    status: str | None = None
    visibility: str | None = None
    owner: str | None = None
    """Id or name of a project."""
    state: str | None = None
    """Of `image_lifecycle`; known for the present only."""
    as_of: datetime | None = None
    deleted: bool = False
    """Deleted images instead of live ones."""
    sort: str = "source"
    """Of ORDERS; with a minus before it, downwards."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the listing: that of an image in its order. `key`: the text of what is sorted by."""

    sort: str
    key: str | None
    source: str
    name: str | None
    image_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some images, and the place of the last one if more follow. Rows also have `source_id`."""

    images: list[dict[str, Any]]
    next: Place | None


def list_images(connection: psycopg.Connection[TupleRow], wanted: ImageFilter) -> Report:
    """The images that fit. Raises UsageError for a glob that no source fits, for a state of the past, an unknown order,
    and a moment whose history was pruned."""
    sql = _sql("images/list", wanted).replace("{more}", "").replace("{after}", "true")
    return ask(connection, sql, _values(connection, wanted))


def page_of_images(
    connection: psycopg.Connection[TupleRow], wanted: ImageFilter, limit: int, after: Place | None = None
) -> Page:
    """At most `limit` of the images that fit, from after a place on. Raises UsageError as `list_images`, and for a
    place in another order."""
    name = wanted.sort.removeprefix("-")
    if after is not None and after.sort != wanted.sort:
        raise UsageError(f"the cursor is of a listing sorted by {after.sort!r}, not by {wanted.sort!r}")
    sql = _sql("images/list", wanted)
    key = _key(name)
    sql = sql.replace("{more}", f", i.source_id, ({key})::text AS sort_key")
    values = _values(connection, wanted) | {"limit": limit + 1}
    if after is None:
        sql = sql.replace("{after}", "true")
    else:
        beyond = "<" if wanted.sort.startswith("-") else ">"
        sql = sql.replace("{after}", statement("images/after").replace("{beyond}", beyond))
        sql = sql.replace("{key}", key).replace("{type}", _TYPES.get(name, "text"))
        values |= {
            "after_key": after.key,
            "after_source": after.source,
            "after_name": after.name,
            "after_image": after.image_id,
        }
    rows = ask(connection, sql.replace("{tie}", _TIE), values).dicts()
    keys = [row.pop("sort_key") for row in rows]
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    place = Place(
        wanted.sort,
        keys[limit - 1],
        last["source"],
        last["name"][:SORTED_CHARACTERS] if last["name"] is not None else None,
        last["image_id"],
    )
    return Page(rows[:limit], place)


def _key(name: str) -> str:
    """What is sorted by, as it is compared."""
    return ORDERS[name] if name in _TYPES else f"left({ORDERS[name]}, {SORTED_CHARACTERS})"


def check_key(sort: str, key: str) -> None:
    """Raises ValueError for text that is not a value of what is sorted by."""
    kind = _TYPES.get(sort.removeprefix("-"))
    if kind == "timestamptz":
        datetime.fromisoformat(key)
    elif kind == "bigint" and not -(2**63) <= int(key) < 2**63:
        raise ValueError(f"out of range: {key[:30]}")


def count_images(
    connection: psycopg.Connection[TupleRow], wanted: ImageFilter, most: int
) -> dict[str, list[tuple[str | None, int]]]:
    """By facet (`source`, `os`, `owner`, `tag`, `capability`, `state`) the `most` frequent values of the images that
    fit, each with its number of images; `total` is one of None. States are counted of the present only, and
    in a catalog of at most MOST_WITH_STATES images."""
    states = ""
    if wanted.as_of is None and _are_few(connection):
        states = statement("images/states")
    sql = _sql("images/facets", wanted).replace("{states}", states)
    counts: dict[str, list[tuple[str | None, int]]] = {}
    for facet, value, images in ask(connection, sql, _values(connection, wanted) | {"most": most}).rows:
        counts.setdefault(facet, []).append((value, images))
    return counts


def _are_few(connection: psycopg.Connection[TupleRow]) -> bool:
    few = "SELECT count(*) <= %(most)s FROM (SELECT FROM image_state LIMIT %(most)s + 1) AS i"
    row = connection.execute(few, {"most": MOST_WITH_STATES}).fetchone()
    return row is not None and bool(row[0])


def _sql(name: str, wanted: ImageFilter) -> str:
    key = wanted.sort.removeprefix("-")
    if key not in ORDERS:
        raise UsageError(f"images are sorted by {', '.join(ORDERS)}, not by {key!r}")
    if wanted.state is not None and wanted.as_of is not None:
        raise UsageError("states are known for the present only: leave out --state or --as-of")
    order = f"{_key(key)} {'DESC' if wanted.sort.startswith('-') else 'ASC'} NULLS LAST"
    sql = statement(name).replace("{fitting}", statement("images/fitting"))
    sql = sql.replace("{images}", IMAGES_NOW if wanted.as_of is None else IMAGES_THEN)
    return sql.replace("{order}", f"{order}, {_TIE}").replace("{os_text}", OS_TEXT)


def _values(connection: psycopg.Connection[TupleRow], wanted: ImageFilter) -> dict[str, Any]:
    return {
        "text": wanted.text,
        "sources": asked_sources(connection, wanted.sources, wanted.as_of),
        "tags": list(wanted.tags) or None,
        "capabilities": list(wanted.capabilities) or None,
        "os": wanted.os,
        "arch": ARCHITECTURES.get(wanted.arch.lower(), wanted.arch) if wanted.arch else None,
        "status": wanted.status,
        "visibility": wanted.visibility,
        "owner": wanted.owner,
        "state": wanted.state,
        "as_of": wanted.as_of,
        "deleted": wanted.deleted or wanted.state == GONE,
        "limit": wanted.limit,
    }
