"""The image to use: per source the newest that is offered and fits, now or as of a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.errors import UsageError
from catalog.report.images import ARCHITECTURES
from catalog.report.queries import Report, ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement
from catalog.report.systems import systems_then
from catalog.store.db.connection import Connection

_CONDITIONS = {
    "FAMILY": ("family", "lower(i.family) = lower(%(family)s)"),
    "--os": ("os", "({os})"),
    "--arch": ("arch", "i.arch = lower(%(arch)s)"),
    "--purpose": ("purpose", "i.purpose = lower(%(purpose)s)"),
    "--visibility": ("visibility", "i.visibility = %(visibility)s"),
    "--capability": ("capability", "i.capabilities @> %(capabilities)s::text[]"),
    "--tag": ("tag", "i.tags @> %(tags)s::text[]"),
}
"""Option -> its attribute, and what it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Conditions of `catalog latest`. An image must fit all that are given; None or empty: no condition."""

    family: str | None = None
    os: str | None = None
    """ubuntu, or with its release: ubuntu-22.04."""
    arch: str | None = None
    purpose: str | None = None
    capability: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    visibility: str | None = None
    source: tuple[str, ...] = ()
    """Globs; none: all that are not retired."""
    as_of: datetime | None = None


def latest_images(connection: Connection, wanted: Wanted) -> Report:
    """One row per source that has an image that fits.

    Raises UsageError for a glob that no source fits, and for a moment whose history was pruned.
    """
    values = _values(connection, wanted)
    conditions = "\n        AND ".join(condition for _, condition in _asked(wanted))
    return ask(connection, _sql(wanted, conditions, statement("latest/answer")), values)


def why_none(connection: Connection, wanted: Wanted) -> str:
    """Says, in one line, which condition leaves no image."""
    values = _values(connection, wanted)
    asked = _asked(wanted)
    counts = ", ".join(
        f"count(*) FILTER (WHERE {' AND '.join(condition for _, condition in asked[: n + 1])})"
        for n in range(len(asked))
    )
    sql = _sql(wanted, "true", "SELECT * FROM fitting", chosen=counts)
    row = ask(connection, sql, values).rows[0]
    before, names = None, []
    for (name, _), left in zip(asked, row, strict=True):
        if not left:
            if before is None:
                return "no image is offered in the sources and at the time asked for"
            return f"no image fits: {name} leaves none of the {before} that are {', '.join(names)}"
        before = left
        names.append(name)
    return "no image fits"


def _asked(wanted: Wanted) -> list[tuple[str, str]]:
    """Conditions, each with its name for people; that of being offered is always asked."""
    asked = [("offered", statement("latest/offered"))]
    for option, (attribute, condition) in _CONDITIONS.items():
        value = getattr(wanted, attribute)
        if value:
            spelled = value if isinstance(value, str) else f" {option} ".join(value)
            asked.append((f"{option} {spelled}", condition.replace("{os}", _os_condition(wanted.os or ""))))
    return asked


def _splits(os: str) -> list[tuple[str, str | None]]:
    """Splits an `--os` into distro and release in every way: both may hold a hyphen, as in windows-2012-r2."""
    words = os.lower().split("-")
    return [("-".join(words[:n]), "-".join(words[n:]) or None) for n in range(1, len(words) + 1)]


def _os_condition(os: str) -> str:
    """Columns compared one by one, so that the planner knows how many images they leave. rhel-9 means 9.4 as well."""
    return " OR ".join(
        f"i.distro = (%(heads)s::text[])[{n}] AND ((%(tails)s::text[])[{n}] IS NULL"
        f" OR i.release = (%(tails)s::text[])[{n}] OR starts_with(i.release, (%(tails)s::text[])[{n}] || '.'))"
        for n in range(1, len(_splits(os)) + 1)
    )


def _sql(wanted: Wanted, conditions: str, answer: str, *, chosen: str = "i.*") -> str:
    images = statement("latest/now" if wanted.as_of is None else "latest/then")
    sql = statement("latest/newest").replace("{images}", images).replace("{chosen}", chosen)
    return sql.replace("{conditions}", conditions).replace("{answer}", answer)


def _values(connection: Connection, wanted: Wanted) -> dict[str, Any]:
    sources = asked_sources(connection, wanted.source, wanted.as_of)
    values: dict[str, Any] = {
        "sources": sources,
        "as_of": wanted.as_of,
        "family": wanted.family,
        "heads": [head for head, _ in _splits(wanted.os or "")],
        "tails": [tail for _, tail in _splits(wanted.os or "")],
        "arch": ARCHITECTURES.get(wanted.arch.lower(), wanted.arch) if wanted.arch else None,
        "purpose": wanted.purpose,
        "visibility": wanted.visibility,
        "capabilities": list(wanted.capability),
        "tags": list(wanted.tag),
    }
    if wanted.as_of is not None:
        _refuse_pruned(connection, sources, wanted.as_of)
        values |= systems_then(connection, wanted.as_of, sources, changed="latest/changed")
    return values


def _refuse_pruned(connection: Connection, sources: list[str], as_of: datetime) -> None:
    row = connection.execute(
        "SELECT name, history_from FROM sources WHERE history_from > %s AND name = ANY (%s) ORDER BY name LIMIT 1",
        (as_of, sources),
    ).fetchone()
    if row is not None:
        raise UsageError(
            f"history of source {row[0]!r} before {row[1].isoformat()} was pruned; ask for a later moment, or"
            " leave the source out"
        )
