"""Maps one wire record to what the tables hold of it: a walk over its keys, each by its `rules.Use`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from catalog.fields import COLUMNS, ID_KEY, INDEX, Role
from catalog.fingerprint import fingerprint
from catalog.mapping.canonical import canonical_set, canonicalise, encode_document, encode_json, redact
from catalog.mapping.capabilities import read_capability
from catalog.mapping.credentials import is_redacted, may_hold_secret, scrub, scrub_location
from catalog.mapping.key_rules import LONGEST_NAME, MappingRules, Use
from catalog.mapping.numbers import LARGEST_BIGINT
from catalog.mapping.values import text, timestamp
from catalog.mapping.wire import Buffer, Rejected, read_record
from catalog.model import CapabilityValue, MappedImage
from catalog.text import short, usable_id, utc

_STATUS = INDEX["status"]
_UPDATED_AT = INDEX["updated_at"]
_DATA_ORIGIN = INDEX["data_origin"]
_SOURCE_SERVER = INDEX["source_server_id"]
_FROM_SERVER = "instance,"
_CAPABILITY = attrgetter("capability")
_ONLY_TEXT = frozenset({str})
_SURELY_FITS = LONGEST_NAME // 4
_SEEN_PER_KEY = 16
_TAG_MEMBERS = {"key", "value"}


def map_record(raw: Buffer, rules: MappingRules) -> MappedImage:
    """The image that a record (JSON in UTF-8) describes, by semantics 3.

    Raises Rejected if it is not an object, has no usable id, or can't be held whatever is left out.
    """
    source = raw if isinstance(raw, bytes) else bytes(raw)
    record = read_record(source)
    if not isinstance(record, dict):
        raise Rejected("not an object")
    image_id = usable_id(record.get(ID_KEY))
    if image_id is None:
        raise Rejected("no usable id: text of 1 to 255 characters is needed")
    try:
        draft = _Draft(image_id)
        # most records hold no sign of a secret, and need no look at each text
        draft.walk(record, rules, signs=may_hold_secret(source))
        del record  # four bytes a character where one is an emoji, and so has each form of it
        return draft.finish()
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
            document = encode_document(document)
        except (ValueError, TypeError, RecursionError) as error:
            raise Rejected(f"not JSON: {error}") from None
    elif isinstance(document, str):
        document = document.encode("utf-8", "surrogatepass")
    return map_record(document, rules)


def meanings(document: Mapping[str, object], rules: MappingRules) -> dict[str, object]:
    """How the keys of a document count in comparisons, each by its meaning; ignored keys and links left out."""
    draft = _Draft(str(document.get(ID_KEY)))
    draft.walk(document, rules, signs=True)
    return draft.considered()


class _Draft:
    """Collects what is known of an image while its record is walked.

    `meanings` holds what counts instead of the canonical value, where that differs; None: nothing does.
    """

    def __init__(self, image_id: str) -> None:
        self.image_id = image_id
        self.canonical: dict[str, object] = {}
        self.meanings: dict[str, object] = {}
        self.links: dict[str, object] = {}
        self.values: list[object] = [None] * len(COLUMNS)
        self.seconds: list[tuple[Use, object]] = []
        self.tags: set[str] = set()
        self.capabilities: list[CapabilityValue] = []
        self.properties: list[tuple[str, str]] = []
        self.rows: dict[Role, list[Any]] = {"capability": self.capabilities, "property": self.properties}
        self.deleted_at: datetime | None = None
        self.reported_deleted = False
        self.warnings: list[str] = []

    def warn(self, key: str, problem: str) -> None:
        self.warnings.append(f"image {short(self.image_id)}: {short(key)}: {problem}")

    def walk(self, record: Mapping[str, object], rules: MappingRules, *, signs: bool) -> None:
        """Puts every key where it belongs. `signs`: texts of the record may hold secrets."""
        if signs:
            record = {scrub(key): value for key, value in record.items()}
        known = rules.uses
        canonical, values = self.canonical, self.values
        for key, value in record.items():
            if not value and (value is None or value == ""):
                continue
            use = known.get(key) or rules.use(key)
            if type(value) is str:
                if signs or use.location:
                    value = scrub_location(value) if use.location else scrub(value)
                    if not value:  # nothing but credentials
                        continue
                if use.plain:
                    canonical[key] = values[use.position] = value
                    continue
                if value in use.seen:
                    placed, meaning = use.seen[value]
                    canonical[key] = value
                    if use.position >= 0:
                        values[use.position] = placed
                    else:
                        self.rows[use.role].append(placed)
                    if meaning != value:
                        self.meanings[key] = meaning
                    continue
                if use.link and not use.redacted:
                    self.links[key] = values[use.position] = value
                    continue
            elif type(value) is int and -LARGEST_BIGINT <= value <= LARGEST_BIGINT:
                if 0 <= value <= use.most:
                    canonical[key] = values[use.position] = value
                    continue
            elif type(value) is not bool:
                value = _canonical(use, value, rules, signs=signs)
            if use.redacted and not is_redacted(value):
                if use.role == "deleted_at" and _converted(use, value) is None:
                    continue
                value = redact(value)
            if use.link:
                self.links[key] = value
                _place_column(self, use, value)
                continue
            canonical[key] = value
            meaning = _PLACES[use.role](self, use, value)
            if (
                meaning is not value and (meaning != value or type(meaning) is not type(value))
            ) or use.ignored:
                self.meanings[key] = None if use.ignored else meaning
            if use.repeats and type(value) is str and len(use.seen) < _SEEN_PER_KEY and not self.warnings:
                use.seen[value] = (
                    values[use.position] if use.position >= 0 else self.rows[use.role][-1],
                    meaning,
                )
        if self.seconds or values[_DATA_ORIGIN]:
            self._place_seconds()

    def _place_seconds(self) -> None:
        """Keys that come second: into a column that is still empty, else into a property if they differ."""
        values = self.values
        origin = values[_DATA_ORIGIN]
        if isinstance(origin, str) and origin.startswith(_FROM_SERVER):
            server = origin[len(_FROM_SERVER) :].strip()
            if server and "," not in server:
                values[_SOURCE_SERVER] = server
        for use, value in sorted(self.seconds, key=lambda second: second[0].rank):
            if values[use.position] is None:
                _place_column(self, use, value)
            elif (value if use.redacted else _converted(use, value)) != values[use.position]:
                _place_property(self, use, value)

    def considered(self) -> dict[str, object]:
        """Keys by what they mean, without those that say nothing or are ignored."""
        by_meaning = self.canonical | self.meanings
        if None in self.meanings.values():
            return {key: meaning for key, meaning in by_meaning.items() if meaning is not None}
        return by_meaning

    def finish(self) -> MappedImage:
        document = encode_document(self.canonical)
        considered = encode_document(self.considered()) if self.meanings else document
        self.canonical.clear()
        status, updated_at = self.values[_STATUS], self.values[_UPDATED_AT]
        assert updated_at is None or isinstance(updated_at, datetime)
        reported = self.reported_deleted or (isinstance(status, str) and status.lower() == "deleted")
        # whether it is deleted counts even where the key that says so is ignored
        content_hash = fingerprint(considered + b"deleted" if reported else considered)
        return MappedImage(
            image_id=self.image_id, values=tuple(self.values), deleted_at=self.deleted_at, reported_deleted=reported,
            cloud_time=(self.deleted_at or updated_at) if reported else updated_at,
            tags=tuple(sorted(self.tags)), capabilities=tuple(sorted(self.capabilities, key=_CAPABILITY)),
            properties=tuple(sorted(self.properties)), document=document.decode(),
            links=encode_json(self.links)[1:-1] if self.links else "",
            content_hash=content_hash,
            warnings=tuple(sorted(self.warnings)),
        )  # fmt: skip


def _canonical(use: Use, value: object, rules: MappingRules, *, signs: bool) -> object:
    """The canonical form of a value that is neither text nor boolean nor a small number."""
    if use.role == "tags" and type(value) is list and _ONLY_TEXT.issuperset(map(type, value)):
        return sorted(set(map(scrub, value) if signs else value))
    redacts = None if use.redacted else rules.redacts
    value = canonicalise(value, keep_decimals=use.text, location=use.location, redacts=redacts)
    return canonical_set(value) if use.role in ("tags", "set") and isinstance(value, list) else value


def _converted(use: Use, value: object) -> object:
    """The value as its column holds it; None if it says nothing or can't be converted."""
    try:
        return use.convert(value)
    except ValueError:
        return None


