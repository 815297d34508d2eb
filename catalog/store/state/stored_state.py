"""What a sweep needs to know of the present before it lists: fingerprints, open look-ups, held deletions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, filterfalse

from catalog.store.db.connection import Connection
from catalog.store.history.stage import SQL

STEP = 5_000
"""Fingerprints read at a time."""


@dataclass(slots=True)
class Present:
    """The present of one source. `by_raw`: hash of a record's bytes -> image id; `others`: images whose
    last evidence is a record, but whose bytes are not known; `gone`: those among all whose record says deleted.
    `login`: what the login of the last complete sweep reached, nothing where that is not known.
    """

    by_raw: dict[bytes, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    asked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    login: frozenset[str] = frozenset()

    @property
    def live(self) -> int:
        """How many images are live."""
        return len(self.by_raw) + len(self.others) - len(self.gone)

    def missing(self, *seen: Collection[str]) -> set[str]:
        """Images whose last evidence is a record, and which are in none of these collections."""
        ids: Iterable[str] = chain(self.by_raw.values(), self.others)
        for part in seen:
            ids = filterfalse(part.__contains__, ids)
        return set(ids)


def load(connection: Connection, source_id: str) -> Present:
    """Read in the caller's transaction, which it needs."""
    present = Present()
    cursor = connection.cursor(binary=True)
    # not psycopg's own server-side cursor: on a connection that broke it can no longer be closed, and complains
    cursor.execute(
        "DECLARE present NO SCROLL CURSOR FOR SELECT image_id, raw_hash, live FROM image_state"
        " WHERE source_id = %s AND content_hash IS NOT NULL",
        (source_id,),
    )
    while rows := cursor.execute(f"FETCH {STEP} FROM present").fetchall():
        for image_id, raw_hash, live in rows:
            if raw_hash is None:
                present.others.add(image_id)
            else:
                present.by_raw[raw_hash] = image_id
            if not live:
                present.gone.add(image_id)
    cursor.execute("CLOSE present")
    row = connection.execute("SELECT login FROM sources WHERE source_id = %s", (source_id,)).fetchone()
    present.login = frozenset((row and row[0]) or ())
    asked = connection.execute(
        "SELECT image_id, asked_at, answer FROM look_ups WHERE source_id = %s", (source_id,)
    )
    present.asked = {image_id: (asked_at, answer) for image_id, asked_at, answer in asked}
    for image_id, decision in connection.execute(
        "SELECT image_id, decision FROM held_deletions WHERE source_id = %s AND decision IN ('open', 'kept')",
        (source_id,),
    ):
        (present.held if decision == "open" else present.kept).add(image_id)
    return present


def alike(connection: Connection, source_id: str, image_id: str, missing: Collection[str]) -> list[str]:
    """Some live images that are not missing; those of the same os_type as this one stand first."""
    ids: list[str] = []
    for any_type in (False, True):
        rows = connection.execute(
            "SELECT image_id FROM images WHERE source_id = %(source)s AND deleted_at IS NULL"
            " AND image_id <> ALL (%(missing)s) AND (%(any)s OR os_type IS NOT DISTINCT FROM"
            " (SELECT os_type FROM images WHERE source_id = %(source)s AND image_id = %(image)s)) LIMIT 10",
            {"source": source_id, "image": image_id, "missing": list(missing), "any": any_type},
        )
        ids += [row[0] for row in rows]
    return list(dict.fromkeys(ids))


def save_login(connection: Connection, source_id: str, login: frozenset[str]) -> None:
    """What later logins are compared with."""
    connection.execute(
        "UPDATE sources SET login = %(login)s WHERE source_id = %(source)s AND login IS DISTINCT FROM %(login)s",
        {"source": source_id, "login": sorted(login)},
    )


def updated_at_of(connection: Connection, source_id: str, ids: Iterable[str]) -> dict[str, datetime | None]:
    """The stored `updated_at` of images, for records that a listing brings twice."""
    rows = connection.execute(SQL["updated_at"], {"source": source_id, "ids": list(ids)})
    return dict(rows.fetchall())


def save_look_ups(
    connection: Connection, source_id: str, at: datetime, answers: dict[str, str], settled: Iterable[str]
) -> None:
    """Notes what look-ups answered; `settled` images are listed again or deleted, and no longer asked for."""
    connection.execute(
        "INSERT INTO look_ups AS l (source_id, image_id, asked_at, answer)"
        " SELECT %s, image_id, %s, answer FROM unnest(%s::text[], %s::text[]) AS a (image_id, answer)"
        " ON CONFLICT (source_id, image_id) DO UPDATE SET asked_at = excluded.asked_at, answer = excluded.answer",
        (source_id, at, list(answers), list(answers.values())),
    )
    connection.execute(
        "DELETE FROM look_ups WHERE source_id = %s AND image_id = ANY(%s)", (source_id, list(settled))
    )
