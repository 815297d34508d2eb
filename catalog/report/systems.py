"""Operating systems of images in the one vocabulary, now or as of a moment, for queries that join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from catalog.report.statements import statement
from catalog.store.db.connection import Connection
from catalog.store.state import os_rules
from catalog.systems import Keys

SYSTEMS_NOW = "image_state"
_COLUMNS = ("source_ids", "image_ids", "distros", "releases", "arches", "purposes", "families")


def systems_sql(as_of: datetime | None, prefix: str = "then") -> str:
    """SQL that a query joins by `source_id` and `image_id`; with `as_of` it takes the values of `systems_then`."""
    return SYSTEMS_NOW if as_of is None else statement("systems/then").replace("(then_", f"({prefix}_")


def systems_then(
    connection: Connection,
    as_of: datetime | None,
    sources: Sequence[str] | None,
    *,
    changed: str = "systems/changed",
    prefix: str = "then",
) -> dict[str, list[str | None]]:
    """The systems, by today's rules, that images had which the statement `changed` finds to have changed since: a list
    for each column. Without a moment there is nothing to tell."""
    if as_of is None:
        return {}
    systems = os_rules.load(connection)
    columns: list[list[str | None]] = [[] for _ in _COLUMNS]
    values: Mapping[str, Any] = {"as_of": as_of, "sources": sources}
    for row in connection.execute(statement(changed).encode(), values):
        name, platform, version, os_type, os_bit, architecture, capabilities, properties = row[2:]
        told = {key: str(value) for key, value in (properties or {}).items()}
        arm = "arm" in (capabilities or ())
        keys = Keys.of(platform, version, os_type, os_bit, architecture, arm, told)
        for column, value in zip(columns, (*row[:2], *systems.tell(name, keys)), strict=True):
            column.append(value)
    return {f"{prefix}_{name}": column for name, column in zip(_COLUMNS, columns, strict=True)}
