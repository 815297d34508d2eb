"""The records of a saved listing out of a stream of any length, pages told from images by content.

A value per line is split by msgspec, and its records are handed on as they stand. All else (indented bodies,
several values on a line, lists and pages larger than memory) goes through ijson, event by event: such a
record is written anew, its numbers in the spelling of `decimal.Decimal`.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import ijson
import msgspec

from catalog.fetch.listing.links import (
    EVERYTHING,
    PAGE_KEYS,
    Listing,
    listing_of,
    next_link,
    repeated_key,
)
from catalog.model import UNREADABLE
from catalog.text import MOST_VALUES, short, without_unstorable_escapes

BUFFER_BYTES = 256 * 1024
"""Bytes read at once."""
LARGEST_RECORD = 20 * 2**20
"""Bytes of one record; a larger one could not be stored."""
LARGEST_LINE = 8 * 2**20
"""Bytes of a line that is split as a whole; ijson reads a longer one."""
PIECE_BYTES = 64 * 1024
"""Bytes that ijson gets at once, or a line, if that is shorter."""
BATCH = 1000
"""Records handed on at once ..."""
BATCH_BYTES = 8 * 2**20
"""... unless they take more bytes."""
MOST_LISTINGS = 1000
"""Listings, by what they were asked for with, whose pages are in one file."""
MOST_DIGITS = 4000
"""Digits in a row that ijson may meet, below Python's own limit (sys.int_info.default_max_str_digits)."""
MOST_IDLE = 100_000
"""Blank lines, empty lists and values without an id, above twice the number of images."""
FREE_INFLATION = 16 * 2**20
MOST_INFLATION = 100
"""A gzip stream larger than FREE_INFLATION bytes that grows more than so many times is a trap, not a listing."""

Batch = tuple[int, list[bytes]]
"""Number of the line that reading has come to, and records as they stand."""
T = TypeVar("T")


@dataclass(eq=False)
class BadValue(Exception):
    """The stream can't be read on from here; `line` counts from 1."""

    line: int
    reason: str


# ---- bytes -----------------------------------------------------------------------------------------

