"""Parameters of an address, checked, by name; the API's document describes the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from catalog.config.durations import moment
from catalog.errors import UsageError
from catalog.events import cursor as event_cursor
from catalog.model import EVENT_TYPES
from catalog.report.images import ORDERS, STATES
from catalog.report.queries import CHANGES
from catalog.text import short
from catalog.web import cursors
from catalog.web.reading import NotThere

LONGEST_VALUE = 1000
"""Characters of one value."""
LONGEST_CURSOR = 50_000
"""Characters of a place: that of `events` names each source."""
MOST_VALUES = 10
"""Values of one parameter."""
PAGE_SIZE = 50
LARGEST_PAGE = 1000
FLAGS = {"true": True, "1": True, "false": False, "0": False}

Schema = dict[str, Any]


def _text(value: str) -> str:
    return value


def _moment(value: str) -> datetime:
    return moment(value, datetime.now(UTC))


def _past(value: str) -> datetime:
    found = _moment(value)
    if found > datetime.now(UTC):
        raise NotThere(f"{value!r} is in the future; expected a moment that is past")
    return found


def _size(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= LARGEST_PAGE and len(value) < 9):
        raise ValueError(f"expected a number from 1 to {LARGEST_PAGE}; found {short(value)!r}")
    return int(value)


def _flag(value: str) -> bool:
    if value.lower() not in FLAGS:
        raise ValueError(f"expected true or false; found {short(value)!r}")
    return FLAGS[value.lower()]


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    choices = tuple(known)

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}; found {short(value)!r}")
        return value

    return read


@dataclass(frozen=True, slots=True)
class Parameter:
    """`read` raises ValueError, which says what is expected. `many`: may be repeated, and is a tuple then."""

    name: str
    meaning: str
    read: Callable[[str], Any] = _text
    schema: Mapping[str, Any] | None = None
    """JSON Schema of one value; None: text."""
    many: bool = False
    default: Any = None


def _choice(name: str, meaning: str, known: Iterable[str], **more: Any) -> Parameter:
    known = tuple(known)
    return Parameter(name, meaning, _one_of(known), {"type": "string", "enum": list(known)}, **more)


MOMENT: Schema = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^([1-9][0-9]{0,3}[smhdw])?$"},
    ],
    "description": "A date or time by ISO 8601, in UTC where no zone is given, or how long ago, such as 7d.",
    "examples": ["2026-11-01", "2026-11-01T08:00:00Z", "7d"],
}
TEXT: Schema = {"type": "string", "pattern": "^[^\\u0000]*$", "maxLength": LONGEST_VALUE}
PLACE: Schema = {"type": "string", "pattern": "^[!-~]*$", "maxLength": LONGEST_CURSOR}
FLAG: Schema = {"type": "boolean"}
SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE}

SOURCE = Parameter(
    "source", "Only sources of this name, or whose name fits this glob; repeated: any.", many=True
)
TAG = Parameter("tag", "Only with this tag; repeated: with all of them.", many=True)
CAPABILITY = Parameter("capability", "Only if supported; repeated: all of them.", many=True)
OS = Parameter("os", "Operating system: ubuntu, or with its release: ubuntu-22.04.")
ARCH = Parameter("arch", "Processor architecture: x86_64, aarch64, ...")
VISIBILITY = Parameter("visibility", "public, private, shared, community, ...")
AS_OF = Parameter("as_of", "As it was then, instead of now.", _past, MOMENT)
LIMIT = Parameter("limit", "At most so many.", _size, SIZE, default=PAGE_SIZE)
ORDERED = [sign + name for name in ORDERS for sign in ("", "-")]


def _after(
    read: Callable[[str], Any], meaning: str = "Go on where an answer ended: its `next`."
) -> Parameter:
    def place(value: str) -> Any:
        try:
            return read(value)
        except (ValueError, UsageError) as error:
            raise NotThere(f"after: {error}") from None

    return Parameter("after", meaning, place, PLACE)


IMAGES = (
    Parameter("text", "Part of a name or an id, in any case."), SOURCE, TAG, CAPABILITY, OS, ARCH,
    Parameter("status", "Status as the cloud says it: active, queued, ..."), VISIBILITY,
    Parameter("owner", "Id or name of the project that owns it."),
    Parameter("kind", "Kind as the cloud says it: snapshot, backup, ..."),
    _choice("state", "Where it stands, by image_lifecycle; of the present only.", STATES),
    AS_OF,
    Parameter("deleted", "Deleted images instead of live ones.", _flag, FLAG, default=False),
    _choice("sort", "What to sort by; a minus before it: downwards.", ORDERED, default="-created"),
    LIMIT, _after(cursors.IMAGES.read),
)  # fmt: skip
LATEST = (
    Parameter("family", "Family of the image's name."), OS, ARCH,
    Parameter("purpose", "generic, minimal, gpu, k8s, ..."), CAPABILITY, TAG, VISIBILITY, SOURCE, AS_OF,
)  # fmt: skip
CHANGED = (
    Parameter("since", "Only what changed from then on.", _moment, MOMENT, default="7d"), SOURCE,
    _choice("change", "Only changes of this kind; repeated: any.", CHANGES, many=True),
    Parameter("field", "Only where this key changed; repeated: any.", many=True), TAG,
    LIMIT, _after(cursors.CHANGES.read),
)  # fmt: skip
EVENTS = (
    SOURCE,
    Parameter("type", f"Only types that fit this glob ({', '.join(EVENT_TYPES)}); repeated: any.", many=True),
    LIMIT,
    _after(event_cursor.parse, "Only what came later: the `next` of an answer, or an event's id."),
)  # fmt: skip
HISTORY = (LIMIT, _after(cursors.HISTORY.read))
COMPARE = (
    Parameter("a", "A source."), Parameter("b", "Another source."),
    Parameter("from", "Without `b`: `a` as it was then.", _past, MOMENT),
    Parameter("to", "Without `b`: compared with what it was then; default: now.", _past, MOMENT),
)  # fmt: skip
FEED = tuple(each for each in EVENTS if each.name in ("source", "type"))
SOURCES = (SOURCE,)
NONE: tuple[Parameter, ...] = ()


def read(query: QueryParams, known: Sequence[Parameter]) -> dict[str, Any]:
    """The value of each parameter: what is left empty counts as not given.

    Raises UsageError for one that is not known, can't be read, or is given twice; NotThere for a moment that is still
    to come, and for a place of another address.
    """
    given: dict[str, list[str]] = {}
    longest = {each.name: (each.schema or TEXT).get("maxLength", LONGEST_VALUE) for each in known}
    for name, value in query.multi_items():
        if name not in longest:
            takes = f"known: {', '.join(sorted(longest))}" if longest else "this address takes none"
            raise UsageError(f"no parameter is called {short(name)!r}; {takes}")
        if len(value) > longest[name] or "\0" in value:
            raise UsageError(f"{name}: too long (over {longest[name]} characters), or it holds a NUL")
        given.setdefault(name, []).append(value)
    return {parameter.name: _value(parameter, given.get(parameter.name, [])) for parameter in known}


def _value(parameter: Parameter, texts: Sequence[str]) -> Any:
    if parameter.many and len(texts) > MOST_VALUES:
        raise UsageError(f"{parameter.name}: give it at most {MOST_VALUES} times")
    texts = [text for text in texts if text]
    if not parameter.many and len(texts) > 1:
        raise UsageError(f"{parameter.name}: give it once")
    try:
        if parameter.many:
            return tuple(map(parameter.read, texts))
        if texts:
            return parameter.read(texts[0])
        default = parameter.default
        return parameter.read(default) if isinstance(default, str) else default
    except ValueError as error:
        raise UsageError(f"{parameter.name}: {error}") from None
