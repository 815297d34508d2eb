"""Data of the page that `catalog report --html` writes: answers to its queries, for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from catalog.report import charts
from catalog.report.images import PRESENT_STATES
from catalog.report.statements import prepare, statement
from catalog.store.db.connection import Connection

LATEST = 40
"""Changes shown."""
_PLATFORMS = 10
_CUT = 80
"""Characters of a value shown in a change; the whole stands in the catalog."""

Rows = list[dict[str, Any]]

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
UNFINISHED = "unfinished"
"""State, on the page alone, of a live image that never became usable; the view has no row of it."""
_MEANINGS = {**PRESENT_STATES, UNFINISHED: "queued, saving or failed: never usable so far"}
_FEWEST_STEPS = 7
"""Steps of time that the plot of arrivals and departures shows at least."""


def gather(connection: Connection, now: datetime, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The template's data on the sources named, else on all that are not retired."""
    prepare(connection)
    known = connection.execute("SELECT name, retired_at IS NOT NULL FROM sources").fetchall()
    if names is None:
        names = [name for name, retired in known if not retired]
    asked: dict[str, Any] = {"sources": list(names), "now": now, "latest": LATEST, "unfinished": UNFINISHED}

    def ask(name: str, **more: Any) -> Rows:
        query = statement(f"page/{name}").replace("{distinct}", statement("page/distinct"))
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, asked | more).fetchall()

    sources = sources_of(connection, names, now)
    since = min((row["observed_since"] for row in sources if row["observed_since"]), default=None)
    unit = "day" if since is None or now - since < timedelta(days=60) else "week"
    days = _days(now, unit)
    moved = ask("flow", unit=unit, since=datetime.combine(days[0], datetime.min.time(), UTC))
    # a plot that begins long before anything is known is an empty one
    days = _from(days, min((row["day"] for row in moved if row["came"] or row["went"]), default=days[-1]))
    matrix, ages = ask("matrix"), ask("ages")
    return {
        "now": now.astimezone(UTC),
        "sources": sources,
        "left_out": sum(retired and name not in names for name, retired in known),
        "totals": {name: sum(row[name] or 0 for row in ages) for name in ("images", "bytes")},
        "week": ask("week")[0],
        "platforms": charts.stacked(
            {(row["platform"], row["source"]): row["images"] for row in ask("platforms")}
        ),
        "flow": charts.flow(_steps(days, moved, unit, since)),
        "flow_unit": unit,
        "observed_since": since,
        "ages": _ages(ages),
        "statuses": [row | {"age": _seconds(row["oldest"], now)} for row in ask("statuses")],
        "matrix": _matrix(matrix),
        "matrix_platforms": _matrix_platforms(matrix),
        "states": _states(ask("lifecycle")),
        "latest": [_change(row) for row in ask("latest")],
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


def _from(days: list[date], first: date) -> list[date]:
    """The steps from the one before `first` on, but a few at least."""
    return days[max(0, min(days.index(first) - 1, len(days) - _FEWEST_STEPS)) :] if first in days else days


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
    if not counts:
        return []
    most = max(counts.values())
    return [
        {"label": AGES[place], "images": counts.get(place, 0), "percent": 100 * counts.get(place, 0) / most}
        for place in range(min(counts), max(counts) + 1)
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
    """States in the order of PRESENT_STATES, then others; together they are all live images."""
    order = list(_MEANINGS)
    known = sorted(rows, key=lambda row: order.index(row["state"]) if row["state"] in order else len(order))
    return [row | {"meaning": _MEANINGS.get(row["state"], "")} for row in known]


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"fields": change_fields(row["changed"])}


def change_fields(changed: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The keys that a revision changed, each with its old and new value as short text; updated_at is left out."""
    return [
        {"field": key, "old": _value(old), "new": _value(new)}
        for key, (old, new) in sorted((changed or {}).items())
        if key != "updated_at"
    ]


def sources_of(connection: Connection, names: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """The sources named, each with its `health` (fresh, stale, failing, retired) and `age` in seconds."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement("page/sources"), {"sources": list(names)}).fetchall()
    return [_source(row, now) for row in rows]


def _value(value: Any) -> str:
    """A value of a record as short text."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _CUT else text[: _CUT - 1] + "…"
