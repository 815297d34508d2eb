"""The state of a simulated cloud: records as its credentials see them, and who may see which."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Record = dict[str, Any]
PROJECT = "d3m0d3m0d3m0d3m0d3m0d3m0d3m00001"
"""The project whose credentials the simulated cloud's clients hold."""


@dataclass(slots=True)
class Held:
    """An image and what the service knows beside its record."""

    record: Record
    member_status: Literal["accepted", "pending", "rejected"] = "accepted"
    unlisted: bool = False
    forbidden: bool = False
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self.body = self.body or json.dumps(self.record).encode()


class Cloud:
    """Images of one project in one region. Every method may be called while a server answers from it."""

    def __init__(
        self,
        kind: Literal["glance", "ims"],
        records: Iterable[Record] = (),
        *,
        project: str = PROJECT,
        refuses: Iterable[str] = (),
    ) -> None:
        """`refuses`: query parameters that this cloud answers with 400, as older releases do."""
        self.kind = kind
        self.project = project
        self.refuses = set(refuses)
        self._images: dict[str, Held] = {}
        self._lock = threading.RLock()
        self._oldest_first: list[Held] | None = None
        for record in records:
            self.add(record)

    @property
    def records(self) -> list[Record]:
        """Every record that the cloud would still answer by id, oldest first."""
        return [held.record for held in self.oldest_first() if not held.forbidden]

    def add(
        self,
        record: Mapping[str, Any],
        *,
        member_status: Literal["accepted", "pending", "rejected"] = "accepted",
    ) -> None:
        """Adds an image, or puts one in the place of the one with its id."""
        self._put(Held(dict(record), member_status))

    def change(self, image_id: str, **keys: Any) -> Record:
        """Changes keys of a record; `updated_at` moves unless it is given. A key set to `...` is removed."""
        with self._lock:
            held = self._images[image_id]
            moved = {"updated_at": now(), **keys}
            record = {key: value for key, value in {**held.record, **moved}.items() if value is not ...}
            self._put(Held(record, held.member_status, held.unlisted, held.forbidden))
            return record

    def delete(self, image_id: str) -> None:
        """The image is gone: no listing shows it, and its address answers 404."""
        with self._lock:
            del self._images[image_id]
            self._oldest_first = None

    def hide(self, image_id: str) -> None:
        """Old but usable by id: Glance sets os_hidden; the Image Management Service just lists it no more."""
        with self._lock:
            if self.kind == "glance":
                self.change(image_id, os_hidden=True)
            else:
                self._images[image_id].unlisted = True

    def forbid(self, image_id: str) -> None:
        """No longer shared with us: listings leave it out, and its address answers 403."""
        with self._lock:
            self._images[image_id].forbidden = True

    def accept(
        self, image_id: str, member_status: Literal["accepted", "pending", "rejected"] = "accepted"
    ) -> None:
        """Decides on a share."""
        with self._lock:
            self._images[image_id].member_status = member_status

    def find(self, image_id: str) -> Held | None:
        with self._lock:
            return self._images.get(image_id)

    def oldest_first(self) -> list[Held]:
        """All images by creation, ties by id, as both services order a listing; not to be changed."""
        with self._lock:
            if self._oldest_first is None:
                self._oldest_first = sorted(
                    self._images.values(),
                    key=lambda held: (str(held.record.get("created_at")), str(held.record["id"])),
                )
            return self._oldest_first

    def _put(self, held: Held) -> None:
        with self._lock:
            self._images[held.record["id"]] = held
            self._oldest_first = None


def now() -> str:
    """The present as both services write it: UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
