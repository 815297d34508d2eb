"""Requests and answers of a simulated service, and what both services share: filters, order, marker."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from catalog.demo.cloud import Cloud, Held

SORT_KEYS = frozenset(
    {"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"}
)

TIMES = frozenset({"created_at", "updated_at"})
_OPERATORS = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq, "neq": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in; header names in lower case, the path without the server's prefix."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Service = Callable[[Request], Answer]


class RefusedQuery(Exception):
    """The service refuses the request with this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer_json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def one_image(cloud: Cloud, image_id: str, missing: str, forbidden: str) -> Answer:
    """The answer to a look-up by id. Raises RefusedQuery with the text that the service has for it."""
    held = cloud.find(image_id)
    if held is None:
        raise RefusedQuery(404, missing)
    if held.forbidden:
        raise RefusedQuery(403, forbidden)
    return Answer(200, held.body)


def first_of(
    rows: Iterable[Held], limit: int, shows: Callable[[Held], bool], filters: Mapping[str, str]
) -> list[Held]:
    """So many rows that the listing shows and that match the filters."""
    return list(islice((row for row in rows if shows(row) and matches(row.record, filters)), limit))


def page_of(rows: list[Held], rest: Mapping[str, Any] | None = None) -> Answer:
    """A listing's body, from records that were serialised when they came in."""
    tail = json.dumps(rest)[1:].encode() if rest else b"}"
    comma = b", " if rest else b""
    return Answer(200, b'{"images": [' + b", ".join(row.body for row in rows) + b"]" + comma + tail)


def matches(record: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    """Equality with each filter, tags by membership, times by an operator; a record without the key does not match."""
    for key, wanted in filters.items():
        value = record.get("tags" if key == "tag" else key)
        if key == "tag":
            if wanted not in (value or ()):
                return False
        elif key in TIMES:
            if value is None or not _compares(str(value), wanted):
                return False
        elif isinstance(value, bool):
            if str(value).lower() != wanted.lower():
                return False
        elif value is None or str(value) != wanted:
            return False
    return True


def _compares(value: str, wanted: str) -> bool:
    """`gte:2026-11-30T08:00:00Z`. Raises RefusedQuery for what is not an operator and a time."""
    name, _, text = wanted.partition(":")
    try:
        return bool(_OPERATORS[name](datetime.fromisoformat(value), datetime.fromisoformat(text)))
    except (KeyError, ValueError):
        raise RefusedQuery(400, f"Unable to filter by a time: {wanted}") from None


def ordered(cloud: Cloud, key: str, direction: str) -> list[Held]:
    """All images by one key, ties by creation and id. Raises RefusedQuery for what can't be sorted by."""
    if key not in SORT_KEYS or direction not in ("asc", "desc"):
        raise RefusedQuery(400, f"Invalid sort key or direction: {key}:{direction}")
    rows = cloud.oldest_first()
    if key != "created_at":
        rows = sorted(rows, key=lambda held: str(held.record.get(key) or ""))
    return rows if direction == "asc" else rows[::-1]


def after_marker(rows: list[Held], marker: str | None) -> list[Held]:
    """The rows that stand after the marker; none where it stands nowhere."""
    if marker is None:
        return rows
    for position, held in enumerate(rows):
        if held.record["id"] == marker:
            return rows[position + 1 :]
    return []


def whole_number(text: str, name: str) -> int:
    """A limit. Raises RefusedQuery as both services do."""
    if not text.isascii() or not text.isdigit():
        raise RefusedQuery(400, f"{name} must be a whole number, zero or more")
    return int(text)
