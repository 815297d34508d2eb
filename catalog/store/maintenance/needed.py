"""Finds the observations from before a cut that the ledger still needs, when none before it is loaded again.

Two things are asked of that time. When was the last evidence of an image taken (`Ledger.nearest`: what comes
next is dated by it)? And of an image that was missing from listings when the cut came: since when
(`unlisted_since`), and since when its deletion is held: whether somebody kept it, and the first observation
that held it back for each reason, at all or since the last look-up that found it (`held_since`). What answers
these stays; all other observations told the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.ledger import (
    FOUND,
    HELD_KINDS,
    INCONCLUSIVE_KINDS,
    LISTED,
    MISSED_KINDS,
    UNSEEN_KINDS,
    Ledger,
    Observed,
    among,
)

SQL = load("prune.sql")
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Observations one after the other that say the same. `kinds`: of images that some observation missed, those
    that are inconclusive or found in these; `listed`: those that these, incomplete, hold."""

    newest: datetime
    oldest: datetime
    complete: bool
    contained_set: bytes | None
    kinds: Mapping[str, frozenset[str]]
    listed: frozenset[str]


def needed(connection: Connection, source_id: str, cut: datetime) -> set[datetime]:
    """Moments of the observations before the cut that must stay."""
    named: dict[bytes | None, dict[str, frozenset[str]]] = {}
    for set_id, kind, ids in SQL.run(connection, "named", source=source_id):
        named.setdefault(set_id, {})[kind] = frozenset(ids)
    evidence = _LastEvidence(connection, source_id)
    absences = _Absences(_NONE.union(*(among(kinds, MISSED_KINDS) for kinds in named.values())))
    moments: set[datetime] = set()
    for stretch in _stretches(connection, source_id, cut, named):
        # both look at each stretch; the newest stays in any case: what is loaded next comes after it
        is_evidence, begins = evidence.finds(stretch), absences.begin(stretch)
        if is_evidence or begins or not moments:
            moments.add(stretch.newest)
        if evidence.left == absences.open == _NONE:
            break
    return moments | absences.moments()


def _stretches(
    connection: Connection,
    source_id: str,
    cut: datetime,
    named: Mapping[bytes | None, Mapping[str, frozenset[str]]],
) -> Iterator[_Stretch]:
    """The observations before the cut, the newest first."""
    rows = Ledger(connection, source_id).backwards(cut)
    for (complete, contained_set, inconclusive_set), same in groupby(rows, itemgetter(1, 2, 3)):
        moments = [row[0] for row in same]
        listed = named.get(contained_set, {}).get(LISTED, _NONE)
        yield _Stretch(
            moments[0], moments[-1], complete, contained_set, named.get(inconclusive_set, {}), listed
        )


class _LastEvidence:
    """The images still without evidence, going back in time. `left`: those images; None: all but those told of."""

    def __init__(self, connection: Connection, source_id: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self.told: set[str] = set()
        self.left: frozenset[str] | None = None

    def finds(self, stretch: _Stretch) -> bool:
        """True if the newest of these is the last evidence of some image."""
        before = self.left
        if stretch.complete:
            inconclusive = among(stretch.kinds, INCONCLUSIVE_KINDS)
            self.left = inconclusive - self.told if before is None else before & inconclusive
        elif before is not None:
            self.left = before - stretch.listed
        else:
            known = len(self.told)
            self.told |= self._listed(stretch)
            return len(self.told) > known
        return before != self.left

    def _listed(self, stretch: _Stretch) -> frozenset[str]:
        # a ledger of its own each time: it keeps what it read, and these sets are large, and can be many
        ledger = Ledger(self.connection, self.source_id)
        return ledger.listed(Observed(stretch.newest, False, stretch.contained_set, None, ()))


class _Absences:
    """The images that were missing when the cut came, going back in time. `open`: images not listed, nor known to
    be absent, so far back."""

    def __init__(self, missed: frozenset[str]) -> None:
        self.open = missed
        self._first: dict[tuple[str, str], datetime] = {}
        self._found: dict[str, datetime] = {}
        self._held_since: dict[tuple[str, str], datetime] = {}

    def begin(self, stretch: _Stretch) -> bool:
        """Notes what is said of open images; whether the absence of some begins after these."""
        missed = self.open & among(stretch.kinds, MISSED_KINDS)
        for kind in MISSED_KINDS:
            for image_id in missed & stretch.kinds.get(kind, _NONE):
                self._first[image_id, kind] = stretch.oldest
                if kind == FOUND:
                    self._found.setdefault(image_id, stretch.newest)
                elif kind in HELD_KINDS and image_id not in self._found:
                    self._held_since[image_id, kind] = stretch.oldest
        before = self.open
        if stretch.complete:
            self.open = missed | (before & among(stretch.kinds, UNSEEN_KINDS))
        else:
            self.open = before - (stretch.listed - missed)
        return before != self.open

    def moments(self) -> set[datetime]:
        """When each absence began, and what is asked of it."""
        return {*self._first.values(), *self._found.values(), *self._held_since.values()}
