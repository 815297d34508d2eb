"""JSON values one after another, out of a stream of any length, without holding more than one of them.

For what does not stand one value a line: pretty-printed bodies, several bodies in one file, and lists or
listings larger than memory, whose members are handed out one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

LARGEST_VALUE = 64 * 2**20
"""Bytes of one record, as of one page that a service sends."""
LARGEST_PAGE = 8 * 2**20
"""Bytes of a page taken as a whole; the images of a larger one are read one by one."""
_CHUNK = 2**20

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_TEXT = re.compile(_STRING, re.DOTALL)
_BLANK = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)*+")
_SCALAR = re.compile(rb"[^\s,:\[\]{}\"]*+")


class BadValue(Exception):
    """The stream holds no JSON here; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Values:
    """Walks over a stream. `start`: bytes of it read already; `line`: number of the line they begin."""

    def __init__(self, stream: Reader | BinaryIO, start: bytes = b"", line: int = 1) -> None:
        self._stream = stream
        self._data = start
        self._at = 0
        self._counted = 0
        self._line = line
        self._ended = False

    @property
    def line(self) -> int:
        """Number of the line that the walk has come to."""
        self._line += self._data.count(b"\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def next_sign(self) -> bytes:
        """The first byte of what follows after blanks; nothing at the end."""
        while True:
            match = _BLANK.match(self._data, self._at)
            assert match is not None
            self._at = match.end()
            # a byte order mark may be cut by the end of what was read
            if len(self._data) - self._at >= 3 or not self._more():
                return self._data[self._at : self._at + 1]

    def take(self, sign: bytes) -> None:
        """Steps over one byte that must follow."""
        found = self.next_sign()
        if found != sign:
            raise self.bad(f"{_shown(found)} where {sign.decode()!r} is expected")
        self._at += 1

    def value(self, largest: int = LARGEST_VALUE) -> bytes | None:
        """The value that follows, as it stands; None, and nothing is taken, if it is larger than that."""
        sign = self.next_sign()
        if sign in (b"{", b"["):
            end = self._end_of_container(largest)
        elif sign == b'"':
            end = self._end_of_text(largest)
        else:
            end = self._end_of_scalar(largest)
        if end is None:
            return None
        value = self._data[self._at : end]
        self._at = end
        return value

    def whole(self) -> bytes:
        """The value that follows. Raises BadValue if it is larger than LARGEST_VALUE."""
        value = self.value()
        if value is None:
            raise self.bad(f"one value takes more than {LARGEST_VALUE} bytes")
        return value

    def members(self) -> Iterator[None]:
        """Steps into a list: yields before each member, which must then be taken."""
        self.take(b"[")
        if self.next_sign() == b"]":
            self._at += 1
            return
        while True:
            yield
            sign = self.next_sign()
            if sign == b"]":
                self._at += 1
                return
            self.take(b",")

    def keys(self) -> Iterator[bytes]:
        """Steps into an object: yields each key as it stands, before its value, which must then be taken."""
        self.take(b"{")
        if self.next_sign() == b"}":
            self._at += 1
            return
        while True:
            if self.next_sign() != b'"':
                raise self.bad("an object's key is missing")
            key = self.whole()
            self.take(b":")
            yield key
            if self.next_sign() == b"}":
                self._at += 1
                return
            self.take(b",")

    def bad(self, reason: str) -> BadValue:
        return BadValue(self.line, reason)

    def _cut(self, what: str) -> BadValue:
        rest = self._data[self._at :].rstrip()
        return BadValue(self.line + rest.count(b"\n"), f"the file ends in the middle of {what}")

    def _end_of_container(self, largest: int) -> int | None:
        depth, position = 0, self._at
        while True:
            for match in _BRACKET.finditer(self._data, position):
                token = match.group()
                position = match.start()
                if token in b"[{":
                    depth += 1
                elif token in b"]}":
                    depth -= 1
                    if depth == 0:
                        return match.end()
                elif not _is_whole(token):
                    break
                position = match.end()
            else:
                position = len(self._data)
            position -= self._at
            if len(self._data) - self._at > largest:
                return None
            if not self._more():
                raise self._cut("a value")
            position += self._at

    def _end_of_text(self, largest: int) -> int | None:
        while True:
            match = _TEXT.match(self._data, self._at)
            assert match is not None
            if _is_whole(match.group()):
                return match.end()
            if len(self._data) - self._at > largest:
                return None
            if not self._more():
                raise self._cut("a text")

    def _end_of_scalar(self, largest: int) -> int | None:
        while True:
            match = _SCALAR.match(self._data, self._at)
            assert match is not None
            if match.end() == len(self._data):
                if match.end() - self._at > largest:
                    return None
                if self._more():
                    continue
            if match.end() == self._at:
                raise self.bad(f"{_shown(self._data[self._at : self._at + 1])} where a value is expected")
            return match.end()

    def _more(self) -> bool:
        """Reads on, and lets go of what was taken; False at the end of the stream."""
        if self._ended:
            return False
        chunk = self._stream.read(max(_CHUNK, len(self._data) - self._at))
        if not chunk:
            self._ended = True
            return False
        self._line = self.line
        self._data = self._data[self._at :] + chunk
        self._at = self._counted = 0
        return True


def _is_whole(text: bytes) -> bool:
    """Whether a match of _STRING ends with its own quote."""
    if len(text) < 2 or text[-1:] != b'"':
        return False
    escapes = len(text) - 1 - len(text[:-1].rstrip(b"\\"))
    return escapes % 2 == 0


def _shown(sign: bytes) -> str:
    return repr(sign.decode("utf-8", "replace")) if sign else "the end of the file"
