"""The bytes of a saved file as plain UTF-8, whatever they come in: gzip, byte order marks, UTF-16 or -32."""

from __future__ import annotations

import codecs
import gzip
import io
from typing import BinaryIO, cast

_GZIP = b"\x1f\x8b"
BUFFER = 256 * 1024
"""Bytes read at once."""
_MARKS = (
    # the longer ones first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Recoded(io.RawIOBase):
    """A stream in another encoding as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._stream.read(BUFFER)
            self._rest = self._decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
            if not chunk:
                break
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def open_stream(file: BinaryIO) -> BinaryIO:
    """The text of an open file in UTF-8, without a byte order mark; inflated if it begins as gzip does.

    Reading it may raise EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError.
    """
    assert isinstance(file, io.BufferedReader)
    stream = file
    if stream.peek(2)[:2] == _GZIP:
        stream = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)), BUFFER)
    start = stream.peek(4)[:4]
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return io.BufferedReader(_Recoded(stream, encoding), BUFFER)
    if start.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    return stream
