"""What the page of `catalog report --html` shows: its queries, and their answers for the template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from catalog.report import charts

LATEST = 40
"""Changes shown."""
_PLATFORMS = 10
_CUT = 80
"""Characters of a value shown in a change; the whole stands in the catalog."""

Rows = list[dict[str, Any]]

_SOURCES = """
SELECT f.source, s.kind, s.region, f.last_complete_at, f.expected_seconds, f.stale, f.failing_since,
    f.error_kind, f.held, f.retired_at, coalesce(live.images, 0) AS images, s.observed_since
FROM source_freshness AS f
JOIN sources AS s ON s.source_id = f.source_id
LEFT JOIN (
    SELECT i.source_id, count(*) AS images FROM images AS i WHERE i.deleted_at IS NULL GROUP BY i.source_id
) AS live ON live.source_id = f.source_id
WHERE f.source = ANY (%(sources)s)
ORDER BY f.retired_at IS NOT NULL, f.source"""

# Each image once, however many sources see it; of those asked for, the freshest copy.
_DISTINCT = """
SELECT DISTINCT ON (v.service, v.region, i.image_id)
    true_size(s.kind, i.image_type, i.image_size, i.size) AS size_bytes,
    coalesce(i.created_at, i.first_seen_at) AS born_at
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
JOIN source_services AS v ON v.source_id = i.source_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
ORDER BY v.service, v.region, i.image_id, i.updated_at DESC NULLS LAST"""

_TOTALS = f"SELECT count(*) AS images, sum(size_bytes)::numeric AS bytes FROM ({_DISTINCT}) AS d"

_AGES = f"""
SELECT width_bucket(extract(epoch FROM %(now)s - born_at)::numeric / 86400,
    ARRAY[7, 30, 90, 180, 365, 730, 1825]::numeric[]) AS bucket, count(*) AS images
FROM ({_DISTINCT}) AS d
GROUP BY bucket"""
AGES = (
    "under a week",
    "to 30 days",
    "to 90 days",
    "to 180 days",
    "to 1 year",
    "to 2 years",
    "to 5 years",
    "older",
)

_PLATFORMS_BY_SOURCE = """
SELECT coalesce(i.platform, 'not told') AS platform, s.name AS source, count(*) AS images
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
WHERE i.deleted_at IS NULL AND s.name = ANY (%(sources)s)
GROUP BY 1, 2"""

_FLOW = """
SELECT (date_trunc(%(unit)s, r.valid_from, 'UTC') AT TIME ZONE 'UTC')::date AS day,
    count(*) FILTER (WHERE r.change IN ('created', 'restored')) AS came,
    count(*) FILTER (WHERE r.change = 'deleted' AND r.spell_from = r.valid_from) AS went
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE r.valid_from >= %(since)s AND r.valid_from <= %(now)s AND r.change <> 'updated'
    AND s.name = ANY (%(sources)s)
GROUP BY 1"""

_CHANGED_IN_A_WEEK = """
SELECT count(DISTINCT (r.source_id, r.image_id)) FILTER (WHERE r.change = 'updated') AS changed,
    count(*) FILTER (WHERE r.change IN ('created', 'restored')) AS came,
    count(*) FILTER (WHERE r.change = 'deleted' AND r.spell_from = r.valid_from) AS went
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE r.valid_from > %(now)s - interval '7 days' AND r.valid_from <= %(now)s AND s.name = ANY (%(sources)s)"""

_SPELLS = """
SELECT d.status, count(*) FILTER (WHERE d.left_at IS NULL) AS now, count(d.left_at) AS ended,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY d.seconds) FILTER (WHERE d.left_at IS NOT NULL) AS median,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY d.seconds) FILTER (WHERE d.left_at IS NOT NULL) AS high,
    min(d.entered_at) FILTER (WHERE d.left_at IS NULL) AS oldest
FROM status_durations AS d
WHERE d.source = ANY (%(sources)s) AND d.status <> 'deleted'
GROUP BY d.status
ORDER BY now DESC, d.status"""

_MATRIX = """
SELECT m.capability, m.family, c.description, coalesce(m.platform, 'not told') AS platform,
    sum(m.images)::bigint AS images,
    -- An inverted key says only what is missing: an image that says nothing supports it.
    sum(CASE WHEN c.inverted THEN m.images - m.not_supported ELSE m.supported END)::bigint AS supported,
    sum(m.not_supported)::bigint AS not_supported
FROM capability_matrix AS m
LEFT JOIN capabilities AS c ON c.capability = m.capability
WHERE m.source = ANY (%(sources)s)
GROUP BY m.capability, m.family, c.description, m.platform
ORDER BY m.family, m.capability"""

_LIFECYCLE = """
SELECT l.state, count(*) AS images, count(l.use_instead_id) AS replaced
FROM image_lifecycle AS l
WHERE l.source = ANY (%(sources)s) AND l.state <> 'gone'
GROUP BY l.state"""
STATES = {
    "current": "the one to use",
    "superseded": "offered, but a newer one of its family is too",
    "unlisted": "usable by id, no longer listed",
    "hidden": "usable by id, left out of default listings",
    "off_shelf": "taken off the shelf",
    "deactivated": "not active, so not usable",
}

_LATEST = """
SELECT r.valid_from, s.name AS source, r.image_id, r.name, r.change, r.changed, r.deletion_reason
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE s.name = ANY (%(sources)s) AND r.valid_from <= %(now)s
    AND (r.change <> 'updated' OR r.changed - 'updated_at' <> '{}')
