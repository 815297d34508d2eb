"""Telling pages of a listing from records of images by content, in one walk over a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar, cast

import msgspec

from catalog.fetch.dump_values import LARGEST_PAGE, BadValue, Values
from catalog.model import UNREADABLE
from catalog.text import without_unstorable_escapes

BATCH = 1000
"""Records handed on at once, where the file itself has no pages."""
T = TypeVar("T")
Piece = tuple[int, list[bytes], bool]
"""Line, records as they stand, and whether they are (a part of) a page."""


class _Object(msgspec.Struct):
    """As much of an object as tells a page from a record."""

    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    images: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    next: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_object = msgspec.json.Decoder(_Object)
_any = msgspec.json.Decoder(msgspec.Raw)
_records = msgspec.json.Decoder(list[msgspec.Raw])
_NO_LINK = (b"null", b'""')


@dataclass(slots=True)
class Found:
    """What was met on the way through a file."""

    pages: int = 0
    last_pages: int = 0
    with_id: int = 0
    lists: int = 0
    stranger: int | None = None
    """Line of the first object that is neither a page nor an image."""

    def add(self, other: Found) -> None:
        self.pages += other.pages
        self.last_pages += other.last_pages
        self.with_id += other.with_id
        self.lists += other.lists
        self.stranger = self.stranger or other.stranger


def pieces(stream: BinaryIO, found: Found) -> Iterator[Piece]:
    """(line, records, whether they are a page): a value a line as long as it goes, then by their brackets."""
    line = 0
    while True:
        text = stream.readline(LARGEST_PAGE)
        if not text:
            return
        line += 1
        value = text.strip(b" \t\r\n")
        if not value:
            continue
        pieces = _pieces_of_line(value, line, found)
        if pieces is None:
            break
        yield from pieces
    values = Values(stream, text, line)
    while sign := values.next_sign():
        if sign == b"[":
            found.lists += 1
            for _ in values.members():
                yield from _member(values, found)
        elif sign == b"{":
            yield from _member(values, found)
        else:
            shown = sign.decode("utf-8", "replace")
            raise values.bad(f"{shown!r} where an object or a list should begin: no listing of images")


def _pieces_of_line(value: bytes, line: int, found: Found) -> list[Piece] | None:
    """What a line holds; None if it is not exactly one value, so that brackets must tell."""
    try:
        if value[:1] == b"{":
            return [_piece(value, line, found)]
        if value[:1] == b"[":
            members = _mended(_records, value)
            met = Found(lists=1)
            pieces = [_member_piece(bytes(member), line, met) for member in members]
            found.add(met)
            return pieces
    except (BadValue, *UNREADABLE):
        return None
    return None


def _member(values: Values, found: Found) -> Iterator[Piece]:
    is_object = values.next_sign() == b"{"
    line = values.line
    value = values.value(LARGEST_PAGE)
    if value is None and is_object:
        yield from _large_page(values, found)
        return
    if value is None:
        value = values.whole()
    yield _member_piece(value, line, found)


def _member_piece(value: bytes, line: int, found: Found) -> Piece:
    if value[:1] == b"{":
        return _piece(value, line, found)
    return line, [check_json(value, line)], False


def _piece(value: bytes, line: int, found: Found) -> Piece:
    head = _check(_object, value, line)
    if head.id is not msgspec.UNSET:
        found.with_id += 1
        return line, [value], False
    if head.images is msgspec.UNSET:
        found.stranger = found.stranger or line
        return line, [value], False
    if bytes(memoryview(head.images)[:1]) != b"[":
        raise BadValue(line, "`images` is no list: an answer that is no listing")
    _note_page(found, head.next)
    return line, _as_records(_mended(_records, head.images)), True


def _large_page(values: Values, found: Found) -> Iterator[Piece]:
    """A page too large to be held: its images one by one."""
    images = False
    following: bytes | msgspec.UnsetType = msgspec.UNSET
    for key in values.keys():  # noqa: SIM118 - no mapping
        if key == b'"images"' and values.next_sign() == b"[":
            images = True
            batch: list[bytes] = []
            for _ in values.members():
                values.next_sign()
                line = values.line
                batch.append(check_json(values.whole(), line))
                if len(batch) >= BATCH:
                    yield line, batch, True
                    batch = []
            yield values.line, batch, True
        elif key == b'"next"':
            following = values.whole()
        else:
            values.whole()
    if not images:
        raise values.bad(f"an object of more than {LARGEST_PAGE} bytes that is no page of a listing")
    _note_page(found, following)


def _note_page(found: Found, following: bytes | msgspec.Raw | msgspec.UnsetType) -> None:
    found.pages += 1
    if following is msgspec.UNSET or bytes(following) in _NO_LINK:
        found.last_pages += 1


def check_json(value: bytes, line: int) -> bytes:
    """The value itself. Raises BadValue, with the line inside of it, if it is no JSON."""
    _check(_any, value, line)
    return value


def _as_records(raws: list[msgspec.Raw]) -> list[bytes]:
    """A raw value is a buffer, which is all that records need to be."""
    return cast(list[bytes], raws)


def _check(decoder: msgspec.json.Decoder[T], value: bytes, line: int) -> T:
    """The decoded value. Raises BadValue, with the line inside of it, if it is no JSON."""
    try:
        return _mended(decoder, value)
    except msgspec.ValidationError as error:
        raise BadValue(line, f"no listing of images ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadValue(line + _lines_before(value, str(error)), f"no JSON ({error})") from None
    except RecursionError:
        raise BadValue(line, "JSON nested too deeply to be read") from None


def _mended(decoder: msgspec.json.Decoder[T], value: bytes | msgspec.Raw) -> T:
    """Decodes; half a surrogate pair is mended first, if that is what is wrong."""
    try:
        return decoder.decode(value)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = without_unstorable_escapes(bytes(value))
        if mended == value:
            raise
        return decoder.decode(mended)


_BYTE = re.compile(r"\(byte (\d+)\)")


def _lines_before(value: bytes, message: str) -> int:
    """Lines of the value before the byte that the decoder complains about."""
    match = _BYTE.search(message)
    return bytes(value).count(b"\n", 0, int(match[1])) if match else 0
