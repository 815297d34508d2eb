"""One wire record to what the tables hold of it: a walk over its keys, each to its place (`rules.Use`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from catalog.fields import COLUMNS, ID_KEY, INDEX
from catalog.mapping.canonical import check_size, encode_bytes, encode_json, fingerprint, settle
from catalog.mapping.capabilities import read_capability
from catalog.mapping.credentials import is_redacted, redacted, scrub_place, scrub_text
from catalog.mapping.numbers import LARGEST_BIGINT, is_outside_numeric
from catalog.mapping.rules import LONGEST_NAME, MappingRules, Use
from catalog.mapping.values import timestamp
from catalog.mapping.wire import Buffer, Rejected, read_record
from catalog.model import CapabilityValue, MappedImage
from catalog.text import usable_id

DELETED_STATUS = "deleted"
_STATUS = INDEX["status"]
_UPDATED_AT = INDEX["updated_at"]
_DATA_ORIGIN = INDEX["data_origin"]
_SOURCE_SERVER = INDEX["source_server_id"]
_FROM_SERVER = "instance,"
_CAPABILITY = attrgetter("capability")
_ONLY_TEXT = frozenset({str})
_BEYOND = "a number beyond what PostgreSQL holds, kept as text in the document only"


def map_record(raw: Buffer, rules: MappingRules) -> MappedImage:
    """The image that a record (JSON in UTF-8) describes, as semantics 3 says.

    Raises Rejected if it is no object, has no usable id, or can't be held whatever is left out.
    """
    source = raw if isinstance(raw, bytes) else bytes(raw)
    record = read_record(source)
    if not isinstance(record, dict):
        raise Rejected("not an object")
    image_id = usable_id(record.get(ID_KEY))
    if image_id is None:
        raise Rejected("no usable id: text of 1 to 255 characters is needed")
    try:
        # without :// and escapes no text can hold a URL; most records need no look at each
        return _map(image_id, record, rules, urls=b"://" in source or b"\\" in source)
    except Rejected as error:
        raise Rejected(error.reason, image_id) from None
    except RecursionError:
        raise Rejected("nested too deeply", image_id) from None


def map_document(document: str | bytes | dict[str, Any], rules: MappingRules) -> MappedImage:
    """The image that a stored canonical document describes, by today's mapping; its links are not known.

    Give the text where you can: who decodes it with floats has lost digits already. Raises Rejected as
    `map_record` does.
    """
    if isinstance(document, dict):
        try:
            document = encode_bytes(document)
        except (ValueError, TypeError, RecursionError) as error:
            raise Rejected(f"not JSON: {error}") from None
    elif isinstance(document, str):
        document = document.encode("utf-8", "surrogatepass")
    return map_record(document, rules)


class _Draft:
    """What is known of an image while its record is walked."""

    __slots__ = (
        "canonical",
        "capabilities",
        "deleted_at",
        "image_id",
        "links",
        "properties",
        "reported_deleted",
        "seconds",
        "tags",
        "values",
        "warnings",
    )  # fmt: skip

    def __init__(self, image_id: str) -> None:
        self.image_id = image_id
        self.canonical: dict[str, object] = {}
        self.links: dict[str, object] = {}
        self.values: list[object] = [None] * len(COLUMNS)
        self.seconds: list[tuple[Use, object]] = []
        self.tags: tuple[str, ...] = ()
        self.capabilities: list[CapabilityValue] = []
        self.properties: list[tuple[str, str]] = []
        self.deleted_at: datetime | None = None
        self.reported_deleted = False
        self.warnings: list[str] = []

    def warn(self, key: str, problem: str) -> None:
        self.warnings.append(f"image {_printable(self.image_id)}: {_printable(key)}: {problem}")


def _map(image_id: str, record: dict[str, object], rules: MappingRules, *, urls: bool) -> MappedImage:
    draft = _Draft(image_id)
    known = rules.uses
    canonical, values = draft.canonical, draft.values
    ignored = False
    for key, delivered in record.items():
        if not delivered and (delivered is None or delivered == ""):
            continue
        use = known.get(key) or rules.use(key)
        value = delivered
        if type(value) is str:
            if use.place:
                value = scrub_place(value)
            elif urls:
                value = scrub_text(value)
            if use.plain:
                if value:
                    canonical[key] = values[use.position] = value
                continue
            if not value:  # nothing but credentials
                continue
        elif type(value) is int and -LARGEST_BIGINT <= value <= LARGEST_BIGINT:
            if use.least <= value <= use.most:
                canonical[key] = values[use.position] = value
                continue
        elif type(value) is not bool:
            value = _settle(draft, use, value)
        if use.redacted and not is_redacted(value):
            value = redacted(encode_bytes(value))
        ignored = ignored or use.ignored
        if use.link:
            draft.links[key] = value
        else:
            canonical[key] = value
        if use.role == "column":
            values[use.position] = _convert(draft, use, value)
        else:
            _PLACES[use.role](draft, use, value)
    _place_seconds(draft)
    return _finish(draft, rules, ignored=ignored)


def _settle(draft: _Draft, use: Use, value: object) -> object:
    """The canonical form of a value that is neither text nor boolean nor a small number."""
    if use.role == "tags" and type(value) is list:
        return _settle_tags(value)
    outside: list[str] = []
    value = settle(value, keep_decimals=use.text, place=use.place, outside=outside)
    if outside and not use.redacted and use.role != "tags":
        draft.warn(use.key, f"{_printable(min(outside))} is {_BEYOND}")
    return value


def _settle_tags(delivered: list[Any]) -> list[Any]:
    """A set of tags in one order: the texts, then what else is not null, by its JSON text."""
    if _ONLY_TEXT.issuperset(map(type, delivered)):
        return sorted(set(map(scrub_text, delivered)))
    texts = {scrub_text(tag) for tag in delivered if type(tag) is str}
    odd: dict[bytes, object] = {}
    for tag in delivered:
        if tag is not None and type(tag) is not str:
            settled = settle(tag, keep_decimals=False, place=False, outside=[], depth=2)
            odd[encode_bytes(settled)] = settled
    return [*sorted(texts), *(odd[text] for text in sorted(odd))]


def _convert(draft: _Draft, use: Use, value: object) -> object:
    """The value of a column; None with a warning for what cannot be converted."""
    if use.redacted:
        return value if use.text else None
    if use.text and type(value) is str:
        return value
    converted = use.convert(value)
    if converted is None:
        draft.warn(use.key, f"{_shown(value)} is {use.failure}; left empty")
    return converted


def _place_id(draft: _Draft, use: Use, value: object) -> None:
    """The id is taken as it is, so that look-ups find the image."""
    draft.canonical[use.key] = draft.image_id


def _place_deleted_at(draft: _Draft, use: Use, value: object) -> None:
    """A `deleted_at` that cannot be read says nothing, so it deletes nothing; a redacted one was sent."""
    draft.deleted_at = None if use.redacted else timestamp(value)
    draft.reported_deleted = use.redacted or draft.deleted_at is not None
    if not draft.reported_deleted:
        draft.warn(use.key, f"{_shown(value)} is no point in time; left empty")


def _place_tags(draft: _Draft, use: Use, value: object) -> None:
    if use.redacted:
        return
    if not isinstance(value, list):
        draft.warn(use.key, f"{_shown(value)} is no list; no tags")
        return
    tags: set[str] = set()
    odd: list[object] = []
    for tag in value:
        if isinstance(tag, str) and not _is_too_long(tag) and not is_outside_numeric(tag):
            tags.add(tag)
        elif tag is not None:
            odd.append(tag)
    tags.discard("")
    draft.tags = tuple(sorted(tags))
    if odd:
        draft.warn(
            use.key, f"{_shown(odd[0])} {_and_more(odd)} no text of up to {LONGEST_NAME} bytes; no tag"
        )


def _is_too_long(tag: str) -> bool:
    return len(tag) > LONGEST_NAME // 4 and len(tag.encode()) > LONGEST_NAME


def _and_more(odd: list[object]) -> str:
    return "is" if len(odd) == 1 else f"and {len(odd) - 1} more are"


def _place_second(draft: _Draft, use: Use, value: object) -> None:
    draft.seconds.append((use, value))


def _place_capability(draft: _Draft, use: Use, value: object) -> None:
    if use.redacted:  # a hash is neither true nor a model
        return
    if not use.held:
        draft.warn(use.key, f"a name of over {LONGEST_NAME} bytes; no capability")
        return
    capability, understood = read_capability(use.name, value)
    draft.capabilities.append(capability)
    if not understood:
        draft.warn(use.key, f"{_shown(value)} is neither true nor false; taken for not supported")


def _place_property(draft: _Draft, use: Use, value: object) -> None:
    if not use.held:
        draft.warn(use.key, f"a name of over {LONGEST_NAME} bytes; no property")
    elif isinstance(value, str) and is_outside_numeric(value):
        draft.warn(use.key, f"{_printable(value)} is {_BEYOND}")
    else:
        draft.properties.append((use.key, encode_json(value)))


_PLACES: dict[str, Callable[[_Draft, Use, object], None]] = {
    "id": _place_id,
    "deleted_at": _place_deleted_at,
    "tags": _place_tags,
    "second": _place_second,
    "capability": _place_capability,
    "property": _place_property,
}


def _place_seconds(draft: _Draft) -> None:
    """Keys that come second: into a column that is still empty, else into a property if they differ."""
    values = draft.values
    origin = values[_DATA_ORIGIN]
    if isinstance(origin, str) and origin.startswith(_FROM_SERVER):
        server = origin[len(_FROM_SERVER) :].strip()
        if server and "," not in server:
            values[_SOURCE_SERVER] = server
    if not draft.seconds:
        return
    for use, value in sorted(draft.seconds, key=lambda second: second[0].rank):
        if values[use.position] is None:
            values[use.position] = _convert(draft, use, value)
        elif (value if use.redacted else use.convert(value)) != values[use.position]:
            _place_property(draft, use, value)


def _finish(draft: _Draft, rules: MappingRules, *, ignored: bool) -> MappedImage:
    canonical, values = draft.canonical, draft.values
    document = encode_bytes(canonical)
    check_size(canonical, document)
    considered = document
    if ignored:
        considered = encode_bytes({key: canonical[key] for key in canonical if not rules.use(key).ignored})
    text = document.decode()
    reported = draft.reported_deleted or values[_STATUS] == DELETED_STATUS
    updated_at = values[_UPDATED_AT]
    assert updated_at is None or isinstance(updated_at, datetime)
    return MappedImage(
        image_id=draft.image_id,
        values=tuple(values),
        deleted_at=draft.deleted_at,
        reported_deleted=reported,
        cloud_time=(draft.deleted_at or updated_at) if reported else updated_at,
        tags=draft.tags,
        capabilities=tuple(sorted(draft.capabilities, key=_CAPABILITY)),
        properties=tuple(sorted(draft.properties)),
        document=text,
        links=encode_json(draft.links)[1:-1] if draft.links else "",
        content_hash=fingerprint(considered),
        warnings=tuple(sorted(draft.warnings)),
    )


def _shown(value: object) -> str:
    """A delivered value for a warning: short, and harmless in logs and terminals."""
    if isinstance(value, str):
        return f'"{_printable(value)}"'
    return _printable(str(value)) if isinstance(value, int | Decimal) else f"a {_KINDS[type(value)]}"


_KINDS: dict[type, str] = {list: "list", dict: "JSON object"}


def _printable(text: str, longest: int = 60) -> str:
    text = text if len(text) <= longest else text[:longest] + "..."
    return text if text.isprintable() else text.encode("unicode_escape").decode()
