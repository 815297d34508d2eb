"""What a line of revisions was and what it shall be, turned into the rows that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from catalog.model import Candidate, ContentRules, MappedImage, MergeCounts
from catalog.store.history.rule import Revision
from catalog.store.history.stage import Batch, Staged, content_columns

Documents = Mapping[tuple[str, datetime], tuple[datetime, str]]
"""(image_id, moment) -> time and text of the last stored record at or before it."""


class Edit(Struct, frozen=True):
    """One image's line before and after; `candidate` is the record that came with the evidence, if one did."""

    image_id: str
    old: list[Revision]
    new: list[Revision]
    candidate: Candidate | None

    def revised(self) -> int:
        """How many revisions come, go or are dated anew, those left out that are or were the present."""
        old = {(one.observed_at, one.valid_from, one.content.hash) for one in self.old[:-1]}
        new = {(one.observed_at, one.valid_from, one.content.hash) for one in self.new[:-1]}
        if self.old:
            new.discard((self.old[-1].observed_at, self.old[-1].valid_from, self.old[-1].content.hash))
        if self.new:
            old.discard((self.new[-1].observed_at, self.new[-1].valid_from, self.new[-1].content.hash))
        return len({key[0] for key in old ^ new})

    def changes(self) -> list[int]:
        """Positions in the new line of revisions that must be written; the last too if it is another one."""
        if not self.old:
            return list(range(len(self.new)))
        if self.old == self.new:
            return []
        before = {revision.observed_at: n for n, revision in enumerate(self.old)}
        last = len(self.new) - 1
        return [n for n in range(len(self.new)) if self._differs(n, before, is_last=n == last)]

    def _differs(self, n: int, before: Mapping[datetime, int], *, is_last: bool) -> bool:
        revision = self.new[n]
        m = before.get(revision.observed_at)
        if m is None or self.old[m] != revision or (is_last and m != len(self.old) - 1):
            return True
        return _record_before(self.old, m) != _record_before(self.new, n)

    def documents_needed(self) -> Iterator[tuple[str, datetime]]:
        """Moments whose stored documents are needed to say what differs, or to show them as the present."""
        for n in self.changes():
            revision, before = self.new[n], self.new[n - 1] if n else None
            if before is not None and revision.content.hash is not None:
                for one in (before, revision):
                    if one.source is not None:
                        yield self.image_id, one.source
            if n == len(self.new) - 1 and revision.source is not None:
                yield self.image_id, revision.source


def _record_before(line: list[Revision], position: int) -> bytes | datetime | None:
    """What the revision at a position is compared with: the hash of the last record before it."""
    for revision in reversed(line[:position]):
        if revision.content.hash is not None:
            return revision.content.hash
    return line[0].observed_at if position and line[0].content.hash is None else None


def collect(
    edit: Edit,
    batch: Batch,
    documents: Documents,
    rules: ContentRules,
    counts: MergeCounts,
    unlisted_since: datetime | None,
) -> None:
    """Adds to the batch what brings the tables from the old line to the new one."""
    old, new, candidate = edit.old, edit.new, edit.candidate
    if not old and len(new) == 1 and candidate is not None:
        _begin(edit.image_id, new[0], candidate, batch, counts)
        return
    positions = edit.changes()
    changed = {n: _difference(edit, n, documents, rules) for n in positions}
    if _is_no_change(edit, positions, changed):
        assert candidate is not None
        batch.refreshed.append((edit.image_id, candidate.raw_hash, candidate.image.content_hash))
        counts.unchanged += 1
        return
    counts.revised += edit.revised()
    _take_out(edit, {new[n].observed_at for n in positions}, batch)
    if not new:
        if old:
            batch.erased.append(edit.image_id)
            counts.deleted += 1
        return
    spell_ends = _spell_ends(new)
    for n in positions:
        revision = new[n]
        present = n == len(new) - 1
        image = _mapped(edit, n)
        if present and image is None and _shows_other_record(edit):
            assert revision.source is not None
            image = rules.map_document(documents[edit.image_id, revision.source][1])
        listed = candidate is not None and candidate.listed and image is candidate.image
        batch.staged.append(
            Staged(
                edit.image_id,
                revision,
                valid_to=None if present else new[n + 1].valid_from,
                spell_to=spell_ends[revision.spell_from],
                changed=changed[n],
                content=content_columns(image) if image is not None else None,
                copy_of=revision.source if image is None else None,
                present=present,
                raw_hash=candidate.raw_hash if listed and candidate and revision.content.hash else None,
                unlisted_since=None if listed or revision.content.gone else unlisted_since,
                first_seen_at=new[0].observed_at if _is_whole(edit) else None,
            )
        )
    _close(edit, set(positions), spell_ends, batch)
    if _is_whole(edit) and old and old[0].observed_at != new[0].observed_at and len(new) - 1 not in positions:
        batch.first_seen.append((edit.image_id, new[0].observed_at))
    if len(new) - 1 in positions:
        _count(old[-1] if old else None, new[-1], counts)


