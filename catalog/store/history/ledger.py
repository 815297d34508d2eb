"""The ledger of observations: which were taken, which are complete, and about whom each says nothing.

History is a function of this ledger and of the records; here stands what is needed to tell, for any image
and moment, when the evidence before and after was taken. Sets of ids are stored once each, because a source
that stays partial, or holds deletions back, for weeks repeats them in every sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice, repeat
from typing import Literal

from catalog.fingerprint import fingerprint_of
from catalog.store.db.connection import Connection
from catalog.store.history.stage import SQL

LISTED = "listed"
FOUND = "found"
SILENT_KINDS = ("rejected", "unanswered", "held", "kept")
MISSED_KINDS = (FOUND, *(kind for kind in SILENT_KINDS if kind != "rejected"))
"""Of images that are missing from listings. FOUND stands first: it counts before what else is said of them."""
HELD_KINDS = ("held", "kept")
Side = Literal["before", "after"]
_PART = 50_000
"""Ids sent at once."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One row of the ledger."""

    at: datetime
    complete: bool
    held_set: bytes | None
    silent_set: bytes | None
    run_ids: tuple[str, ...]


class Ledger:
    """The observations of one source, read and written inside the caller's transaction."""

    def __init__(self, connection: Connection, source_id: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self._sets: dict[bytes, dict[str, frozenset[str]]] = {}

    def observed(self, at: datetime) -> Observed | None:
        row = self.connection.execute(
            "SELECT observed_at, complete, held_set, silent_set, run_ids FROM observations"
            " WHERE source_id = %s AND observed_at = %s",
            (self.source_id, at),
        ).fetchone()
        return Observed(row[0], row[1], row[2], row[3], tuple(map(str, row[4]))) if row else None

    def latest(self, before: datetime | None = None) -> Observed | None:
        """The last observation, or the last one before a moment."""
        row = self.connection.execute(
            "SELECT observed_at, complete, held_set, silent_set, run_ids FROM observations"
            " WHERE source_id = %s AND observed_at < coalesce(%s, 'infinity'::timestamptz)"
            " ORDER BY observed_at DESC LIMIT 1",
            (self.source_id, before),
        ).fetchone()
        return Observed(row[0], row[1], row[2], row[3], tuple(map(str, row[4]))) if row else None

    def record(self, observed: Observed) -> None:
        """Writes or replaces one row."""
        self.connection.execute(
            "INSERT INTO observations (source_id, observed_at, complete, held_set, silent_set, run_ids)"
            " VALUES (%s, %s, %s, %s, %s, %s::uuid[])"
            " ON CONFLICT (source_id, observed_at) DO UPDATE SET complete = excluded.complete,"
            " held_set = excluded.held_set, silent_set = excluded.silent_set, run_ids = excluded.run_ids",
            (
                self.source_id,
                observed.at,
                observed.complete,
                observed.held_set,
                observed.silent_set,
                list(observed.run_ids),
            ),
        )

    def remove(self, at: datetime) -> None:
        """Takes one observation out, with the lacks that only it proved."""
        for table in ("observations", "lacks"):
            self.connection.execute(
                f"DELETE FROM {table} WHERE source_id = %s AND observed_at = %s", (self.source_id, at)
            )

    def remove_lacks(self, at: datetime, ids: set[str]) -> None:
        """Takes out what an observation proved by more than absence about these images."""
        if ids:
            self.connection.execute(
                "DELETE FROM lacks WHERE source_id = %s AND observed_at = %s AND image_id = ANY(%s)",
                (self.source_id, at, list(ids)),
            )

    def save_set(self, groups: Mapping[str, Iterable[str]]) -> bytes | None:
        """Stores ids by kind, each distinct set once; returns its key, None where there is nothing to say."""
        rows = [(kind, sorted(ids)) for kind, ids in sorted(groups.items())]
        rows = [(kind, ids) for kind, ids in rows if ids or kind == LISTED]
        if not rows:
            return None
        key = fingerprint_of(repr(row).encode() for row in rows)
        for kind, ids in rows:
            self.connection.execute(
                "INSERT INTO id_sets (source_id, set_id, kind, image_ids) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (self.source_id, key, kind, ids),
            )
        return key

    def save_listed(self, ids: Iterable[str]) -> bytes:
        """As `save_set` with the ids listed alone, for more of them than memory should hold; sorted already."""
        separators = chain([""], repeat(", "))
        named = (
            f"{separator}{image_id!r}".encode() for separator, image_id in zip(separators, ids, strict=False)
        )
        key = fingerprint_of(chain([f"({LISTED!r}, [".encode()], named, [b"])"]))
        inserted = self.connection.execute(
            "INSERT INTO id_sets (source_id, set_id, kind, image_ids) VALUES (%s, %s, %s, '{}')"
            " ON CONFLICT DO NOTHING",
            (self.source_id, key, LISTED),
        ).rowcount
        remaining = iter(ids)
        while inserted and (part := list(islice(remaining, _PART))):
            self.connection.execute(
                "UPDATE id_sets SET image_ids = image_ids || %s"
                " WHERE source_id = %s AND set_id = %s AND kind = %s",
                (part, self.source_id, key, LISTED),
            )
        return key

    def load_set(self, key: bytes | None) -> dict[str, frozenset[str]]:
        """Ids by kind of a stored set."""
        if key is None:
            return {}
        if key not in self._sets:
            rows = self.connection.execute(
                "SELECT kind, image_ids FROM id_sets WHERE source_id = %s AND set_id = %s",
                (self.source_id, key),
            )
            self._sets[key] = {kind: frozenset(ids) for kind, ids in rows}
        return self._sets[key]

    def listed(self, observed: Observed) -> frozenset[str]:
        """The ids that an incomplete observation held."""
        return self.load_set(observed.held_set).get(LISTED, frozenset())

    def silent(self, observed: Observed) -> frozenset[str]:
        """The ids about which an observation is inconclusive, whether it is complete or not."""
        kinds = self.load_set(observed.silent_set)
        return among(kinds, SILENT_KINDS)

    def unsaid(self, observed: Observed, ids: set[str]) -> set[str]:
        """Of these images, those about which an observation says nothing, look-ups left out."""
        return ids & self.silent(observed) if observed.complete else ids - self.listed(observed)

    def speaks_of_all(self, since: datetime) -> bool:
        """Whether some observation from a moment on is evidence of each image."""
        row = self.connection.execute(
            "SELECT EXISTS (SELECT FROM observations WHERE source_id = %s AND observed_at >= %s"
            " AND complete AND silent_set IS NULL)",
            (self.source_id, since),
        ).fetchone()
        return bool(row and row[0])

    def lack_reasons(self, ids: Iterable[str], at: Iterable[datetime]) -> dict[tuple[str, datetime], str]:
        """Reasons of lacks that are known by more than absence, for the pairs given."""
        rows = self.connection.execute(
            SQL["lack_reasons"], {"source": self.source_id, "ids": list(ids), "ats": list(at)}
        )
        return {(image_id, moment): reason for image_id, moment, reason in rows}

    def nearest(
        self, ids: Iterable[str], at: datetime, side: Side, never_held: Set[str] = frozenset()
    ) -> dict[str, datetime]:
        """When the evidence just before or just after a moment was taken, for each image that has any.

        An observation is evidence of an image if it is complete and not silent about it, if it held its
        record, or if a look-up in it proved the lack. `never_held`: images of which no record is stored, so
        that incomplete observations need not be searched for them.
        """
        unresolved = set(ids)
        found: dict[str, datetime] = {}
        if not unresolved:
            return found
        lacks = self._nearest_lacks(unresolved, at, side)
        for row in self._signatures(at, side, lambda: unresolved <= never_held):
            if row.complete:
                says = unresolved - self.silent(row)
            elif unresolved <= never_held:
                continue
            else:
                says = unresolved & self.listed(row)
            found.update(dict.fromkeys(says, row.at))
            unresolved.difference_update(says)
            if not unresolved:
                break
        nearer = max if side == "before" else min
        for image_id, moment in lacks.items():
            found[image_id] = nearer(found.get(image_id, moment), moment)
        return found

    def _signatures(self, at: datetime, side: Side, complete_only: Callable[[], bool]) -> Iterator[Observed]:
        """The nearest observation of each distinct kind, nearest first; usually the first answers all."""
        comparison, order, nearest = ("<", "DESC", "max") if side == "before" else (">", "ASC", "min")
        first = self.connection.execute(
            "SELECT observed_at, complete, held_set, silent_set FROM observations"
            f" WHERE source_id = %s AND observed_at {comparison} %s ORDER BY observed_at {order} LIMIT 1",
            (self.source_id, at),
        ).fetchone()
        if first is None:
            return
        yield Observed(first[0], first[1], first[2], first[3], ())
        rows = self.connection.execute(
            f"SELECT {nearest}(observed_at) AS moment, complete, held_set, silent_set FROM observations"
            f" WHERE source_id = %s AND observed_at {comparison} %s AND (complete OR NOT %s)"
            f" GROUP BY complete, held_set, silent_set ORDER BY moment {order}",
            (self.source_id, at, complete_only()),
        )
        for row in rows.fetchall():
            yield Observed(row[0], row[1], row[2], row[3], ())

    def _nearest_lacks(self, ids: set[str], at: datetime, side: Side) -> dict[str, datetime]:
        rows = self.connection.execute(
            SQL[f"lacks_{side}"], {"source": self.source_id, "ids": list(ids), "at": at}
        )
        return dict(rows.fetchall())


def among(sets: Mapping[str, frozenset[str]], kinds: Iterable[str]) -> frozenset[str]:
    """The ids of these kinds, of a set that was stored."""
    return frozenset().union(*(sets.get(kind, frozenset()) for kind in kinds))
