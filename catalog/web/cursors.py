"""Places in a listing as text that an address can carry; nobody need understand it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec

from catalog.model import UNREADABLE
from catalog.report import images, pages

Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]*\Z")]
"""As PostgreSQL can hold it."""
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Kind:
    """Of one listing. `type`: of its name and the values of a place; `make` raises ValueError for values that are not
    one."""

    name: str
    type: Any
    make: Callable[..., Any]

    def render(self, place: Iterable[Any] | None) -> str | None:
        """The cursor of a place; None for none."""
        if place is None:
            return None
        return urlsafe_b64encode(msgspec.json.encode((self.name, *place))).decode().rstrip("=")

    def read(self, text: str) -> Any:
        """Raises ValueError for text that is not a cursor of this listing."""
        try:
            decoded = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            name, *values = msgspec.json.decode(decoded, type=self.type)
            if name == self.name:
                return self.make(*values)
        except (ValueError, *UNREADABLE):
            pass
        raise ValueError("expected the `next` of an answer of the same address")


def _image(sort: str, key: str | None, *image: Any) -> images.Place:
    if key is not None:
        images.check_key(sort, key)
    return images.Place(sort, key, *image)


IMAGES = Kind("images", tuple[str, Text, Text | None, Text, Text | None, Text], _image)
CHANGES = Kind("changes", tuple[str, Moment, Text, Text], pages.Place)
HISTORY = Kind("history", tuple[str, Moment], lambda valid_from: valid_from)