def _begin(
    image_id: str, revision: Revision, candidate: Candidate, batch: Batch, counts: MergeCounts
) -> None:
    """An image's first revision: the usual case of a first load, and all there is to do in it."""
    counts.inserted += 1
    batch.staged.append(
        Staged(
            image_id,
            revision,
            valid_to=None,
            spell_to=None,
            changed=None,
            content=content_columns(candidate.image),
            copy_of=None,
            present=True,
            raw_hash=candidate.raw_hash if candidate.listed else None,
        )
    )


def _is_no_change(edit: Edit, positions: list[int], changed: Mapping[int, str | None]) -> bool:
    """Only the last revision is new, and it differs from the one before in nothing that counts: the
    canonical form is hashed in another way than it was (other `ignore`d keys), not changed."""
    return (
        edit.candidate is not None
        and positions == [len(edit.new) - 1]
        and len(edit.new) > len(edit.old) > 0
        and edit.new[-1].change == "updated"
        and changed[positions[0]] is None
    )


def _is_whole(edit: Edit) -> bool:
    """The new line begins with the image's first revision."""
    return edit.new[0].change == "created" or (
        edit.new[0].content.reported
        and edit.new[0].change == "deleted"
        and not (edit.old and edit.old[0] == edit.new[0])
    )


def _mapped(edit: Edit, position: int) -> MappedImage | None:
    """The record that came with the evidence, where this revision shows it: itself, or a lack after it."""
    if edit.candidate is None:
        return None
    for revision in reversed(edit.new[: position + 1]):
        if revision.content.hash is not None:
            if revision.source is None and revision.content.hash == edit.candidate.image.content_hash:
                return edit.candidate.image
            return None
    return None


def _shows_other_record(edit: Edit) -> bool:
    """Whether the present shows another record than it did."""
    return _last_record(edit.old) != _last_record(edit.new)


def _last_record(line: list[Revision]) -> bytes | datetime | None:
    return _record_before(line, len(line))


def _difference(edit: Edit, position: int, documents: Documents, rules: ContentRules) -> str | None:
    """`changed` of a revision as JSON, None where nothing differs or there is nothing to compare with."""
    revision = edit.new[position]
    if position == 0 and revision.source == revision.observed_at == edit.old[0].observed_at:
        return revision.changed  # what it is compared with lies before the line, and stayed
    if position == 0 or revision.content.hash is None:
        return None
    before = _document(edit, position - 1, documents)
    after = _document(edit, position, documents)
    return rules.difference(before, after)


def _document(edit: Edit, position: int, documents: Documents) -> str:
    """The last record's document up to a position of the new line."""
    image = _mapped(edit, position)
    if image is not None:
        return image.document
    source = edit.new[position].source
    assert source is not None
    return documents[edit.image_id, source][1]


def _take_out(edit: Edit, rewritten: set[datetime], batch: Batch) -> None:
    kept = {revision.observed_at for revision in edit.new}
    for revision in edit.old:
        if revision.observed_at in kept and revision.observed_at not in rewritten:
            continue
        batch.removed.append((edit.image_id, revision.observed_at))
        if revision.starts_spell:
            batch.removed_spells.append((edit.image_id, revision.valid_from))


def _spell_ends(line: list[Revision]) -> dict[datetime | None, datetime | None]:
    starts = [line[0].spell_from] if line else []
    starts += [revision.spell_from for revision in line[1:] if revision.starts_spell]
    return dict(zip(starts, [*starts[1:], None], strict=False))


def _close(
    edit: Edit, written: set[int], spell_ends: Mapping[datetime | None, datetime | None], batch: Batch
) -> None:
    old_ends = {one.observed_at: after.valid_from for one, after in zip(edit.old, edit.old[1:], strict=False)}
    for n, revision in enumerate(edit.new):
        end = edit.new[n + 1].valid_from if n + 1 < len(edit.new) else None
        if n not in written and old_ends.get(revision.observed_at) != end:
            batch.closed.append((edit.image_id, revision.observed_at, end))
    old_spells = _spell_ends(edit.old)
    rewritten = {edit.new[n].valid_from for n in written if edit.new[n].starts_spell}
    for start, end in spell_ends.items():
        if (
            start is not None
            and start not in rewritten
            and (start not in old_spells or old_spells[start] != end)
        ):
            batch.closed_spells.append((edit.image_id, start, end))


def _count(before: Revision | None, after: Revision, counts: MergeCounts) -> None:
    if before is None:
        counts.inserted += 1
    elif after.content.gone and not before.content.gone:
        counts.deleted += 1
    elif before.content.gone and not after.content.gone:
        counts.restored += 1
    elif before.content.hash != after.content.hash:
        counts.updated += 1
