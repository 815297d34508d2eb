"""The sources that the database knows: recorded at the first sweep, compared at every other one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.address import service_of
from catalog.config.selection import select_names
from catalog.errors import ConfigurationError, UsageError
from catalog.model import SourceKind
from catalog.store.db.connection import Connection, clock
from catalog.store.state.runs import ARCHIVED
from catalog.text import storable

_COLUMNS = "source_id, name, kind, cloud, region, project_id, endpoint, last_complete_at, retired_at"


@dataclass(frozen=True, slots=True)
class Source:
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


def find(connection: Connection, name: str) -> Source | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM sources WHERE name = %s", (name,)).fetchone()
    return Source(*row) if row else None


def matching(connection: Connection, patterns: Sequence[str]) -> list[Source]:
    """Sources whose name fits one of the globs, all for none; raises UsageError for a glob that fits none."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM sources ORDER BY name").fetchall()
    sources = [Source(*row) for row in rows]
    selected = set(select_names([source.name for source in sources], patterns))
    return [source for source in sources if source.name in selected]


def register(
    connection: Connection, name: str, kind: str, cloud: str | None, expected_seconds: float | None
) -> Source:
    """The source of this name, recorded if it is new. Raises ConfigurationError if it is of another kind."""
    connection.execute(
        "INSERT INTO sources (source_id, name, kind, cloud, created_at, expected_seconds)"
        " VALUES (%s, %s, %s, %s, clock_timestamp(), %s) ON CONFLICT (name) DO NOTHING",
        (secrets.token_hex(4), name, kind, cloud, expected_seconds),
    )
    source = find(connection, name)
    assert source is not None
    compare(source, kind=kind)
    return source


def compare(
    source: Source,
    *,
    kind: str | None = None,
    region: str | None = None,
    project_id: str | None = None,
    endpoint: str | None = None,
) -> None:
    """Raises ConfigurationError naming `catalog sources adopt` if kind, region, project or endpoint, where they
    are known, are others than recorded: their images would be taken for the recorded ones'."""
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


def recognise(
    connection: Connection, source: Source, region: str | None, project_id: str | None, endpoint: str
) -> None:
    """Compares what a login says with what is recorded; records it where nothing is.

    Raises ConfigurationError like `compare`.
    """
    region, project_id, endpoint = storable(region), storable(project_id), storable(endpoint)
    compare(source, region=region, project_id=project_id, endpoint=endpoint)
    connection.execute(
        "UPDATE sources SET region = coalesce(region, %(region)s), project_id = coalesce(project_id, %(project)s),"
        " endpoint = %(endpoint)s WHERE source_id = %(id)s AND (endpoint IS DISTINCT FROM %(endpoint)s"
        " OR (region IS NULL AND %(region)s::text IS NOT NULL)"
        " OR (project_id IS NULL AND %(project)s::text IS NOT NULL))",
        {"region": region, "project": project_id, "endpoint": endpoint, "id": source.source_id},
    )


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
    connection.execute(
        "UPDATE sources s SET region = %(region)s, project_id = %(project)s, endpoint = %(endpoint)s"
        " WHERE source_id = %(id)s AND region IS NULL AND project_id IS NULL AND endpoint IS NULL"
        " AND NOT EXISTS (SELECT FROM runs r WHERE r.source_id = s.source_id AND (r.observed_at > %(at)s"
        f" AND {ARCHIVED} OR r.kind = 'sync' AND r.observed_at IS NOT NULL))",
        {"region": region, "project": project_id, "endpoint": endpoint, "id": source_id, "at": at},
    )


def _changed(name: str, what: str, recorded: str, met: str) -> str:
    return (
        f"source {name!r} was recorded with {what} {recorded!r}, now it is {met!r}: nothing was listed;"
        f" give the new one a name of its own, or run `catalog sources adopt {name}`"
    )


def rename(connection: Connection, old: str, new: str) -> None:
    """Raises UsageError for an unknown name or one that is taken."""
    if find(connection, new) is not None:
        raise UsageError(f"a source {new!r} exists already; choose another name")
    changed = connection.execute("UPDATE sources SET name = %s WHERE name = %s", (new, old)).rowcount
    if not changed:
        raise UsageError(f"no source {old!r} in the database; see `catalog sources`")


def retire(connection: Connection, name: str) -> None:
    """Marks a source as no longer swept; its images and history stay. Raises UsageError for an unknown name."""
    changed = connection.execute(
        "UPDATE sources SET retired_at = coalesce(retired_at, %s), next_due_at = NULL, failing_since = NULL"
        " WHERE name = %s",
        (clock(connection), name),
    ).rowcount
    if not changed:
        raise UsageError(f"no source {name!r} in the database; see `catalog sources`")


def adopt(connection: Connection, name: str, kind: str | None) -> None:
    """Forgets region, project, endpoint and what the login reached (and takes the configured kind), so that the
    next sweep records what it meets; a retired source lives again. Raises UsageError for an unknown name."""
    changed = connection.execute(
        "UPDATE sources SET region = NULL, project_id = NULL, endpoint = NULL, login = NULL, retired_at = NULL,"
        " kind = coalesce(%s, kind) WHERE name = %s",
        (kind, name),
    ).rowcount
    if not changed:
        raise UsageError(f"no source {name!r} in the database; see `catalog sources`")
