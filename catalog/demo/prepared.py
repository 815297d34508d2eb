"""A big listing as bytes made beforehand, so that a benchmark measures the client and not the service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from catalog.demo.answers import Answer, Request


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
