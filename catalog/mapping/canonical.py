"""The canonical form: values, documents and fingerprints (semantics 3.4)."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal

import msgspec

from catalog.mapping.credentials import names_place, scrub_place, scrub_text
from catalog.mapping.numbers import DIGITS_BEFORE_POINT, is_outside_numeric, read_number, settle_number
from catalog.mapping.wire import Rejected

DEEPEST = 200
"""Levels of nesting in one value: well within the stacks of PostgreSQL, of Python and of JSON libraries."""
LARGEST_DOCUMENT = 200_000_000
"""Bytes of JSON text, exponents written out as jsonb does."""
LARGEST_JSONB = (1 << 28) - 1
"""Bytes that jsonb gives to the members of one container (JENTRY_OFFLENMASK)."""
LARGEST_ARRAY, LARGEST_OBJECT = 1 << 24, 1 << 23
"""Members for whose list PostgreSQL still gets memory while it reads one (1 GB, doubled each time)."""
SURELY_HELD = 30_000_000
"""Bytes of JSON text that fit whatever they say: a member has two or more, and takes six times its text."""
SURELY_WRITTEN = LARGEST_DOCUMENT * 10 // DIGITS_BEFORE_POINT
"""Bytes of JSON text whose numbers fit even if all are `1E+131071,` and their zeros are written out."""
_EXPONENT = re.compile(rb"[0-9]E[+-]([0-9]{1,7})[,\]}]")
_MOST_ZEROS = DIGITS_BEFORE_POINT
_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")


def encode_json(value: object) -> str:
    """A decoded value (Decimals too) as JSON text, keys sorted, no blanks."""
    return _ENCODER.encode(value).decode()


def encode_bytes(value: object) -> bytes:
    """`encode_json` in UTF-8."""
    return _ENCODER.encode(value)


def fingerprint(canonical: bytes) -> bytes:
    """16 bytes that stand for a canonical form."""
    return hashlib.blake2b(canonical, digest_size=16).digest()


def settle(value: object, *, keep_decimals: bool, place: bool, outside: list[str], depth: int = 1) -> object:
    """The canonical form of a decoded value: no secrets, numbers by value.

    `keep_decimals` is meant for a number in a text column, `place` for a key that names a place; `outside`
    gets the text of each number that `numeric` cannot hold. Raises Rejected beyond 200 levels.
    """
    if isinstance(value, str):
        text = scrub_place(value) if place else scrub_text(value)
        if is_outside_numeric(text):
            outside.append(text)
        return text
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return settle_number(value, keep_decimals=keep_decimals)
    if isinstance(value, float):  # only in documents that someone else decoded
        number = read_number(repr(value))
        return number if isinstance(number, str) else settle_number(number, keep_decimals=keep_decimals)
    if depth > DEEPEST:
        raise Rejected("nested too deeply")
    if isinstance(value, list):
        members = []
        for member in value:
            members.append(settle(member, keep_decimals=False, place=place, outside=outside, depth=depth + 1))
        return members
    assert isinstance(value, dict)
    settled = {}
    for key, member in value.items():
        below = place or names_place(key)
        settled[key] = settle(member, keep_decimals=False, place=below, outside=outside, depth=depth + 1)
    return settled


def check_size(document: dict[str, object], canonical: bytes) -> None:
    """Raises Rejected if jsonb cannot hold the document, or could never write it out again."""
    if len(canonical) <= SURELY_WRITTEN:
        return
    if b"E+" in canonical or b"E-" in canonical:
        written = sum(min(int(zeros), _MOST_ZEROS) for zeros in _EXPONENT.findall(canonical))
        if written > LARGEST_DOCUMENT:
            raise Rejected(f"its numbers would take {written} bytes of JSON")
    if len(canonical) <= SURELY_HELD:
        return
    if len(canonical) > LARGEST_DOCUMENT or _jsonb_size(document) > LARGEST_JSONB:
        raise Rejected(f"too large for a document: {len(canonical)} bytes of JSON")


def _jsonb_size(value: object) -> int:
    """An upper bound of the bytes that jsonb takes for a value, its entry in the container included."""
    if isinstance(value, str):
        return 4 + len(value.encode())
    if isinstance(value, dict):
        if len(value) > LARGEST_OBJECT:
            return LARGEST_JSONB + 1
        return 12 + sum(8 + len(key.encode()) + _jsonb_size(member) for key, member in value.items())
    if isinstance(value, list):
        if len(value) > LARGEST_ARRAY:
            return LARGEST_JSONB + 1
        return 12 + sum(map(_jsonb_size, value))
    return 20 + len(str(value)) if isinstance(value, int | Decimal) else 4
