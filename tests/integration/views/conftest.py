"""Rows by hand: a catalog with known contents, for what views make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from catalog.store.db.connection import Database
from catalog.store.history.stage import OWNER_HASH
from catalog.systems import FamilyRule, Keys, Rule, Systems

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Noon of the day on which everything begins."""

NOW = datetime.now(UTC).replace(microsecond=0)
"""When the tests began."""

RUN = "00000000-0000-4000-8000-000000000001"


def days(number: float) -> datetime:
    """So many days after T0."""
    return T0 + timedelta(days=number)


def ago(number: float) -> datetime:
    """So many days before the tests began; questions such as "last week" count from now."""
    return NOW - timedelta(days=number)


class Shelf:
    """Writes rows as the product's writer would, only shorter; asks with rows as dictionaries."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], database: Database) -> None:
        self.connection = connection
        self.database = database

    def insert(self, table: str, row: dict[str, Any]) -> None:
        values = [json.dumps(v) if isinstance(v, dict) else v for v in row.values()]
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)

    def source(self, name: str = "one", **columns: Any) -> str:
        """A source; its key is the name with an s in front."""
        source_id = f"s-{name}"
        row = {"source_id": source_id, "name": name, "kind": "glance", "created_at": T0, "observed_since": T0}
        self.insert("sources", row | columns)
        return source_id

    def image(
        self,
        source_id: str,
        image_id: str,
        *,
        tags: Sequence[str] = (),
        flags: dict[str, bool] | None = None,
        **columns: Any,
    ) -> None:
        """An image as the present has it, active unless told otherwise."""
        flags = flags or {}
        row = {
            "source_id": source_id,
            "image_id": image_id,
            "name": image_id,
            "status": "active",
            "created_at": T0,
            "first_seen_at": T0,
            "last_changed_at": T0,
            "tags": sorted(tags),
            "capabilities": sorted(key for key, supported in flags.items() if supported),
            "properties": {},
        }
        self.insert("images", row | columns)
        self._tell(source_id, image_id, row | columns)
        for tag in tags:
            self.insert("image_tags", {"source_id": source_id, "image_id": image_id, "tag": tag})
        for capability, supported in flags.items():
            self.insert(
                "image_capabilities",
                {
                    "source_id": source_id,
                    "image_id": image_id,
                    "capability": capability,
                    "supported": supported,
                },
            )

    def _tell(self, source_id: str, image_id: str, row: dict[str, Any]) -> None:
        """The image's system, as a merge tells it."""
        told = {key: str(value) for key, value in row["properties"].items()}
        columns = ("platform", "os_version", "os_type", "os_bit", "architecture")
        keys = Keys.of(*(row.get(name) for name in columns), "arm" in row["capabilities"], told)
        system = self.systems.tell(row.get("name"), keys)._asdict()
        kept = {"live": row.get("deleted_at") is None, "created_at": row["created_at"], **system}
        self.insert("image_state", {"source_id": source_id, "image_id": image_id, **kept})
        self.ask(
            f"UPDATE image_state SET owner_hash = {OWNER_HASH} FROM images AS s"
            " WHERE (s.source_id, s.image_id) = (image_state.source_id, image_state.image_id)"
            " AND s.source_id = %s AND s.image_id = %s RETURNING 1",
            source_id,
            image_id,
        )

    @cached_property
    def systems(self) -> Systems:
        rules = self.ask("SELECT rank, tells, pattern, value, release FROM image_os_rules")
        families = self.ask("SELECT rank, pattern, family FROM image_family_rules")
        return Systems((Rule(**row) for row in rules), (FamilyRule(**row) for row in families))

    def revision(
        self,
        source_id: str,
        image_id: str,
        observed_at: datetime,
        valid_to: datetime | None = None,
        change: str = "updated",
        **columns: Any,
    ) -> None:
        row = {
            "source_id": source_id,
            "image_id": image_id,
            "observed_at": observed_at,
            "valid_from": observed_at,
            "valid_to": valid_to,
            "recorded_at": observed_at,
            "run_id": RUN,
            "change": change,
            "reported": False,
            "period_from": observed_at,
            "name": image_id,
            "status": "active",
            "tags": [],
            "capabilities": [],
            "properties": {},
        }
        self.insert("revisions", row | columns)

    def spell(
        self, source_id: str, image_id: str, status: str, start: datetime, end: datetime | None = None
    ) -> None:
        row = {
            "valid_from": start,
            "valid_to": end,
            "observed_at": start,
            "recorded_at": start,
            "run_id": RUN,
        }
        self.insert("status_history", {"source_id": source_id, "image_id": image_id, "status": status} | row)

    def observation(self, source_id: str, at: datetime, *, complete: bool = True, **columns: Any) -> None:
        row = {"source_id": source_id, "observed_at": at, "complete": complete, "run_ids": [RUN]}
        self.insert("observations", row | columns)

    def ask(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        return self.connection.execute(query, parameters or None).fetchall()

    def one(self, query: str, *parameters: Any) -> dict[str, Any]:
        rows = self.ask(query, *parameters)
        assert len(rows) == 1, rows
        return rows[0]

    def column(self, query: str, *parameters: Any) -> list[Any]:
        return [next(iter(row.values())) for row in self.ask(query, *parameters)]


@pytest.fixture
def shelf(database_url: str, database: Database) -> Iterator[Shelf]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield Shelf(connection, database)
