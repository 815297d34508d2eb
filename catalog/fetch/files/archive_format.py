"""The format of an archive file: gzip JSON Lines, one observation a file.

A header, one record a line, a trailer. The trailer holds what the records alone cannot say (verdicts, answers
to look-ups, rejected records), and a checksum over all that stands before it. A file without a trailer was
cut: what it holds is true, but it proves no absence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from catalog.model import (
    AbsenceReason,
    InconclusiveKind,
    PassResult,
    RejectedRecord,
    Scope,
    SourceKind,
)

VERSION = 1
HEADER_START = b'{"catalog_archive":'
TRAILER_START = b'{"catalog_archive_end":'
_CHECKSUM_KEY = b',"sha256":"'
CHECKSUM_LENGTH = 64
SUFFIX = ".jsonl.gz"


class Header(msgspec.Struct, frozen=True):
    """The first line: whose observation it is, and when it was taken."""

    catalog_archive: int
    source: str
    kind: SourceKind
    region: str | None
    project_id: str | None
    endpoint: str | None
    run_id: str
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    source_id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,64}$")] | None = None
    """Of the source that was swept, which keeps it through `rename` and `adopt`."""


class Trailer(msgspec.Struct, frozen=True):
    """The last line. `complete`: absence alone proves lack (semantics 4.6). `found`: ids of records that a
    look-up brought, though no listing held them. `answers`: what a look-up said of images that stayed.
    `held`: what was held back, for the reason that `inconclusive` says.
    `counters`: of the sweep's row in `runs`.
    `logins`: what each login reached, None where that is not known. `login`: what later ones were compared with, from
    then on."""

    complete: bool
    outcome: str
    records: int
    passes: list[PassResult]
    absent: dict[str, AbsenceReason] = msgspec.field(name="lacks")
    inconclusive: dict[str, InconclusiveKind] = msgspec.field(name="silent")
    found: list[str]
    answers: dict[str, str]
    held: list[str]
    rejected: list[RejectedRecord]
    counters: dict[str, int]
    error_kind: str | None = None
    error: str | None = None
    logins: list[list[str]] | None = None
    login: list[str] = []
    scope: Scope = "complete"


_encoder = msgspec.json.Encoder()
_header = msgspec.json.Decoder(Header)
_trailer = msgspec.json.Decoder(Trailer)


def write_header(header: Header) -> bytes:
    return _encoder.encode(header) + b"\n"


def read_header(line: bytes) -> Header:
    """Raises UNREADABLE for a line that is not a header."""
    return _header.decode(line)


def write_trailer(trailer: Trailer) -> bytes:
    """The line up to its checksum, which covers this part too."""
    return TRAILER_START + _encoder.encode(trailer)


def write_checksum(digest: str) -> bytes:
    return _CHECKSUM_KEY + digest.encode() + b'"}\n'


def split_trailer(line: bytes) -> tuple[bytes, str] | None:
    """(what the checksum covers of the line, the checksum); None if the line is not a trailer."""
    line = line.rstrip(b"\r\n")
    tail = len(_CHECKSUM_KEY) + CHECKSUM_LENGTH + 2
    covered, end = line[:-tail], line[-tail:]
    if not covered.startswith(TRAILER_START) or not end.startswith(_CHECKSUM_KEY):
        return None
    return covered, end[len(_CHECKSUM_KEY) : -2].decode("ascii", "replace")


def read_trailer(covered: bytes) -> Trailer:
    """Raises UNREADABLE for one that cannot be read."""
    return _trailer.decode(covered[len(TRAILER_START) :])
