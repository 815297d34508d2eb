"""Timelines of images: revisions read from the tables, edited by the rule, and written back where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from functools import cached_property

from msgspec.structs import replace

from catalog.fields import INDEX
from catalog.model import NOT_LISTED, Candidate, ContentRules, MappedImage, MergeCounts, Observation
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.ledger import (
    BARE_KINDS,
    FOUND,
    INCONCLUSIVE_KINDS,
    Ledger,
    Observed,
    among,
)
from catalog.store.history.rule import Content, Evidence, Next, Revision, edit
from catalog.store.history.stage import Batch, Stage, StageRow

_SQL = load("stored_timelines.sql")
_STATUS, _CREATED_AT = INDEX["status"], INDEX["created_at"]
Documents = Mapping[tuple[str, datetime], str]
"""(image_id, timestamp) -> text of the last stored record at or before it."""


def content_of(image: MappedImage) -> Content:
    """The content that a record is evidence of."""
    status, created_at = image.values[_STATUS], image.values[_CREATED_AT]
    return Content(
        image.content_hash,
        status=status if isinstance(status, str) else None,
        reported=image.reported_deleted,
        cloud_time=image.cloud_time,
        cloud_deleted_at=image.deleted_at,
        created_at=created_at if isinstance(created_at, datetime) else None,
    )


class Timelines:
    """The timelines of one source's images, in the caller's transaction; `counts` grows with what is written."""

    def __init__(
        self,
        connection: Connection,
        source_id: str,
        ledger: Ledger,
        stage: Stage,
        rules: ContentRules,
        counts: MergeCounts,
    ) -> None:
        self.connection = connection
        self.source_id = source_id
        self.ledger = ledger
        self.stage = stage
        self.rules = rules
        self.counts = counts

    def write(
        self,
        at: datetime,
        evidence: Mapping[str, Evidence | None],
        records: Mapping[str, Candidate],
        *,
        empty: bool = False,
        last: bool = False,
        unlisted: Mapping[str, datetime | None] | None = None,
    ) -> None:
        """Edits the timelines of these images where their evidence at `at` is this one (None: there is none).

        `empty`: the source has no image and no observation yet. `last`: no observation comes after.
        """
        if not evidence:
            return
        ids = list(evidence)
        lines = {} if empty else self.read(ids, None if last else at)
        never_recorded = evidence.keys() - lines.keys()
        befores = {} if empty else self.ledger.nearest(ids, at, "before", never_recorded)
        afters = {} if last else self._afters(ids, at, never_recorded)
        edits = []
        for image_id, given in evidence.items():
            line = lines.get(image_id, [])
            new = edit(line, at, given, befores.get(image_id), afters.get(image_id))
            edits.append(Edit(image_id, line, new, records.get(image_id)))
        documents = self.documents([pair for change in edits for pair in change.documents_needed()])
        batch = Batch(new_images_only=empty)
        for change in edits:
            since = unlisted.get(change.image_id) if unlisted else None
            change.collect(batch, documents, self.rules, self.counts, since)
        self.stage.write(batch)

    def read(self, ids: Iterable[str], at: datetime | None) -> dict[str, list[Revision]]:
        """Timelines of these images around a timestamp, as `rule.edit` takes them; None: their last revisions."""
        name = "load_last" if at is None else "load_lines"
        lines: dict[str, list[Revision]] = {}
        for row in _SQL.run(self.connection, name, source=self.source_id, ids=list(ids), at=at):
            content = Content(*row[3:9], *row[15:])
            line = lines.setdefault(row[0], [])
            source = line[-1].source if content.hash is None and line else row[1]
            line.append(
                Revision(row[1], row[2], content, row[9], row[10], row[11], row[12], row[13], source, row[14])
            )
        return lines

    def _afters(self, ids: list[str], at: datetime, never_recorded: Set[str]) -> dict[str, Next]:
        moments = self.ledger.nearest(ids, at, "after", never_recorded)
        if not moments:
            return {}
        reasons = self.ledger.absence_reasons(moments.keys(), moments.values())
        runs = self.ledger.first_runs(set(moments.values()))
        return {
            image_id: Next(moment, runs[moment], reasons.get((image_id, moment), NOT_LISTED))
            for image_id, moment in moments.items()
        }

    def documents(self, wanted: list[tuple[str, datetime]]) -> Documents:
        """The last record of an image at or before a timestamp."""
        if not wanted:
            return {}
        ids, moments = map(list, zip(*wanted, strict=True))
        rows = _SQL.run(self.connection, "load_documents", source=self.source_id, ids=ids, ats=moments)
        return {(row[0], row[1]): row[2] for row in rows}


class Edit:
    """One image's timeline before and after, and the rows that differ; `candidate` is the record that came with the
    evidence, if one did."""

    def __init__(
        self, image_id: str, old: list[Revision], new: list[Revision], candidate: Candidate | None
    ) -> None:
        self.image_id = image_id
        self.old = old
        self.new = new
        self.candidate = candidate

    @cached_property
    def changes(self) -> list[int]:
        """Positions in the new timeline of revisions that must be written; the last too if it is another one."""
        if not self.old:
            return list(range(len(self.new)))
        if self.old == self.new:
            return []
        before = {revision.observed_at: n for n, revision in enumerate(self.old)}
        return [n for n in range(len(self.new)) if self._differs(n, before)]

    def _differs(self, n: int, before: Mapping[datetime, int]) -> bool:
        revision = self.new[n]
        m = before.get(revision.observed_at)
        is_last = n == len(self.new) - 1
        if m is None or self.old[m] != revision or (is_last and m != len(self.old) - 1):
            return True
        return _record_before(self.old, m) != _record_before(self.new, n)

    def documents_needed(self) -> Iterator[tuple[str, datetime]]:
        """Timestamps whose stored documents are needed to say what differs, or to show them as the stored state."""
        for n in self.changes:
            revision, before = self.new[n], self.new[n - 1] if n else None
            if before is not None and revision.content.hash is not None:
                for one in (before, revision):
                    if one.source is not None:
                        yield self.image_id, one.source
            if n == len(self.new) - 1 and revision.source is not None:
                yield self.image_id, revision.source

    def collect(
        self,
        batch: Batch,
        documents: Documents,
        rules: ContentRules,
        counts: MergeCounts,
        unlisted_since: datetime | None,
    ) -> None:
        """Adds to the batch what brings the tables from the old timeline to the new one."""
        old, new, candidate = self.old, self.new, self.candidate
        if not old and len(new) == 1 and candidate is not None:
            self._begin(candidate, batch, counts)
            return
        changed = {n: self._difference(n, documents, rules) for n in self.changes}
        if candidate is not None and self._is_no_change(changed):
            batch.refreshed.append((self.image_id, candidate.raw_hash, candidate.image.content_hash))
            counts.unchanged += 1
            return
        counts.revised += self._revised()
        self._take_out({new[n].observed_at for n in changed}, batch)
        if not new:
            if old:
                batch.erased.append(self.image_id)
                counts.deleted += 1
            return
        period_ends = _period_ends(new)
        last = len(new) - 1
        for n, difference in changed.items():
            revision, present = new[n], n == last
            image = self._mapped(n)
            if present and image is None and _record_before(old, len(old)) != _record_before(new, len(new)):
                assert revision.source is not None
                image = rules.map_document(documents[self.image_id, revision.source])
            listed = candidate is not None and candidate.listed and image is candidate.image
            batch.staged.append(
                StageRow(
                    self.image_id,
                    revision,
                    valid_to=None if present else new[n + 1].valid_from,
                    period_to=period_ends[revision.period_from],
                    changed=difference,
                    image=image,
                    copy_of=revision.source if image is None else None,
                    present=present,
                    raw_hash=candidate.raw_hash if listed and candidate and revision.content.hash else None,
                    unlisted_since=None if listed or revision.content.gone else unlisted_since,
                    first_seen_at=new[0].observed_at if self._is_whole() else None,
                )
            )
        self._close(period_ends, batch)
        if last in changed:
            _count(old[-1] if old else None, new[-1], counts)
        elif self._is_whole() and old and old[0].observed_at != new[0].observed_at:
            batch.first_seen.append((self.image_id, new[0].observed_at))

    def _begin(self, candidate: Candidate, batch: Batch, counts: MergeCounts) -> None:
        """An image's first revision: the usual case of a first load, and all there is to do in it."""
        counts.inserted += 1
        batch.staged.append(
            StageRow(
                self.image_id,
                self.new[0],
                image=candidate.image,
                present=True,
                raw_hash=candidate.raw_hash if candidate.listed else None,
            )
        )

    def _revised(self) -> int:
        """How many revisions come, go or are dated again, those left out that are or were the last."""
        old, new = (
            {(one.observed_at, one.valid_from, one.content.hash) for one in line}
            for line in (self.old, self.new)
        )
        lasts = {
            (one.observed_at, one.valid_from, one.content.hash) for one in (*self.old[-1:], *self.new[-1:])
        }
        return len({key[0] for key in (old ^ new) - lasts})

    def _is_no_change(self, changed: Mapping[int, str | None]) -> bool:
        """Only the last revision is new, and it differs from the one before in nothing that counts: the
        canonical form is hashed in another way than it was (other `ignore`d keys), not changed."""
        return (
            list(changed) == [len(self.new) - 1]
            and len(self.new) > len(self.old) > 0
            and not (self.new[-1].content.gone or self.new[-2].content.gone)
            and changed[len(self.new) - 1] is None
        )

    def _is_whole(self) -> bool:
        """The new timeline begins with the image's first revision."""
        first = self.new[0]
        return first.change == "created" or (
            first.content.reported and first.change == "deleted" and not (self.old and self.old[0] == first)
        )

    def _mapped(self, position: int) -> MappedImage | None:
        """The record that came with the evidence, where this revision shows it: itself, or an absence after it."""
        if self.candidate is None:
            return None
        for revision in reversed(self.new[: position + 1]):
            if revision.content.hash is not None:
                if revision.source is None and revision.content.hash == self.candidate.image.content_hash:
                    return self.candidate.image
                return None
        return None

    def _difference(self, position: int, documents: Documents, rules: ContentRules) -> str | None:
        """`changed` of a revision as JSON, None where nothing differs or there is nothing to compare with."""
        revision = self.new[position]
        if position == 0 and revision.source == revision.observed_at == self.old[0].observed_at:
            return revision.changed  # what it is compared with lies before the timeline, and stayed
        if position == 0 or revision.content.hash is None:
            return None
        return rules.difference(self._document(position - 1, documents), self._document(position, documents))

    def _document(self, position: int, documents: Documents) -> str:
        """The last record's document up to a position of the new timeline."""
        image = self._mapped(position)
        if image is not None:
            return image.document
        source = self.new[position].source
        assert source is not None
        return documents[self.image_id, source]

    def _take_out(self, rewritten: set[datetime], batch: Batch) -> None:
        kept = {revision.observed_at for revision in self.new} - rewritten
        for revision in self.old:
            if revision.observed_at not in kept:
                batch.removed.append((self.image_id, revision.observed_at))
                if revision.starts_period:
                    batch.removed_periods.append((self.image_id, revision.valid_from))

    def _close(self, period_ends: Mapping[datetime | None, datetime | None], batch: Batch) -> None:
        old_ends = {a.observed_at: b.valid_from for a, b in zip(self.old, self.old[1:], strict=False)}
        for n, revision in enumerate(self.new):
            end = self.new[n + 1].valid_from if n + 1 < len(self.new) else None
            if n not in self.changes and old_ends.get(revision.observed_at) != end:
                batch.closed.append((self.image_id, revision.observed_at, end))
        old_periods = _period_ends(self.old)
        rewritten = {self.new[n].valid_from for n in self.changes if self.new[n].starts_period}
        for start, end in period_ends.items():
            if start is not None and start not in rewritten and old_periods.get(start, start) != end:
                batch.closed_periods.append((self.image_id, start, end))


