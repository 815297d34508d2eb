"""Saved listings: what a file holds is told by its content, and handed on record by record, as raw bytes.

A body as the API answers it, a bare list, one record or one page a line, several pages in one file, our own
archive; each also gzipped, with a byte order mark, or in UTF-16. A file is opened twice, once to see what it
is, so it has to be a file and not a pipe.
"""

from __future__ import annotations

import gzip
import hashlib
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.errors import CatalogError
from catalog.fetch.files import archive_format
from catalog.fetch.files.archive_format import Header, Trailer
from catalog.fetch.files.records import (
    LARGEST_RECORD,
    BadValue,
    Counts,
    Lines,
    Listings,
    check_json,
    in_batches,
    read_records,
)
from catalog.model import UNREADABLE
from catalog.text import MOST_VALUES

_LONGEST_LINE = 64 * 2**20
"""Bytes of a line of an archive: a trailer that names a million images."""

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
        self.listings = Listings()
        """The listings that its pages are of."""
        self.is_record = False
        """It holds one image, which stands in no page and no list."""

    def read(self) -> Iterator[Records]:
        """The records as they stand, some at a time. Raises BrokenDump where the file cannot be read."""
        self.position = 0
        line = 1
        try:
            with Lines(self.path) as lines:
                single = self._read_archive(lines) if self.header else self._read_values(lines)
                for line, records in in_batches(lines, single):  # noqa: B007 - the errors below name it
                    self.position = min(lines.position, self.size)
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
        """True if an archive ends as one does; false also for one that cannot be read to its end.

        Walks over its lines without a look at the records.
        """
        last = b""
        try:
            with Lines(self.path) as lines:
                while (line := lines.whole(_LONGEST_LINE)).strip():  # an archive has no blank lines
                    last = line
                if line:
                    return False
        except (BadValue, OSError, EOFError, zlib.error, UnicodeDecodeError):
            return False
        return archive_format.split_trailer(last) is not None

    # ---- listings ----------------------------------------------------------------------------------

    def _read_values(self, lines: Lines) -> Iterator[bytes]:
        counts = Counts()
        yield from read_records(lines, counts)
        self.pages = counts.pages
        self.listings = counts.listings
        self.is_record = counts.with_id == 1 and not counts.pages and not counts.lists
        self.listings.others = int(not counts.pages and not self.is_record)
        if counts.stranger is not None and (counts.pages or not counts.with_id):
            raise BadValue(counts.stranger, "an object that is neither an image nor a page of a listing")
        if not (counts.pages or counts.with_id or counts.lists):
            raise BrokenDump(self.path, None, "the file is empty, which is not a listing")

    # ---- archives ----------------------------------------------------------------------------------

    def _read_archive(self, lines: Lines) -> Iterator[bytes]:
        """The last line is the trailer, or else a record as good as any other."""
        self.trailer = None
        counts, digest = Counts(), hashlib.sha256()
        digest.update(lines.whole(_LONGEST_LINE))
        last = lines.whole(_LONGEST_LINE)
        while last:
            number = lines.number
            following = lines.whole(_LONGEST_LINE)
            if not following and (parts := archive_format.split_trailer(last)) is not None:
                self._end_archive(number, counts.with_id + counts.idle, parts, digest)
                break
            if len(last) > LARGEST_RECORD:
                raise BadValue(number, f"one record takes more than {LARGEST_RECORD} bytes")
            digest.update(last)
            yield check_json(last.strip(), number)
            counts.add(b'"id"' in last, number)
            last = following

    def _end_archive(self, line: int, records: int, parts: tuple[bytes, str], digest: hashlib._Hash) -> None:
        covered, checksum = parts
        digest.update(covered)
        if digest.hexdigest() != checksum:
            raise BadValue(line, "the checksum of the archive is not that of its lines")
        if covered.count(b",") > 2 * MOST_VALUES:
            raise BadValue(line, f"the archive's trailer holds more than {2 * MOST_VALUES} values")
        try:
            self.trailer = archive_format.read_trailer(covered)
        except UNREADABLE as error:
            raise BadValue(line, f"the archive's trailer cannot be read ({error})") from None
        if self.trailer.records != records:
            raise BadValue(line, f"{records} records, where the trailer counts {self.trailer.records}")


def open_dump(path: Path) -> Dump:
    """Looks into a file for an archive's header. Raises BrokenDump if it cannot be opened or was written by
    a later release; any other damage shows when the file is read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise BrokenDump(path, None, "a pipe, a socket or a device, and no file")
        with Lines(path) as lines:
            start = lines.next(65536)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
        start = b""
    except OSError as error:
        raise BrokenDump(path, None, error.strerror or str(error)) from None
    if not start.startswith(archive_format.HEADER_START):
        return Dump(path, None, status.st_size)
    try:
        header = archive_format.read_header(start)
    except UNREADABLE as error:
        raise BrokenDump(path, 1, f"the archive's header cannot be read ({error})") from None
    if header.catalog_archive > archive_format.VERSION:
        raise BrokenDump(path, 1, f"an archive of version {header.catalog_archive}; a later release reads it")
    return Dump(path, header, status.st_size)
