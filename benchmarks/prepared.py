"""Records of the benchmarks, and listings of them as bytes made beforehand: a benchmark measures the client alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import PROJECT, Record
from catalog.demo.images import FLAGS, TAGS, ims_record


def benchmark_images(count: int, seed: int = 1) -> Iterator[Record]:
    """IMS records of the shape that the benchmarks are stated for.

    On average 1.3 kB, 42 keys, 2.5 tags, 5.5 capabilities and 3 keys that no column holds.
    """
    dice = random.Random(f"benchmark/{seed}")
    for number in range(count):
        record = ims_record(dice, number, "private", PROJECT)
        for key in ("__data_origin", "__backup_id", "__productcode", "__whole_image", "__is_offshelved"):
            del record[key]
        if number % 2:
            del record["__originalimagename"]
        record["tags"] = dice.sample(TAGS, number % 2 + 2)
        record.update(dict.fromkeys(dice.sample(FLAGS, number % 2 + 4), "true"))
        record["__support_fc_inject"] = dice.choice(("true", "false"))
        record["__sequence_num"] = str(number % 2)
        record["active_at"] = record["created_at"]
        record["__root_origin"] = "file"
        yield record


class PreparedListing:
    """A `Service` that answers the main pass from prepared pages, and every other pass with an empty one."""

    def __init__(
        self, kind: Literal["glance", "ims"], records: Iterable[Mapping[str, Any]], page_size: int = 1000
    ) -> None:
        self._pages: dict[str | None, Answer] = {}
        self._path = "/v2/cloudimages" if kind == "ims" else "/v2/images"
        marker: str | None = None
        bodies: list[str] = []
        last = ""
        for record in records:
            if len(bodies) == page_size:
                self._pages[marker] = _page(bodies, last if kind == "glance" else None)
                marker, bodies = last, []
            bodies.append(json.dumps(record))
            last = record["id"]
        self._pages[marker] = _page(bodies, None)

    @property
    def size(self) -> int:
        """Bytes of all pages."""
        return sum(len(page.body) for page in self._pages.values())

    def __call__(self, request: Request) -> Answer:
        side_pass = (
            request.query.get("os_hidden") == "true" or request.query.get("member_status") == "pending"
        )
        if request.path != self._path:
            return Answer(404, b'{"message": "no such image"}')
        if side_pass or "id" in request.query:
            return _EMPTY
        return self._pages.get(request.query.get("marker"), _EMPTY)


def _page(bodies: list[str], marker: str | None) -> Answer:
    link = f', "next": "/v2/images?marker={marker}"' if marker else ""
    return Answer(200, f'{{"images": [{", ".join(bodies)}]{link}}}'.encode())


_EMPTY = Answer(200, b'{"images": []}')
