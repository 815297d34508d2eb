"""One observation from saved files, written in the caller's transaction as a sweep writes its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from msgspec import structs

from catalog.backfill.record_set import Gathered
from catalog.config.settings import SourceSettings
from catalog.fetch.files.archive_format import ArchivedPass, Header, Trailer
from catalog.model import Candidate, LackReason, LookUp, Observation, RejectedRecord, RunResult, SilentKind
from catalog.store.db.connection import Connection, clock
from catalog.store.history.ledger import MISSED_KINDS, Ledger
from catalog.store.history.writer import Merge
from catalog.store.state import backfills, held_deletions, lookups, runs, sources, stored_state
from catalog.store.state.backfills import Fingerprints
from catalog.store.state.sources import Source
from catalog.sync.mapping_adapter import Contents
from catalog.sync.missing import Absences, hold_back, judge

KEPT_IN_MEMORY = 100_000
"""Images whose fingerprints are kept between observations."""
BY = "backfill"
WARNINGS = 100
"""Values that could not be converted, shown of one observation; there are as many as images at worst."""
log = structlog.get_logger("catalog.backfill")


@dataclass(frozen=True, slots=True)
class Said:
    """What is said beside the records: by an archive's trailer, or by whoever loads a dump."""

    run_id: str
    complete: bool
    outcome: str = "complete"
    header: Header | None = None
    identifies: bool = False
    """The source takes the archive's region, project and endpoint, if it has none."""
    trailer: Trailer | None = None
    passes: Sequence[ArchivedPass] = ()
    lacks: Mapping[str, LackReason] = field(default_factory=dict)
    silent: Mapping[str, SilentKind] = field(default_factory=dict)
    found: Set[str] = frozenset()
    rejected: Sequence[RejectedRecord] = ()

    @property
    def rejected_ids(self) -> Set[str]:
        """Images of which only a record came that can't be stored."""
        return {image_id for image_id, kind in self.silent.items() if kind == "rejected"}

    def named(self, *, lacks: bool) -> Set[str]:
        """Images on which an archive's sweep gave its verdict, so that none is asked of whoever loads it; of those
        that it found to be gone only if their absence counts (`lacks`)."""
        told = self.trailer
        if told is None:
            return frozenset()
        return {*told.silent, *told.answers, *told.held} | (told.lacks.keys() if lacks else set())


@dataclass(slots=True)
class _Counted(stored_state.StoredState):
    """A present of which only what is missing stands in memory; `count` images are live."""

    count: int = 0

    @property
    def live(self) -> int:
        return self.count


