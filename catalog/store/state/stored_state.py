"""The stored state of a source's images: what a sweep, or a backfill, compares a listing with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, filterfalse
from typing import Any, NamedTuple

from psycopg import sql

from catalog.model import SourceKind
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load as statements
from catalog.store.history.within_reach import UNKNOWN_RIGHT
from catalog.store.state import held_deletions
from catalog.text import storable

_SQL = statements("stored_state.sql", open_and_kept=held_deletions.OPEN_AND_KEPT)

UNPROVED_WITHIN = timedelta(days=30)
UNPROVED_AT_ONCE = 1000
"""Deletions known from listings alone that a sweep asks about: those of the last days, so many at most."""
Kind = tuple[str | None, str | None]
"""Visibility and owner."""
STEP = 5_000
"""Fingerprints read at a time."""


@dataclass(slots=True)
class StoredState:
    """The stored state of one source. `by_raw`: hash of a record's bytes -> image id; `others`: images whose
    last evidence is a record, but whose bytes are not known; `gone`: those among all whose record says deleted.
    `market`: those that only the pass of this name lists. `unproved`: deleted lately by listings alone.
    `login`: what the logins that brought it reached, nothing where that is not known.

    A backfill compares contents instead of bytes: `content` holds fingerprints by image, in the place of `by_raw` and
    `others`; `unlisted`: images that listings leave out; `latest`: the moment of the last observation, where it is
    known. `saw` and `missed` keep it up to date.
    """

    by_raw: dict[bytes, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    asked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    held_by_limit: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    market: set[str] = field(default_factory=set)
    unproved: list[str] = field(default_factory=list)
    login: frozenset[str] = frozenset()
    content: dict[str, bytes] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    latest: datetime | None = None

    @property
    def held_for_login(self) -> set[str]:
        """Images whose deletion is open until a login sees them, or they are decided."""
        return self.held - self.held_by_limit

    @property
    def live(self) -> int:
        """How many images are live."""
        return len(self.by_raw) + len(self.others) + len(self.content) - len(self.gone)

    def saw(self, image_id: str, content_hash: bytes, *, gone: bool, listed: bool) -> None:
        """A record is the image's last evidence now."""
        self.content[image_id] = content_hash
        (self.gone.add if gone else self.gone.discard)(image_id)
        (self.unlisted.discard if listed else self.unlisted.add)(image_id)

    def missed(self, ids: Iterable[str]) -> None:
        """Their absence is their last evidence now."""
        for image_id in ids:
            self.content.pop(image_id, None)
            self.gone.discard(image_id)
            self.unlisted.discard(image_id)

    def missing(self, *seen: Collection[str]) -> set[str]:
        """Images whose last evidence is a record, and which are in none of these collections."""
        ids: Iterable[str] = chain(self.by_raw.values(), self.others)
        for part in seen:
            ids = filterfalse(part.__contains__, ids)
        return set(ids)


@dataclass(frozen=True, slots=True)
class Known:
    """The stored state of one image: its content, whether it is live and listed, and the cloud's own time."""

    content_hash: bytes | None
    live: bool
    unlisted_since: datetime | None
    updated_at: datetime | None


class Present(NamedTuple):
    """The present of one image, as far as decisions about it can change it."""

    content_hash: bytes | None
    deleted_at: datetime | None
    deletion_reason: str | None
    held: str | None
    """`open` or `kept`."""
    told_at: datetime
    """When the observation was made that says so first."""

    @property
    def live(self) -> bool:
        return self.deleted_at is None

    @property
    def is_inferred_deletion(self) -> bool:
        return not self.live and self.deletion_reason != "reported"


def load(connection: Connection, source_id: str) -> StoredState:
    """Read in the caller's transaction, once: its cursor is closed at the end of that."""
    stored = StoredState()
    cursor = connection.cursor(binary=True)
    cursor.execute(_SQL["fingerprints"], {"source": source_id})
    more = True
    while more:
        rows = cursor.execute(f"FETCH {STEP} FROM stored").fetchall()
        more = len(rows) == STEP
        for image_id, raw_hash, live in rows:
            if raw_hash is None:
                stored.others.add(image_id)
            else:
                stored.by_raw[raw_hash] = image_id
            if not live:
                stored.gone.add(image_id)
    read_beside(connection, source_id, stored)
    return stored


