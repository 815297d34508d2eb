"""The ready-made answers of `catalog report`: a query each, in `sql/NAME.sql`, and what it can be asked.

The head of such a file gives one line of help, the filters that the query takes, and `of`, the column with the
source's name. SQL that several queries share stands in the placeholders `{live}` (images that live now, or lived
as of a moment) and `{sources}` (the sources asked for); `sql/page` holds the queries of the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from catalog.config.selection import select_names
from catalog.errors import UsageError

NAMES = (
    "summary", "changes", "lifecycle", "capabilities", "platforms", "stale", "duplicates", "drift", "storage",
    "coverage", "timeline",
)  # fmt: skip
SOURCE, SINCE, AS_OF, IMAGE = "source", "since", "as_of", "image"
_FOLDER = Path(__file__).with_name("sql")

_LIVE_NOW = """(
    SELECT i.*, s.name AS source, s.kind
    FROM images AS i JOIN sources AS s ON s.source_id = i.source_id
    WHERE i.deleted_at IS NULL
)"""
_LIVE_THEN = """(
    SELECT i.*, s.kind
    FROM images_as_of(%(as_of)s) AS i JOIN sources AS s ON s.source_id = i.source_id
    WHERE i.deleted_at IS NULL
)"""
_SOURCES = "(%(sources)s::text[] IS NULL OR {of} = ANY (%(sources)s::text[]))"


@dataclass(frozen=True, slots=True)
class Query:
    """One answer. `takes` names the filters that it understands; `sql` its parameters by name."""

    name: str
    help: str
    sql: str
    takes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Report:
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def statement(name: str) -> str:
    """The text of a file in `sql`."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _query(name: str) -> Query:
    head, sql = re.split(r"^(?!--)", statement(name), maxsplit=1, flags=re.MULTILINE)
    given = dict(re.findall(r"^-- (\w+): (.*)$", re.sub(r"\n--  +", " ", head), re.MULTILINE))
    sources = _SOURCES.format(of=given["of"])
    return Query(
        name, given["help"], sql.replace("{sources}", sources), frozenset(given["takes"].split(", "))
    )


QUERIES = tuple(map(_query, NAMES))
BY_NAME = {query.name: query for query in QUERIES}


def run_report(
    connection: psycopg.Connection[TupleRow],
    name: str,
    *,
    source: str | None = None,
    since: datetime | None = None,
    as_of: datetime | None = None,
    image: str | None = None,
) -> Report:
    """Carries out one ready-made query inside the connection's transaction.

    `source` is a glob on names of sources. Raises UsageError for an unknown name, a filter that the query
    does not take, a source that nothing is called, an IMAGE that is missing or unknown, or an `as_of` whose
    history was pruned.
    """
    query = BY_NAME.get(name)
    if query is None:
        raise UsageError(f"no report is called {name!r}; there are: {', '.join(BY_NAME)}")
    filters = {SINCE: since, AS_OF: as_of, IMAGE: image, SOURCE: source}
    for filter_name, value in filters.items():
        if value is not None and filter_name not in query.takes:
            raise UsageError(f"report {name} takes no {_spelled(filter_name)}")
    if IMAGE in query.takes and image is None:
        raise UsageError(f"report {name} needs an IMAGE: the id or the name of one")
    # The queries read much and return little: compiling them costs more than it saves, sorting on disk too.
    connection.execute("SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true)")
    live = _LIVE_NOW if as_of is None else _LIVE_THEN
    names = None if source is None else matching_sources(connection, [source])
    parameters = {SINCE: since, AS_OF: as_of, IMAGE: image, "sources": names}
    try:
        cursor = connection.execute(query.sql.replace("{live}", live), parameters)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise UsageError(f"{error.diag.message_primary}; {error.diag.message_hint}") from error
    rows = cursor.fetchall()
    if image is not None and not rows:
        raise UsageError(f"no image has the id or the name {image!r} in the sources and the time asked for")
    return Report(tuple(column.name for column in cursor.description or ()), rows)


def matching_sources(
    connection: psycopg.Connection[TupleRow], patterns: Sequence[str] | None = None
) -> list[str]:
    """Names of the recorded sources that any of the globs picks, sorted; without globs all.

    Raises UsageError for a glob that picks none.
    """
    known = [str(row[0]) for row in connection.execute("SELECT name FROM sources ORDER BY name")]
    return select_names(known, patterns or ())


def _spelled(filter_name: str) -> str:
    return "IMAGE" if filter_name == IMAGE else "--" + filter_name.replace("_", "-")