class Writing:
    """Writes one observation. Afterwards `present` holds what is known of the present then, None if nothing
    is; `held` whether the deletion limit held something back; `run` what was done."""

    def __init__(
        self,
        connection: Connection,
        source: SourceSettings,
        stored: Source,
        at: datetime,
        gathered: Gathered,
        said: Said,
        known: Fingerprints | None,
        *,
        accept: bool,
    ) -> None:
        self.connection = connection
        self.source = source
        self.source_id = stored.source_id
        self.at = at
        self.gathered = gathered
        self.said = said
        self.accept = accept
        self.present = known
        self.held = False
        self.run = RunResult(source.name, said.run_id, "backfill", observed_at=at, file=_named(gathered))
        self._absences = Absences()
        self._login: frozenset[str] = frozenset()
        self._lost: frozenset[str] = frozenset()
        self._is_own = self._doubted = False
        self._warnings = 0
        self._seen_now: list[tuple[str, bytes, bool, bool]] = []

    def write(self, contents: Contents) -> None:
        said, connection = self.said, self.connection
        run = self.run
        run.started_at = clock(connection)
        runs.start(connection, self.source_id, run)
        if (told := said.header) is not None:
            self._compare_login(told)
            if said.identifies:
                sources.identify(
                    connection,
                    self.source_id,
                    self.at,
                    region=told.region,
                    project_id=told.project_id,
                    endpoint=told.endpoint,
                )
        appending = self._is_last()
        if not appending:
            self.present = None
        elif self.present is None:
            self.present = backfills.fingerprints(connection, self.source_id, KEPT_IN_MEMORY)
        observation = self._observation(appending=appending)
        merge = Merge(connection, self.source_id, said.run_id, contents, run.started_at)
        counts = merge.apply(observation)
        run.inserted, run.updated, run.unchanged = counts.inserted, counts.updated, counts.unchanged
        run.deleted, run.restored, run.revised = counts.deleted, counts.restored, counts.revised
        if self._warnings > WARNINGS:
            more = self._warnings - WARNINGS
            log.warning("more values not converted", source=self.source.name, count=more)
        self._remember(observation, appending=appending)
        self._finish(run, appending=appending)

    def _is_last(self) -> bool:
        """Whether this observation is later than all others."""
        if self.present is not None and self.present.latest is not None:
            return self.present.latest < self.at
        latest = Ledger(self.connection, self.source_id).latest()
        return latest is None or latest.at < self.at

    # ---- before the merge --------------------------------------------------------------------------

    def _compare_login(self, header: Header) -> None:
        """Whether an archive's absences count: its own sweep compared its login with what was stored there."""
        trailer = self.said.trailer
        if header.source_id is not None:
            sources.continue_archives(self.connection, self.source_id, header.source_id)
        self._is_own = header.source_id in sources.own_ids(self.connection, self.source_id)
        if trailer is None:
            return
        self._login = stored_state.login(self.connection, self.source_id)
        if trailer.logins is not None:
            self._lost = self._login - self._login.intersection(*trailer.logins)
        self._doubted = not self._is_own and (trailer.logins is None or bool(self._lost))

    def _observation(self, *, appending: bool) -> Observation:
        said, gathered, known = self.said, self.gathered, self.present
        quiet: dict[str, SilentKind] = {
            **dict.fromkeys(self._hidden(), "hidden"),
            **dict.fromkeys(self._kept(appending=appending), "kept"),
        }
        unchanged: set[str] = set()
        missing: set[str] | None = None
        complete = said.complete and not (self._doubted and self._lost)
        if known is not None:
            unchanged = gathered.among(known.content) - known.unlisted - said.found
            if said.complete or self._doubted:
                missing = known.content.keys() - said.silent.keys() - quiet.keys()
                missing -= unchanged
                missing -= gathered.held(missing)
        if said.complete or self._doubted:
            proved = self._judge(missing, quiet.keys(), appending=appending)
            if self._doubted and self._lost:
                hold_back(said.lacks.keys() - quiet.keys(), self._absences)
            if appending and (missing is not None or proved is not None):
                missing = (proved or set()) | ((missing or set()) & said.lacks.keys())
                missing -= self._absences.silent.keys()
        silent = {**said.silent, **self._absences.silent, **quiet}
        return Observation(
            said.run_id,
            self.at,
            complete,
            self._candidates(unchanged),
            unchanged=unchanged,
            lacks={i: reason for i, reason in said.lacks.items() if i not in silent},
            silent=silent,
            missing=missing if complete else None,
            ids=gathered.many_ids if appending else None,
            covers_hidden=self._covers_hidden,
        )

    @property
    def _covers_hidden(self) -> bool:
        """A sweep lists hidden images too; of other listings only a hidden image in it tells."""
        return not self.said.complete or self.said.trailer is not None or self.gathered.has_hidden

    def _hidden(self) -> Set[str]:
        """Images that some record calls hidden, if this listing may have left them out."""
        hidden = set() if self._covers_hidden else Ledger(self.connection, self.source_id).hidden()
        return hidden - self.said.rejected_ids - self.gathered.held(hidden)

    def _candidates(self, unchanged: set[str]) -> Iterator[Candidate]:
        following = self.present is not None and len(self.gathered) <= KEPT_IN_MEMORY
        for candidate in self.gathered.candidates(unchanged, self.said.found):
            image = candidate.image
            if image.warnings:
                # as many as there are images would not fit into memory
                self._warn(image.warnings)
                candidate = structs.replace(candidate, image=structs.replace(image, warnings=()))
            if following:
                self._seen_now.append(
                    (image.image_id, image.content_hash, image.reported_deleted, candidate.listed)
                )
            yield candidate

    def _warn(self, warnings: Sequence[str]) -> None:
        self._warnings += len(warnings)
        for warning in warnings:
            if self._warnings <= WARNINGS:
                log.warning("value not converted", source=self.source.name, reason=warning)

    def _judge(self, missing: set[str] | None, quiet: Set[str], *, appending: bool) -> set[str] | None:
        """Of images on which this observation would be the last word, those that it proves to be gone: within
        the deletion limit (semantics 4.5). What an archive's own trailer says of images stands.

        None: that is left to the ledger, because nothing would change in the present.
        """
        ledger = Ledger(self.connection, self.source_id)
        existing = None if appending else ledger.observed(self.at)
        if not appending and ((existing and existing.complete) or ledger.speaks_of_all(self.at)):
            return None
        known = self._presence(missing)
        known.others -= self.said.named(lacks=not self._doubted) | quiet
        if not self.said.complete:
            known.others &= self.said.lacks.keys()
        listed = bool(len(self.gathered))
        if not appending:
            known.others -= ledger.nearest(known.others, self.at, "after").keys()
        if existing is not None:
            known.others -= ledger.listed(existing) | ledger.inconclusive(existing)
            listed = listed or bool(ledger.listed(existing))
        if not known.others:
            return set()
        self._absences = judge(
            sorted(known.others),
            known,
            # nothing can be looked up in the past
            replace(self.source, lookup_limit=0),
            _no_look_up,
            now=self.at,
            absence_proves=True,
            accept=self.accept,
            nothing_listed=not listed,
            lost_rights=lambda again: self._lost,
        )
        self.run.note = self._absences.note
        if not self.accept:
            # a listing doesn't say what its login could see, so that what is held stays so
            hold_back(known.held & self._absences.lacks.keys(), self._absences)
        self.held = bool(self._absences.held)
        return set(self._absences.lacks)

    def _kept(self, *, appending: bool) -> set[str]:
        """Images whose absence proves nothing, as somebody keeps them: until they are listed again, or by a decision
        that came after this observation."""
        known, said = self.present, self.said
        kept = known.kept if known else held_deletions.open_and_kept(self.connection, self.source_id)[1]
        kept = kept & said.lacks.keys()
        if not appending:
            kept -= Ledger(self.connection, self.source_id).nearest(kept, self.at, "after").keys()
        decided = held_deletions.kept_at(self.connection, self.source_id, self.at)
        if not said.complete:
            decided &= said.lacks.keys()
        return kept | (decided - said.rejected_ids - self.gathered.held(decided))

    def _presence(self, missing: set[str] | None) -> _Counted:
        known = self.present
        if known is not None and missing is not None:
            result = _Counted(others=missing, gone=known.gone & missing, held=known.held, kept=known.kept)
            result.count = len(known.content) - len(known.gone)
            return result
        # too many images for memory: all are walked over, and only the missing ones are kept
        result, count = _Counted(), 0
        batch: dict[str, bool] = {}
        for image_id, _, live, _ in stored_state.contents(self.connection, self.source_id):
            count += live
            batch[image_id] = live
            if len(batch) == 1000:
                self._note_missing(batch, result)
                batch = {}
        self._note_missing(batch, result)
        result.count = count
        result.held, result.kept = held_deletions.open_and_kept(self.connection, self.source_id)
        return result

    def _note_missing(self, batch: dict[str, bool], result: _Counted) -> None:
        missing = batch.keys() - self.said.silent.keys()
        missing -= self.gathered.held(missing)
        result.others |= missing
        result.gone |= {image_id for image_id in missing if not batch[image_id]}

    # ---- after the merge ---------------------------------------------------------------------------

    def _remember(self, observation: Observation, *, appending: bool) -> None:
        """What later sweeps need to know of this observation's absences."""
        known, trailer, connection = self.present, self.said.trailer, self.connection
        answers = trailer.answers if trailer is not None else {}
        lookups.save(connection, self.source_id, self.at, answers)
        if trailer is not None:
            measured = appending and self._is_own and not (self._lost and self._absences.held)
            reached = (trailer.login,) if measured else (self._login, *(trailer.logins or ()))
            stored_state.save_login(connection, self.source_id, frozenset().union(*reached))
        if not appending:
            held_deletions.follow_ledger(connection, self.source_id, self.at, BY)
            return
        before = (
            (known.held, known.kept) if known else held_deletions.open_and_kept(connection, self.source_id)
        )
        kept = {image_id for image_id, kind in observation.silent.items() if kind == "kept"}
        told = (trailer.held, trailer.held_reason) if trailer is not None else ((), None)
        for ids, reason in (told, (self._absences.held, self._absences.held_reason)):
            if ids:
                held_deletions.hold(connection, self.source_id, self.said.run_id, self.at, ids, reason)
        held = bool(self._absences.held or told[0])
        if held or any(before):
            present = before[0] & self.said.found | (before[0] | before[1]) & self.said.rejected_ids
            held_deletions.decide(connection, self.source_id, present, "returned", self.at, BY)
            held_deletions.end_decided(connection, self.source_id, self.at, BY)
        if not kept <= before[1]:  # decided later than this was observed, or while the archive was written
            held_deletions.follow_ledger(connection, self.source_id, self.at, BY)
        if known is not None:
            if held or kept or any(before):
                known.held, known.kept = held_deletions.open_and_kept(connection, self.source_id)
            self._follow(known, observation)
            known.latest = self.at
            if len(self.gathered) > KEPT_IN_MEMORY:
                self.present = None

    def _follow(self, known: Fingerprints, observation: Observation) -> None:
        """Brings the fingerprints to what was merged."""
        for image_id, content_hash, gone, listed in self._seen_now:
            known.saw(image_id, content_hash, gone=gone, listed=listed)
        lacking = set(observation.lacks) - self.gathered.held(observation.lacks.keys())
        known.missed(lacking | set(observation.missing or ()))
        known.unlisted.update(
            image_id
            for image_id, kind in observation.silent.items()
            if kind in MISSED_KINDS and image_id in known.content
        )

    def _finish(self, run: RunResult, *, appending: bool) -> None:
        said, trailer, connection = self.said, self.said.trailer, self.connection
        run.pages = self.gathered.pages
        run.listed = len(self.gathered) - len(said.found)
        if trailer is not None:
            for name, count in trailer.counters.items():
                if name in runs.COUNTERS:
                    setattr(run, name, count)
            run.error_kind, run.error = trailer.error_kind, trailer.error
        run.rejected = len(said.rejected)
        known = self.present
        run.held = len(known.held) if known else held_deletions.count_open(connection, self.source_id)
        run.outcome = "complete" if said.outcome == "complete" else "partial"
        run.finished_at = clock(connection)
        passes = [
            runs.PassRow(one.name, one.verdict, one.pages, one.records, one.last_marker, one.error)
            for one in said.passes
        ]
        runs.finish(connection, self.source_id, run, passes, said.rejected, last=appending)
        if trailer is not None and run.outcome == "complete":
            sources.note_complete(connection, self.source_id, self.at)


def _named(gathered: Gathered) -> str | None:
    """The first of the files, and how many more."""
    paths = [str(dump.path) for dump in gathered.dumps]
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0] if paths else None


def _no_look_up(image_id: str) -> LookUp:
    raise AssertionError(f"{image_id} cannot be looked up in the past")
