"""The archive: each sweep's records in a file of their own, from which history can be loaded again.

A file gets its name once it is whole; until then it is hidden. Trouble with the archive never costs a sweep:
it is logged, and the sweep goes on without.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import structlog

from catalog.config.settings import SourceSettings
from catalog.fetch.files import archive_format
from catalog.fetch.files.archive_format import Header, Trailer
from catalog.files import make_private
from catalog.model import ImageService, PassResult, RunResult
from catalog.store.state.sources import Source
from catalog.sync.completeness import Fetched

log = structlog.get_logger("catalog.archive")
COUNTERS = ("pages", "requests", "retries", "listed", "looked_up", "unlisted", "held")
"""Of a run, what loading it again cannot count."""
_LEVEL = 6
"""Of gzip: records are much alike; higher levels cost time and save little."""


class Archive:
    """One file being written. Nothing is raised: after the first failure the file is given up."""

    def __init__(self, folder: Path, header: Header) -> None:
        self._name = folder / file_name(header.observed_at, header.run_id)
        self._part = folder / f".{self._name.name}.part"
        self._source = header.source
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._records = 0
        try:
            make_private(folder)
            descriptor = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._plain = os.fdopen(descriptor, "wb")
            self._file = gzip.GzipFile("", "wb", _LEVEL, self._plain, mtime=0)  # type: ignore[assignment]
        except OSError as error:
            self._give_up(error)
        self._write(archive_format.write_header(header))

    def record(self, text: str) -> None:
        """Adds one record as `MappedImage.archived`: without secrets, ready to be mapped again."""
        self._records += 1
        self._write(text.encode() + b"\n")

    def finish(self, run: RunResult, fetched: Fetched) -> None:
        """Adds the trailer and gives the file its name."""
        self._write(archive_format.write_trailer(_trailer(run, fetched, self._records)))
        self._write(archive_format.write_checksum(self._digest.hexdigest()))
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
            self._plain.flush()
            os.fsync(self._plain.fileno())
            self._plain.close()
            self._part.rename(self._name)
        except OSError as error:
            self._give_up(error)

    def discard(self) -> None:
        """Removes what was written, unless it is finished."""
        if self._file is not None:
            self._close()
            self._part.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        log.error(
            "this sweep is not archived",
            source=self._source,
            file=str(self._name),
            reason=error.strerror or str(error),
        )
        self._close()
        try:
            self._part.unlink(missing_ok=True)
        except OSError as failure:
            log.warning("cannot be removed", file=str(self._part), reason=failure.strerror)

    def _close(self) -> None:
        file, self._file = self._file, None
        for part in (file, getattr(self, "_plain", None)):
            try:
                if part is not None:
                    part.close()
            except OSError:
                continue  # what could not be written is given up anyway


def open_archive(
    source: SourceSettings, stored: Source, service: ImageService, run: RunResult
) -> Archive | None:
    """The archive of one sweep, None where the source keeps none."""
    if source.archive is None:
        return None
    assert run.observed_at is not None
    header = Header(
        catalog_archive=archive_format.VERSION,
        source=source.name,
        kind=source.kind,
        region=service.region or stored.region,
        project_id=service.project_id or stored.project_id,
        endpoint=service.endpoint,
        run_id=run.run_id,
        observed_at=run.observed_at,
        source_id=stored.source_id,
    )
    return Archive(folder_of(source.archive, source.name), header)


def file_name(observed_at: datetime, run_id: str) -> str:
    return f"{observed_at:%Y%m%dT%H%M%S.%fZ}-{run_id[:8]}{archive_format.SUFFIX}"


def set_aside(source: SourceSettings, observed_at: datetime, run_id: str) -> None:
    """Hides the archive of a sweep that somebody forgot, so that no database rebuilt from the folder has it."""
    if source.archive is None:
        return
    for path in source.archive.glob(f"*/{file_name(observed_at, run_id)}"):  # it may have been renamed since
        try:
            path.rename(path.with_name(f".{path.name}.forgotten"))
        except OSError as error:
            reason = error.strerror or str(error)
            log.warning("archive of a forgotten sweep stays", file=str(path), reason=reason)


def folder_of(archive: Path, source_name: str) -> Path:
    """A source's folder: its name, with what could lead elsewhere or hide it written as percent signs."""
    name = quote(source_name, safe=" @+=,()")
    return archive / (f"%2E{name[1:]}" if name.startswith(".") else name)


def _trailer(run: RunResult, fetched: Fetched, records: int) -> Trailer:
    buffer, verdict = fetched.buffer, fetched.verdict
    inconclusive = buffer.inconclusive | verdict.inconclusive | verdict.undecided
    return Trailer(
        complete=fetched.complete,
        outcome=run.outcome,
        records=records,
        passes=[PassResult.of(listing) for listing in fetched.passes],
        absent=dict(verdict.absent),
        inconclusive=inconclusive,
        found=sorted(verdict.found - inconclusive.keys()),
        answers=dict(verdict.answers),
        held=sorted(verdict.held),
        rejected=buffer.rejected,
        counters={name: getattr(run, name) for name in COUNTERS},
        error_kind=run.error_kind,
        error=run.error,
        logins=[sorted(login) for login in fetched.logins],
        login=sorted(fetched.login),
        scope=run.scope,
    )
