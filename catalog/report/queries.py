"""The ready-made answers of `catalog report`: a query each, in `sql/NAME.sql`, and what it can be asked.

The head of such a file gives one line of help, the filters that the query takes, `of`, the column with the source's
name, and whether retired sources are left out unless they are named. SQL that several queries share stands in
placeholders: `{images}` (as they are now, or were as of a moment), `{live}` (those that were not deleted then),
`{systems}` (their operating systems), `{sources}` (the sources asked for) and `{wanted}` (the changes asked for). The
folders below `sql` hold what other answers are made of: the page, the listing of images, one image, a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from catalog.errors import UsageError
from catalog.report.find import find_image
from catalog.report.sources import asked_sources
from catalog.report.statements import prepare, statement
from catalog.report.systems import systems_sql, systems_then
from catalog.store.db.connection import Connection, is_spread

NAMES = (
    "summary", "changes", "lifecycle", "support", "promises", "capabilities", "platforms", "stale", "duplicates",
    "drift", "storage", "coverage", "timeline",
)  # fmt: skip
SOURCE, SINCE, AS_OF, IMAGE = "source", "since", "as_of", "image"
CHANGE, FIELD, TAG, LIMIT = "change", "field", "tag", "limit"
FILTERS = (IMAGE, SOURCE, SINCE, AS_OF, CHANGE, FIELD, TAG, LIMIT)
"""Filters that a report may take, in the order in which help shows them."""
CHANGES = ("created", "updated", "replaced", "deleted", "restored")
"""Kinds of change, as in `image_changes.change`."""
IMAGES_NOW, IMAGES_THEN = statement("shared/images_now"), statement("shared/images_then")
_ASKED = "SELECT set_config('catalog.sources', coalesce(%(asked)s::text[]::text, ''), true)"
"""Sources that images_as_of is asked about, where Citus keeps the tables."""
_LIVE = "(SELECT i.* FROM {images} AS i WHERE i.deleted_at IS NULL)"
_SOURCES = "(%(sources)s::text[] IS NULL OR {of} = ANY (%(sources)s::text[]))"
_WANTED = statement("shared/wanted")


@dataclass(frozen=True, slots=True)
class Query:
    """One answer. `takes` names the filters that it understands; `sql` its parameters by name."""

    name: str
    help: str
    sql: str
    takes: frozenset[str]
    of_the_present: bool
    """True: retired sources are left out unless they are named."""

    @property
    def options(self) -> str:
        """The filters as the command line spells them."""
        return " ".join(_spelled(name) for name in FILTERS if name in self.takes)


@dataclass(frozen=True, slots=True)
class Report:
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by names of columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def with_owners_by_name(self) -> Report:
        """For people: `owner` is the owner's name where it is known, in one column instead of two."""
        columns = tuple(name for name in self.columns if name != "owner_name")
        if columns == self.columns:
            return self
        named = [row | {"owner": row["owner_name"] or row["owner"]} for row in self.dicts()]
        return Report(columns, [tuple(row[name] for name in columns) for row in named])


def _query(name: str) -> Query:
    head, sql = re.split(r"^(?!--)", statement(name), maxsplit=1, flags=re.MULTILINE)
    given = dict(re.findall(r"^-- (\w+): (.*)$", re.sub(r"\n--  +", " ", head), re.MULTILINE))
    sql = sql.replace("{sources}", _SOURCES.format(of=given["of"])).replace("{wanted}", _WANTED)
    return Query(name, given["help"], sql, frozenset(given["takes"].split(", ")), "retired" in given)


QUERIES = tuple(map(_query, NAMES))
BY_NAME = {query.name: query for query in QUERIES}


def run_report(
    connection: Connection,
    name: str,
    *,
    source: Sequence[str] = (),
    since: datetime | None = None,
    as_of: datetime | None = None,
    image: str | None = None,
    change: Sequence[str] = (),
    field: Sequence[str] = (),
    tag: Sequence[str] = (),
    limit: int | None = None,
) -> Report:
    """Carries out one ready-made query inside the connection's transaction.

    `source` are globs on names of sources, `field` on upstream keys (`*` and `?`); `change` and `field` are
    alternatives, and each `tag` must be there.
    Raises UsageError for an unknown name, a filter that the query does not take, a glob that fits no source, an IMAGE
    that is missing or unknown or several, or an `as_of` whose history was pruned.
    """
    query = BY_NAME.get(name)
    if query is None:
        raise UsageError(f"no report is called {name!r}; there are: {', '.join(BY_NAME)}")
    filters: dict[str, Any] = {
        SOURCE: list(source) or None, SINCE: since, AS_OF: as_of, IMAGE: image, CHANGE: list(change) or None,
        FIELD: [_like(glob) for glob in field] or None, TAG: list(tag) or None, LIMIT: limit,
    }  # fmt: skip
    for filter_name, value in filters.items():
        if value is not None and filter_name not in query.takes:
            takes = f"it takes {query.options}"
            raise UsageError(f"report {name} takes no {_spelled(filter_name)}; {takes}")
    values = filters | {"sources": None, "source_ids": None}
    if IMAGE in query.takes:
        if image is None:
            raise UsageError(f"report {name} needs an IMAGE: its id, the beginning of it, or its name")
        found = find_image(connection, image, source)
        values |= {IMAGE: found[0].image_id, "source_ids": [each.source_id for each in found]}
    elif source or query.of_the_present:
        values["sources"] = asked_sources(connection, source, as_of)
    values |= systems_then(connection, as_of, values["sources"]) if "{systems}" in query.sql else {}
    sql = (
        query.sql.replace("{systems}", systems_sql(as_of))
        .replace("{live}", _LIVE)
        .replace("{images}", IMAGES_NOW if as_of is None else IMAGES_THEN)
    )
    return ask(connection, sql, values)


def ask(connection: Connection, sql: str, values: Mapping[str, Any]) -> Report:
    """The answer to a query. Raises UsageError for a moment whose history was pruned."""
    prepare(connection)
    if is_spread(connection):
        connection.execute(_ASKED, {"asked": values.get("sources")})
    try:
        cursor = connection.execute(sql.encode(), values)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise UsageError(f"{error.diag.message_primary}; {error.diag.message_hint}") from error
    return Report(tuple(column.name for column in cursor.description or ()), cursor.fetchall())


def _like(glob: str) -> str:
    """A glob as a pattern of LIKE."""
    return re.sub(r"[%_\\]", r"\\\g<0>", glob).replace("*", "%").replace("?", "_")


def _spelled(filter_name: str) -> str:
    return "IMAGE" if filter_name == IMAGE else "--" + filter_name.replace("_", "-")
