"""Records as clouds list them, and saved listings of them, one for each hour."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)


def image(number: int, **keys: Any) -> dict[str, Any]:
    """A small record that both services list."""
    return {
        "id": f"image-{number:03d}",
        "name": f"name {number}",
        "status": "active",
        "visibility": "public",
        "created_at": f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00Z",
        "updated_at": f"2026-01-02T{number // 60:02d}:{number % 60:02d}:00Z",
        "tags": ["t"],
        "__support_kvm": "true",
        "purpose": "test",
        **keys,
    }


def name_of(number: int) -> str:
    """The id of that image."""
    return f"image-{number:03d}"


def too_deep(image_id: str) -> dict[str, Any]:
    """A record with an id that can't be stored: nested too deeply."""
    value: Any = 1
    for _ in range(300):
        value = [value]
    return {**image(999), "id": image_id, "deep": value}


def body_of(records: list[Any], **more: Any) -> bytes:
    """A listing as the API answers it."""
    return json.dumps({"images": records, **more}).encode()


def listing(*numbers: int, **keys: Any) -> dict[str, Any]:
    return {"images": [image(n, **keys) for n in numbers]}


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def named(number: int, suffix: str = "") -> str:
    """Name of a file that says when its listing was taken."""
    return f"{hour(number):%Y%m%dT%H%M%SZ}{suffix}.json"


def write(folder: Path, name: str, content: Any) -> Path:
    """A file with this content: JSON, unless it is bytes."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
