"""The listing of `catalog images`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from catalog.errors import UsageError
from catalog.report.queries import IMAGES_NOW, IMAGES_THEN, Report, ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement
from catalog.report.systems import systems_sql, systems_then
from catalog.store.db.connection import Connection, is_spread

PRESENT_STATES = {
    "current": "the one to use",
    "superseded": "offered, but a newer one of its family is too",
    "deprecated": "announced: choose another one",
    "obsolete": "announced: use it no more",
    "unlisted": "usable by id, no longer listed",
    "hidden": "usable by id, left out of default listings",
    "withdrawn": "was public, is not any more",
    "off_shelf": "taken off the shelf",
    "deactivated": "not active, so not usable",
}
"""States of live images in `image_lifecycle`, and what they mean."""
GONE = "gone"
STATES = (*PRESENT_STATES, GONE)
"""States of `image_lifecycle`, from what can be used to what is gone."""
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Other words for an architecture."""
OS_TEXT = "os.distro || coalesce('-' || os.release, '')"
"""SQL of a system as `--os` takes it: ubuntu-22.04."""
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
"""Orders of the listing, each with its SQL."""
_TYPES = {"created": "timestamptz", "updated": "timestamptz", "deleted": "timestamptz", "size": "bigint"}
"""Types of what is sorted by, where they are not text."""
_SORT_NAME = f"coalesce({NAME}, '')"
_TIE = f"i.source, i.name IS NULL, {_SORT_NAME}, i.image_id"
"""Order of images that are equal in what is sorted by: total, and made so that rows of it can be compared."""
_ORDER = "f.sort_key {direction} NULLS LAST, f.source, f.nameless, f.sort_name, f.image_id"


MOST_COUNTED = 20_000
"""Images of a catalog that are counted one by one, and whose states are counted: an image's state depends on all
others of its line. What fits in larger ones is estimated."""
SAMPLE = 5_000
"""Images by which that is done."""
FEWEST_IN_SAMPLE = 250
"""Of fewer that fit nothing is estimated; they are counted."""
NEWEST = 2_000
"""Images that are looked through before all are, where the newest come first."""
_SAMPLED_NOW = IMAGES_NOW.replace(
    "images AS i", "images AS i TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (0)"
)
_SAMPLED_THEN = statement("images/sampled_then").replace("{images}", IMAGES_THEN)
_FOUND = statement("images/found").replace("{images}", IMAGES_NOW)


_COMPARED = ("current", "superseded")
"""States that an image has among others of its line; the rest it has by itself, which is told sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Conditions of `catalog images`. An image must fit all that are given; None or empty: no condition."""

    text: str | None = None
    """Part of a name or an id, in any case."""
    source: tuple[str, ...] = ()
    """Globs; none: all that are not retired."""
    tag: tuple[str, ...] = ()
    capability: tuple[str, ...] = ()
    os: str | None = None
    arch: str | None = None
    status: str | None = None
    visibility: str | None = None
    owner: str | None = None
    """Id or name of a project."""
    kind: str | None = None
    """As the cloud says it: snapshot, backup, ..."""
    state: str | None = None
    """Of `image_lifecycle`; known for the present only."""
    as_of: datetime | None = None
    deleted: bool = False
    """Deleted images instead of live ones."""
    sort: str = "source"
    """Of ORDERS; with a minus before it, downwards."""
    limit: int | None = None


class Place(NamedTuple):
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


def list_images(connection: Connection, wanted: ImageFilter) -> Report:
    """The images that fit. Raises UsageError for a glob that no source fits, for a state of the past, an unknown order,
    and a moment whose history was pruned."""
    sql = _sql("images/list", wanted).replace("{more}", "").replace("{after}", "true")
    return ask(connection, sql, values_of(connection, wanted))


def page_of_images(
    connection: Connection,
    wanted: ImageFilter,
    limit: int,
    after: Place | None = None,
    values: Mapping[str, Any] | None = None,
) -> Page:
    """At most `limit` of the images that fit, from after a place on. `values`: those of `values_of`, if they are known
    already. Raises UsageError as `list_images`, and for a place in another order."""
    if after is not None and after.sort != wanted.sort:
        raise UsageError(f"the cursor is of a listing sorted by {after.sort!r}, not by {wanted.sort!r}")
    condition = "true"
    values = {
        **(values or values_of(connection, wanted)),
        "limit": limit + 1,
        "after_key": None,
        "most": NEWEST,
    }
    if after is not None:
        condition = statement("images/after").replace("{beyond}", "<" if wanted.sort.startswith("-") else ">")
        name = wanted.sort.removeprefix("-")
        condition = condition.replace("{key}", _key(name)).replace("{type}", _TYPES.get(name, "text"))
        values |= {
            "after_key": after.key,
            "after_source": after.source,
            "after_name": after.name,
            "after_image": after.image_id,
        }

    def found(images: str | None = None) -> list[dict[str, Any]]:
        sql = _sql("images/list", wanted, images).replace(
            "{more}", ", f.source_id, f.sort_key::text AS sort_key"
        )
        return ask(connection, sql.replace("{after}", condition).replace("{tie}", _TIE), values).dicts()

    rows: list[dict[str, Any]] = []
    if wanted.sort == "-created" and wanted.as_of is None and not values["deleted"] and _size(connection):
        rows = found(statement("images/newest").replace("{images}", IMAGES_NOW))
    if len(rows) <= limit:
        rows = found()
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
    """SQL of an order, as its values are compared."""
    return ORDERS[name] if name in _TYPES else f"left({ORDERS[name]}, {SORTED_CHARACTERS})"


