"""Observations from saved files, one after another, through the same writer as sweeps (semantics 7)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from itertools import islice
from operator import or_
from pathlib import Path

from catalog.backfill.observation import ObservationMetadata, ObservationWriter
from catalog.backfill.record_set import MappingCache, RecordSet
from catalog.backfill.yielding_lease import YieldingLease
from catalog.config.settings import SourceSettings
from catalog.errors import UsageError
from catalog.fetch.files.client_output import SAVE, is_list
from catalog.fetch.files.reader import BrokenDump, Dump
from catalog.model import InconclusiveKind, PassResult, RunResult
from catalog.store.db.connection import Connection, Database
from catalog.store.history.ledger import Ledger
from catalog.store.history.merge import BeforeHistory
from catalog.store.state import leases, runs, sources, stored_state
from catalog.store.state.sources import Source
from catalog.store.state.stored_state import StoredState
from catalog.sync.mapping_adapter import MappingAdapter

AHEAD = timedelta(minutes=5)
"""How far clocks may differ: a listing's time from the database's, a cloud's from a listing's (semantics 7)."""
NEARLY_ALL = 0.9
"""The share of a file's images that another source must know for the file to be taken for its own."""
SAMPLE = 5_000
"""Images of a file that are compared with other sources at most."""
NAMESPACE = uuid.UUID("6f1c2d6e-5c0e-5b57-9a0c-3f1f0f1b2c7d")
"""Of run ids made from what a dump holds; never to change."""


class Interrupted(Exception):
    """Told to stop; what was merged stays."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the command is: bytes on disk, and records read."""

    bytes_done: int
    bytes_total: int
    records: int


@dataclass(frozen=True, slots=True)
class FileFailure:
    """A file of which nothing was written."""

    path: str
    line: int | None
    reason: str


