"""The sources that the database knows: recorded at the first sweep, compared at every other one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalog.address import service_of
from catalog.config.selection import select_names
from catalog.errors import ConfigurationError, UsageError
from catalog.model import SourceKind
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.state.runs import ARCHIVED
from catalog.text import storable

LISTING_COLUMNS = (
    "source", "kind", "cloud", "region", "project_id", "endpoint", "live_images", "last_complete_at",
    "failing_since", "error_kind", "retired_at", "held",
)  # fmt: skip


class Source(NamedTuple):
    """One row of `sources`."""

    source_id: str
    name: str
    kind: SourceKind
    cloud: str | None
    region: str | None
    project_id: str | None
    endpoint: str | None
    last_complete_at: datetime | None
    retired_at: datetime | None
    observed_since: datetime | None
    """None: nothing was read of it yet, so that it may still become any service."""
    last_complete_seconds: float | None
    """How long its last complete sweep took."""
    read_at: datetime
    """The database's clock when this was read."""


_COLUMNS = (*Source._fields[:-1], "clock_timestamp()")
_SQL = load("sources.sql", columns=", ".join(_COLUMNS), archived=ARCHIVED)

_UNKNOWN = "no source {name!r} in the database; see `catalog sources`"


def find(connection: Connection, name: str) -> Source | None:
    """The source of this name, if the database knows it."""
    row = _SQL.run(connection, "find", name=name).fetchone()
    return Source(*row) if row else None


def unknown(name: str, kind: SourceKind) -> Source:
    """A source of which nothing is recorded; the database does not know its id."""
    nothing: list[Any] = [None] * (len(Source._fields) - 3)
    return Source("", name, kind, *nothing)


def known(connection: Connection, name: str) -> Source:
    """The source of this name. Raises UsageError if the database does not know it."""
    source = find(connection, name)
    if source is None:
        raise UsageError(_UNKNOWN.format(name=name))
    return source


def matching(connection: Connection, patterns: Sequence[str]) -> list[Source]:
    """Sources whose name fits one of the globs, all for none; raises UsageError for a glob that fits none."""
    sources = [Source(*row) for row in _SQL.run(connection, "every")]
    selected = set(select_names([source.name for source in sources], patterns))
    return [source for source in sources if source.name in selected]


def register(
    connection: Connection, name: str, kind: str, cloud: str | None, expected_seconds: float | None
) -> Source:
    """The source of this name, recorded if it is new, of this kind if nothing was read of it yet.

    Raises ConfigurationError if it is of another kind.
    """
    source = find(connection, name)
    if source is None or (source.observed_since is None and (source.kind, source.cloud) != (kind, cloud)):
        _insert(connection, name, kind, cloud, expected_seconds)
        source = find(connection, name)
    assert source is not None
    compare(source, kind=kind)
    return source


def announce(
    connection: Connection, name: str, kind: str, cloud: str | None, expected_seconds: float | None
) -> None:
    """Records a source that a daemon will sweep, due at once, so that alerts see it before anything was read."""
    _insert(connection, name, kind, cloud, expected_seconds)
    _SQL.run(connection, "announce", name=name)


def _insert(
    connection: Connection, name: str, kind: str, cloud: str | None, expected_seconds: float | None
) -> None:
    values = {"name": name, "kind": kind, "cloud": cloud, "expected": expected_seconds}
    _SQL.run(connection, "insert", source=secrets.token_hex(4), **values)


def compare(
    source: Source,
    *,
    kind: str | None = None,
    region: str | None = None,
    project_id: str | None = None,
    endpoint: str | None = None,
) -> None:
    """Raises ConfigurationError naming `catalog sources adopt` if kind, region, project or endpoint, where they
    are known, are others than recorded: their images would be taken for the recorded ones'. A source of which
    nothing was read may become any."""
    if source.observed_since is None:
        return
    if endpoint and source.endpoint and service_of(endpoint) == service_of(source.endpoint):
        endpoint = source.endpoint
    for what, recorded, met in (
        ("kind", source.kind, kind),
        ("region", source.region, region),
        ("project", source.project_id, project_id),
        ("endpoint", source.endpoint, endpoint),
    ):
        if recorded is not None and met is not None and recorded != met:
            raise ConfigurationError(_changed(source.name, what, recorded, met))


def compare_login(
    connection: Connection, source: Source, region: str | None, project_id: str | None, endpoint: str
) -> Source:
    """What is recorded of the source by now, compared with what a login says.

    `source` may have been read before its lease was waited for. Raises ConfigurationError like `compare`.
    """
    recorded = Source(*_SQL.run(connection, "lock", source=source.source_id).fetchall()[0])
    compare(
        recorded,
        kind=source.kind,
        region=storable(region),
        project_id=storable(project_id),
        endpoint=storable(endpoint),
    )
    return recorded