def check_key(sort: str, key: str) -> None:
    """Raises ValueError for text that is not a value of what is sorted by."""
    kind = _TYPES.get(sort.removeprefix("-"))
    if kind == "timestamptz":
        datetime.fromisoformat(key)
    elif kind == "bigint" and not -(2**63) <= int(key) < 2**63:
        raise ValueError(f"out of range: {key[:30]}")


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the images that fit. `facets`: by facet (`source`, `os`, `owner`, `tag`, `capability`, `state`) the most
    frequent values, each with its number of images."""

    total: int
    facets: dict[str, list[tuple[str, int]]]
    estimated: bool = False
    """True: told by a sample, to two digits."""


def count_images(
    connection: Connection,
    wanted: ImageFilter,
    most: int,
    found: Page | None = None,
    values: Mapping[str, Any] | None = None,
) -> Counts:
    """The `most` frequent values of each facet. States are counted of the present only, and in a catalog of at most
    MOST_COUNTED images; in a larger one all is estimated, unless few fit. `found`: all images that fit, if they are
    known already, and so `values`, those of `values_of`."""
    values = {**(values or values_of(connection, wanted)), "most": most}
    size = _size(connection)
    if size and found is not None:
        values |= {
            "source_ids": [row["source_id"] for row in found.images],
            "image_ids": [row["image_id"] for row in found.images],
        }
        return _count(connection, wanted, values, _FOUND)
    if size:
        percent = 100 * SAMPLE / size
        sample = _SAMPLED_NOW if wanted.as_of is None else _SAMPLED_THEN
        counts = _count(connection, wanted, values | {"percent": percent}, sample)
        if counts.total >= FEWEST_IN_SAMPLE:
            facets = {
                name: [(value, _scaled(images, percent)) for value, images in most_frequent]
                for name, most_frequent in counts.facets.items()
            }
            return Counts(_scaled(counts.total, percent), facets, estimated=True)
    states = statement("images/states") if wanted.as_of is None and not size else ""
    return _count(connection, wanted, values, states=states)


def _count(
    connection: Connection,
    wanted: ImageFilter,
    values: dict[str, Any],
    images: str | None = None,
    states: str = "",
) -> Counts:
    sql = _sql("images/facets", wanted, images).replace("{states}", states)
    facets: dict[str, list[tuple[str, int]]] = {}
    for facet, value, number in ask(connection, sql, values).rows:
        facets.setdefault(facet, []).append((value, number))
    return Counts(facets.pop("total")[0][1], facets)


def _scaled(images: int, percent: float) -> int:
    return int(float(f"{images * 100 / percent:.2g}"))


def _size(connection: Connection) -> int | None:
    """About how many images a catalog has that is too large to be looked through for each page, deleted ones included;
    None: it is not."""
    name = "images/size_spread" if is_spread(connection) else "images/size"
    row = connection.execute(statement(name)).fetchone()
    return row[0] if row is not None and row[0] > MOST_COUNTED else None


def _sql(name: str, wanted: ImageFilter, images: str | None = None) -> str:
    """`images`: those among which is looked for what fits; default: all."""
    key = wanted.sort.removeprefix("-")
    if key not in ORDERS:
        raise UsageError(f"images are sorted by {', '.join(ORDERS)}, not by {key!r}")
    if wanted.state is not None and wanted.as_of is not None:
        raise UsageError("states are known for the present only: leave out --state or --as-of")
    every = IMAGES_NOW if wanted.as_of is None else IMAGES_THEN
    fitting = statement("images/fitting").replace("{images}", images or every)
    fitting = fitting.replace("{of_state}", "" if wanted.state is None else _of_state(wanted.state))
    sql = statement(name).replace("{fitting}", fitting).replace("{images}", every).replace("{order}", _ORDER)
    sql = sql.replace("{systems}", systems_sql(wanted.as_of))
    sql = sql.replace("{direction}", "DESC" if wanted.sort.startswith("-") else "ASC")
    return sql.replace("{key}", _key(key)).replace("{name}", _SORT_NAME).replace("{os_text}", OS_TEXT)


def _of_state(state: str) -> str:
    view, column = ("image_lifecycle", "state") if state in _COMPARED else ("image_standings", "standing")
    return statement("images/of_state").replace("{view}", view).replace("{column}", column)


def values_of(connection: Connection, wanted: ImageFilter) -> dict[str, Any]:
    """The parameters of statements about images that fit. Raises UsageError for a glob that no source fits."""
    sources = asked_sources(connection, wanted.source, wanted.as_of)
    return {
        "text": wanted.text,
        "sources": sources,
        "tags": list(wanted.tag) or None,
        "capabilities": list(wanted.capability) or None,
        "os": wanted.os,
        "arch": ARCHITECTURES.get(wanted.arch.lower(), wanted.arch) if wanted.arch else None,
        "status": wanted.status,
        "visibility": wanted.visibility,
        "owner": wanted.owner,
        "image_kind": wanted.kind,
        "state": wanted.state,
        "as_of": wanted.as_of,
        "deleted": wanted.deleted or wanted.state == GONE,
        "limit": wanted.limit,
        **systems_then(connection, wanted.as_of, sources),
    }