def read_beside(connection: Connection, source_id: str, stored: StoredState) -> None:
    """All that is stored beside the images themselves."""
    recent = {"within": UNPROVED_WITHIN, "most": UNPROVED_AT_ONCE}
    row = _SQL.run(connection, "beside", source=source_id, **recent).fetchone()
    login, market, unproved, ids, moments, answers, opened, kept, by_limit = row or (None, *[()] * 8)
    stored.login, stored.market, stored.unproved = frozenset(login or ()), set(market), list(unproved)
    stored.asked = dict(zip(ids or (), zip(moments or (), answers or (), strict=True), strict=True))
    stored.held, stored.kept, stored.held_by_limit = set(opened), set(kept), set(by_limit)


def load_contents(connection: Connection, source_id: str) -> StoredState:
    """The stored state as a backfill compares it."""
    stored = StoredState()
    query = sql.SQL(_SQL["contents"]).format(sql.Literal(source_id))
    with connection.cursor(binary=True).copy(query) as copy:
        copy.set_types(["text", "bytea", "bool", "bool"])
        for image_id, content_hash, live, unlisted in copy.rows():
            stored.saw(image_id, content_hash, gone=not live, listed=not unlisted)
    stored.held, stored.kept, stored.held_by_limit = held_deletions.open_and_kept(connection, source_id)
    return stored


def known(connection: Connection, source_id: str, ids: Iterable[str]) -> dict[str, Known]:
    """The stored state of these images."""
    rows = _SQL.run(connection, "state_now", source=source_id, ids=list(ids))
    return {row[0]: Known(*row[1:]) for row in rows}


def contents_at(connection: Connection, source_id: str, at: datetime) -> dict[str, bytes | None]:
    """The contents that observations up to a moment show, by image: the hash of its content, None for its absence."""
    return dict(_SQL.run(connection, "state_at", source=source_id, at=at).fetchall())


def live_at(connection: Connection, source_id: str, at: datetime, kinds: Collection[str]) -> dict[str, bool]:
    """Images that lived as of a moment by what was observed up to then; and whether the deletion limit counted each
    while nobody lists it. `kinds`: what observations say of such ones."""
    rows = _SQL.run(connection, "live_at", source=source_id, at=at, kinds=list(kinds))
    return dict(rows.fetchall())


def ended_at(connection: Connection, source_id: str, at: datetime) -> set[str]:
    """Images whose absence begins with the observation of a moment."""
    return {image_id for (image_id,) in _SQL.run(connection, "ended_at", source=source_id, at=at)}


def would_delete(connection: Connection, source_id: str, ids: Iterable[str]) -> tuple[int, int]:
    """How many of these images are live, and how many others their record reported deleted."""
    live, reported = _SQL.run(connection, "would_delete", source=source_id, ids=list(ids)).fetchall()[0]
    return live, reported


def would_change(
    connection: Connection, source_id: str, ids: Iterable[str], most: int
) -> list[tuple[str, str | None, bool]]:
    """Those images, at most so many: id, name, and whether it is live."""
    return _SQL.run(connection, "would_change", source=source_id, ids=list(ids), most=most).fetchall()


def present(connection: Connection, source_id: str) -> dict[str, Present]:
    """The present of each image that is stored."""
    return {row[0]: Present(*row[1:]) for row in _SQL.run(connection, "present", source=source_id)}


def alike(
    connection: Connection,
    source_id: str,
    ids: Collection[str],
    but: Collection[str],
    new: Collection[tuple[str, str | None, str | None, str | None]],
    day: int,
) -> list[tuple[list[str], list[str | None]]]:
    """Some missing images by kind, each with live ones, as much alike as there is; of several ones another one each
    `day`. Stored ones serve, `but` for some, and `new` ones: id, visibility, owner, os_type."""
    columns = zip(*new, strict=True) if new else ((), (), (), ())
    values: dict[str, Any] = dict(
        zip(("new", "visibilities", "owners", "systems"), map(list, columns), strict=True)
    )
    values |= {"ids": list(ids), "but": list(but), "day": day}
    return _SQL.run(connection, "alike", source=source_id, **values).fetchall()