def recognise(
    connection: Connection, source: Source, region: str | None, project_id: str | None, endpoint: str
) -> datetime:
    """Like `compare_login`; and records what the login says where nothing is recorded, as something was read.

    Returns the database's clock.
    """
    recorded = compare_login(connection, source, region, project_id, endpoint)
    met = (storable(region), storable(project_id), storable(endpoint))
    is_recorded = all(new in (None, old) for new, old in zip(met[:2], recorded[4:6], strict=True))
    if not is_recorded or recorded.endpoint != met[2]:
        _SQL.run(
            connection, "recognise", source=source.source_id, region=met[0], project=met[1], endpoint=met[2]
        )
    return recorded.read_at


def identify(
    connection: Connection,
    source_id: str,
    at: datetime,
    *,
    region: str | None,
    project_id: str | None,
    endpoint: str | None,
) -> None:
    """Records what an archive of a moment says of a source that has none of the three, was never swept, and has
    no later archive.

    One that was swept, and lost them to `adopt`, takes them from its next sweep alone.
    """
    if not _SQL.value(connection, "is_known_later", source=source_id, at=at):
        values = {"region": region, "project": project_id, "endpoint": endpoint}
        _SQL.run(connection, "identify", source=source_id, **values)


def continue_archives(connection: Connection, source_id: str, archived: str) -> None:
    """Makes a source that was never swept the one that an archive's header names, for archives to come."""
    _SQL.run(connection, "continue", source=source_id, archived=archived)


def own_ids(connection: Connection, source_id: str) -> set[str | None]:
    """The `source_id` in headers of archives that are the source's own."""
    return set(_SQL.run(connection, "own_ids", source=source_id).fetchall()[0]) - {None}


def owners(connection: Connection, ids: Iterable[str], source_id: str) -> dict[str, str]:
    """Names of the sources other than this one whose archives carry these ids, by the id."""
    return dict(_SQL.run(connection, "owners", ids=list(ids), source=source_id).fetchall())


def _changed(name: str, what: str, recorded: str, met: str) -> str:
    return (
        f"source {name!r} was recorded with {what} {recorded!r}, now it is {met!r}: nothing was listed;"
        f" give the new one a name of its own, or run `catalog sources adopt {name}`"
    )


def rename(connection: Connection, old: str, new: str) -> None:
    """Raises UsageError for an unknown name or one that is taken."""
    if find(connection, new) is not None:
        raise UsageError(f"a source {new!r} exists already; choose another name")
    _change(connection, "rename", old, new=new)


def retire(connection: Connection, name: str) -> None:
    """Marks a source as no longer swept; its images and history stay. Raises UsageError for an unknown name."""
    _change(connection, "retire", name)


def adopt(connection: Connection, name: str, kind: str | None) -> int:
    """Forgets region, project, endpoint and what the login reached (and takes the configured kind), so that the
    next sweep records what it meets; a retired source lives again. Returns how many deletions that were held for the
    login stay so, until somebody decides or the image is seen. Raises UsageError for an unknown name."""
    _change(connection, "adopt", name, kind=kind)
    return _SQL.count(connection, "adopt_held", source=known(connection, name).source_id)


def _change(connection: Connection, statement: str, name: str, **values: object) -> None:
    if not _SQL.count(connection, statement, name=name, **values):
        raise UsageError(_UNKNOWN.format(name=name))


def same_services(connection: Connection) -> list[list[str]]:
    """Names of sources in use that look at one endpoint, region and project: each of their images is there twice."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for source in (Source(*row) for row in _SQL.run(connection, "every")):
        if source.endpoint is not None and source.retired_at is None:
            place = (source.kind, service_of(source.endpoint), source.region, source.project_id)
            groups.setdefault(place, []).append(source.name)
    return [names for names in groups.values() if len(names) > 1]


def note_complete(connection: Connection, source_id: str, at: datetime, finished: datetime | None) -> None:
    """An archived sweep that was complete; `finished`: when the archive was loaded."""
    _SQL.run(connection, "note_complete", source=source_id, at=at, finished=finished)


def ever_observed(connection: Connection) -> bool:
    """True once a listing of any source was read."""
    return bool(_SQL.value(connection, "ever_observed"))


def history_from(connection: Connection, source_id: str) -> datetime | None:
    """Before this moment the history was pruned; None: it was not."""
    return _SQL.value(connection, "history_from", source=source_id)  # type: ignore[no-any-return]


def listing(connection: Connection) -> list[tuple[Any, ...]]:
    """Every source of the database for people, by name; columns as in LISTING_COLUMNS."""
    return _SQL.run(connection, "listing").fetchall()
