"""The ready-made answers of `catalog report`: each a named query over the views, with what it can be asked.

The command line walks `QUERIES`; `run_report` carries one out. SQL that several queries share stands in the
placeholders `{live}` (images that live now, or lived as of a moment) and `{sources}` (the sources asked for).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from catalog.config.selection import select_names
from catalog.errors import UsageError

SOURCE, SINCE, AS_OF, IMAGE = "source", "since", "as_of", "image"


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

_SOURCES = "(%(sources)s::text[] IS NULL OR {} = ANY (%(sources)s::text[]))"


def _query(name: str, help: str, *takes: str, of: str, sql: str) -> Query:
    """`of`: the column that holds the source's name, for the filter {sources}."""
    return Query(name, help, sql.replace("{sources}", _SOURCES.format(of)), frozenset(takes))


QUERIES: tuple[Query, ...] = (
    _query(
        "summary",
        "One row per source: images live; new, changed and gone in a day, a week, a month (30 days).",
        SOURCE,
        AS_OF,
        of="s.name",
        sql="""
        WITH asked AS (
            SELECT coalesce(%(as_of)s::timestamptz, now()) AS moment
        ), present AS (
            SELECT live.source_id, count(*) AS images FROM {live} AS live GROUP BY live.source_id
        ), events AS (
            SELECT r.source_id, r.image_id, moment - r.valid_from AS age,
                r.change IN ('created', 'restored') AS new,
                r.change = 'updated' AS changed,
                r.change = 'deleted' AND r.spell_from = r.valid_from AS gone
            FROM revisions AS r, asked
            WHERE r.valid_from > moment - interval '30 days' AND r.valid_from <= moment
        ), flow AS (
            SELECT source_id,
                count(*) FILTER (WHERE new AND age < interval '1 day') AS new_1d,
                count(*) FILTER (WHERE new AND age < interval '7 days') AS new_7d,
                count(*) FILTER (WHERE new) AS new_30d,
                count(DISTINCT image_id) FILTER (WHERE changed AND age < interval '1 day') AS changed_1d,
                count(DISTINCT image_id) FILTER (WHERE changed AND age < interval '7 days') AS changed_7d,
                count(DISTINCT image_id) FILTER (WHERE changed) AS changed_30d,
                count(*) FILTER (WHERE gone AND age < interval '1 day') AS gone_1d,
                count(*) FILTER (WHERE gone AND age < interval '7 days') AS gone_7d,
                count(*) FILTER (WHERE gone) AS gone_30d
            FROM events
            GROUP BY source_id
        )
        SELECT s.name AS source, coalesce(p.images, 0) AS live,
            coalesce(new_1d, 0) AS new_1d, coalesce(new_7d, 0) AS new_7d,
            coalesce(new_30d, 0) AS new_30d, coalesce(changed_1d, 0) AS changed_1d,
            coalesce(changed_7d, 0) AS changed_7d, coalesce(changed_30d, 0) AS changed_30d,
            coalesce(gone_1d, 0) AS gone_1d, coalesce(gone_7d, 0) AS gone_7d,
            coalesce(gone_30d, 0) AS gone_30d, s.last_complete_at
        FROM sources AS s
        LEFT JOIN present AS p ON p.source_id = s.source_id
        LEFT JOIN flow AS f ON f.source_id = s.source_id
        WHERE {sources}
        ORDER BY s.name""",
    ),
    _query(
        "changes",
        "What changed, newest first; --since, default 7 days. A new updated_at alone is left out.",
        SOURCE,
        SINCE,
        of="c.source",
        sql="""
        SELECT c.changed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text, c.new_text
        FROM image_changes AS c
        WHERE c.changed_at >= coalesce(%(since)s::timestamptz, now() - interval '7 days')
            AND c.field IS DISTINCT FROM 'updated_at' AND {sources}
        ORDER BY c.changed_at DESC, c.source, c.image_id, c.field NULLS FIRST""",
    ),
    _query(
        "lifecycle",
        "Images to move away from, and where to; those promised for less than 90 days; with --since also the"
        " ones gone since then.",
        SOURCE,
        SINCE,
        of="l.source",
        sql="""
        SELECT l.source, l.image_id, l.name, l.state, l.state_since, l.use_instead_id, l.use_instead_name,
            l.promised_until
        FROM image_lifecycle AS l
        WHERE {sources} AND CASE l.state
            WHEN 'gone' THEN l.state_since >= %(since)s::timestamptz
            WHEN 'current' THEN l.promised_until < (now() AT TIME ZONE 'UTC')::date + 90
            ELSE %(since)s::timestamptz IS NULL OR l.state_since >= %(since)s::timestamptz
        END
        ORDER BY l.source, l.family, l.born_at DESC, l.image_id""",
    ),
    _query(
        "capabilities",
        "How many live images support each capability, say that they don't, and on which platforms.",
        SOURCE,
        of="m.source",
        sql="""
        SELECT m.capability, m.family, sum(m.supported)::bigint AS supported,
            sum(m.not_supported)::bigint AS not_supported, count(DISTINCT m.source) AS sources,
            array_agg(DISTINCT m.platform ORDER BY m.platform)
                FILTER (WHERE m.supported > 0 AND m.platform IS NOT NULL) AS platforms
        FROM capability_matrix AS m
        WHERE {sources}
        GROUP BY m.capability, m.family
        ORDER BY m.family, m.capability""",
    ),
    _query(
        "platforms",
        "Live images by platform.",
        SOURCE,
        AS_OF,
        of="live.source",
        sql="""
        SELECT coalesce(live.platform, '(none)') AS platform, count(*) AS images,
            count(DISTINCT live.source) AS sources,
            round(sum(true_size(live.kind, live.image_type, live.image_size, live.size)) / 1073741824.0, 1)
                AS size_gib,
            max(live.created_at) AS newest_created_at
        FROM {live} AS live
        WHERE {sources}
        GROUP BY live.platform
        ORDER BY images DESC, live.platform""",
    ),
    _query(
        "stale",
        "Sources whose last complete sweep is older than three expected intervals.",
        SOURCE,
        of="f.source",
        sql="""
        SELECT f.source, f.last_complete_at, f.age_seconds, f.expected_seconds, f.failing_since, f.error_kind,
            f.held
        FROM source_freshness AS f
        WHERE f.stale AND {sources}
        ORDER BY f.last_complete_at NULLS FIRST, f.source""",
    ),
    _query(
        "duplicates",
        "Names that several live images of a source share.",
        SOURCE,
        AS_OF,
        of="live.source",
        sql="""
        SELECT live.source, live.name, count(*) AS images, count(DISTINCT live.owner) AS owners,
            min(live.created_at) AS oldest_created_at, max(live.created_at) AS newest_created_at,
            (array_agg(live.image_id ORDER BY live.created_at DESC NULLS LAST, live.image_id))[1] AS newest_id
        FROM {live} AS live
        WHERE live.name IS NOT NULL AND {sources}
        GROUP BY live.source, live.name
        HAVING count(*) > 1
        ORDER BY images DESC, live.source, live.name""",
    ),
    _query(
        "drift",
        "The same image in several sources with different attributes: one row per value, with who says so.",
        SOURCE,
        AS_OF,
        of="live.source",
        sql="""
        WITH copies AS (
            SELECT live.*, count(*) OVER (PARTITION BY live.image_id) AS seen
            FROM {live} AS live
            WHERE {sources}
        ), told AS (
            SELECT c.image_id, c.source, part.field, part.value
            FROM copies AS c
            CROSS JOIN LATERAL (VALUES
                ('name', c.name), ('status', c.status), ('visibility', c.visibility), ('owner', c.owner),
                ('protected', c.protected::text), ('hidden', c.hidden::text), ('disk_format', c.disk_format),
                ('size_bytes', true_size(c.kind, c.image_type, c.image_size, c.size)::text),
                ('checksum', c.checksum), ('hash_value', c.hash_value), ('min_ram_mb', c.min_ram::text),
                ('min_disk_gb', c.min_disk::text), ('platform', c.platform), ('os_version', c.os_version),
                ('architecture', c.architecture), ('tags', array_to_string(c.tags, ', ')),
                ('capabilities', array_to_string(c.capabilities, ', '))
            ) AS part (field, value)
            WHERE c.seen > 1
        ), voices AS (
            SELECT image_id, field, value, array_agg(source ORDER BY source) AS sources,
                count(*) OVER (PARTITION BY image_id, field) AS values
            FROM told
            GROUP BY image_id, field, value
        )
        SELECT v.image_id, v.field, v.value, v.sources
        FROM voices AS v
        WHERE v.values > 1
        ORDER BY v.image_id, v.field, v.value""",
    ),
    _query(
        "storage",
        "GiB-months by month (UTC), source, owner and kind; --since, default 12 months. What several projects"
        " see counts once, with its owner's source.",
        SOURCE,
        SINCE,
        AS_OF,
        of="s.name",
        sql="""
        WITH asked AS (
            SELECT coalesce(%(as_of)s::timestamptz, now()) AS ends,
                date_trunc('month', coalesce(%(since)s::timestamptz,
                    coalesce(%(as_of)s::timestamptz, now()) - interval '11 months'), 'UTC') AS begins
        ), months AS (
            SELECT month AT TIME ZONE 'UTC' AS starts,
                (month + interval '1 month') AT TIME ZONE 'UTC' AS stops
            FROM asked,
                generate_series(begins AT TIME ZONE 'UTC', ends AT TIME ZONE 'UTC', interval '1 month')
                    AS month
        ), copies AS (
            SELECT i.source_id, i.image_id, row_number() OVER (
                PARTITION BY v.service, v.region, i.image_id
                ORDER BY s.project_id IS NOT DISTINCT FROM i.owner DESC, s.name
            ) AS place
            FROM images AS i
            JOIN source_services AS v ON v.source_id = i.source_id
            JOIN sources AS s ON s.source_id = i.source_id
            WHERE {sources}
        ), held AS (
            SELECT r.source_id, r.owner, coalesce(r.image_kind, r.image_type, 'image') AS kind,
                true_size(s.kind, r.image_type, r.image_size, r.size) / 1073741824::float8 AS gib,
                m.starts, date_part('epoch', least(r.valid_to, asked.ends, m.stops)
                    - greatest(r.valid_from, m.starts)) / date_part('epoch', m.stops - m.starts) AS share
            FROM revisions AS r
            JOIN sources AS s ON s.source_id = r.source_id
            CROSS JOIN asked
            JOIN months AS m ON r.valid_from < m.stops AND (r.valid_to IS NULL OR r.valid_to > m.starts)
            WHERE r.deleted_at IS NULL AND r.valid_from < asked.ends AND {sources}
                AND NOT EXISTS (
                    SELECT FROM copies AS c
                    WHERE c.place > 1 AND c.source_id = r.source_id AND c.image_id = r.image_id
                )
        )
        SELECT to_char(t.starts AT TIME ZONE 'UTC', 'YYYY-MM') AS month, s.name AS source, t.owner,
            p.name AS owner_name, t.kind, round(t.images::numeric, 1) AS images_on_average,
            round(t.gib_months::numeric, 2) AS gib_months
        FROM (
            SELECT starts, source_id, owner, kind, sum(share) AS images, sum(gib * share) AS gib_months
            FROM held
            GROUP BY starts, source_id, owner, kind
        ) AS t
        JOIN sources AS s ON s.source_id = t.source_id
        LEFT JOIN projects AS p ON p.source_id = t.source_id AND p.project_id = t.owner
        ORDER BY t.starts DESC, gib_months DESC NULLS LAST, s.name, t.owner, t.kind""",
    ),
    _query(
        "coverage",
        "Gaps between complete observations longer than three expected intervals (a day where none is known):"
        " what came and went inside them was never seen.",
        SOURCE,
        SINCE,
        of="s.name",
        sql="""
        WITH complete AS (  -- before history_from the ledger is thinned: nothing can be told
            SELECT o.source_id, greatest(o.observed_at, s.history_from) AS gap_from,
                lead(o.observed_at, 1, now()) OVER (PARTITION BY o.source_id ORDER BY o.observed_at) AS gap_to
            FROM observations AS o JOIN sources AS s ON s.source_id = o.source_id
            WHERE o.complete
        ), gaps AS (
            SELECT c.source_id, c.gap_from, c.gap_to FROM complete AS c
            UNION ALL
            SELECT s.source_id, greatest(s.created_at, s.history_from), coalesce(min(c.gap_from), now())
            FROM sources AS s LEFT JOIN complete AS c ON c.source_id = s.source_id
            GROUP BY s.source_id
        )
        SELECT s.name AS source, g.gap_from, g.gap_to,
            round(extract(epoch FROM g.gap_to - g.gap_from) / 3600, 1) AS hours,
            (SELECT count(*) FROM observations AS o WHERE o.source_id = g.source_id AND NOT o.complete
                AND o.observed_at > g.gap_from AND o.observed_at < g.gap_to) AS partial_observations,
            s.observed_since, s.history_from
        FROM gaps AS g
        JOIN sources AS s ON s.source_id = g.source_id
        WHERE extract(epoch FROM least(g.gap_to, s.retired_at) - g.gap_from)
                > coalesce(3 * s.expected_seconds, 86400)
            AND (%(since)s::timestamptz IS NULL OR g.gap_to > %(since)s::timestamptz) AND {sources}
        ORDER BY s.name, g.gap_from DESC""",
    ),
    _query(
        "timeline",
        "One image's life, oldest first; IMAGE is its id or its name.",
        SOURCE,
        SINCE,
        IMAGE,
        of="c.source",
        sql="""
        SELECT c.changed_at, c.observed_at, c.source, c.image_id, c.name, c.change, c.field, c.old_text,
            c.new_text
        FROM image_changes AS c
        JOIN (
            SELECT i.source_id, i.image_id FROM images AS i WHERE i.image_id = %(image)s OR i.name = %(image)s
        ) AS asked ON asked.source_id = c.source_id AND asked.image_id = c.image_id
        WHERE (%(since)s::timestamptz IS NULL OR c.changed_at >= %(since)s::timestamptz)
            AND c.field IS DISTINCT FROM 'updated_at' AND {sources}
        ORDER BY c.source, c.image_id, c.changed_at, c.field NULLS FIRST""",
    ),
)

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
    given = {SINCE: since, AS_OF: as_of, IMAGE: image, SOURCE: source}
    for filter_name, value in given.items():
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
