"""Text and JSON text from outside: what can be stored, what is safe to show, which ids can be used; a time as text.

Nothing here decodes JSON: the functions bring text into a shape that can be decoded, stored or shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import overload

LONGEST_ID = 255
"""Characters of an image's id."""
LONGEST_LINE_CHARACTERS = 2000
"""Of a message that quotes what comes from outside."""
MOST_VALUES = 100_000
"""Values of one record: lists, objects and their members. Decoded and mapped, each takes up to 500 bytes."""
LARGEST_RECORD_BYTES = 16 * 2**20
"""Of one record as JSON. Mapped it takes up to ten times as much, where a single character is an emoji."""
JSON_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
"""A string, also one that never ends: else each quote in it would be tried again, in quadratic time."""

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# A possessive group with alternatives in it matches wrongly before Python 3.11.5 (CPython issue 106052), and a
# greedy one remembers each turn: hence a bounded number of turns, and whoever uses it goes on from its end.
_UNSTORABLE_ESCAPE = re.compile(
    rb"(?:[^\\]++|\\(?:[^u]|u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|(?!0000|[dD][89a-fA-F])))){0,1000}"
    rb"(\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))?",
    re.DOTALL,
)
_MARKS = (b",", b"[", b"{")
_TEXT_OR_MARK = re.compile(JSON_STRING + rb"|[,\[{]", re.DOTALL)
_OUTLINE = re.compile(JSON_STRING + rb"|[\[\]{}]|-?(?:NaN|Infinity)", re.DOTALL)
_BRACKETS = re.compile(rb'(?:[^"\[\]{}]++|' + JSON_STRING + rb")*+([\[{]++|[\]}]++|\Z)", re.DOTALL)


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: str | None) -> str | None: ...
def storable(text: str | None) -> str | None:
    """The text as PostgreSQL can hold it: NUL and lone surrogates become U+FFFD."""
    return None if text is None else _UNSTORABLE.sub("\ufffd", text)


def visible(text: str) -> str:
    """The text with every character that would act on a terminal, or be unseen in it, as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def short(text: str, longest: int = 60) -> str:
    """The text cut to so many characters, with an ellipsis where something was cut, and safe to show."""
    return visible(text if len(text) <= longest else text[:longest] + "...")


def first_line(error: object) -> str:
    """The first line of an error's message, for one that spreads over several."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def listed(names: Sequence[str], most: int) -> str:
    """At most so many of the names, and how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def bounded(text: str, longest: int = LONGEST_LINE_CHARACTERS) -> str:
    """The text cut to so many characters, with a note of how many there were."""
    return text if len(text) <= longest else f"{text[:longest]}... (cut, {len(text):,} characters)"


def usable_id(value: object) -> str | None:
    """The id if it is text of 1 to 255 characters; a number is not one, as its spelling is not stable."""
    return value if isinstance(value, str) and 1 <= len(value) <= LONGEST_ID else None


def without_unstorable_escapes(raw: bytes) -> bytes:
    r"""JSON text with U+FFFD for escapes of what PostgreSQL can't hold: `\u0000` and lone surrogates.

    The same bytes become the same bytes each time, so that a record is still recognised by its hash.
    """
    mended = bytearray(raw)
    for match in _UNSTORABLE_ESCAPE.finditer(raw):  # in place, as there may be millions
        if match[1]:
            mended[match.start(1) : match.end(1)] = rb"\ufffd"
    return bytes(mended)


def has_too_many_values(raw: bytes, most: int = MOST_VALUES) -> bool:
    """True if JSON text holds more than so many values; counted by its brackets and commas, undecoded."""
    if sum(map(raw.count, _MARKS)) <= most:
        return False
    tokens = islice(_TEXT_OR_MARK.finditer(raw), 3 * most)  # to a comma there are at most two texts
    count = sum(token[0] in _MARKS for token in tokens)
    return count > most or next(tokens, None) is not None


def too_large(raw: bytes) -> str | None:
    """Why a record must not be decoded, for people; None: it may be."""
    if len(raw) > LARGEST_RECORD_BYTES:
        return f"too large for a document: more than {LARGEST_RECORD_BYTES >> 20} MiB of JSON"
    many = len(raw) > MOST_VALUES and has_too_many_values(raw)
    return f"too large: more than {MOST_VALUES:,} values" if many else None


def outline(raw: bytes) -> bytes:
    """A JSON object with null for each nested value and for NaN: enough to find its id, however deep it is.

    Empty for a record that is too large to be walked.
    """
    if len(raw) > LARGEST_RECORD_BYTES:
        return b""
    kept: list[bytes] = []
    depth = start = end = 0
    while match := _OUTLINE.search(raw, end):
        token, end = match[0], match.end()
        if token in b"[{" and depth < 1:
            depth += 1
        elif token in b"]}":
            depth -= 1
        elif depth == 1 and token[:1] != b'"':
            kept += raw[start : match.start()], b"null"
            start = end = _end_of_nested(raw, match.start()) if token in b"[{" else end
    return b"".join([*kept, raw[start:]])


def _end_of_nested(raw: bytes, start: int) -> int:
    """The position after the list or object that begins here, by runs of brackets, as there may be a million."""
    depth = 0
    for match in _BRACKETS.finditer(raw, start):
        run = match[1]
        if run[:1] in (b"[", b"{"):
            depth += len(run)
        elif run and len(run) < depth:
            depth -= len(run)
        else:
            return match.start(1) + depth if run else len(raw)
    return len(raw)


def utc(moment: datetime) -> str:
    """A point in time, in UTC, as services and programs write it: ISO 8601 with a Z."""
    return moment.isoformat().replace("+00:00", "Z")
