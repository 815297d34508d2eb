"""Two sources, or one source at two moments: what one lacks that the other has, and what differs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from catalog.errors import UsageError
from catalog.report.queries import IMAGES_NOW, IMAGES_THEN, Report, ask
from catalog.report.sources import matching_sources
from catalog.report.statements import statement
from catalog.report.systems import systems_sql, systems_then
from catalog.store.db.connection import Connection

COLUMNS = (
    "source_id", "image_id", "kind", "name", "status", "visibility", "owner", "protected", "hidden", "disk_format",
    "image_type", "image_size", "size", "checksum", "hash_algo", "hash_value", "created_at", "first_seen_at", "min_ram",
    "min_disk", "platform", "os_version", "architecture", "tags", "capabilities",
)  # fmt: skip
"""Columns that are compared, or tell which images belong together."""


def compare(
    connection: Connection,
    a: str,
    b: str | None = None,
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Report:
    """One row per difference of the live images of the sources `a` and `b`; without `b` of `a` at `from_` and at `to`
    (None: now).

    `difference` is `differs`, `only in a` or `only in b`; images belong together by `id`, else by `hash`, else by `os`
    (system, release, architecture, visibility and family), as `matched_by` says. Raises UsageError for a source that is
    not known or is several, for moments beside `b` and none without, and for history that was pruned.
    """
    if b is None and from_ is None:
        raise UsageError("name two sources, or one and --from")
    if b is not None and (from_ is not None or to is not None):
        raise UsageError("--from and --to compare one source with itself; name one source, or leave them out")
    values: dict[str, Any] = {
        "a": _one(connection, a),
        "b": _one(connection, b or a),
        "from": from_,
        "to": to,
    }
    values["sources"] = [values["a"], values["b"]]
    sql = statement("compare/differences").replace("{members}", statement("compare/members"))
    sql = sql.replace("{changed}", statement("compare/changed") if b is None else "")
    sql = sql.replace("{columns}", ", ".join(f"i.{name}" for name in COLUMNS))
    for side, parameter, moment in (("a", "from", from_), ("b", "to", to)):
        sql = sql.replace(f"{{{side}}}", _side(parameter, moment))
        sql = sql.replace(f"{{{side}_systems}}", systems_sql(moment, parameter))
        values |= systems_then(connection, moment, [values[side]], prefix=parameter)
    return ask(connection, sql, values)


def _side(parameter: str, moment: datetime | None) -> str:
    return IMAGES_NOW if moment is None else IMAGES_THEN.replace("%(as_of)s", f"%({parameter})s")


def _one(connection: Connection, pattern: str) -> str:
    names = matching_sources(connection, [pattern])
    if len(names) > 1:
        raise UsageError(f"{pattern!r} means {len(names)} sources, {', '.join(names[:5])}; name one")
    return names[0]
