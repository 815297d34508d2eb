"""The canonical form: values, documents and fingerprints (semantics 3.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import msgspec

from catalog.mapping.credentials import is_redacted, names_location, redacted, scrub, scrub_location
from catalog.mapping.numbers import canonical_number, read_number
from catalog.mapping.wire import Rejected
from catalog.text import LARGEST_RECORD_BYTES

DEEPEST = 200
"""Levels of nesting in one value: well within the stacks of PostgreSQL, of Python and of JSON libraries."""
_LONGEST_EXPONENT = 308
"""Characters that jsonb may write for one exponent."""
_EXPONENT = re.compile(rb"[0-9]E[+-]")
_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")


def encode_json(value: object) -> str:
    """A decoded value (Decimals too) as JSON text, keys sorted, no blanks."""
    return _ENCODER.encode(value).decode()


def encode_bytes(value: object) -> bytes:
    """`encode_json` in UTF-8."""
    return _ENCODER.encode(value)


def canonicalise(
    value: object, *, keep_decimals: bool = False, location: bool = False,
    redacts: Callable[[str], bool] | None = None, depth: int = 1,
) -> object:  # fmt: skip
    """The canonical form of a decoded value: no secrets, numbers by value.

    `keep_decimals` is meant for a number in a text column, `location` for a key that names a location,
    `redacts` tells the keys whose values are replaced by their hash. Raises Rejected beyond 200 levels.
    """
    if isinstance(value, str):
        return scrub_location(value) if location else scrub(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):  # only in documents that someone else decoded
        value = read_number(repr(value))
    if isinstance(value, int | Decimal):
        return canonical_number(value, keep_decimals=keep_decimals)
    if depth > DEEPEST:
        raise Rejected("nested too deeply")
    if isinstance(value, list):
        return [canonicalise(member, location=location, redacts=redacts, depth=depth + 1) for member in value]
    assert isinstance(value, dict)
    members = {}
    for key, member in value.items():
        hidden = redacts is not None and redacts(key)
        below = canonicalise(
            member,
            location=location or names_location(key),
            redacts=None if hidden else redacts,
            depth=depth + 1,
        )
        members[scrub(key)] = redact(below) if hidden else below
    return members


def redact(value: object) -> object:
    """The stand-in of a canonical value that must not be stored; nothing stays nothing."""
    return value if value in (None, "") or is_redacted(value) else redacted(encode_bytes(value))


def canonical_set(members: list[object]) -> list[object]:
    """Canonical values of which the order means nothing: each once, without nulls."""
    by_text = {encode_bytes(member): member for member in members if member is not None}
    return [by_text[text] for text in sorted(by_text)]


def encode_document(canonical: object) -> bytes:
    """A document in UTF-8. Raises Rejected if it is too large to be stored and read again with ease."""
    document = encode_bytes(canonical)
    if len(document) * _LONGEST_EXPONENT <= LARGEST_RECORD_BYTES:
        return document
    if len(document) + len(_EXPONENT.findall(document)) * _LONGEST_EXPONENT > LARGEST_RECORD_BYTES:
        raise Rejected(f"too large for a document: more than {LARGEST_RECORD_BYTES >> 20} MiB of JSON")
    return document
