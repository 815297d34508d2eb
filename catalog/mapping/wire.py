"""From the bytes of one record to Python values, whatever they hold.

Decoding is strict first, because nearly all records are plain. Only what it refuses, and records with an
escaped NUL, are repaired in their source text and decoded again: characters that PostgreSQL cannot hold
become U+FFFD *before* keys are compared, so that of keys that become equal the last one counts.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from catalog.errors import CatalogError
from catalog.mapping.numbers import read_number
from catalog.model import UNREADABLE
from catalog.text import JSON_STRING, outline, storable, too_large, usable_id, without_unstorable_escapes

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview | msgspec.Raw


class Rejected(CatalogError):
    """A record that cannot be stored as an image: `reason` for people, `image_id` where it is known."""

    def __init__(self, reason: str, image_id: str | None = None) -> None:
        super().__init__(f"record rejected: {reason}")
        self.reason = reason
        self.image_id = image_id


class _Head(msgspec.Struct):
    id: Any = None
    updated_at: Any = None


class _Id(msgspec.Struct):
    id: str


_ID = msgspec.json.Decoder(_Id)
_DECODER = msgspec.json.Decoder(float_hook=read_number)
_HEAD = msgspec.json.Decoder(_Head, float_hook=read_number)

_NUL = b"\\u0000"
_REPAIRABLE = re.compile(JSON_STRING + rb"|-?[0-9]++(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.DOTALL)
_LONG_INTEGER = 4000
"""Digits; a little below Python's limit for conversions of int (sys.int_info.default_max_str_digits)."""


def read_record(raw: bytes) -> object:
    """The record's values: dict, list, str, int, bool, None, Decimal; no character that PostgreSQL refuses.

    Numbers beyond float64's range come as text. Raises Rejected if the text is not JSON, also not after
    repair, is nested so deeply that it can't be read, or has more than 16 MiB or 100,000 values.
    """
    reason = too_large(raw)
    try:
        if reason is None:
            return _decode(_DECODER, raw)
    except RecursionError:
        reason = "nested too deeply"
    except UNREADABLE as error:
        reason = f"not JSON: {error}"
    raise Rejected(reason, peek(raw)[0])


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """The decoded record, after repair where it needs some. Raises UNREADABLE."""
    try:
        if _NUL not in raw:
            return decoder.decode(raw)
    except RecursionError:
        raise
    except UNREADABLE:
        pass
    return decoder.decode(_repair(raw))


def peek(raw: Buffer) -> tuple[str | None, object]:
    """(the usable id, `updated_at` as delivered) without decoding the rest; None for what is missing.

    Agrees with the mapping about the id, and finds it even in records that the mapping rejects, as far as
    they can be read. Raises nothing.
    """
    record = bytes(raw)
    if too_large(record):
        return _peek_undecoded(record), None
    try:
        head = _decode(_HEAD, record)
    except UNREADABLE:
        try:
            head = _HEAD.decode(outline(_repair(record)))
        except UNREADABLE:
            return None, None
    return usable_id(head.id), head.updated_at


def _peek_undecoded(record: bytes) -> str | None:
    """The usable id of a record that is too large to be decoded; an id that is a list of millions is not one."""
    for text in (record, outline(record)):
        try:
            return usable_id(_ID.decode(text).id)
        except UNREADABLE:
            continue
    return None


def record_text(raw: Buffer) -> str:
    """A record's bytes as text that PostgreSQL holds: NUL and bytes that are no UTF-8 as U+FFFD."""
    return storable(bytes(raw).decode("utf-8", "replace"))


def _repair(raw: bytes) -> bytes:
    """The record with U+FFFD for what PostgreSQL cannot hold, and with integers of any length readable."""
    return _REPAIRABLE.sub(_repair_token, raw.decode("utf-8", "replace").encode())


def _repair_token(match: re.Match[bytes]) -> bytes:
    token = match.group()
    if token[:1] == b'"':
        return without_unstorable_escapes(token) if b"\\u" in token else token
    if len(token) < _LONG_INTEGER or not token.lstrip(b"-").isdigit():
        return token
    return b'"' + token + b'"'
