"""The rule of history (semantics 4.6) for one image, pure: evidence goes in, revisions come out.

Evidence of an image at a moment is its content: a record, or its absence. A revision begins where the content
differs from the evidence just before; absence before the first record is not a revision. The writer keeps a
line of revisions and edits it where evidence is added, replaced or taken out: only the revision in force
before that moment, the one at it, and the one at the next evidence can be touched, because the content of
all other evidence, and the time of the evidence before it, stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

DELETED = "deleted"
UNKNOWN = "unknown"


class Content(Struct, frozen=True):
    """The content that evidence shows: a record by the hash of its canonical form, or its absence (`hash` None).

    `cloud_time` is the cloud's own date of the content; `cloud_deleted_at` and `created_at` as delivered.
    """

    hash: bytes | None
    status: str | None = None
    reported: bool = False
    cloud_time: datetime | None = None
    cloud_deleted_at: datetime | None = None
    absence_reason: str | None = None
    created_at: datetime | None = None

    @property
    def gone(self) -> bool:
        return self.hash is None or self.reported


class Revision(Struct, frozen=True, eq=False):
    """A revision and what follows from its place in the timeline: change, status period, deletion.

    `run_id` names the observation's run. `source` is the observation whose stored revision holds the typed
    content, None where the content comes with the evidence at hand; an absence shows what the record before it
    held. `changed` is JSON as stored, and follows from the rest: it does not count when two are compared.
    """

    observed_at: datetime
    valid_from: datetime
    content: Content
    run_id: str
    change: str = ""
    period_from: datetime | None = None
    deleted_at: datetime | None = None
    deletion_reason: str | None = None
    source: datetime | None = None
    changed: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Revision) and _WHAT_COUNTS(self) == _WHAT_COUNTS(other)

    def __hash__(self) -> int:
        return hash(_WHAT_COUNTS(self))

    @property
    def status(self) -> str:
        return DELETED if self.content.gone else self.content.status or UNKNOWN

    @property
    def starts_period(self) -> bool:
        return self.period_from == self.valid_from


_WHAT_COUNTS = attrgetter(*(name for name in Revision.__struct_fields__ if name != "changed"))


class Evidence(Struct, frozen=True):
    """One observation as far as it tells of the image, and its run."""

    at: datetime
    content: Content
    run_id: str


def starts(before: Revision | None, content: Content) -> bool:
    """True if this content, seen after that revision, begins one."""
    if before is None:
        return content.hash is not None
    return before.content.hash != content.hash


def valid_from(content: Content, at: datetime, evidence_before: datetime | None) -> datetime:
    """The cloud's own time where it lies between the evidence before and this one, else this one's."""
    time = content.cloud_time
    if time is None or time > at or (evidence_before is not None and time <= evidence_before):
        return at
    return time


def placed(before: Revision | None, revision: Revision) -> Revision:
    """The revision with all that follows from the one before it."""
    content = revision.content
    gone = content.gone
    was_gone = before is not None and before.content.gone
    if gone:
        change = "deleted"
    elif before is None:
        change = "created"
    elif was_gone:
        change = "restored"
    else:
        made = (before.content.created_at, content.created_at)
        change = "replaced" if None not in made and made[0] != made[1] else "updated"
    same_period = before is not None and before.status == revision.status
    period_from = before.period_from if before is not None and same_period else revision.valid_from
    source, deleted_at, reason = revision.source, None, None
    if content.hash is None:
        assert before is not None, "absence before the first record is not a revision"
        source = before.source
        if was_gone:
            deleted_at, reason = before.deleted_at, before.deletion_reason
        else:
            deleted_at, reason = revision.valid_from, content.absence_reason
    elif gone:
        told = content.cloud_deleted_at
        deleted_at = told if told is not None and told <= revision.observed_at else period_from
        reason = "reported"
    return Revision(
        revision.observed_at, revision.valid_from, content, revision.run_id, change, period_from, deleted_at,
        reason, source, revision.changed,
    )  # fmt: skip


def begin(evidence: Evidence, evidence_before: datetime | None, before: Revision | None) -> Revision:
    """The revision that this evidence begins, right after `before`."""
    dated = valid_from(evidence.content, evidence.at, evidence_before)
    return placed(before, Revision(evidence.at, dated, evidence.content, evidence.run_id))


class Next(Struct, frozen=True):
    """The evidence just after the moment of an edit: when, by which run, and why, should it be an absence."""

    at: datetime
    run_id: str
    absence_reason: str


def edit(
    line: Sequence[Revision],
    at: datetime,
    evidence: Evidence | None,
    evidence_before: datetime | None,
    after: Next | None,
) -> list[Revision]:
    """The line once the evidence at `at` is this one (None: there is none).

    `line`: the revision in force before `at`, if any, and all from `at` on, oldest first.
    `evidence_before`: time of the evidence just before `at`, whatever its content.
    """
    if evidence is not None and not line and after is None:  # the usual case of a first load
        return [begin(evidence, evidence_before, None)] if starts(None, evidence.content) else []
    before = line[0] if line and line[0].observed_at < at else None
    old_at = next((revision for revision in line if revision.observed_at == at), None)
    following = [revision for revision in line if revision.observed_at > at]
    result = [before] if before else []
    last = before
    if evidence is not None and starts(last, evidence.content):
        last = begin(evidence, evidence_before, last)
        result.append(last)
    if after is not None:
        last_evidence = at if evidence is not None else evidence_before
        covering = old_at or before
        if following and following[0].observed_at == after.at:
            seen = following.pop(0)
        else:
            # evidence of an image without a record so far can only be of its absence
            content = covering.content if covering else Content(None)
            if content.hash is None:
                content = Content(None, absence_reason=after.absence_reason)
            source = (covering.source or covering.observed_at) if covering else None
            seen = Revision(after.at, after.at, content, after.run_id, source=source)
        if starts(last, seen.content):
            dated = valid_from(seen.content, seen.observed_at, last_evidence)
            last = placed(last, replace(seen, valid_from=dated))
            result.append(last)
    for revision in following:
        last = placed(last, revision)
        result.append(last)
    return result
