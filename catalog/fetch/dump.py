"""Saved listings: what a file holds is told by its content, and handed on record by record, as raw bytes.

A body as the API answers it, a bare list, one record or one page a line, several pages in one file, our own
archive; each also gzipped, with a byte order mark, or in UTF-16. A file is read twice, once to see that it
can be read whole, so it has to be a file and no pipe.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from catalog.errors import CatalogError
from catalog.fetch import archived
from catalog.fetch.archived import Header, Trailer
from catalog.fetch.dump_pieces import BATCH, Found, check_json, pieces
from catalog.fetch.dump_stream import BUFFER, open_stream
from catalog.fetch.dump_values import BadValue
from catalog.model import UNREADABLE

_LONGEST_LINE = 256 * 2**20
"""Bytes of a line of an archive: no document is longer."""

Records = Sequence[bytes]


class BrokenDump(CatalogError):
    """A file that cannot be read whole: `path`, `line` (from 1; None: of the file as such) and `reason`."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {reason}; nothing of this file was written")
        self.path = path
        self.line = line
        self.reason = reason


class Dump:
    """One file of saved records, and what its header says if it is an archive."""

    def __init__(self, path: Path, header: Header | None, size: int) -> None:
        self.path = path
        self.header = header
        self.size = size
        """Bytes on disk."""
        self.position = 0
        """Bytes on disk that were read so far."""
        self.trailer: Trailer | None = None
        """Of an archive that was read to its end; None if it was cut."""
        self.pages = 0
        self.ends = True
        """False: there are pages, and each one names a next one, so the last one is missing."""

    def read(self) -> Iterator[Records]:
        """The records as they stand, some at a time. Raises BrokenDump where the file cannot be read."""
        self.position = 0
        line = 1
        try:
            with self.path.open("rb", BUFFER) as file:
                stream = open_stream(file)
                batches = self._read_archive(stream) if self.header else self._read_values(stream)
                for line, records in batches:  # noqa: B007 - the errors below name it
                    self.position = min(file.tell(), self.size)
                    yield records
        except BadValue as error:
            raise BrokenDump(self.path, error.line, error.reason) from None
        except EOFError:
            raise BrokenDump(self.path, line, "the gzip stream ends before its end") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BrokenDump(self.path, line, f"the gzip stream is damaged ({error})") from None
        except UnicodeDecodeError as error:
            raise BrokenDump(
                self.path, line, f"not in the encoding of its byte order mark ({error.reason})"
            ) from None
        except OSError as error:
            raise BrokenDump(self.path, None, error.strerror or str(error)) from None
        self.position = self.size

    def has_trailer(self) -> bool:
        """Whether an archive ends as one does; false also for one that cannot be read to its end.

        Walks over its lines without a look at the records.
        """
        last = b""
        try:
            with self.path.open("rb", BUFFER) as file:
                for line in open_stream(file):
                    last = line
        except (OSError, EOFError, zlib.error, UnicodeDecodeError):
            return False
        return archived.split_trailer(last) is not None

    # ---- listings ----------------------------------------------------------------------------------

    def _read_values(self, stream: BinaryIO) -> Iterator[tuple[int, Records]]:
        found = Found()
        line, pending = 1, list[bytes]()
        for line, records, is_page in pieces(stream, found):
            if is_page:
                yield line, records
                continue
            pending += records
            if len(pending) >= BATCH:
                yield line, pending
                pending = []
        if pending:
            yield line, pending
        self.pages = found.pages
        self.ends = not found.pages or found.last_pages > 0
        if found.stranger is not None and (found.pages or not found.with_id):
            raise BadValue(found.stranger, "an object that is neither an image nor a page of a listing")
        if not (found.pages or found.with_id or found.lists):
            raise BrokenDump(self.path, None, "the file is empty, which is no listing")

    # ---- archives ----------------------------------------------------------------------------------

    def _read_archive(self, stream: BinaryIO) -> Iterator[tuple[int, Records]]:
        """The last line is the trailer, or else a record as good as any other."""
        self.trailer = None
        digest = hashlib.sha256()
        pending: list[bytes] = []
        number, records = 1, 0
        digest.update(stream.readline(_LONGEST_LINE))
        last = stream.readline(_LONGEST_LINE)
        while last:
            number += 1
            following = stream.readline(_LONGEST_LINE)
            if not following and (parts := archived.split_trailer(last)) is not None:
                self._end_archive(number, records, parts, digest)
                break
            digest.update(last)
            pending.append(check_json(last.strip(), number))
            records += 1
            if len(pending) >= BATCH:
                yield number, pending
                pending = []
            last = following
        if pending:
            yield number, pending

    def _end_archive(self, line: int, records: int, parts: tuple[bytes, str], digest: hashlib._Hash) -> None:
        covered, checksum = parts
        digest.update(covered)
        if digest.hexdigest() != checksum:
            raise BadValue(line, "the checksum of the archive is not that of its lines")
        try:
            self.trailer = archived.read_trailer(covered)
        except UNREADABLE as error:
            raise BadValue(line, f"the archive's trailer cannot be read ({error})") from None
        if self.trailer.records != records:
            raise BadValue(line, f"{records} records, where the trailer counts {self.trailer.records}")


def open_dump(path: Path) -> Dump:
    """Looks into a file for an archive's header. Raises BrokenDump if it cannot be opened or was written by
    a later release; any other damage shows when the file is read."""
    try:
        with path.open("rb", BUFFER) as file:
            size = path.stat().st_size
            try:
                start = open_stream(file).readline(65536)
            except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
                start = b""
    except OSError as error:
        raise BrokenDump(path, None, error.strerror or str(error)) from None
    if not start.startswith(archived.HEADER_START):
        return Dump(path, None, size)
    try:
        header = archived.read_header(start)
    except UNREADABLE as error:
        raise BrokenDump(path, 1, f"the archive's header cannot be read ({error})") from None
    if header.catalog_archive > archived.VERSION:
        raise BrokenDump(path, 1, f"an archive of version {header.catalog_archive}; a later release reads it")
    return Dump(path, header, size)