# Each of these puts a canonical value where it belongs, and returns what it means in its usual spelling: the
# value itself if it can't be read, None if it says nothing.


def _place_id(draft: _Draft, use: Use, value: object) -> object:
    """The id is taken as it is, so that look-ups find the image."""
    draft.canonical[use.key] = draft.image_id
    return value


def _place_column(draft: _Draft, use: Use, value: object) -> object:
    if use.redacted:
        draft.values[use.position] = value if use.text else None
        return value
    try:
        converted = draft.values[use.position] = use.convert(value)
    except ValueError:
        draft.warn(use.key, f"{_shown(value)} is {use.failure}; left empty")
        return value
    return converted if converted is None or use.spell is None else use.spell(converted)


def _place_second(draft: _Draft, use: Use, value: object) -> object:
    draft.seconds.append((use, value))
    return value if use.redacted or isinstance(value, list | dict) else text(value)


def _place_deleted(draft: _Draft, use: Use, value: object) -> object:
    flag = _converted(use, value)
    draft.reported_deleted |= flag is True
    _place_property(draft, use, value)
    return value if flag is None else flag


def _place_deleted_at(draft: _Draft, use: Use, value: object) -> object:
    """A `deleted_at` that can't be read says nothing, so it deletes nothing; a redacted one was sent."""
    if use.redacted:
        draft.reported_deleted = True
        return value
    try:
        draft.deleted_at = timestamp(value)
    except ValueError:
        draft.warn(use.key, f"{_shown(value)} is not a point in time; left empty")
        return value
    draft.reported_deleted |= draft.deleted_at is not None
    return draft.deleted_at and utc(draft.deleted_at)


