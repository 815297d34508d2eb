"""One observation from saved files, written in the caller's transaction as a sweep writes its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from msgspec import structs

from catalog.backfill.last_absences import beyond_limit, left_out, of_own_project
from catalog.backfill.record_set import RecordSet
from catalog.config.settings import SourceSettings
from catalog.fetch.files.archive_format import Header, Trailer
from catalog.fetch.http.connection import of_project
from catalog.model import (
    NO_LOGIN,
    NOT_LISTED,
    AbsenceReason,
    Candidate,
    InconclusiveKind,
    Lookup,
    Observation,
    PassResult,
    RejectedRecord,
    RunResult,
)
from catalog.store.db.connection import Connection, clock
from catalog.store.history.bare_absences import BareAbsences
from catalog.store.history.ledger import LIVES_UNLISTED, MISSED_KINDS, Ledger, Observed
from catalog.store.history.merge import Merge
from catalog.store.history.within_reach import common, is_keyed, lacking, project_of, without_keys
from catalog.store.state import held_deletions, lookups, runs, sources, stored_state
from catalog.store.state.sources import Source
from catalog.store.state.stored_state import StoredState
from catalog.sync.deletion_limit import is_above_limit, none_like
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.missing import MissingVerdict, decide_missing, hold_back

KEPT_IN_MEMORY = 100_000
"""Images whose fingerprints are kept between observations."""
BY = "backfill"
WARNINGS = 100
"""Values that could not be converted, shown of one observation; there are as many as images at worst."""
log = structlog.get_logger("catalog.backfill")


@dataclass(frozen=True, slots=True)
class ObservationMetadata:
    """Facts beside the records: by an archive's trailer, or by whoever loads a dump."""

    run_id: str
    complete: bool
    outcome: str = "complete"
    header: Header | None = None
    identifies: bool = False
    """The source takes the archive's region, project and endpoint, if it has none."""
    trailer: Trailer | None = None
    passes: Sequence[PassResult] = ()
    absent: Mapping[str, AbsenceReason] = field(default_factory=dict)
    inconclusive: Mapping[str, InconclusiveKind] = field(default_factory=dict)
    found: Set[str] = frozenset()
    rejected: Sequence[RejectedRecord] = ()

    @property
    def rejected_ids(self) -> Set[str]:
        """Images of which only a record came that can't be stored."""
        return {image_id for image_id, kind in self.inconclusive.items() if kind == "rejected"}

    @property
    def logins(self) -> list[frozenset[str]]:
        """The reach of each login of an archive's sweep, as far as that is known."""
        project = self.header.project_id if self.header is not None else None
        return [of_project(login, project) for login in (self.trailer and self.trailer.logins) or ()]

    @property
    def undecided(self) -> Set[str]:
        """Images of which an archive's sweep said that it does not know, or holds them."""
        told = self.trailer
        return {*told.inconclusive, *told.answers, *told.held} if told is not None else frozenset()