def _record_before(line: list[Revision], position: int) -> bytes | datetime | None:
    """Names what the revision at a position is compared with: the hash of the last record before it."""
    for revision in reversed(line[:position]):
        if revision.content.hash is not None:
            return revision.content.hash
    return line[0].observed_at if position and line[0].content.hash is None else None


def _period_ends(line: list[Revision]) -> dict[datetime | None, datetime | None]:
    starts = [line[0].period_from] if line else []
    starts += [revision.period_from for revision in line[1:] if revision.starts_period]
    return dict(zip(starts, [*starts[1:], None], strict=False))


def _count(before: Revision | None, after: Revision, counts: MergeCounts) -> None:
    if before is None:
        counts.inserted += 1
    elif after.content.gone and not before.content.gone:
        counts.deleted += 1
    elif before.content.gone and not after.content.gone:
        counts.restored += 1
    elif before.content.hash != after.content.hash:
        counts.updated += 1


class Parts:
    """An observation that stands in the ledger already, and how a further part of the same timestamp joins it:
    the two are one (semantics 4.6)."""

    def __init__(self, ledger: Ledger, timelines: Timelines, existing: Observed) -> None:
        self.ledger = ledger
        self.timelines = timelines
        self.existing = existing
        self._held: dict[str, bool] = {}

    def reasons(self, seen: Observation, known: set[str]) -> dict[str, str]:
        """Absences that a further part of an observation proves, each with the more telling reason of both."""
        ids = self.without_better(seen.absent.keys() & known)
        stored = self.ledger.absence_reasons(ids, [self.existing.at] * len(ids))
        return {i: min(seen.absent[i], stored.get((i, self.existing.at), NOT_LISTED)) for i in ids}

    def without_better(self, ids: set[str]) -> set[str]:
        """Of images that a further part absences, those that the ledger's part neither contains nor leaves open."""
        undecided = (kind for kind in INCONCLUSIVE_KINDS if kind not in BARE_KINDS)
        stored = self.ledger.load_set(self.existing.inconclusive_set)
        return ids - self.held(ids) - among(stored, undecided)

    def unspoken(self, ids: set[str]) -> set[str]:
        """Of these images, those whose absence from a further, complete part is news."""
        if self.existing.complete:
            return set()
        return ids - self.ledger.listed(self.existing) - self.ledger.inconclusive(self.existing)

    def held(self, ids: Iterable[str]) -> set[str]:
        """Of these images, those whose record the observation already in the ledger held. The first answer stays: what
        is edited then no longer shows it."""
        wanted = set(ids)
        if asked := wanted - self._held.keys():
            self._held.update(dict.fromkeys(asked, False))
            says = asked - self.ledger.unsaid(self.existing, asked)
            for image_id, line in self.timelines.read(says, self.existing.at).items() if says else ():
                covering = _covering(line, self.existing.at)
                self._held[image_id] = covering is not None and covering.content.hash is not None
        return {image_id for image_id in wanted if self._held[image_id]}

    def unite(self, evidence: dict[str, Evidence], records: dict[str, Candidate]) -> None:
        """Observations of one moment are one: of an image's records the later `updated_at` counts, else the
        greater canonical form."""
        held = self.held(evidence)
        if not held:
            return
        documents = self.timelines.documents([(image_id, self.existing.at) for image_id in held])
        for image_id in held:
            document = documents[image_id, self.existing.at]
            old, new = self.timelines.rules.map_document(document), records[image_id].image
            if old.precedence > new.precedence:
                # the stored record stays, as if this observation had held it
                evidence[image_id] = replace(evidence[image_id], content=content_of(old))
                records[image_id] = Candidate(old)

    def silenced(self, seen: Observation, contained: set[str]) -> set[str]:
        """Images whose absence the ledger's part proved, and about which a further part is inconclusive: no
        evidence is left of them. What somebody approved stays, unless this part rejects the image's record."""
        asked = seen.inconclusive.keys() - contained
        silenced = asked - self.ledger.unsaid(self.existing, asked) - self.held(asked)
        lacking = self.ledger.absence_reasons(asked, [self.existing.at] * len(asked))
        rejected = {image_id for image_id in asked if seen.inconclusive[image_id] == "rejected"}
        return silenced | (
            {i for i, _ in lacking} & (rejected | (asked - self.ledger.inconclusive(self.existing)))
        )

    def unite_kinds(self, kinds: dict[str, set[str]], contained: set[str]) -> dict[str, set[str]]:
        """Why nothing is said of images, of both parts together: an image that any part contains or rejects is
        present, and one about which any part is undecided stays so. Found is what no part lists."""
        stored = {
            kind: set(ids) for kind, ids in self.ledger.load_set(self.existing.inconclusive_set).items()
        }
        united = {
            kind: kinds.get(kind, set()) | stored.get(kind, set()) for kind in (FOUND, *INCONCLUSIVE_KINDS)
        }
        mine = self.held(set().union(*united.values()))
        listed = (contained - kinds.get(FOUND, set())) | (mine - stored.get(FOUND, set()))
        present = contained | mine
        for kind in INCONCLUSIVE_KINDS:
            united[kind] -= present
            present = present | united[kind]
        united[FOUND] -= listed
        return united


def run_name(seen: Observation, existing: Observed | None) -> str:
    """The run that names revisions of an observation: the least of those that make it up."""
    return min({seen.run_id, *(existing.run_ids if existing else ())})


def _covering(line: list[Revision], at: datetime) -> Revision | None:
    known = [revision for revision in line if revision.observed_at <= at]
    return known[-1] if known else None