ORDER BY r.valid_from DESC, r.source_id, r.image_id
LIMIT %(latest)s"""


def gather(
    connection: psycopg.Connection[TupleRow], now: datetime, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """What the template shows of the sources named, else of all that are not retired."""
    connection.execute("SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true)")
    known = connection.execute("SELECT name, retired_at IS NOT NULL FROM sources").fetchall()
    if names is None:
        names = [name for name, retired in known if not retired]
    asked: dict[str, Any] = {"sources": list(names), "now": now, "latest": LATEST}

    def ask(query: str, **more: Any) -> Rows:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, asked | more).fetchall()

    sources = [_source(row, now) for row in ask(_SOURCES)]
    since = min((row["observed_since"] for row in sources if row["observed_since"]), default=None)
    unit = "day" if since is None or now - since < timedelta(days=60) else "week"
    days = _days(now, unit)
    moved = ask(_FLOW, unit=unit, since=datetime.combine(days[0], datetime.min.time(), UTC))
    matrix = ask(_MATRIX)
    return {
        "now": now.astimezone(UTC),
        "sources": sources,
        "left_out": sum(retired and name not in names for name, retired in known),
        "totals": ask(_TOTALS)[0],
        "week": ask(_CHANGED_IN_A_WEEK)[0],
        "platforms": charts.stacked(
            {(row["platform"], row["source"]): row["images"] for row in ask(_PLATFORMS_BY_SOURCE)}
        ),
        "flow": charts.flow(_steps(days, moved, unit, since)),
        "flow_unit": unit,
        "observed_since": since,
        "ages": _ages(ask(_AGES)),
        "spells": [row | {"age": _seconds(row["oldest"], now)} for row in ask(_SPELLS)],
        "matrix": _matrix(matrix),
        "matrix_platforms": _matrix_platforms(matrix),
        "states": _states(ask(_LIFECYCLE)),
        "latest": [_change(row) for row in ask(_LATEST)],
    }


def _source(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    if row["retired_at"]:
        health = "retired"
    elif row["stale"]:
        health = "stale"
    else:
        health = "failing" if row["failing_since"] else "fresh"
    return row | {"health": health, "age": _seconds(row["last_complete_at"], now)}


def _seconds(moment: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - moment).total_seconds()) if moment else None


def _days(now: datetime, unit: str) -> list[date]:
    """The first days of the steps of time that the plot of arrivals and departures shows."""
    today = now.astimezone(UTC).date()
    if unit == "day":
        return [today - timedelta(days=n) for n in reversed(range(30))]
    monday = today - timedelta(days=today.weekday())
    return [monday - timedelta(weeks=n) for n in reversed(range(26))]


def _steps(
    days: Sequence[date], moved: Rows, unit: str, since: datetime | None
) -> list[tuple[date, int, int, bool]]:
    known = {row["day"]: (row["came"], row["went"]) for row in moved}
    length = timedelta(days=1 if unit == "day" else 7)
    return [
        (day, *known.get(day, (0, 0)), since is not None and day + length > since.astimezone(UTC).date())
        for day in days
    ]


def _ages(rows: Rows) -> list[dict[str, Any]]:
    counts = {row["bucket"]: row["images"] for row in rows}
    most = max(counts.values(), default=0) or 1
    return [
        {"label": label, "images": counts.get(place, 0), "percent": 100 * counts.get(place, 0) / most}
        for place, label in enumerate(AGES)
    ]


def _matrix_platforms(rows: Rows) -> list[str]:
    """The platforms with most images, each in a column."""
    images: dict[str, int] = {}
    for row in rows:
        images[row["platform"]] = max(images.get(row["platform"], 0), row["images"])
    return sorted(images, key=lambda platform: (-images[platform], platform))[:_PLATFORMS]


def _matrix(rows: Rows) -> list[dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = table.setdefault(
            row["capability"],
            {
                "capability": row["capability"],
                "family": row["family"],
                "description": row["description"],
                "cells": {},
            },
        )
        line["cells"][row["platform"]] = charts.Cell(row["images"], row["supported"], row["not_supported"])
    return list(table.values())


def _states(rows: Rows) -> list[dict[str, Any]]:
    counts = {row["state"]: row for row in rows}
    total = sum(row["images"] for row in rows) or 1
    return [
        {
            "state": state,
            "meaning": meaning,
            "images": counts[state]["images"],
            "replaced": counts[state]["replaced"],
            "percent": 100 * counts[state]["images"] / total,
        }
        for state, meaning in STATES.items()
        if state in counts
    ]


def _change(row: dict[str, Any]) -> dict[str, Any]:
    keys = row["changed"] or {}
    fields = [
        {"field": key, "old": _value(old), "new": _value(new)}
        for key, (old, new) in sorted(keys.items())
        if key != "updated_at"
    ]
    return row | {"fields": fields}


def _value(value: Any) -> str:
    """A value of a record as short text."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _CUT else text[: _CUT - 1] + "…"