def not_public(connection: Connection, source_id: str, ids: Collection[str]) -> dict[str, Kind]:
    """Those of some images that are not public."""
    if not ids:
        return {}
    rows = _SQL.run(connection, "not_public", source=source_id, ids=list(ids))
    return {image_id: (visibility, owner) for image_id, visibility, owner in rows}


def unlisted(connection: Connection, source_id: str, ids: Collection[str] = ()) -> dict[str, bool]:
    """Live images that listings lack, and those of some others that live; and whether the deletion limit counts each as
    missing: those that no look-up found when last asked, that nobody keeps, and that are not of the marketplace."""
    return dict(_SQL.run(connection, "unlisted", source=source_id, ids=list(ids)).fetchall())


def missing_now(connection: Connection, source_id: str) -> set[str]:
    """Live images that listings lack and that the deletion limit counts: held, or without an answer."""
    return {image_id for image_id, counts in unlisted(connection, source_id).items() if counts}


def kinds(connection: Connection, source_id: str, but: Collection[str]) -> set[Kind]:
    """Of which kinds the live images are that are not public, but for some."""
    return set(_SQL.run(connection, "kinds", source=source_id, but=list(but)).fetchall())


def restricted(
    connection: Connection, source_id: str, ids: Collection[str], asked: Collection[str], project: str | None
) -> dict[str, tuple[str | None, str | None]]:
    """Owner and visibility of those of some live images, and of some that were `asked` about, that are neither for
    everybody nor of a project."""
    values = {"ids": list(ids), "asked": list(asked), "project": project}
    rows = _SQL.run(connection, "restricted", source=source_id, **values) if ids or asked else ()
    return {image_id: (owner, visibility) for image_id, owner, visibility in rows}


def of_others(
    connection: Connection, source_id: str, project: str | None, ids: Iterable[str], visibility: str
) -> dict[str, str | None]:
    """Those of these images that are of this visibility and not of the project, if that is known; with their owners."""
    values = {"project": project, "ids": list(ids), "visibility": visibility}
    return dict(_SQL.run(connection, "of_others", source=source_id, **values).fetchall())


def known_in(connection: Connection, kind: SourceKind, ids: Iterable[str]) -> dict[str, int]:
    """How many of these images each source of a kind knows, by its name."""
    return dict(_SQL.run(connection, "known_in", kind=kind, ids=list(ids)).fetchall())


def newest(connection: Connection, source_id: str, overlap: float) -> tuple[str, datetime] | None:
    """The listed image that changed last by its cloud's clock, and since when changes are to be asked for: `overlap`
    seconds before that, or before the last sweep that read them all. None where no image tells."""
    return _SQL.run(connection, "newest", source=source_id, overlap=overlap).fetchone()


def login(connection: Connection, source_id: str) -> frozenset[str]:
    """The rights that logins are compared with; nothing where it is not known."""
    return frozenset(_SQL.value(connection, "login", source=source_id) or ())


def save_login(connection: Connection, source_id: str, login: frozenset[str]) -> None:
    """Notes what later logins are compared with."""
    _SQL.run(connection, "save_login", source=source_id, login=sorted(map(storable, login)))


def doubt_login(connection: Connection, source_id: str) -> None:
    """Makes each login reach less than the measure, as images live that none may have seen since it was taken; until a
    sweep that misses nothing."""
    if known := login(connection, source_id):
        save_login(connection, source_id, known | {UNKNOWN_RIGHT})


def updated_at_of(connection: Connection, source_id: str, ids: Iterable[str]) -> dict[str, datetime | None]:
    """The stored `updated_at` of images, for records that a listing brings twice."""
    return {image_id: stored.updated_at for image_id, stored in known(connection, source_id, ids).items()}


def names_of(connection: Connection, source_id: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Names of images."""
    return dict(_SQL.run(connection, "names", source=source_id, ids=list(ids)).fetchall())
