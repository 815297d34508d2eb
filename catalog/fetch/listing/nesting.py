"""JSON nested so deeply that no decoder reads it: such records are taken out of their listing, so that the
others can be read.

Only brackets and strings are looked at. What is not JSON in other ways stays so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LEVELS = 150
"""Levels of a record that surely can be read; the mapping holds no more than 200 below a key."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


def without_deep_records(body: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The listing with a text in place of each record that is nested too deeply, and the records by it."""
    deep: dict[bytes, bytes] = {}

    def marks() -> Iterator[tuple[int, int, bytes]]:
        for start, end, levels in _values(body, 2):
            if levels > LEVELS:
                mark = b'"deep record %d"' % len(deep)
                deep[mark] = body[start:end]
                yield start, end, mark

    return _replaced(body, marks()), deep


def _values(text: bytes, level: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, levels of nesting) of each list or object that stands so many levels deep."""
    depth = start = deepest = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in b"[{":
            if depth == level:
                start, deepest = match.start(), level
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
            if depth == level:
                yield start, match.end(), deepest - level


def _replaced(text: bytes, spans: Iterable[tuple[int, int, bytes]]) -> bytes:
    kept: list[bytes] = []
    done = 0
    for start, end, instead in spans:
        kept += text[done:start], instead
        done = end
    return b"".join([*kept, text[done:]])