_GZIP = b"\x1f\x8b"
_MARKS = (
    # the longer ones first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Lines:
    """A file's lines in UTF-8, without byte order marks; inflated if it begins as gzip does.

    `number` counts the lines that were begun. Reading may raise EOFError, OSError, zlib.error,
    UnicodeDecodeError.
    """

    def __init__(self, path: Path) -> None:
        self.number = 0
        self._within = False
        self._again = io.BytesIO()
        self._file = io.BufferedReader(io.FileIO(path), BUFFER_BYTES)
        stream: io.BufferedReader[Any] = self._file
        if stream.peek(2)[:2] == _GZIP:
            stream = io.BufferedReader(cast(io.RawIOBase, _Inflated(fileobj=stream)), BUFFER_BYTES)
        try:
            start = stream.peek(4)[:4]
        except BaseException:
            self._file.close()
            raise
        encoding = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
        self._text = io.TextIOWrapper(stream, encoding, newline="\n") if encoding else None
        self._stream = stream

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        (self._text or self._stream).close()
        self._file.close()

    @property
    def position(self) -> int:
        """Bytes on disk that were read."""
        return self._file.tell()

    def next(self, most: int) -> bytes:
        """The rest of a line, at most (about) so many bytes of it; nothing at the end."""
        if line := self._again.readline(most):
            pass
        elif self._text is not None:
            line = self._text.readline(most).encode("utf-8", "surrogatepass")
        else:
            line = self._stream.readline(most)
        if not self._within:
            self.number += bool(line)
            line = line.removeprefix(codecs.BOM_UTF8) or (line and b"\n")
        self._within = not line.endswith(b"\n")
        return line

    def put_back(self, line: bytes) -> None:
        """Lets what `next` gave come once more."""
        self._again = io.BytesIO(line)
        self._within = False
        self.number -= 1

    def whole(self, most: int) -> bytes:
        """A whole line. Raises BadValue for one of more bytes."""
        line = self.next(most)
        if len(line) >= most and self._within:
            raise BadValue(self.number, f"a line of more than {most} bytes")
        return line


class _Inflated(gzip.GzipFile):
    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > max(FREE_INFLATION, MOST_INFLATION * self.fileobj.tell()):  # type: ignore[union-attr]
            raise gzip.BadGzipFile(f"it inflates more than {MOST_INFLATION}-fold, which no listing does")
        return data


# ---- records ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Listings:
    """The listings that pages are of, as far as these tell: those that go on after some page, and those of which there
    is the last one. `named`: those that tell their beginning, as each of their pages does, the last one too. `ends`:
    last pages that don't tell whose. `others`: files of records that stand in no page, and may be listings."""

    go_on: set[Listing | None] = field(default_factory=set)
    named: set[Listing] = field(default_factory=set)
    ended: set[Listing] = field(default_factory=set)
    ends: int = 0
    others: int = 0

    def add(self, first: object, link: object) -> None:
        listing = listing_of(first) if first else listing_of(link)
        if link is not None:
            self.go_on.add(listing)
            if first and listing is not None:
                self.named.add(listing)
        elif listing is not None:
            self.ended.add(listing)
        else:
            self.ends += 1

    def __or__(self, other: Listings) -> Listings:
        return Listings(
            self.go_on | other.go_on,
            self.named | other.named,
            self.ended | other.ended,
            self.ends + other.ends,
            self.others + other.others,
        )

    def lack(self) -> str | None:
        """Why they are not all that the service lists; None where nothing tells so. Nothing tells of a page that is
        missing before the last one."""
        unended, told = self.go_on - self.ended, self.go_on | self.ended
        if unended & self.named or len(unended) > self.ends:
            return "its last page names a next one that is missing"
        filters = [listing.difference(EVERYTHING) for listing in told if listing is not None]
        if (
            self.others
            or self.ends > len(unended)
            or not (told and len(filters) == len(told) and all(filters))
        ):
            return None
        return f"it was asked for with a filter ({short(', '.join(sorted(name for name, _ in filters[0])))})"


@dataclass(slots=True)
class Counts:
    """The kinds of values that a file was found to hold. `idle`: blank lines and values that are no images."""

    pages: int = 0
    listings: Listings = field(default_factory=Listings)
    lists: int = 0
    with_id: int = 0
    idle: int = 0
    stranger: int | None = None
    """Line of the first object that is neither a page nor an image."""

    def add(self, has_id: bool, line: int) -> None:
        """Raises BadValue where there is little but values that bring no image."""
        if has_id:
            self.with_id += 1
            return
        self.idle += 1
        if self.idle > MOST_IDLE + 2 * self.with_id:
            raise BadValue(line, f"{self.idle} blank lines, empty lists and values that are not images")

    def add_page(self, images: int, first: object, link: object, line: int) -> None:
        """`first`, `link`: where the listing begins, and where it goes on."""
        self.pages += 1
        self.listings.add(first, link)
        if len(self.listings.go_on) + len(self.listings.ended) > MOST_LISTINGS:
            raise BadValue(line, f"pages of more than {MOST_LISTINGS} listings")
        if not images:
            self.add(False, line)


_NOTHING = msgspec.Raw(b"null")


class _Object(msgspec.Struct):
    """As much of an object as tells a page from a record, whose own keys may have these names."""

    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    images: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    next: msgspec.Raw = _NOTHING
    first: msgspec.Raw = _NOTHING
    links: msgspec.Raw = _NOTHING


_object = msgspec.json.Decoder(_Object)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder(msgspec.Raw)
_decoded = msgspec.json.Decoder()
_encode = msgspec.json.Encoder(decimal_format="number").encode
_NO_LIST = "`images` is not a list: an answer that is not a listing"
_REPEATED = "a page that holds `{}` twice; save each page as a value of its own"


def in_batches(lines: Lines, records: Iterator[bytes]) -> Iterator[Batch]:
    pending, size = list[bytes](), 0
    for record in records:
        pending.append(record)
        size += len(record)
        if len(pending) >= BATCH or size >= BATCH_BYTES:
            yield lines.number, pending
            pending, size = [], 0
    if pending:
        yield lines.number, pending


def read_records(
    lines: Lines, counts: Counts, *, largest_line: int = LARGEST_LINE, piece: int = PIECE_BYTES
) -> Iterator[bytes]:
    """Raises BadValue where the file holds something else than listings, pages and records."""
    while text := lines.next(largest_line):
        if not (value := text.strip(b" \t\r\n")):
            counts.add(False, lines.number)
        elif (records := _split(value, lines.number, counts)) is not None:
            yield from records
        else:
            lines.put_back(text)
            yield from _Walk(lines, counts, piece).records()
            return


def check_json(value: bytes, line: int) -> bytes:
    """The value itself. Raises BadValue if it is not JSON."""
    try:
        _mended(_any, value)
    except RecursionError:
        raise BadValue(line, "JSON nested too deeply to be read") from None
    except UNREADABLE as error:
        raise BadValue(line, f"not JSON ({error})") from None
    return value


def _split(value: bytes, line: int, counts: Counts) -> list[bytes] | None:
    """The records of a line; None if it is not one object or list, or too large to be split as a whole."""
    if value.count(b",") > MOST_VALUES:
        return None
    try:
        if value[:1] == b"{":
            return _split_object(value, _mended(_object, value), line, counts)
        members = [bytes(member) for member in _mended(_list, value)]
    except UNREADABLE:
        return None
    counts.lists += 1
    records = list[bytes]()
    for member in members:
        if member[:1] == b"{":
            records += _split_object(member, _object.decode(member), line, counts)
        else:
            counts.add(False, line)
            records.append(member)
    if not members:
        counts.add(False, line)
    return records


def _split_object(value: bytes, head: _Object, line: int, counts: Counts) -> list[bytes]:
    """The images of a page, or the object itself."""
    if head.id is not msgspec.UNSET or head.images is msgspec.UNSET:
        if head.id is msgspec.UNSET:
            counts.stranger = counts.stranger or line
        counts.add(head.id is not msgspec.UNSET, line)
        return [value]
    if bytes(head.images)[:1] != b"[":
        raise BadValue(line, _NO_LIST)
    if (key := repeated_key(value, bytes(head.images))) is not None:
        raise BadValue(line, _REPEATED.format(key))
    records = [bytes(record) for record in _list.decode(head.images)]
    first, link, links = map(_value, (head.first, head.next, head.links))
    counts.add_page(len(records), first, next_link(link, links), line)
    for record in records:
        counts.add(b'"id"' in record, line)
    return records


def _value(raw: msgspec.Raw) -> object:
    """The value of a page's key; its bytes where they can't be decoded, which are not a link, but not nothing."""
    try:
        return _mended(_decoded, bytes(raw))
    except UNREADABLE:
        return bytes(raw)


def _mended(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    """Decodes; half a surrogate pair is mended first, if that is what is wrong."""
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = without_unstorable_escapes(value)
        if mended == value:
            raise
        return decoder.decode(mended)


_DIGITS = re.compile(rb"[0-9]++")
_STARTS = ("start_map", "start_array")
_ENDS = ("end_map", "end_array")


class _Walk:
    """The records of all that follows, by the events of a parser."""

    def __init__(self, lines: Lines, counts: Counts, piece: int) -> None:
        self._lines = lines
        self._rest = b""
        self._counts = counts
        self._bytes = self._values = 0
        """Since the last record."""
        self._events: Iterator[tuple[str, Any]] = ijson.basic_parse(
            self, multiple_values=True, use_float=False, buf_size=piece
        )

    def records(self) -> Iterator[bytes]:
        try:
            for event, value in self._events:
                if event == "start_map":
                    yield from self._object()
                elif event == "start_array":
                    self._counts.lists += 1
                    yield from self._members(self._object)
                else:
                    raise self._bad(
                        f"{value!r} where an object or a list should begin: not a listing of images"
                    )
        except ijson.JSONError as error:
            raise self._bad(_reason(error)) from None
        except UnicodeDecodeError as error:
            raise self._bad(f"not in its encoding ({error.reason})") from None
        except RecursionError:
            raise self._bad("JSON nested too deeply to be read") from None
        except ArithmeticError:  # an exponent of twenty digits
            raise self._bad("a number that is too large to be read") from None

    def read(self, size: int) -> bytes:
        """The next piece for the parser: a line, or as much of one as ends with a comma.

        So no escape is cut, and half a surrogate pair can be mended, which the parser would make a "?".
        """
        if size == 0:  # asks for the type alone
            return b""
        piece, cut = self._rest or self._lines.next(size), 0
        while not piece.endswith(b"\n") and not (cut := piece.rfind(b",") + 1):
            more = self._lines.next(max(size, len(piece)))
            piece += more
            if not more or len(piece) > LARGEST_RECORD:
                break
        piece, self._rest = (piece[:cut], piece[cut:]) if cut else (piece, b"")
        if piece.isspace():
            self._counts.add(False, self._lines.number)
        if len(piece) > MOST_DIGITS and max(map(len, _DIGITS.findall(piece)), default=0) > MOST_DIGITS:
            raise self._bad(f"a number of more than {MOST_DIGITS} digits")  # the parser would crash
        self._bytes += len(piece)
        if self._bytes > LARGEST_RECORD:
            raise self._bad(f"one value takes more than {LARGEST_RECORD} bytes")
        return without_unstorable_escapes(piece) if b"\\u" in piece else piece

    def _object(self) -> Iterator[bytes]:
        """A page or an image, whose bracket was just met. An `id` tells an image, unless it comes too late."""
        line, images, values = self._lines.number, None, dict[str, Any]()
        repeated: str | None = None
        for event, key in self._events:
            if event == "end_map":
                break
            event, value = next(self._events)
            if key in PAGE_KEYS and (key in values or (key == "images" and images is not None)):
                repeated = repeated or key
            if key == "images" and event == "start_array" and "id" not in values:
                images = 0
                for record in self._members():
                    images += 1
                    yield record
            else:
                values[key] = self._value(event, value)
        if images is not None:
            if "id" in values:
                raise BadValue(line, "an object with a list of `images` and an `id` after it")
            if repeated is not None:
                raise BadValue(line, _REPEATED.format(repeated))
            link = next_link(values.get("next"), values.get("links"))
            self._counts.add_page(images, values.get("first"), link, line)
        elif "images" in values and "id" not in values:
            raise BadValue(line, _NO_LIST)
        else:
            if "id" not in values:
                self._counts.stranger = self._counts.stranger or line
            yield self._record(values)

    def _members(self, of_object: Callable[[], Iterator[bytes]] | None = None) -> Iterator[bytes]:
        """A list's members, whose bracket was just met."""
        empty = True
        for event, value in self._events:
            if event == "end_array":
                break
            empty = False
            if event == "start_map" and of_object is not None:
                yield from of_object()
            else:
                yield self._record(self._value(event, value))
        if empty:
            self._counts.add(False, self._lines.number)

    def _record(self, value: Any) -> bytes:
        self._bytes = self._values = 0
        self._counts.add(isinstance(value, dict) and "id" in value, self._lines.number)
        return _encode(value)

    def _value(self, event: str, value: Any) -> Any:
        builder, depth = ijson.ObjectBuilder(), 0
        while True:
            builder.event(event, value)
            self._values += 1
            if self._values > MOST_VALUES:
                raise self._bad(f"one value holds more than {MOST_VALUES} others")
            depth += (event in _STARTS) - (event in _ENDS)
            if not depth:
                return builder.value
            event, value = next(self._events)

    def _bad(self, reason: str) -> BadValue:
        return BadValue(self._lines.number, reason)


def _reason(error: ijson.JSONError) -> str:
    """The parser's words, without the part of the file that it shows, which may hold secrets."""
    text = error.args[0]
    words, *rest = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split("\n")
    if "premature EOF" in words:
        return "the file ends in the middle of a value"
    if "unallowed token" in words:
        # a NUL ends what the parser shows too early: then no arrow points at a sign of it
        shown, arrow = (*rest, "", "")[:2]
        sign = shown[max(arrow.find("^") - 1, 0) :][:1] if "^" in arrow else ""
        return f"not JSON: {sign!r} cannot stand here" if sign else "not JSON: a sign that cannot stand here"
    return f"not JSON, or not a listing ({words.partition(': ')[2].rstrip('.')})"
