"""The ledger of observations: which were taken, which are complete, and about whom each says nothing.

History is a function of this ledger and of the records; here stands what is needed to tell, for any image
and moment, when the evidence before and after was taken. Sets of ids are stored once each, because a source
that stays partial, or holds deletions back, for weeks repeats them in every sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg

from catalog.fingerprint import fingerprint_of
from catalog.model import NOT_LISTED, PROJECT, HeldReason
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.within_reach import ADMIN, UNKNOWN_RIGHT, Reach, together

_IN_FORCE = """NOT EXISTS (
        SELECT FROM revisions n
        WHERE n.source_id = %(source)s AND n.image_id = r.image_id AND n.observed_at > r.observed_at
            AND n.observed_at <= o.observed_at)"""
"""Of the revision `r`: it is the last one of its image that the observation `o` or one before it made."""
_SQL = load("ledger.sql", in_force=_IN_FORCE)
LISTED = "listed"
FOUND = "found"
HIDDEN = "hidden"
UNLISTED = "unlisted"
UNREACHED = "unreached"
BY_LIMIT: Literal["held"] = "held"
FOR_LOGIN: Literal["held_for_login"] = "held_for_login"
BARE_KINDS = (UNLISTED, HIDDEN, UNREACHED)
"""Of images that a complete listing merely lacks, though by other evidence they may live; what that is may change."""
UNPROVED = "unproved"
UNSEEN_KINDS = ("rejected", HIDDEN, UNPROVED)
"""Of images that a listing may well have left out, or could not show, or that another one deleted and that were asked
about in vain: neither listed nor missing."""
LIVES_UNLISTED = (FOUND, "unanswered", BY_LIMIT, FOR_LOGIN, "kept")
"""Of images that are missing from listings, and that a sweep or a person did not take for deleted. FOUND stands first:
it counts before what else is said of them."""
INCONCLUSIVE_KINDS = ("rejected", UNPROVED, *LIVES_UNLISTED[1:], *BARE_KINDS)
MISSED_KINDS = (*LIVES_UNLISTED, UNLISTED, UNREACHED)
"""Of images that are missing from listings, and live."""
HELD_KINDS = (BY_LIMIT, FOR_LOGIN, "kept", UNREACHED)
Side = Literal["before", "after"]
_STEP = 8
"""Observations read at first; nearly always the next one answers."""
_NONE: frozenset[str] = frozenset()


class Observed(NamedTuple):
    """One row of the ledger."""

    at: datetime
    complete: bool
    contained_set: bytes | None
    inconclusive_set: bytes | None
    run_ids: tuple[str, ...]
    covers_hidden: bool = True
    login: Reach | None = None

    @property
    def shown_to(self) -> Reach | None:
        """What the login reached that was shown all it contains; None where that is not known."""
        return None if self.login is None or UNKNOWN_RIGHT in self.login else self.login


class Holder(NamedTuple):
    """The first observation that holds an image back; `kept`: somebody decided that it stays; `reason`: for what it is
    held; once by the limit, by the limit until it leaves."""

    run_id: str
    at: datetime
    kept: bool
    reason: HeldReason


class Ledger:
    """The observations of one source, read and written inside the caller's transaction."""

    def __init__(self, connection: Connection, source_id: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self._sets: dict[bytes, dict[str, frozenset[str]]] = {}

    def _run(self, name: str, **values: object) -> psycopg.Cursor[Any]:
        return _SQL.run(self.connection, name, source=self.source_id, **values)

    def _observed(self, name: str, **values: object) -> Iterator[Observed]:
        for row in self._run(name, **values).fetchall():
            at, complete, contained, inconclusive, runs, covers, login = row
            reach = None if login is None else frozenset(login)
            yield Observed(at, complete, contained, inconclusive, tuple(runs), covers, reach)

    def observed(self, at: datetime) -> Observed | None:
        """The observation of a moment."""
        return next(self._observed("observed", at=at), None)

    def latest(self, before: datetime | None = None) -> Observed | None:
        """The last observation, or the last one before a moment."""
        return next(self._observed("latest", before=before), None)

    def next_moment(self) -> datetime:
        """The database's clock, and later than the last observation."""
        moment: datetime = _SQL.value(self.connection, "next_moment", source=self.source_id)
        return moment

    def backwards(self, before: datetime | None = None) -> list[Observed]:
        """The observations, or those before a moment, the newest first."""
        return list(self._observed("backwards", before=before))

    def walk(self, at: datetime, side: Side) -> Iterator[Observed]:
        """The observations before or after a moment, from there on, read a few at a time."""
        limit = _STEP
        while rows := list(self._observed(f"walk_{side}", at=at, limit=limit)):
            yield from rows
            if len(rows) < limit:
                break
            at, limit = rows[-1].at, limit * 10

    def perhaps_unlisted(self, ids: Set[str] | None) -> set[str]:
        """Of these images, or of all, those of which any evidence says that listings may lack them though they live."""
        some = None if ids is None else list(ids)
        kinds = list(LIVES_UNLISTED + BARE_KINDS)
        rows = self._run("perhaps_unlisted", ids=some, kinds=kinds, admin=ADMIN, project=PROJECT)
        return {image_id for (image_id,) in rows}

    def revisions(self, ids: Set[str]) -> Iterable[tuple[Any, ...]]:
        """Image, moment, whether it is a record, whether that is hidden or of the marketplace, whether it is not for
        everybody, and its owner; in order."""
        return self._run("revisions", ids=list(ids)) if ids else ()

    def absences(self, ids: Set[str]) -> dict[tuple[str, datetime], str]:
        """Reasons of all absences of these images that are known by more than a listing."""
        rows = self._run("absences", ids=list(ids)) if ids else ()
        return {(image_id, moment): reason for image_id, moment, reason in rows}

    def record(self, observed: Observed) -> None:
        """Writes or replaces one row."""
        at, complete, contained, inconclusive, runs, covers_hidden, login = observed
        self._run(
            "record",
            at=at,
            complete=complete,
            contained=contained,
            inconclusive=inconclusive,
            runs=list(runs),
            covers_hidden=covers_hidden,
            login=None if login is None else sorted(login),
        )

    def begin(self, at: datetime) -> None:
        """Notes an observation that may be the source's first."""
        self._run("observed_since", at=at)

    def remove(self, at: datetime) -> None:
        """Takes one observation out, with the absences that only it proved."""
        self._run("remove", at=at)
        self._run("remove_absences", at=at, ids=None)

    def remove_absences(self, at: datetime, ids: set[str]) -> None:
        """Takes out what an observation proved by more than absence about these images."""
        if ids:
            self._run("remove_absences", at=at, ids=list(ids))

    def save_absences(self, at: datetime, reasons: Mapping[str, str]) -> None:
        """Enters absences that an observation proves by more than a listing."""
        if reasons:
            self._run("save_absences", at=at, ids=list(reasons), reasons=list(reasons.values()))

    def approve(self, at: datetime, ids: Iterable[str], run_ids: Iterable[str]) -> None:
        """Enters that somebody approved the deletion of images, which these runs held: an observation that proves their
        absence, and says nothing of others."""
        if reasons := dict.fromkeys(ids, NOT_LISTED):
            self.record(Observed(at, False, self.save_set({LISTED: ()}), None, tuple(sorted(run_ids))))
            self.save_absences(at, reasons)

    def save_set(self, groups: Mapping[str, Iterable[str]]) -> bytes | None:
        """Stores ids by kind, each distinct set once; returns its key, None where there is nothing to say."""
        rows = [(kind, sorted(ids)) for kind, ids in sorted(groups.items())]
        rows = [(kind, ids) for kind, ids in rows if ids or kind == LISTED]
        if not rows:
            return None
        key = fingerprint_of(repr(row).encode() for row in rows)
        for kind, ids in rows:
            self._run("insert_set", set=key, kind=kind, ids=ids)
        return key

    def load_set(self, key: bytes | None) -> dict[str, frozenset[str]]:
        """Ids by kind of a stored set."""
        if key is None:
            return {}
        if key not in self._sets:
            self._sets[key] = {kind: frozenset(ids) for kind, ids in self._run("load_set", set=key)}
        return self._sets[key]

    def listed(self, observed: Observed) -> frozenset[str]:
        """The ids that an incomplete observation held."""
        return self.load_set(observed.contained_set).get(LISTED, _NONE)

    def inconclusive(self, observed: Observed) -> frozenset[str]:
        """The ids about which an observation is inconclusive, whether it is complete or not."""
        return among(self.load_set(observed.inconclusive_set), INCONCLUSIVE_KINDS)

    def unsaid(self, observed: Observed, ids: set[str]) -> set[str]:
        """Of these images, those about which an observation says nothing, look-ups left out."""
        return ids & self.inconclusive(observed) if observed.complete else ids - self.listed(observed)

    def speaks_of_all(self, since: datetime) -> bool:
        """True if some observation from a moment on is evidence of each image."""
        return bool(_SQL.value(self.connection, "tells_of_all", source=self.source_id, since=since))

    def first_runs(self, moments: Iterable[datetime]) -> dict[datetime, str]:
        """The runs that name the observations of these moments."""
        return dict(self._run("first_runs", ats=list(moments)))

    def absence_reasons(self, ids: Iterable[str], at: Iterable[datetime]) -> dict[tuple[str, datetime], str]:
        """Reasons of absences that are known by more than a listing, for the pairs given."""
        rows = self._run("absence_reasons", ids=list(ids), ats=list(at))
        return {(image_id, moment): reason for image_id, moment, reason in rows}

    def nearest(
        self,
        ids: Iterable[str],
        at: datetime,
        side: Side,
        never_recorded: Set[str] = frozenset(),
        *,
        by_login: bool = False,
    ) -> dict[str, datetime]:
        """When the evidence just before or just after a moment was taken, for each image that has any.

        An observation is evidence of an image if it is complete and not inconclusive about it, if it contained its
        record, or if a look-up in it proved the absence. `never_recorded`: images of which no record is stored, so
        that incomplete observations need not be searched for them. `by_login`: only those count of which it is known
        what the login reached that was shown all of it, and look-ups.
        """
        unresolved = set(ids)
        found: dict[str, datetime] = {}
        if not unresolved:
            return found
        absences: dict[str, datetime] = dict(self._run(f"absences_{side}", ids=list(unresolved), at=at))
        for row in self._signatures(at, side, lambda: unresolved <= never_recorded, by_login):
            if row.complete:
                says = unresolved - self.inconclusive(row)
            elif unresolved <= never_recorded:
                continue
            else:
                says = unresolved & self.listed(row)
            found.update(dict.fromkeys(says, row.at))
            unresolved.difference_update(says)
            if not unresolved:
                break
        nearer = max if side == "before" else min
        for image_id, moment in absences.items():
            found[image_id] = nearer(found.get(image_id, moment), moment)
        return found

    def rejected_after(self, ids: Iterable[str], at: datetime) -> set[str]:
        """Those of these images of which an observation after a moment holds a rejected record: no evidence, but
        they were present."""
        rows = self._run("rejected_after", ids=list(ids), at=at)
        return {image_id for (image_id,) in rows}

    def _signatures(
        self, at: datetime, side: Side, complete_only: Callable[[], bool], by_login: bool
    ) -> Iterator[Observed]:
        """The nearest observation of each distinct kind, nearest first; usually the first answers all."""
        which = {"at": at, "by_login": by_login, "unknown": UNKNOWN_RIGHT}
        for first in self._observed(f"next_{side}", **which):
            yield first
            yield from self._observed(f"nearest_{side}", complete_only=complete_only(), **which)

    def shown(self, ids: Iterable[str], before: datetime) -> dict[str, Reach]:
        """What the last login reached that was shown each of these images, as far as that is known. Shown what was for
        others to see then, say a public image that is private by now, it tells nothing.
        """
        moments = self.nearest(ids, before, "before", by_login=True)
        if not moments:
            return {}
        logins = {at: frozenset(login) for at, login in self._run("logins", ats=list({*moments.values()}))}
        recorded = self._run("recorded", ids=list(moments), ats=list(moments.values()), before=before)
        return {
            image_id: logins[moments[image_id]] for (image_id,) in recorded if moments[image_id] in logins
        }

    def shows_private(self, login: Reach, at: datetime | None = None) -> set[str | None]:
        """Owners of the private images that the last complete observation with this login contained, or the one of a
        moment."""
        return {owner for (owner,) in self._run("shows_private", login=sorted(login), at=at)}

    def shown_kinds(self, at: datetime) -> set[tuple[str | None, str | None]]:
        """Visibility and owner of what the complete observation of a moment listed."""
        return set(self._run("shown_kinds", at=at).fetchall())

    def reach_before(self, at: datetime) -> Reach:
        """What the logins before a moment reached, back to the last one whose absences count."""
        return together(right for (right,) in self._run("reach_before", at=at))

    def is_measured_after(self, at: datetime) -> bool:
        """True if after a moment a login was shown all that it reaches."""
        return bool(_SQL.value(self.connection, "is_measured_after", source=self.source_id, at=at))

    def unlisted_since(self, ids: set[str]) -> dict[str, datetime | None]:
        """For each image the first observation that missed it after the last one that listed it, else None.

        What was observed before an image's first evidence says nothing of it.
        """
        since: dict[str, datetime | None] = dict.fromkeys(ids)
        open_ids = frozenset(ids) & self._ever(MISSED_KINDS)
        if not open_ids:
            return since
        seen: dict[str, datetime] = dict(self._run("first_seen", ids=list(open_ids)))
        for observed in self.backwards():
            open_ids = frozenset(i for i in open_ids if i in seen and seen[i] <= observed.at)
            kinds = self.load_set(observed.inconclusive_set)
            missed = among(kinds, MISSED_KINDS) & open_ids
            since.update(dict.fromkeys(missed, observed.at))
            if observed.complete:
                open_ids = missed | (open_ids & among(kinds, UNSEEN_KINDS))
            else:
                open_ids = open_ids - (self.listed(observed) - missed)
            if not open_ids:
                break
        return since

    def held_since(self, unlisted: Mapping[str, datetime]) -> dict[str, Holder]:
        """For each of these images, `unlisted` since a moment, what holds it back; nothing where nothing does.

        A look-up that found the image ended it, unless somebody keeps the image, and so did a listing whose record of
        it was rejected (semantics 4.5).
        """
        ids = unlisted.keys() & self._ever(HELD_KINDS)
        if not ids:
            return {}
        rows = self._run("inconclusive_since", at=min(unlisted[image_id] for image_id in ids)).fetchall()
        since = dict(unlisted)
        for at, _, inconclusive_set in rows:
            rejected = self.load_set(inconclusive_set).get("rejected", _NONE) & ids
            since.update((image_id, at) for image_id in rejected if at >= since[image_id])
        kept = {
            image_id
            for at, _, inconclusive_set in rows
            for image_id in self.load_set(inconclusive_set).get("kept", _NONE) & ids
            if at >= since[image_id]
        }
        held: dict[str, Holder] = {}
        for at, run_id, inconclusive_set in rows:
            kinds = self.load_set(inconclusive_set)
            for image_id in kinds.get(FOUND, _NONE) & held.keys() - kept:
                del held[image_id]
            by_limit, for_login = kinds.get(BY_LIMIT, _NONE), among(kinds, (FOR_LOGIN, UNREACHED))
            for image_id in among(kinds, HELD_KINDS) & ids:
                if at >= since[image_id]:
                    reason: HeldReason = "login_changed" if image_id in for_login else "limit"
                    first = held.setdefault(image_id, Holder(run_id, at, image_id in kept, reason))
                    if image_id in by_limit:
                        held[image_id] = first._replace(reason="limit")
        return held

    def _ever(self, kinds: tuple[str, ...]) -> frozenset[str]:
        return frozenset(image_id for (image_id,) in self._run("ever", kinds=list(kinds)))


def among(sets: Mapping[str, frozenset[str]], kinds: Iterable[str]) -> frozenset[str]:
    """The ids of these kinds, of a set that was stored."""
    return _NONE.union(*(sets.get(kind, _NONE) for kind in kinds))
