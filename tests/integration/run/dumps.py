"""Dumps of an hour each, and the images that the catalog has of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from catalog.store.database import Database
from tests.integration.run.site import image, rows

START = datetime(2026, 3, 1, tzinfo=UTC)


def listing(*numbers: int, **keys: Any) -> dict[str, Any]:
    return {"images": [image(n, **keys) for n in numbers]}


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def named(number: int, suffix: str = "") -> str:
    return f"{hour(number):%Y%m%dT%H%M%SZ}{suffix}.json"


def images(database: Database) -> dict[str, Any]:
    return {row["image_id"]: row for row in rows(database, "SELECT * FROM images")}


def live(database: Database) -> set[str]:
    return {i for i, row in images(database).items() if row["deleted_at"] is None}