class ObservationWriter:
    """Writes one observation. Afterwards `present` holds what is known of the present then, None if nothing
    is; `held` whether the deletion limit held something back; `run` what was done."""

    def __init__(
        self,
        connection: Connection,
        source: SourceSettings,
        stored: Source,
        at: datetime,
        record_set: RecordSet,
        metadata: ObservationMetadata,
        known: StoredState | None,
        *,
        accept: bool,
    ) -> None:
        self.connection = connection
        self.source = source
        self.source_id = stored.source_id
        self._project = stored.project_id
        self.at = at
        self.record_set = record_set
        self.metadata = metadata
        self.accept = accept
        self.present = known
        self.held = False
        self.run = RunResult(
            source.name, metadata.run_id, "backfill", observed_at=at, file=_named(record_set)
        )
        if metadata.trailer is not None:
            self.run.scope = metadata.trailer.scope
        self._verdict = MissingVerdict()
        self._lost: frozenset[str] = frozenset()
        self._is_own = self._doubted = self._is_another_key = False
        self._proved = metadata.absent
        """What is absent by more than that a listing lacks it."""
        self._warnings = 0

    def write(self, contents: MappingAdapter) -> None:
        metadata, connection = self.metadata, self.connection
        run = self.run
        run.started_at = clock(connection)
        runs.start(connection, self.source_id, run)
        appending = self._is_last()
        if (told := metadata.header) is not None:
            self._compare_login(told, appending=appending)
            if metadata.identifies:
                sources.identify(
                    connection,
                    self.source_id,
                    self.at,
                    region=told.region,
                    project_id=told.project_id,
                    endpoint=told.endpoint,
                )
        if not appending:
            self.present = None
        elif self.present is None:
            self.present = stored_state.load_contents(connection, self.source_id)
        observation = self._observation(appending=appending)
        run.proves_absence = observation.complete
        merge = Merge(
            connection, self.source_id, metadata.run_id, contents, run.started_at, self._beyond_limit
        )
        counts = merge.apply(observation)
        run.take(counts)
        if self._warnings > WARNINGS:
            more = self._warnings - WARNINGS
            log.warning("more values not converted", source=self.source.name, count=more)
        self._remember(observation, judged_again=merge.is_judged_again)
        if merge.is_judged_again:
            self.present = None
        self._finish(run, appending=appending)

    def _is_last(self) -> bool:
        """True if this observation is later than all others."""
        if self.present is not None and self.present.latest is not None:
            return self.present.latest < self.at
        latest = Ledger(self.connection, self.source_id).latest()
        return latest is None or latest.at < self.at

    # ---- before the merge --------------------------------------------------------------------------

    def _compare_login(self, header: Header, *, appending: bool) -> None:
        """Decides if an archive's absences count: its own sweep compared its login with what was stored there, and here
        it is compared with those before it."""
        trailer = self.metadata.trailer
        if header.source_id is not None:
            sources.continue_archives(self.connection, self.source_id, header.source_id)
        self._is_own = header.source_id in sources.own_ids(self.connection, self.source_id)
        if trailer is None:
            return
        if trailer.logins is not None:
            if appending:
                measure = stored_state.login(self.connection, self.source_id)
            else:
                measure = Ledger(self.connection, self.source_id).reach_before(self.at)
            lost = lacking(measure, self.metadata.logins)
            self._lost, self._is_another_key = without_keys(lost), bool(lost) or not appending
        self._doubted = not self._is_own and (trailer.logins is None or bool(self._lost))
        if not self._is_own:
            self._doubt_verdicts()

    def _doubt_verdicts(self) -> None:
        """Another catalog's deletions that were not looked up are no more than a listing's, and its answers and
        decisions end nothing that the limit holds here."""
        opened, _, by_limit = held_deletions.open_and_kept(self.connection, self.source_id)
        over = set() if self.accept else by_limit
        over = over - Ledger(self.connection, self.source_id).nearest(over, self.at, "after").keys()
        proved = self.metadata.absent.items()
        self._proved = {i: reason for i, reason in proved if reason != NOT_LISTED and i not in over}
        kinds = self.metadata.inconclusive.items()
        inconclusive: dict[str, InconclusiveKind] = {
            i: ("held" if i in by_limit else "held_for_login") if kind == "kept" and i in opened else kind
            for i, kind in kinds
        }
        self.metadata = replace(self.metadata, inconclusive=inconclusive)

    def _observation(self, *, appending: bool) -> Observation:
        metadata, record_set, known = self.metadata, self.record_set, self.present
        kept: dict[str, InconclusiveKind] = dict.fromkeys(self._kept(appending=appending), "kept")
        doubtful = self._doubtful(appending=appending) if metadata.complete or self._doubted else {}
        quiet = doubtful.keys() | kept.keys()
        unchanged: set[str] = set()
        missing: set[str] = set()
        complete = metadata.complete and not (self._doubted and self._lost)
        if known is not None:
            unchanged = record_set.among(known.content) - known.unlisted - metadata.found
        if metadata.complete or self._doubted:
            missing = self._decide_missing(quiet, appending=appending)
            if self._doubted and self._lost:
                beyond = metadata.absent.keys() - quiet
                hold_back(beyond, self._verdict, for_login=beyond)
            missing -= self._verdict.inconclusive.keys()
        inconclusive = {**doubtful, **metadata.inconclusive, **self._verdict.inconclusive, **kept}
        return Observation(
            metadata.run_id,
            self.at,
            complete,
            self._candidates(unchanged),
            unchanged=unchanged,
            absent={i: reason for i, reason in self._proved.items() if i not in inconclusive},
            inconclusive=inconclusive,
            missing=missing if complete and appending else None,
            covers_hidden=self._covers_hidden,
            login=common(metadata.logins),
        )

    @property
    def _covers_hidden(self) -> bool:
        """A sweep lists hidden images too; of other listings only a hidden image in it tells."""
        return not self.metadata.complete or self.metadata.trailer is not None or self.record_set.has_hidden

    def _doubtful(self, *, appending: bool) -> dict[str, InconclusiveKind]:
        """Images that live though listings lack them, so that this one's lack is evidence of nothing; but for those
        whose deletion is held, as that goes on."""
        opened, kept, _ = held_deletions.open_and_kept(self.connection, self.source_id)
        told = self.record_set.ids | self.metadata.inconclusive.keys() | self._proved.keys() | opened | kept
        ids = self.present.content.keys() - told if self.present is not None and appending else None
        absences = BareAbsences(Ledger(self.connection, self.source_id), ids)
        return absences.doubtful(self.at, absences.ids - told, covers_hidden=self._covers_hidden)

    @property
    def _is_followed(self) -> bool:
        """The stored state is kept up to date for the next observation, unless it would take much memory beside the
        records."""
        return len(self.record_set) <= KEPT_IN_MEMORY

    def _candidates(self, unchanged: set[str]) -> Iterator[Candidate]:
        followed = self.present if self._is_followed else None
        for candidate in self.record_set.candidates(unchanged, self.metadata.found):
            image = candidate.image
            if image.warnings:
                # as many as there are images would not fit into memory
                self._warn(image.warnings)
                candidate = structs.replace(candidate, image=structs.replace(image, warnings=()))
            if followed is not None:
                gone = image.reported_deleted
                followed.saw(image.image_id, image.content_hash, gone=gone, listed=candidate.listed)
            yield candidate

    def _warn(self, warnings: Sequence[str]) -> None:
        self._warnings += len(warnings)
        for warning in warnings:
            if self._warnings <= WARNINGS:
                log.warning("value not converted", source=self.source.name, reason=warning)

    def _decide_missing(self, quiet: Set[str], *, appending: bool) -> set[str]:
        """Of images that are missing, those whose absence counts: what an archive's own trailer says of images, and,
        where this observation would be the last word, what it proves within the deletion limit (semantics 4.5)."""
        ledger, metadata = Ledger(self.connection, self.source_id), self.metadata
        existing = None if appending else ledger.observed(self.at)
        if not appending and ((existing and existing.complete) or ledger.speaks_of_all(self.at)):
            return set()  # left to the ledger, as nothing would change in the present
        known = self.present or stored_state.load_contents(self.connection, self.source_id)
        lacked = known.content.keys() - self.record_set.ids - metadata.rejected_ids
        missing = lacked - metadata.inconclusive.keys() - quiet
        undecided = missing - metadata.undecided - (set() if self._doubted else self._proved.keys())
        if not metadata.complete:
            undecided &= self._proved.keys()
        is_empty = any(one.name == "listed" and not one.records for one in metadata.passes)
        listed = len(self.record_set) > len(metadata.found) and not is_empty
        if not appending:
            undecided -= ledger.nearest(undecided, self.at, "after").keys()
        if existing is not None:
            lacked -= ledger.listed(existing)
            undecided -= ledger.listed(existing) | ledger.inconclusive(existing)
            listed = listed or bool(ledger.listed(existing))
        if undecided:
            named = metadata.undecided | metadata.absent.keys()
            others = stored_state.unlisted(self.connection, self.source_id, named & lacked)
            others = {i: counts for i, counts in others.items() if i in lacked and i not in undecided}
            counted = {image_id for image_id, counts in others.items() if counts}
            then, lived = (set[str](), 0) if appending else self._lacked_then(quiet, known.kept, existing)
            self._verdict = decide_missing(
                sorted(undecided),
                known,
                # nothing can be looked up in the past
                replace(self.source, lookup_limit=0),
                _no_lookup,
                now=self.at,
                absence_proves=True,
                accept=self.accept,
                over_limit=not listed or is_above_limit(len(then), lived, self.source),
                lost_rights=lambda again: self._lost,
                unseen=lambda ids: self._unseen({*ids, *others, *then}, lacked | then),
                besides=len(counted),
            )
            if appending and self._verdict.above_limit:
                hold_back(counted - named, self._verdict)  # as a sweep would; a trailer's own verdicts stand
            self.run.note = self._verdict.note
            if not self.accept:
                # a listing doesn't say what its login could see, so that what is held stays so, for the same reason
                still = known.held & (self._verdict.absent.keys() | self._verdict.held)
                hold_back(still, self._verdict, for_login=known.held_for_login)
            else:
                # the person's word, not the listing's
                self._proved = {
                    **dict.fromkeys(known.held & self._verdict.absent.keys(), NOT_LISTED),
                    **self._proved,
                }
            self.held = bool(self._verdict.held)
        return undecided | (missing & self._proved.keys())

    def _lacked_then(
        self, quiet: Set[str], kept: Set[str], existing: Observed | None
    ) -> tuple[set[str], int]:
        """What this observation lacks of all that lived before it, and how much did: that some of it was seen again
        since makes the listing less credible, not more."""
        metadata = self.metadata
        live = stored_state.live_at(self.connection, self.source_id, self.at, LIVES_UNLISTED)
        told = self.record_set.ids | metadata.rejected_ids | kept
        told |= {image_id for image_id, kind in metadata.inconclusive.items() if kind == "kept"}
        if existing is not None:
            told |= Ledger(self.connection, self.source_id).listed(existing)
        return {i for i, counts in live.items() if i not in told and (counts or i not in quiet)}, len(live)

    def _beyond_limit(self, gone: Mapping[datetime, Set[str]]) -> Set[str]:
        """Those of these images, of which later observations prove the absence now, that the deletion limit holds."""
        if self.accept or not gone:
            return frozenset()
        known = stored_state.load_contents(self.connection, self.source_id)
        deleted = len(self._verdict.absent)
        ids = frozenset().union(*gone.values())
        missing = ids | stored_state.missing_now(self.connection, self.source_id)
        if not is_above_limit(len(missing) + deleted, known.live + deleted, self.source):
            where = self.connection, self.source, self.source_id
            ids = frozenset().union(*(beyond_limit(*where, at, some) for at, some in gone.items()))
        self.held |= bool(ids)
        return ids

    def _unseen(self, ids: Collection[str], missing: set[str]) -> set[str]:
        """Those of some missing images of whose kind nothing is listed, or that a plain listing leaves out (semantics
        4.5, limit, and 7.3)."""
        logins = self.metadata.logins
        asked_without = any(NO_LOGIN in login for login in logins) if logins else self.source.auth == "none"
        if asked_without:
            return self._left_out(ids)
        project = None if self._is_another_key or not logins else project_of(logins[0])
        images = stored_state.not_public(self.connection, self.source_id, ids)
        if not images:
            return self._left_out(ids)
        but = missing.union(self.record_set.ids)
        shown = stored_state.kinds(self.connection, self.source_id, but) | self.record_set.restricted
        by_owner = any(map(is_keyed, logins))
        own = set() if logins else of_own_project(images, shown, self._project)
        return self._left_out(ids) | own | none_like(images, shown, project, by_owner=by_owner)

    def _left_out(self, ids: Collection[str]) -> set[str]:
        """Those of these images that a plain listing leaves out: other projects' shares that are not accepted, and
        Glance's community images of others, unless it was asked for them and holds some."""
        if self.metadata.trailer is not None:
            return set()

        def owners() -> set[str | None]:
            ledger = Ledger(self.connection, self.source_id)
            existing = ledger.observed(self.at)
            beside = ledger.listed(existing) if existing else ()  # by other parts of this moment
            known = stored_state.of_others(
                self.connection, self.source_id, self._project, beside, "community"
            )
            return self.record_set.community_owners | set(known.values())

        return left_out(self.connection, self.source_id, self._project, ids, owners)

    def _kept(self, *, appending: bool) -> set[str]:
        """Images whose absence proves nothing, as somebody keeps them: until they are listed again, or by a decision
        that came after this observation."""
        known, metadata = self.present, self.metadata
        kept = known.kept if known else held_deletions.open_and_kept(self.connection, self.source_id)[1]
        kept = kept & metadata.absent.keys()
        if not appending:
            kept -= Ledger(self.connection, self.source_id).nearest(kept, self.at, "after").keys()
        decided = held_deletions.kept_at(self.connection, self.source_id, self.at)
        if not metadata.complete:
            decided &= metadata.absent.keys()
        return kept | (decided - metadata.rejected_ids - self.record_set.ids)

    # ---- after the merge ---------------------------------------------------------------------------

    def _remember(self, observation: Observation, *, judged_again: bool) -> None:
        """Notes for later sweeps what this one tells of absences."""
        known, trailer, connection = self.present, self.metadata.trailer, self.connection
        answers = trailer.answers if trailer is not None else {}
        lookups.save(connection, self.source_id, self.at, answers)
        if known is not None:
            self._follow_last(known, observation)
        if known is None or judged_again:
            held_deletions.follow_ledger(connection, self.source_id, self.at, BY)
        if trailer is not None:
            self._measure(trailer, is_last=known is not None, judged_again=judged_again)

    def _measure(self, trailer: Trailer, *, is_last: bool, judged_again: bool) -> None:
        """Notes what later logins are compared with."""
        connection = self.connection
        if not (is_last or judged_again) and Ledger(connection, self.source_id).is_measured_after(self.at):
            return  # all was seen by later logins too, or is gone
        stored = stored_state.login(connection, self.source_id)
        # what is held for a lesser login must not be judged by it
        lowers = without_keys(stored.difference(trailer.login))
        opened = lowers and held_deletions.count_open(connection, self.source_id)
        measured = is_last and self._is_own and not opened
        reached = (trailer.login,) if measured else (stored, *self.metadata.logins)
        stored_state.save_login(connection, self.source_id, frozenset().union(*reached))

    def _follow_last(self, known: StoredState, observation: Observation) -> None:
        """Brings what is held, and the stored state, to what this observation says, later than all others."""
        connection = self.connection
        kept = {image_id for image_id, kind in observation.inconclusive.items() if kind == "kept"}
        followed = held_deletions.follow(
            connection,
            self.source_id,
            self.at,
            BY,
            run_id=self.metadata.run_id,
            before=(known.held, known.kept),
            inconclusive=observation.inconclusive,
            found=self.metadata.found,
            rejected=self.metadata.rejected_ids,
        )
        if not kept <= known.kept:  # decided later than this was observed, or while the archive was written
            held_deletions.follow_ledger(connection, self.source_id, self.at, BY)
        if not self._is_followed:
            self.present = None
            return
        if followed or kept:
            found = held_deletions.open_and_kept(connection, self.source_id)
            known.held, known.kept, known.held_by_limit = found
        self._follow(known, observation)
        known.latest = self.at

    def _follow(self, known: StoredState, observation: Observation) -> None:
        """Brings the stored state to what was merged of absences."""
        lacking = set(observation.absent) - self.record_set.ids
        known.missed(lacking | set(observation.missing or ()))
        known.unlisted.update(
            image_id
            for image_id, kind in observation.inconclusive.items()
            if kind in MISSED_KINDS and image_id in known.content
        )

    def _finish(self, run: RunResult, *, appending: bool) -> None:
        metadata, trailer, connection = self.metadata, self.metadata.trailer, self.connection
        run.pages = self.record_set.pages
        run.listed = len(self.record_set) - len(metadata.found)
        if trailer is not None:
            for name, count in trailer.counters.items():
                if name in runs.COUNTERS:
                    setattr(run, name, count)
            run.error_kind, run.error = trailer.error_kind, trailer.error
        run.rejected = len(metadata.rejected)
        known = self.present
        run.held = len(known.held) if known else held_deletions.count_open(connection, self.source_id)
        run.outcome = "complete" if metadata.outcome == "complete" else "partial"
        runs.finish(connection, self.source_id, run, metadata.passes, metadata.rejected, last=appending)
        if trailer is not None and run.outcome == run.scope == "complete":
            sources.note_complete(connection, self.source_id, self.at, run.finished_at)


def _named(record_set: RecordSet) -> str | None:
    """The first of the files, and how many more."""
    paths = [str(dump.path) for dump in record_set.dumps]
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0] if paths else None


def _no_lookup(image_id: str) -> Lookup:
    raise AssertionError(f"{image_id} cannot be looked up in the past")
