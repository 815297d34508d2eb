"""Deletions that the limit holds back: noted, listed, approved, kept, or returned by evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from catalog.model import HeldReason, InconclusiveKind
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.history.ledger import BY_LIMIT, FOR_LOGIN, Ledger
from catalog.store.state.runs import ARCHIVED

_FORGOTTEN = "NOT EXISTS (SELECT FROM runs r WHERE r.source_id = %(source)s AND r.run_id = h.run_id)"
_SQL = load(
    "held_deletions.sql",
    forgotten=_FORGOTTEN,
    swept_o=ARCHIVED.replace("run_id", "o.run_ids[1]"),
    swept_h=ARCHIVED.replace("run_id", "h.run_id"),
)
REASONS: Mapping[InconclusiveKind, HeldReason] = {BY_LIMIT: "limit", FOR_LOGIN: "login_changed"}
OPEN_AND_KEPT = _SQL["open_and_kept"].partition("\n")[2].rstrip(";")


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """One open deletion, as `catalog deletions list` shows it."""

    source: str
    image_id: str
    name: str | None
    unlisted_since: datetime | None
    observed_at: datetime
    run_id: str
    decision: str
    reason: str
    owner: str | None
    owner_name: str | None


def hold(
    connection: Connection,
    source_id: str,
    run_id: str,
    observed_at: datetime,
    ids: Iterable[str],
    reason: HeldReason = "limit",
) -> None:
    """Notes deletions that this run would have inferred; of one that is open already only the limit is news."""
    values = {"source": source_id, "ids": list(ids)}
    _SQL.run(connection, "hold", run=run_id, at=observed_at, reason=reason, **values)
    if reason == "limit":
        _SQL.run(connection, "give_reasons", reasons=[reason] * len(values["ids"]), **values)


def decide(
    connection: Connection,
    source_id: str,
    ids: Iterable[str],
    decision: str,
    at: datetime,
    by: str,
    *,
    among: Iterable[str] = ("open", "kept"),
) -> int:
    """Ends open or kept deletions of these images; returns how many."""
    values = {"ids": list(ids), "decision": decision, "at": at, "by": by, "among": list(among)}
    return _SQL.count(connection, "decide", source=source_id, **values)


def held(
    connection: Connection,
    source_ids: Iterable[str],
    decisions: Iterable[str] = ("open",),
    image_id: str | None = None,
) -> list[HeldDeletion]:
    """Held deletions of these sources, as people see them; `image_id`: only those of one image."""
    values = {"sources": list(source_ids), "decisions": list(decisions), "image": image_id}
    return [HeldDeletion(*row) for row in _SQL.run(connection, "held", **values)]


def count_open(connection: Connection, source_id: str) -> int:
    """How many deletions of a source wait for a decision."""
    return int(_SQL.value(connection, "count_open", source=source_id))


def open_and_kept(connection: Connection, source_id: str) -> tuple[set[str], set[str], set[str]]:
    """Images whose deletion is open, those that somebody decided to keep, and the open ones that the limit holds."""
    opened, kept, by_limit = _SQL.run(connection, "open_and_kept", source=source_id).fetchall()[0]
    return set(opened), set(kept), set(by_limit)


def keep(connection: Connection, source_id: str, seen: Mapping[str, datetime], at: datetime) -> None:
    """Notes that somebody keeps these images, `seen` last at these moments: absences from then `at` most prove
    nothing."""
    _SQL.run(connection, "keep", source=source_id, ids=list(seen), ats=list(seen.values()), at=at)


def keep_no_longer(connection: Connection, source_id: str, held_since: Mapping[str, datetime]) -> None:
    """Somebody approves after all the deletions that were held since these moments."""
    ids, ats = list(held_since), list(held_since.values())
    _SQL.run(connection, "keep_no_longer", source=source_id, ids=ids, ats=ats)


def kept_since(connection: Connection, source_id: str, at: datetime) -> set[str]:
    """Images that somebody keeps, seen last at this moment before their deletion was held."""
    return {image_id for (image_id,) in _SQL.run(connection, "kept_since", source=source_id, at=at)}


def keep_since(
    connection: Connection, source_id: str, at: datetime, before: Mapping[str, datetime | None]
) -> None:
    """Lets such decisions reach further back than to this moment, which is forgotten: to where the image was seen
    `before`, if ever."""
    _SQL.run(connection, "keep_since", source=source_id, at=at, ids=list(before), ats=list(before.values()))


def kept_at(connection: Connection, source_id: str, at: datetime) -> set[str]:
    """Images whose absence at this moment proves nothing, as somebody decided later to keep them."""
    return {image_id for (image_id,) in _SQL.run(connection, "kept_at", source=source_id, at=at)}


def end_decided(connection: Connection, source_id: str, at: datetime, by: str) -> None:
    """Ends held deletions that the stored state has decided: the image is deleted, or listed again; one that somebody
    keeps after the decision."""
    _SQL.run(connection, "end_decided", source=source_id, at=at, by=by)


def follow(
    connection: Connection,
    source_id: str,
    at: datetime,
    by: str,
    *,
    run_id: str,
    before: tuple[Set[str], Set[str]],
    inconclusive: Mapping[str, InconclusiveKind],
    found: Set[str],
    rejected: Set[str],
) -> bool:
    """Brings held deletions to what the last observation says of them; False if there are none.

    `before`: images whose deletion was open, and those that were kept. `inconclusive`: what is held now, and why, among
    others. `found`: by look-ups, which ends what is open. `rejected`: images of which a record came that can't be
    stored; they are present.
    """
    held: dict[HeldReason, list[str]] = {}
    for image_id, kind in inconclusive.items():
        if kind in REASONS:
            held.setdefault(REASONS[kind], []).append(image_id)
    for reason, ids in held.items():
        hold(connection, source_id, run_id, at, ids, reason)
    opened, kept = before
    if not opened and not kept and not held:
        return False
    decide(connection, source_id, opened & found | (opened | kept) & rejected, "returned", at, by)
    end_decided(connection, source_id, at, by)
    return True


def follow_ledger(connection: Connection, source_id: str, at: datetime, by: str) -> None:
    """Brings held deletions to what the ledger tells of them: ended where the image is deleted or listed again,
    open or kept where an observation held them that was loaded, or came to count, after others."""
    end_decided(connection, source_id, at, by)
    waiting: dict[str, datetime] = dict(_SQL.run(connection, "waiting", source=source_id).fetchall())
    holders = Ledger(connection, source_id).held_since(waiting)
    opened: dict[str, datetime] = dict(_SQL.run(connection, "opened", source=source_id).fetchall())
    void = [i for i, since in opened.items() if i not in holders or since < holders[i].at]
    if void:
        decide(connection, source_id, void, "returned", at, by, among=("open",))
    if holders:
        kept = [image_id for image_id, holder in holders.items() if holder.kept]
        _SQL.run(connection, "keep_open", source=source_id, ids=kept, at=at, by=by)
        runs, moments, is_kept, meant = zip(*holders.values(), strict=True)
        values = {"source": source_id, "ids": list(holders), "ats": list(moments)}
        dropped = {image_id: row for image_id, *row in _SQL.run(connection, "drop_later_holders", **values)}
        rows = [dropped.get(image_id, (None, None, None)) for image_id in holders]
        adopted, decided, deciders = map(list, zip(*rows, strict=True))
        values["reasons"] = [was or reason for was, reason in zip(adopted, meant, strict=True)]
        values |= {"decided": decided, "deciders": deciders}
        _SQL.run(connection, "hold_again", at=at, by=by, runs=list(runs), kept=list(is_kept), **values)
        reasons = {"ids": values["ids"], "reasons": values["reasons"]}
        _SQL.run(connection, "give_reasons", source=source_id, **reasons)
    _SQL.run(connection, "date_held", source=source_id)
