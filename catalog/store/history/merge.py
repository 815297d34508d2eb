"""The only writer of images and their history: merges one observation, in the caller's transaction.

Sweeps and backfill call it alike. An observation later than all others is compared with the stored state;
any other one with what was known at its moment, and the revisions around it are edited (see `rule`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg

from catalog.batches import batched
from catalog.errors import UsageError
from catalog.fields import CAPABILITIES
from catalog.model import NOT_LISTED, Candidate, ContentRules, MappedImage, MergeCounts, Observation
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.bare_absences import BareAbsences
from catalog.store.history.ledger import (
    BARE_KINDS,
    FOUND,
    LISTED,
    LIVES_UNLISTED,
    MISSED_KINDS,
    Ledger,
    Observed,
)
from catalog.store.history.rule import Content, Evidence
from catalog.store.history.stage import Stage
from catalog.store.history.stored_timelines import Parts, Timelines, content_of, run_name
from catalog.store.history.within_reach import common
from catalog.store.state import held_deletions, stored_state

_SQL = load("merge.sql")

BATCH = 1000
"""Images per step: bounds memory; larger ones are no faster."""
BATCH_CHARACTERS = 8 * 2**20
"""Of the documents of a step; a record more may go beyond it."""
MOST_WARNINGS_PER_IMAGE = 10
MOST_WARNINGS = 100
"""Warnings of one merge; what is beyond them is counted."""


class BeforeHistory(UsageError):
    """An observation from before the history that `db prune` kept."""


class Merge:
    """Merges observations of one source. `recorded_at` is the database's clock. `beyond_limit`: of live images that
    would be deleted, as an older observation lets the absence in later ones of these moments count, those that are
    held."""

    def __init__(
        self,
        connection: Connection,
        source_id: str,
        run_id: str,
        rules: ContentRules,
        recorded_at: datetime,
        beyond_limit: Callable[[Mapping[datetime, Set[str]]], Set[str]] = lambda gone: frozenset(),
    ) -> None:
        self.connection = connection
        self.source_id = source_id
        self.rules = rules
        self.ledger = Ledger(connection, source_id)
        self.stage = Stage(connection, source_id, run_id, recorded_at)
        self.counts = MergeCounts()
        self.timelines = Timelines(connection, source_id, self.ledger, self.stage, rules, self.counts)
        self._capabilities: set[str] = {capability.capability for capability in CAPABILITIES}
        self._new_capabilities: set[str] = set()
        self._more_warnings = 0
        self._beyond_limit = beyond_limit
        self.is_judged_again = False
        """Absences in other observations, or of unlisted images, count otherwise than before."""

    def apply(self, observation: Observation, tell: Callable[[], None] | None = None) -> MergeCounts:
        """Merges one observation and enters it in the ledger.

        `tell` is called at the end if images changed, while the stage still shows what was written of them. Raises
        BeforeHistory.
        """
        with self.stage:
            latest = self._latest(observation.observed_at)
            if latest is None or latest < observation.observed_at:
                self._follow(observation.observed_at, self._append(observation, latest))
            else:
                self._insert(observation)
                self._follow(observation.observed_at)
            self._join_capabilities()
            counts = self.counts
            if tell is not None and counts.inserted + counts.updated + counts.deleted + counts.restored:
                tell()
        self.counts.warnings += self.stage.warnings
        if self._more_warnings:
            self.counts.warnings.append(f"{self._more_warnings:,} more warnings")
        return self.counts

    def _run(self, name: str, **values: object) -> psycopg.Cursor[Any]:
        return _SQL.run(self.connection, name, source=self.source_id, **values)

    def _ids(self, name: str, **values: object) -> set[str]:
        return {image_id for (image_id,) in self._run(name, **values)}

    def _latest(self, at: datetime) -> datetime | None:
        """When the source was last observed. Raises BeforeHistory for a moment before the history that is kept.

        Asked under the lease: `db prune` may have cut it since the caller looked.
        """
        name, history_from, latest = self._run("before").fetchall()[0]
        if history_from is not None and history_from > at:
            raise BeforeHistory(
                f"its time {at.isoformat()} lies before {history_from.isoformat()}, where the history of"
                f" {name!r} was cut by `catalog db prune`"
            )
        return latest  # type: ignore[no-any-return]

    # ---- an observation later than all others -----------------------------------------------------

    def _append(self, seen: Observation, latest: datetime | None) -> set[str]:
        """Returns the images whose absence, in it or before it, may be evidence of nothing."""
        empty = latest is None and not self._any_image()
        # a complete sweep that knows what is missing needs no list of what it held
        lists_held = not seen.complete or seen.missing is None
        held: set[str] = set(seen.unchanged) if lists_held else set()
        found: set[str] = set()
        self.counts.unchanged += len(seen.unchanged)
        last: list[Candidate] = []
        doubtful: set[str] = set()
        # the next records are mapped while the database works on the last ones
        for candidates, is_last in _steps(seen.candidates):
            if lists_held:
                held.update(candidate.image.image_id for candidate in candidates)
            found.update(c.image.image_id for c in candidates if not c.listed)
            if is_last:
                last = candidates
            else:
                doubtful |= self._append_records(seen, candidates, {}, empty=empty)
            del candidates  # else two steps would be in memory at a time
        absences = {
            image_id: Evidence(seen.observed_at, Content(None, absence_reason=reason), seen.run_id)
            for image_id, reason in self._absences_now(seen, held).items()
            if image_id not in held
        }
        # what a few records and a few absences change is written at one go
        together = absences if len(last) + len(absences) <= BATCH else {}
        doubtful |= self._append_records(seen, last, together, empty=empty)
        for ids in batched(absences if not together else (), BATCH):
            self.timelines.write(seen.observed_at, {i: absences[i] for i in ids}, {}, empty=empty, last=True)
        self._unlist(seen, found)
        self._enter(seen, held, found, first=latest is None)
        unlisted = [i for i, kind in seen.inconclusive.items() if kind in LIVES_UNLISTED]
        doubtful |= self._ids("absent", ids=unlisted) if unlisted else set()
        return doubtful | (absences.keys() - seen.absent.keys())

    def _append_records(
        self,
        seen: Observation,
        candidates: list[Candidate],
        absences: Mapping[str, Evidence],
        *,
        empty: bool,
    ) -> set[str]:
        """Returns the images that were absent until now."""
        ids = [candidate.image.image_id for candidate in candidates]
        known = stored_state.known(self.connection, self.source_id, ids) if ids and not empty else {}
        evidence: dict[str, Evidence] = dict(absences)
        records: dict[str, Candidate] = {}
        relisted: list[Candidate] = []
        for candidate in candidates:
            image = candidate.image
            self._notice(image)
            now = known.get(image.image_id)
            if now is not None and now.content_hash == image.content_hash:
                self.counts.unchanged += 1
                if candidate.listed and now.unlisted_since is not None:
                    relisted.append(candidate)
                continue
            evidence[image.image_id] = Evidence(seen.observed_at, content_of(image), seen.run_id)
            records[image.image_id] = candidate
        unlisted = {image_id: now.unlisted_since for image_id, now in known.items()}
        self.timelines.write(seen.observed_at, evidence, records, empty=empty, last=True, unlisted=unlisted)
        self._relist(relisted)
        return {image_id for image_id, now in known.items() if now.content_hash is None}

    def _absences_now(self, seen: Observation, held: set[str]) -> dict[str, str]:
        """Images whose absence this observation proves and the stored state does not know yet, with the reason."""
        reasons: dict[str, str] = dict(seen.absent)
        if seen.complete:
            missing = seen.missing
            if missing is None:
                missing = self._ids("holding") - held - seen.inconclusive.keys()
            for image_id in missing:
                reasons.setdefault(image_id, NOT_LISTED)
        return reasons

    def _any_image(self) -> bool:
        return bool(_SQL.value(self.connection, "any_image", source=self.source_id))

    # ---- an observation among others --------------------------------------------------------------

    def _insert(self, seen: Observation) -> None:
        at = seen.observed_at
        existing = self.ledger.observed(at)
        state = stored_state.contents_at(self.connection, self.source_id, at)
        redated = self._ids("dated_across", at=at)
        parts = Parts(self.ledger, self.timelines, existing) if existing is not None else None
        if parts is not None:  # the parts together say what is doubtful
            sure = {i: kind for i, kind in seen.inconclusive.items() if kind not in BARE_KINDS}
            seen = replace(seen, inconclusive=sure)
        held: set[str] = set(seen.unchanged)
        found: set[str] = set()
        for candidates, _ in _steps(seen.candidates):
            evidence: dict[str, Evidence] = {}
            records: dict[str, Candidate] = {}
            for candidate in candidates:
                image_id = candidate.image.image_id
                held.add(image_id)
                if not candidate.listed:
                    found.add(image_id)
                self._notice(candidate.image)
                if state.get(image_id) == candidate.image.content_hash and image_id not in redated:
                    self.counts.unchanged += 1
                    continue
                records[image_id] = candidate
                evidence[image_id] = Evidence(at, content_of(candidate.image), run_name(seen, existing))
            if parts is not None:
                parts.unite(evidence, records)
            self.timelines.write(at, evidence, records)
        self._insert_absences(seen, parts, state, redated, held)
        self._enter(seen, held, found, parts)
        self.refresh_unlisted(state.keys() | redated | held)

    def _insert_absences(
        self,
        seen: Observation,
        parts: Parts | None,
        state: Mapping[str, bytes | None],
        redated: set[str],
        held: set[str],
    ) -> None:
        known = {image_id for image_id, content in state.items() if content is not None} | redated
        reasons: dict[str, str] = {i: r for i, r in seen.absent.items() if i in known and i not in held}
        if parts is not None:
            reasons = parts.reasons(seen, (state.keys() | redated) - held)
        if seen.complete:
            missing = known - held - seen.inconclusive.keys()
            if parts is not None:
                missing = parts.unspoken(missing)
            for image_id in missing:
                reasons.setdefault(image_id, NOT_LISTED)
        run = run_name(seen, parts.existing if parts is not None else None)
        for ids in batched(reasons, BATCH):
            evidence = {
                i: Evidence(seen.observed_at, Content(None, absence_reason=reasons[i]), run) for i in ids
            }
            self.timelines.write(seen.observed_at, evidence, {})
        if parts is not None:
            silenced = parts.silenced(seen, held)
            self.ledger.remove_absences(seen.observed_at, silenced | held)
            for ids in batched(silenced, BATCH):
                self.timelines.write(seen.observed_at, dict.fromkeys(ids), {})

    def forget(self, *moments: datetime) -> MergeCounts:
        """Takes the observations of these moments out again; the tables become what they were without them."""
        with self.stage:
            for at in moments:
                ids = self._ids("dated_after", at=at)
                self.ledger.remove(at)
                for part in batched(ids, BATCH):
                    self.timelines.write(at, dict.fromkeys(part), {})
                if kept := held_deletions.kept_since(self.connection, self.source_id, at):
                    seen = BareAbsences(self.ledger, kept).keep(at, self.timelines)
                    before = {image_id: seen.get(image_id) for image_id in kept}
                    held_deletions.keep_since(self.connection, self.source_id, at, before)
                self._follow(at)
            self.refresh_unlisted(self._ids("image_ids"))
        return self.counts

    def prove_absences(
        self, at: datetime, run_id: str, reasons: Mapping[str, str], tell: Callable[[], None]
    ) -> MergeCounts:
        """Makes an observation that said nothing of these images evidence of their absence (`approve`).

        `tell` is called as by `apply`.
        """
        with self.stage:
            self.ledger.save_absences(at, reasons)
            for ids in batched(reasons, BATCH):
                evidence = {i: Evidence(at, Content(None, absence_reason=reasons[i]), run_id) for i in ids}
                self.timelines.write(at, evidence, {})
            self._follow(at, reasons.keys())
            self.refresh_unlisted(reasons)
            tell()
        return self.counts

    # ---- what goes with it -------------------------------------------------------------------------

    def _notice(self, image: MappedImage) -> None:
        room = min(MOST_WARNINGS_PER_IMAGE, MOST_WARNINGS - len(self.counts.warnings))
        self.counts.warnings += image.warnings[:room]
        self._more_warnings += max(0, len(image.warnings) - room)
        new = [f.capability for f in image.capabilities if f.capability not in self._capabilities]
        self._capabilities.update(new)
        self._new_capabilities.update(new)

    def _join_capabilities(self) -> None:
        """The one table that sources share: written last and in order, so that no two merges wait for each
        other."""
        if self._new_capabilities:
            self._run("join_capabilities", names=sorted(self._new_capabilities))
            self._new_capabilities.clear()

    def _relist(self, candidates: list[Candidate]) -> None:
        if not candidates:
            return
        self._date_unlisted({candidate.image.image_id: None for candidate in candidates})
        self.stage.refresh_hashes([(c.image.image_id, c.raw_hash, c.image.content_hash) for c in candidates])

    def _unlist(self, seen: Observation, found: set[str]) -> None:
        ids = [i for i, kind in seen.inconclusive.items() if kind in MISSED_KINDS] + sorted(found)
        if ids:
            self._run("unlist", ids=ids, at=seen.observed_at)
            self._run("forget_raw", ids=ids)

    def refresh_unlisted(self, ids: Iterable[str]) -> None:
        """`unlisted_since` from the ledger alone: since the first observation that missed the image after
        the last one that listed it."""
        since = self.ledger.unlisted_since(set(ids))
        self._date_unlisted(since)
        missing = [image_id for image_id, moment in since.items() if moment is not None]
        if missing:
            self._run("forget_raw", ids=missing)

    def _date_unlisted(self, moments: Mapping[str, datetime | None]) -> None:
        self._run("date_unlisted", ids=list(moments), ats=list(moments.values()))

    def _enter(
        self,
        seen: Observation,
        held: set[str],
        found: set[str],
        parts: Parts | None = None,
        *,
        first: bool = True,
    ) -> None:
        """Enters the observation in the ledger, united with what stands there; `first`: perhaps none is earlier."""
        self.stage.flush()
        kinds: dict[str, set[str]] = {}
        for image_id, kind in seen.inconclusive.items():
            kinds.setdefault(kind, set()).add(image_id)
        kinds[FOUND] = found
        complete, run_ids = seen.complete, {seen.run_id}
        covers_hidden, login = seen.covers_hidden, seen.login
        absences = {image_id: reason for image_id, reason in seen.absent.items() if image_id not in held}
        existing = parts.existing if parts is not None else None
        if parts is not None and existing is not None:
            kinds = parts.unite_kinds(kinds, held)
            better = absences.keys() - parts.without_better(set(absences))
            absences = {image_id: reason for image_id, reason in absences.items() if image_id not in better}
            complete = complete or existing.complete
            covers_hidden = covers_hidden and existing.covers_hidden
            login = common((login, existing.login))
            run_ids |= set(existing.run_ids)
            held = held | self.ledger.listed(existing)
        self.ledger.save_absences(seen.observed_at, absences)
        self.ledger.record(
            Observed(
                seen.observed_at,
                complete,
                None if complete else self.ledger.save_set({LISTED: held}),
                self.ledger.save_set(kinds),
                tuple(sorted(run_ids)),
                covers_hidden,
                login,
            )
        )
        if first:
            self.ledger.begin(seen.observed_at)
        if existing is not None and min(run_ids) != existing.run_ids[0]:
            self._name_run(seen.observed_at, min(run_ids))

    def _follow(self, at: datetime, ids: Set[str] | None = None) -> None:
        """Brings absences around a moment to what the evidence there says of them now."""
        if ids is not None and not ids:
            return
        absences = BareAbsences(self.ledger, ids)
        if absences.follow(at, self.timelines, self._spare):
            self.is_judged_again = True
            self.refresh_unlisted(absences.ids)

    def _spare(self, absences: Mapping[datetime, set[str]]) -> dict[datetime, dict[str, str]]:
        """Of images whose absence comes to count at these moments: those that somebody keeps, and those of which it
        would be the last word, if that is beyond the limit."""
        spared = {
            at: dict.fromkeys(ids & held_deletions.kept_at(self.connection, self.source_id, at), "kept")
            for at, ids in absences.items()
            if ids
        }
        last = {at: self._live(absences[at] - kept.keys(), at) for at, kept in spared.items()}
        held = self._beyond_limit({at: ids for at, ids in last.items() if ids})
        for at, ids in last.items():
            spared[at] |= dict.fromkeys(ids & held, "held")
        return spared

    def _live(self, ids: set[str], at: datetime) -> set[str]:
        """Those of these images that live, and of which nothing after a moment is evidence."""
        return self._ids("living", ids=list(ids)) - self.ledger.nearest(ids, at, "after").keys()

    def _name_run(self, at: datetime, run_id: str) -> None:
        """Of the runs that make up an observation the least names its revisions, in whatever order they came."""
        for name in ("name_revisions", "name_periods"):
            self._run(name, at=at, run=run_id)


def _steps(candidates: Iterable[Candidate]) -> Iterator[tuple[list[Candidate], bool]]:
    """The records in steps of bounded size, and whether it is the last one, which may be empty."""
    step: list[Candidate] = []
    size = 0
    for candidate in candidates:
        step.append(candidate)
        size += len(candidate.image.document)
        del candidate
        if len(step) == BATCH or size > BATCH_CHARACTERS:
            yield step, False
            step, size = [], 0
    yield step, True
