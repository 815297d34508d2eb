"""Places in a listing as text that an address can carry; nobody need understand it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from catalog.report import images, pages


@dataclass(frozen=True, slots=True)
class Kind:
    """Of one listing. `make` raises ValueError or TypeError for values that are not a place in it."""

    name: str
    make: Callable[..., Any]

    def render(self, values: Sequence[Any]) -> str:
        plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        text = json.dumps([self.name, *plain], ensure_ascii=False, separators=(",", ":"))
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def read(self, text: str) -> Any:
        """Raises ValueError for text that is not a cursor of this listing."""
        try:
            values = json.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
            if not isinstance(values, list) or values[0] != self.name:
                raise ValueError
            return self.make(*(_storable(value) for value in values[1:]))
        except (ValueError, TypeError, IndexError, RecursionError, OverflowError):
            raise ValueError("expected the `next` of an answer of the same address") from None


def _storable(value: Any) -> str | None:
    """The text; ValueError for what no cursor holds, or PostgreSQL can't."""
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode()
    return value


def _text(value: str | None) -> str:
    if value is None:
        raise ValueError
    return value


def _moment(value: str | None) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError
    return found


def _of_image(
    sort: str | None, key: str | None, source: str | None, name: str | None, image_id: str | None
) -> images.Place:
    if key is not None:
        images.check_key(_text(sort), key)
    return images.Place(_text(sort), key, _text(source), name, _text(image_id))


def _of_change(changed_at: str | None, source_id: str | None, image_id: str | None) -> pages.Place:
    return pages.Place(_moment(changed_at), _text(source_id), _text(image_id))


IMAGES = Kind("images", _of_image)
CHANGES = Kind("changes", _of_change)
HISTORY = Kind("history", _moment)


def after_image(place: images.Place | None) -> str | None:
    return None if place is None else IMAGES.render(astuple(place))


def after_change(place: pages.Place | None) -> str | None:
    return None if place is None else CHANGES.render(place)


def after_revision(valid_from: datetime | None) -> str | None:
    return None if valid_from is None else HISTORY.render([valid_from])
