"""Records that wait in a file without a name, so that memory holds only where each one stands."""

from __future__ import annotations

import os
import tempfile

from catalog.errors import FetchError

MEMORY = 2**20
"""Bytes of records kept in memory before they go to the file."""
_LENGTH_BITS = 32
"""A record's place is one number, its position and its length: a listing may hold a million."""


class SpillError(FetchError):
    """Records find no room on this machine."""

    error_kind = "config"


class SpillFile:
    """Records set aside: appended to a file without a name, read in any order, one system call each.

    `limit`: bytes. `put` raises SpillError beyond it, or where the temporary folder is full.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        self._waiting = bytearray()
        self._written = 0

    def close(self) -> None:
        self._file.close()

    def put(self, raw: bytes) -> int:
        """The record's place: one number, its position and its length."""
        if len(self._waiting) + len(raw) > MEMORY and self._waiting:
            self._write()
        position = self._written + len(self._waiting)
        if position + len(raw) > self._limit:
            raise SpillError(
                f"the new records take more than {self._limit:,} bytes; raise `spool_limit` if that is normal"
            )
        self._waiting += raw
        return position << _LENGTH_BITS | len(raw)

    def _write(self) -> None:
        with memoryview(self._waiting) as waiting:
            done = 0
            while done < len(waiting):
                try:
                    done += self._file.write(waiting[done:])
                except OSError as error:
                    raise SpillError(
                        f"the temporary folder takes no more ({error.strerror}); set TMPDIR"
                    ) from error
        self._written += done
        self._waiting = bytearray()

    def read(self, place: int) -> bytes:
        position, length = place >> _LENGTH_BITS, place & (1 << _LENGTH_BITS) - 1
        if position >= self._written:
            start = position - self._written
            return bytes(self._waiting[start : start + length])
        parts = []
        while length:
            part = os.pread(self._file.fileno(), length, position)
            if not part:
                raise OSError("the file of records set aside ends too early")
            parts.append(part)
            position, length = position + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