@dataclass(slots=True)
class BackfillResult:
    """The outcome of a backfill. `runs`: the observations that were merged; `unchanged`: how many were known
    already; `forgotten`: files of folders that were left out, because somebody took their observation out; `held`:
    deletions of this source that wait for a decision, if this command held any; `busy`: the source was another's,
    so not all was loaded; `stopped`: told to stop before the end."""

    source: str
    runs: list[RunResult] = field(default_factory=list)
    failures: list[FileFailure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unchanged: int = 0
    forgotten: int = 0
    records: int = 0
    held: int = 0
    busy: bool = False
    stopped: bool = False


class Loader:
    """Loads the observations of one source, in the order given; the order in time is the fastest."""

    def __init__(
        self,
        database: Database,
        source: SourceSettings,
        *,
        complete: bool,
        accept: bool,
        confirmed: bool,
        asked_for: Set[Path],
        total: int,
        progress: Callable[[Progress], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self.database = database
        self.source = source
        self.complete = complete
        self.accept = accept
        self.confirmed = confirmed
        self.asked_for = asked_for
        self.result = BackfillResult(source.name)
        self._contents = MappingAdapter.of(source)
        self._mappings = MappingCache(self._contents.rules)
        self._stored: Source | None = None
        self._present: StoredState | None = None
        self._lease: YieldingLease | None = None
        self._now: datetime | None = None
        self._total = total
        self._done = 0
        self._progress = progress
        self._stop = stop

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lease is not None:
            self._lease.__exit__(None, None, None)

    # ---- reading -----------------------------------------------------------------------------------

    def load_dumps(self, at: datetime, dumps: Sequence[Dump], *, broken: bool) -> None:
        """Loads what several files say of one moment. `broken`: another file of that moment cannot be read."""
        record_set = self._gather(at, dumps, too_late=self._too_late(at))
        if record_set is None:
            return
        try:
            whole = not broken and len(record_set.dumps) == len(dumps)
            lack = reduce(or_, (dump.listings for dump in record_set.dumps)).lack()
            if self.complete and lack:
                self.result.warnings.append(f"{record_set.dumps[0].path}: {lack}; it counts as incomplete")
            complete = self.complete and whole and not lack and not record_set.nameless
            if complete and [dump.is_record for dump in record_set.dumps] == [True]:
                reason = (
                    "one record alone is no whole listing; leave --complete out, or save the listing itself"
                )
                self.fail(BrokenDump(record_set.dumps[0].path, None, reason))
                return
            name = f"{self.source.name}\n{at.isoformat()}\n{complete}\n{record_set.digest()}"
            metadata = ObservationMetadata(
                str(uuid.uuid5(NAMESPACE, name)),
                complete,
                "complete" if whole else "partial",
                passes=[
                    PassResult(
                        "listed", "complete" if whole else "truncated", record_set.pages, record_set.records
                    )
                ],
                inconclusive=dict.fromkeys(record_set.inconclusive(), "rejected"),
                rejected=record_set.rejected,
            )
            self._merge(at, record_set, metadata, named=True)
        finally:
            record_set.close()

    def load_archive(self, at: datetime, dump: Dump, *, identifies: bool) -> None:
        """Loads one archive under the id of the run that wrote it. `identifies`: a source that has no region,
        project and endpoint takes the archive's.

        One that was cut is another part of the same observation, under an id of its own: the whole archive may
        come later, or have come before.
        """
        run_id = archived_run(at, dump)
        if self._is_known(run_id) and dump.has_trailer():
            self.result.unchanged += 1
            return
        if self._is_forgotten(run_id) and self._leave_out([dump]):
            return
        moved = dump.header is not None and at != dump.header.observed_at
        record_set = self._gather(at, [dump], archived=True, too_late=self._too_late(at) if moved else None)
        if record_set is None:
            return
        try:
            if dump.trailer is None:
                run_id = str(uuid.uuid5(NAMESPACE, f"{run_id}\ncut\n{record_set.digest()}"))
            metadata = _archived_metadata(run_id, dump, record_set)
            self._merge(at, record_set, replace(metadata, header=dump.header, identifies=identifies))
        finally:
            record_set.close()

    def _too_late(self, at: datetime) -> tuple[datetime, datetime]:
        """A record created after a moment was not seen at it; one from the future tells nothing but its clock."""
        if self._now is None:
            self._now = self.database.now()
        return at + AHEAD, self._now + AHEAD

    def _gather(
        self,
        at: datetime,
        dumps: Sequence[Dump],
        *,
        archived: bool = False,
        too_late: tuple[datetime, datetime] | None = None,
    ) -> RecordSet | None:
        """The records of those files that can be read whole and are not left out; the others are noted."""
        while dumps:
            record_set = RecordSet(
                dumps,
                self._mappings,
                self._step,
                self.source.spool_limit,
                archived=archived,
                too_late=too_late,
            )
            records = self.result.records
            with ExitStack() as stack:
                stack.callback(record_set.close)
                try:
                    record_set.read()
                    left_out = self._leave_out(self._forgotten_files(at, record_set))
                except BrokenDump as error:
                    self.fail(error)
                    dumps = [dump for dump in dumps if dump.path != error.path]
                else:
                    if not left_out:
                        stack.pop_all()
                        return record_set
                    dumps = [dump for dump in dumps if dump not in left_out]
                    if dumps and self.complete:
                        self.result.warnings.append(
                            f"{dumps[0].path}: it counts as incomplete, as a file of its moment was forgotten"
                        )
            self.result.records = records
        return None

    def fail(self, error: BrokenDump) -> None:
        reason = error.reason
        if is_list(error.path):
            reason = f"what `openstack image list` prints lacks most of each image; save them whole: {SAVE}"
        self.result.failures.append(FileFailure(str(error.path), error.line, reason))

    def done(self, dumps: Sequence[Dump]) -> None:
        """These files are finished, whatever became of them."""
        self._done += sum(dump.size for dump in dumps)
        self._report(0)

    def _step(self, dump: Dump, records: int) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Interrupted
        self.result.records += records
        self._report(dump.position)

    def _report(self, more: int) -> None:
        if self._progress is not None:
            done = min(self._done + more, self._total)
            self._progress(Progress(done, self._total, self.result.records))

    # ---- writing -----------------------------------------------------------------------------------

    def _is_known(self, run_id: str) -> bool:
        with self.database.transaction(read_only=True) as connection:
            stored = self._stored or sources.find(connection, self.source.name)
            return stored is not None and bool(runs.among(connection, stored.source_id, [run_id]))

    def _is_reported(self, at: datetime, record_set: RecordSet, metadata: ObservationMetadata) -> bool:
        with self.database.transaction(read_only=True) as connection:
            stored = self._stored or sources.find(connection, self.source.name)
            return stored is not None and _reported_before(
                connection, stored.source_id, at, record_set, metadata
            )

    def _merge(
        self, at: datetime, record_set: RecordSet, metadata: ObservationMetadata, *, named: bool = False
    ) -> None:
        """`named`: the run's id is made of the source's name, among others."""
        if self._lease is None and (
            self._is_known(metadata.run_id) or (named and self._is_reported(at, record_set, metadata))
        ):
            # without the lease, so that nothing at all is written where all is known
            self.result.unchanged += 1
            return
        if named and not self.confirmed and (owner := self._other_owner(record_set)) is not None:
            self._refuse(
                record_set,
                f"nearly all of its images are known in {owner!r} and not in {self.source.name!r}; load it there, or"
                " give --yes if it is this one's",
            )
            return
        stored = self._register()
        if self._lease is None:
            wait = self.source.deadline + 60
            self._lease = YieldingLease(
                self.database, stored.source_id, first_wait=FIRST_WAIT, later_wait=wait
            )
        lease, undisturbed = self._lease.hold()
        if not undisturbed:
            self._present = None

        def write(connection: Connection) -> ObservationWriter | None:
            outcome = runs.outcome(connection, stored.source_id, metadata.run_id)
            if outcome in ("complete", "partial"):
                return None
            if outcome is not None:
                runs.forget(connection, stored.source_id, [metadata.run_id], at)
            latest = self._present.latest if self._present is not None else None
            among = latest is None or latest >= at
            if named and among and _reported_before(connection, stored.source_id, at, record_set, metadata):
                return None
            # an attempt brings what is known up to what it writes: another one asks the tables anew
            known, self._present = self._present, None
            writer = ObservationWriter(
                connection, self.source, stored, at, record_set, metadata, known, accept=self.accept
            )
            writer.write(self._contents)
            files = set(record_set.file_hashes.values())
            runs.remember_loaded(connection, stored.source_id, metadata.run_id, at, files)
            return writer

        try:
            writer = leases.transact(self.database, lease, write)
        except BeforeHistory as error:  # it was pruned since all files were looked at
            for dump in record_set.dumps:
                self.result.failures.append(FileFailure(str(dump.path), None, f"{error}; leave it out"))
            return
        if writer is None:
            self.result.unchanged += 1
            return
        self._present = writer.present
        self.result.runs.append(writer.run)
        if writer.held or self.result.held:
            self.result.held = writer.run.held

    def _other_owner(self, record_set: RecordSet) -> str | None:
        """The source of the same kind that a file seems to belong to, rather than to this one."""
        ids = list(islice(record_set.ids, SAMPLE))
        if not ids or (self._present is not None and len(self._present.content.keys() & ids) * 2 > len(ids)):
            return None
        with self.database.transaction(read_only=True) as connection:
            known = stored_state.known_in(connection, self.source.kind, ids)
        own = known.pop(self.source.name, 0)
        owner = max(known, key=lambda name: known[name], default=None)
        return owner if owner and known[owner] >= max(NEARLY_ALL * len(ids), 2 * own) else None

    def _is_forgotten(self, run_id: str) -> bool:
        """True if somebody took this sweep's observation out."""
        with self.database.transaction(read_only=True) as connection:
            stored = self._stored or sources.find(connection, self.source.name)
            return stored is not None and runs.is_forgotten(connection, stored.source_id, run_id)

    def _forgotten_files(self, at: datetime, record_set: RecordSet) -> list[Dump]:
        """The files of which somebody took the observation of this moment out that they were a part of."""
        hashes = record_set.file_hashes
        with self.database.transaction(read_only=True) as connection:
            stored = self._stored or sources.find(connection, self.source.name)
            if stored is None:
                return []
            gone = runs.forgotten_files(connection, stored.source_id, at, set(hashes.values()))
        return [dump for dump in record_set.dumps if hashes.get(dump.path) in gone]

    def _leave_out(self, forgotten: Sequence[Dump]) -> list[Dump]:
        """Notes those of some forgotten files that nobody asks for, so that they do not come back."""
        named = [dump for dump in forgotten if dump.path in self.asked_for]
        left_out = [dump for dump in forgotten if dump not in named]
        self.result.forgotten += len(left_out)
        if self.confirmed:
            return left_out
        reason = "its observation was forgotten; give --yes to load it again"
        self.result.failures += [FileFailure(str(dump.path), None, reason) for dump in named]
        return left_out + named

    def _refuse(self, record_set: RecordSet, reason: str) -> None:
        """Nothing of these files is written; before anything was, the command as a whole is wrong."""
        path = record_set.dumps[0].path
        if not self.result.runs:
            raise UsageError(f"{path}: {reason}; nothing was written")
        self.result.failures += [FileFailure(str(dump.path), None, reason) for dump in record_set.dumps]

    def _register(self) -> Source:
        if self._stored is None:
            self._stored = self.database.transact(
                lambda connection: (
                    sources.find(connection, self.source.name)
                    or sources.register(
                        connection, self.source.name, self.source.kind, self.source.cloud, None
                    )
                )
            )
        return self._stored


FIRST_WAIT = 5.0
"""Seconds to wait for a busy source before giving up."""


def _reported_before(
    connection: Connection, source_id: str, at: datetime, record_set: RecordSet, metadata: ObservationMetadata
) -> bool:
    """True if the ledger holds the same under the id that it got while the source had another name: one dump that
    contained just this, of this completeness and with these rejected records."""
    ledger = Ledger(connection, source_id)
    observed = ledger.observed(at)
    # an archive keeps the random id of its run
    if observed is None or len(observed.run_ids) != 1 or uuid.UUID(observed.run_ids[0]).version != 5:
        return False
    same = runs.rejected_alike(connection, source_id, observed.run_ids[0], metadata.rejected)
    if observed.complete != metadata.complete or not same:
        return False
    contents = stored_state.contents_at(connection, source_id, at)
    contained = contents.keys() - ledger.unsaid(observed, set(contents))
    known = {image_id: content for image_id in contained if (content := contents[image_id]) is not None}
    return len(known) == len(record_set) == len(record_set.among(known))


def archived_run(at: datetime, dump: Dump) -> str:
    """The id of the run that wrote an archive; another one where the archive is loaded as of another moment.

    Raises ValueError where its header names no run.
    """
    header = dump.header
    assert header is not None
    run_id = uuid.UUID(header.run_id)
    if at != header.observed_at:
        run_id = uuid.uuid5(NAMESPACE, f"{header.run_id}\n{at.isoformat()}")
    return str(run_id)


def _archived_metadata(run_id: str, dump: Dump, record_set: RecordSet) -> ObservationMetadata:
    trailer = dump.trailer
    if trailer is None:
        return ObservationMetadata(
            run_id,
            False,
            "partial",
            passes=[
                PassResult("listed", "truncated", 0, record_set.records, error="the archive has no trailer")
            ],
            inconclusive=dict.fromkeys(record_set.inconclusive(), "rejected"),
            rejected=record_set.rejected,
        )
    record_set.leave_out({image_id for image_id, kind in trailer.inconclusive.items() if kind == "rejected"})
    inconclusive: dict[str, InconclusiveKind] = {
        **dict.fromkeys(record_set.inconclusive(), "rejected"),
        **trailer.inconclusive,
    }
    return ObservationMetadata(
        run_id,
        trailer.complete and not record_set.nameless,
        trailer.outcome,
        trailer=trailer,
        passes=trailer.passes,
        absent=trailer.absent,
        inconclusive=inconclusive,
        found=frozenset(trailer.found),
        rejected=trailer.rejected + record_set.rejected,
    )