def _place_tags(draft: _Draft, use: Use, value: object) -> object:
    if use.redacted:
        return value
    members = value
    if isinstance(value, dict):
        pairs = [{"key": key, "value": tag} for key, tag in value.items()]
        members = [value] if value.keys() == _TAG_MEMBERS else pairs
    if not isinstance(members, list):
        draft.warn(use.key, f"{_shown(value)} is not a list; no tags")
        return value
    if _ONLY_TEXT.issuperset(map(type, members)) and max(map(len, members), default=0) <= _SURELY_FITS:
        draft.tags.update(members)
        draft.tags.discard("")
        return [tag for tag in members if tag]
    tags = [_tag(member) for member in members]
    odd = [member for member, tag in zip(members, tags, strict=True) if tag is None]
    texts = {tag for tag in tags if tag}
    draft.tags |= texts
    if odd:
        more = "is" if len(odd) == 1 else f"and {len(odd) - 1} more are"
        draft.warn(use.key, f"{_shown(odd[0])} {more} not text of up to {LONGEST_NAME} bytes; no tag")
    return [*sorted(texts), *canonical_set(odd)]


def _tag(member: object) -> str | None:
    """The tag that a member of a list is, `key=value` for a pair; empty for nothing, None for what is not a tag."""
    if isinstance(member, dict) and "key" in member and member.keys() <= _TAG_MEMBERS:
        key, value = member["key"], member.get("value")
        if not isinstance(key, str) or not key or isinstance(value, list | dict):
            return None
        member = key if value in (None, "") else f"{key}={text(value)}"
    if member is None or not isinstance(member, str):
        return "" if member is None else None
    return None if len(member) > _SURELY_FITS and len(member.encode()) > LONGEST_NAME else member


def _place_capability(draft: _Draft, use: Use, value: object) -> object:
    if use.redacted:  # a hash is neither true nor a model
        return value
    if not use.fits:
        draft.warn(use.key, f"a name of over {LONGEST_NAME} bytes; no capability")
        return value
    capability, meaning = read_capability(use.name, value)
    draft.capabilities.append(capability)
    if meaning is None:
        draft.warn(use.key, f"{_shown(value)} is neither true nor false; taken for not supported")
        return value
    return meaning


def _place_set(draft: _Draft, use: Use, value: object) -> object:
    _place_property(draft, use, value)
    if use.redacted or not isinstance(value, str):
        return value
    return sorted({member.strip() for member in value.split(",")} - {""})


def _place_property(draft: _Draft, use: Use, value: object) -> object:
    if use.fits:
        draft.properties.append((use.key, encode_json(value)))
    else:
        draft.warn(use.key, f"a name of over {LONGEST_NAME} bytes; no property")
    return value


_PLACES: dict[Role, Callable[[_Draft, Use, object], object]] = {
    "id": _place_id, "column": _place_column, "second": _place_second, "deleted": _place_deleted,
    "deleted_at": _place_deleted_at, "tags": _place_tags, "capability": _place_capability, "set": _place_set,
    "property": _place_property,
}  # fmt: skip


def _shown(value: object) -> str:
    """A delivered value for a warning: short, and harmless in logs and terminals."""
    if isinstance(value, str):
        return f'"{short(value)}"'
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a JSON object"
    return short(str(value))
