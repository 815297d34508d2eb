"""Absences that nothing but a listing proves, and which of them are evidence of nothing (semantics 4.6).

Listings lack images that live. Between two listings that hold an image, or prove by more that it is gone, one that
merely lacks it says nothing of it if anything in between shows that it lives unlisted, if its records say that such
a listing leaves it out, or if its login may not see the image. The ledger keeps which absences these are, and each
further observation may change those around its moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Literal, NamedTuple

from catalog.model import NOT_LISTED, InconclusiveKind
from catalog.store.history.ledger import (
    BARE_KINDS,
    FOUND,
    HELD_KINDS,
    INCONCLUSIVE_KINDS,
    LIVES_UNLISTED,
    UNLISTED,
    UNREACHED,
    Ledger,
    Observed,
    among,
)
from catalog.store.history.rule import Content, Evidence
from catalog.store.history.stored_timelines import Timelines
from catalog.store.history.within_reach import Reach, is_beyond, is_keyed, project_of
from catalog.store.state import sources

Spare = Callable[[Mapping[datetime, set[str]]], Mapping[datetime, Mapping[str, str]]]
"""Of images whose absence comes to count, by moment, those of whom it shall say nothing, and the kind of that."""


class _Revision(NamedTuple):
    at: datetime
    is_record: bool
    hidden: bool
    market: bool
    restricted: bool = False
    owner: str | None = None


@dataclass(slots=True)
class _Gap:
    """The time between two observations that list an image, or prove that it is gone: the complete ones that merely
    lack it, and what shows that it lives unlisted."""

    bare: list[tuple[Observed, str | None]] = field(default_factory=list)
    """With the kind under which the ledger has it now; None: as evidence."""
    lister: Observed | None = None
    """What lists it first, on the side that was looked at first."""
    end: Observed | None = None
    """What lists it first, on the side that was looked at last."""
    found: list[Observed] = field(default_factory=list)
    unlisted: bool = False
    hidden: bool = False

    def see(self, record: _Revision) -> None:
        self.unlisted |= record.is_record and record.market
        self.hidden |= record.is_record and record.hidden

    def shown(self, before: datetime, first: Reach | None) -> Reach | None:
        """What the last login reached, as far as that is known, that a look-up showed the image before a moment; else
        what the `first` one did, that was shown it in a listing."""
        found = [row for row in self.found if row.shown_to is not None and row.at < before]
        return max(found).shown_to if found else first

    def kind(self, *, covers_hidden: bool) -> Literal["unlisted", "hidden"] | None:
        return "unlisted" if self.unlisted else "hidden" if self.hidden and not covers_hidden else None


class BareAbsences:
    """The absences of some of a source's images, all of them if `ids` is None, around a moment."""

    def __init__(self, ledger: Ledger, ids: Set[str] | None = None) -> None:
        self.ledger = ledger
        ids = ledger.perhaps_unlisted(ids) if ids is None or ids else set()
        self._revisions: dict[str, list[_Revision]] = defaultdict(list)
        for image_id, *row in ledger.revisions(ids):
            self._revisions[image_id].append(_Revision(*row))
        self.ids = self._revisions.keys()
        self._proved = ledger.absences(self.ids)
        self._shows: dict[tuple[Reach, datetime | None], set[str | None]] = {}

    def doubtful(self, at: datetime, ids: Set[str], *, covers_hidden: bool) -> dict[str, InconclusiveKind]:
        """Those of these images of whose absence a listing of that moment, still to be entered, proves nothing."""
        gaps = {image_id: _Gap() for image_id in ids & self.ids if self._is_known(image_id, at)}
        for side in ("before", "after"):
            self._look(gaps, self.ledger.walk(at, side))
        for gap in gaps.values():
            gap.unlisted |= any(kind == UNREACHED and row.at < at for row, kind in gap.bare)
        kinds = {image_id: gap.kind(covers_hidden=covers_hidden) for image_id, gap in gaps.items()}
        return {image_id: kind for image_id, kind in kinds.items() if kind}

    def follow(self, at: datetime, timelines: Timelines, spare: Spare, *, passed_on: bool = False) -> bool:
        """Brings ledger and timelines to what the evidence around a moment says since it changed there; but for what
        lies before a prune, whose records may be gone, and for absences that count no more all the same.

        What a login was shown there goes on to count after a saved listing, which doesn't say what its own could see:
        so do the changes (`passed_on`). And where the first record of an image comes or goes, absences up to the next
        one count otherwise, also behind one that is proved."""
        if not self.ids:
            return False
        since = sources.history_from(self.ledger.connection, self.ledger.source_id)
        left = {image_id: _Gap() for image_id in self.ids}
        self._look(left, self.ledger.walk(at, "before"))
        here = self.ledger.observed(at)
        ended = self._look(left, [here] if here else [])
        right = {image_id: _Gap() if image_id in ended else gap for image_id, gap in left.items()}
        for image_id in ended:
            record = self._covering(image_id, at)
            right[image_id].see(record)
            right[image_id].lister = here if record.is_record else None
        for gap in right.values():
            gap.end = None
        self._look(right, self.ledger.walk(at, "after"))
        changes: dict[datetime, tuple[Observed, dict[str, str | None]]] = {}
        gaps = [*left.items(), *((i, right[i]) for i in ended)]
        unreached = self._unreached(gaps)
        for image_id, gap in gaps:
            for observed, old in gap.bare:
                kind = unreached.get((image_id, observed.at))
                kind = kind or gap.kind(covers_hidden=observed.covers_hidden)
                if (image_id, observed.at) in self._proved or not self._is_known(image_id, observed.at):
                    kind = None
                if kind != old and (since is None or observed.at >= since):
                    changes.setdefault(observed.at, (observed, {}))[1][image_id] = kind
        spared = spare({when: {i for i in kinds if not kinds[i]} for when, (_, kinds) in changes.items()})
        for when, (observed, kinds) in sorted(changes.items(), key=itemgetter(0)):
            self._change(observed, {**kinds, **spared.get(when, {})}, timelines)
        judged = bool(changes)
        for when, ids in sorted(self._further(at, here, right.items(), passed_on=passed_on)):
            judged |= BareAbsences(self.ledger, ids).follow(when, timelines, spare, passed_on=True)
        return judged

    def _further(
        self, at: datetime, here: Observed | None, right: Iterable[tuple[str, _Gap]], *, passed_on: bool
    ) -> Iterable[tuple[datetime, set[str]]]:
        """Later moments around which a change at one counts too, with the images."""
        moments: dict[datetime, set[str]] = defaultdict(set)
        if passed_on or here is None or here.shown_to is not None:
            for image_id, gap in right:
                if gap.end is not None and gap.end.shown_to is None:
                    moments[gap.end.at].add(image_id)
        if not passed_on:
            firsts = {image_id: _Gap() for image_id in self.ids if self._revisions[image_id][0].at >= at}
            self._look(firsts, self.ledger.walk(at, "after"), past_proofs=True)
            for image_id, gap in firsts.items():
                if records := [*gap.found, *([gap.end] if gap.end else [])]:
                    moments[min(records).at].add(image_id)
        return moments.items()

    def keep(self, at: datetime, timelines: Timelines) -> dict[str, datetime]:
        """Makes absences before a moment, however proved, evidence of nothing, as somebody keeps these images; as far
        back as each was seen last, which is returned, and as history is kept."""
        since = sources.history_from(self.ledger.connection, self.ledger.source_id)
        seen: dict[str, datetime] = {}
        left = set(self.ids)
        for row in self.ledger.walk(at, "before"):
            left = {image_id for image_id in left if self._is_known(image_id, row.at)}
            if not left or (since is not None and row.at < since):
                break
            told = left - self.ledger.unsaid(row, left) | {i for i in left if (i, row.at) in self._proved}
            absent = {image_id for image_id in told if not self._covering(image_id, row.at).is_record}
            if absent:
                self.ledger.remove_absences(row.at, absent)
                self._change(row, dict.fromkeys(absent, "kept"), timelines)
            seen |= dict.fromkeys(told - absent, row.at)
            left -= seen.keys()
        return seen

    def _look(
        self, gaps: Mapping[str, _Gap], rows: Iterable[Observed], *, past_proofs: bool = False
    ) -> set[str]:
        """Notes what these observations say of images up to the end of each one's gap; those that got there."""
        open_ids = set(gaps)
        for row in rows if gaps else ():
            kinds = self.ledger.load_set(row.inconclusive_set)
            for kind in BARE_KINDS:
                for image_id in open_ids & kinds.get(kind, frozenset()):
                    gaps[image_id].bare.append((row, kind))
            if not past_proofs:
                open_ids -= {image_id for image_id in open_ids if (image_id, row.at) in self._proved}
            for image_id in open_ids & among(kinds, LIVES_UNLISTED):
                gaps[image_id].unlisted = True
            silent = among(kinds, INCONCLUSIVE_KINDS)
            for image_id in open_ids - silent if row.complete else open_ids & self.ledger.listed(row):
                gap, record = gaps[image_id], self._covering(image_id, row.at)
                if not record.is_record:
                    gap.bare.append((row, None))
                    continue
                gap.see(record)
                if image_id in kinds.get(FOUND, ()):
                    gap.found.append(row)
                else:
                    gap.lister, gap.end = gap.lister or row, row
                    open_ids.discard(image_id)
            if not open_ids:
                break
        return gaps.keys() - open_ids

    def _unreached(self, gaps: Iterable[tuple[str, _Gap]]) -> dict[tuple[str, datetime], str]:
        """Those of these absences that prove nothing as the login may not see the image, with their kind; and of later
        ones of which nothing tells what their login sees: the image lives unlisted by then."""
        listed: dict[Observed, dict[str, _Gap]] = defaultdict(dict)
        for image_id, gap in gaps:
            if gap.lister is not None and gap.bare:
                listed[gap.lister][image_id] = gap
        result: dict[tuple[str, datetime], str] = {}
        for lister, lacked in listed.items():
            # a saved listing doesn't say what its login could see: the one before it does
            login = lister.shown_to
            shown = self.ledger.shown(lacked, lister.at) if login is None else dict.fromkeys(lacked, login)
            for image_id, gap in lacked.items():
                record, seen = self._covering(image_id, lister.at), shown.get(image_id)
                result |= {(image_id, at): kind for at, kind in self._judge(gap, lister, record, seen)}
        return result

    def _judge(
        self, gap: _Gap, lister: Observed, record: _Revision, shown: Reach | None
    ) -> Iterator[tuple[datetime, str]]:
        """The kinds of the absences after a listing, up to the first one that proves something."""
        kind = None
        for row in sorted(row for row, _ in gap.bare if row.at > lister.at):
            if row.login is not None and self._is_beyond(record, row, row.login, gap.shown(row.at, shown)):
                kind = UNREACHED
                yield row.at, kind
            elif row.login is None and kind:
                yield row.at, UNLISTED
            elif gap.kind(covers_hidden=row.covers_hidden) is None:
                break

    def _is_beyond(self, record: _Revision, row: Observed, login: Reach, shown: Reach | None) -> bool:
        """True if a listing's login may not see an image, which a login that reached so much was `shown`. That a key
        was proves nothing: the same one may reach less from one hour to the next. Its listing alone tells."""
        may_reach_less = is_keyed(login) and project_of(login) is not None
        if shown is not None and not (may_reach_less and shown <= login):
            return not shown <= login
        key = login, row.at if may_reach_less else None
        if key not in self._shows:
            self._shows[key] = self.ledger.shows_private(*key)
        return record.restricted and is_beyond(record.owner, login, self._shows[key])

    def _covering(self, image_id: str, at: datetime) -> _Revision:
        line = self._revisions[image_id]
        n = bisect_right(line, at, key=itemgetter(0))
        return line[n - 1] if n else _Revision(at, is_record=False, hidden=False, market=False)

    def _is_known(self, image_id: str, at: datetime) -> bool:
        """Absence before the first record is not a revision, so that it may count."""
        return self._revisions[image_id][0].at <= at

    def _change(self, observed: Observed, changed: Mapping[str, str | None], timelines: Timelines) -> None:
        at = observed.at
        kinds = dict(self.ledger.load_set(observed.inconclusive_set))
        for name in (*BARE_KINDS, *HELD_KINDS):
            now = {image_id for image_id, kind in changed.items() if kind == name}
            kinds[name] = kinds.get(name, frozenset()) - changed.keys() | now
        self.ledger.record(observed._replace(inconclusive_set=self.ledger.save_set(kinds)))
        evidence: dict[str, Evidence | None] = {}
        for image_id, kind in changed.items():
            reason = self._proved.get((image_id, at), NOT_LISTED)
            absent = Evidence(at, Content(None, absence_reason=reason), observed.run_ids[0])
            evidence[image_id] = None if kind else absent
        timelines.write(at, evidence, {})
