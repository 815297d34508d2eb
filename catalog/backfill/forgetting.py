"""`catalog backfill --forget`: takes observations out of history again, all of a command or none (semantics 7.7)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from catalog.backfill.backfill import EARLIEST
from catalog.backfill.last_absences import beyond_limit
from catalog.config.settings import SourceSettings
from catalog.errors import SourceBusy, UsageError
from catalog.model import MOST_NAMED
from catalog.store.db.connection import Connection, Database, clock
from catalog.store.history.ledger import Ledger
from catalog.store.history.merge import Merge
from catalog.store.state import held_deletions, leases, lookups, runs, sources, stored_state
from catalog.store.state.runs import MergedRun
from catalog.store.state.stored_state import Present
from catalog.sync.archive import set_aside
from catalog.sync.deletion_limit import is_above_limit
from catalog.sync.mapping_adapter import MappingAdapter

EFFECTS = ("deleted", "erased", "restored", "updated", "held", "released")
"""Effects on images. Erased: no record is left. Held, released: a deletion is held that was not, or is no longer."""


@dataclass(slots=True)
class Forgotten:
    """Observations that were taken out. `observations`: the runs that made up each, by its time; `effects`: images by
    what became of them; `names`: of images, in a plan; `refusal`: why it would be refused."""

    observations: dict[datetime, tuple[str, ...]] = field(default_factory=dict)
    effects: dict[str, list[str]] = field(default_factory=dict)
    revised: int = 0
    names: dict[str, str | None] = field(default_factory=dict)
    refusal: str | None = None

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(run_id for run_ids in self.observations.values() for run_id in run_ids)

    @property
    def counts(self) -> dict[str, int]:
        return {**{effect: len(ids) for effect, ids in self.effects.items()}, "revised": self.revised}


def meant(
    database: Database,
    name: str,
    run_ids: Sequence[str],
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[MergedRun]:
    """The runs to forget, the latest first: by their ids or the beginnings of them, or a span; with each all others of
    its moment, which are one observation with it. None for what is forgotten already.

    Raises UsageError: an id that means no run with an observation, or several; a span with none.
    """
    with database.transaction(read_only=True) as connection:
        source_id = sources.known(connection, name).source_id
        moments = {_moment_of(connection, name, source_id, run_id) for run_id in run_ids}
        found = [one for at in moments if at for one in runs.merged(connection, source_id, (), at, at)]
        if since is not None or until is not None:
            span = since or EARLIEST, until
            found += runs.merged(connection, source_id, (), *span)
            if not found and not runs.forgotten(connection, source_id, (), *span):
                raise UsageError(
                    f"source {name!r} has no observation in that span; see `catalog runs {name}`"
                )
    return sorted(found, key=attrgetter("observed_at"), reverse=True)


def _moment_of(connection: Connection, name: str, source_id: str, run_id: str) -> datetime | None:
    """When a run observed, by its id or the beginning of it; None if that is forgotten already."""
    prefix = run_id.lower()
    if re.fullmatch(r"[0-9a-f-]{8,36}", prefix) is None:
        raise UsageError(
            f"{run_id!r} is not a run id, nor the first 8 characters of one; see `catalog runs {name}`"
        )
    chosen = runs.merged(connection, source_id, [prefix])
    if len(chosen) == 1:
        return chosen[0].observed_at
    if not chosen and runs.forgotten(connection, source_id, [prefix]):
        return None
    what = f"several runs {run_id}; give more of it" if chosen else f"no run {run_id} with an observation"
    raise UsageError(f"source {name!r} has {what}; see `catalog runs {name}`")


def forget(
    database: Database,
    source: SourceSettings,
    *run_ids: str,
    accept_deletions: bool = False,
    plan: bool = False,
    wait_seconds: float = 5.0,
) -> Forgotten:
    """Takes the observations of runs out again, in one transaction: history and present become what they were without
    them. `plan`: tells what that would do, and rolls it back.

    Runs of one moment are one observation, and can only go together. Their files can be loaded again, but not unasked.
    Archives of all that is forgotten are hidden, of what an interrupted command took out, too.
    Raises SourceBusy, LeaseLost, DatabaseError; UsageError for a run that has no observation, and, unless
    `accept_deletions`, where more live images than the deletion limit would be deleted or erased; nothing is changed
    then.
    """
    moments = list(dict.fromkeys(run.observed_at for run in meant(database, source.name, run_ids)))
    with database.transaction(read_only=True) as connection:
        source_id = sources.known(connection, source.name).source_id
    lease = leases.wait(database, source_id, str(uuid.uuid4()), wait_seconds)
    if lease is None:
        raise SourceBusy(f"another process is working on {source.name!r}; try again")

    def work(connection: Connection) -> Forgotten:
        before = stored_state.present(connection, source_id)
        forgotten = _take_out(connection, source, source_id, moments)
        after = stored_state.present(connection, source_id)
        forgotten.effects = _effects(before, after)
        if forgotten.effects["restored"]:
            stored_state.doubt_login(connection, source_id)
        if not accept_deletions:
            forgotten.refusal = _refusal(connection, source, source_id, before, after)
        if plan:
            connection.rollback()
        elif forgotten.refusal is not None:
            raise UsageError(forgotten.refusal)
        return forgotten

    forgotten = Forgotten()
    with leases.LeaseRenewer(database, lease):
        if moments:
            forgotten = leases.transact(database, lease, work)
    if plan:
        named = [image_id for ids in forgotten.effects.values() for image_id in ids][:MOST_NAMED]
        with database.transaction(read_only=True) as connection:
            forgotten.names = stored_state.names_of(connection, source_id, named)
        return forgotten
    with database.transaction(read_only=True) as connection:
        gone = runs.forgotten(connection, source_id, since=EARLIEST)
    for run_id, at in gone:
        set_aside(source, at, run_id)
    return forgotten


def _take_out(
    connection: Connection, source: SourceSettings, source_id: str, moments: Sequence[datetime]
) -> Forgotten:
    since, ledger = sources.history_from(connection, source_id), Ledger(connection, source_id)
    if since is not None and moments[-1] < since:
        raise UsageError(
            f"an observation of {moments[-1].isoformat()} lies before {since.isoformat()}, where the history was cut:"
            " nothing was changed"
        )
    observations = {at: observed.run_ids for at in moments if (observed := ledger.observed(at)) is not None}
    merge = Merge(connection, source_id, str(uuid.uuid4()), MappingAdapter.of(source), clock(connection))
    counts = merge.forget(*observations)
    for at, run_ids in observations.items():
        runs.forget(connection, source_id, run_ids, at)
        runs.remember_forgotten(connection, source_id, run_ids, at)
    lookups.save(connection, source_id, moments[0], {})
    held_deletions.follow_ledger(connection, source_id, moments[0], "forget")
    return Forgotten(observations, revised=counts.revised)


def _effects(before: Mapping[str, Present], after: Mapping[str, Present]) -> dict[str, list[str]]:
    """Images by what became of each."""
    effects: dict[str, list[str]] = {effect: [] for effect in EFFECTS}
    for image_id in sorted(before):
        old, new = before[image_id], after.get(image_id)
        if new is None:
            effects["erased"].append(image_id)
            continue
        if old.live != new.live:
            effects["restored" if new.live else "deleted"].append(image_id)
        elif old[:3] != new[:3]:
            effects["updated"].append(image_id)
        if old.held != new.held and new.live:
            effects["released" if new.held is None else "held"].append(image_id)
    return effects


def _refusal(
    connection: Connection,
    source: SourceSettings,
    source_id: str,
    before: Mapping[str, Present],
    after: Mapping[str, Present],
) -> str | None:
    """Why this must be asked for, if more live images than the deletion limit would go; where some would be deleted,
    those that are missing then count too: held, or without an answer."""
    live = [image_id for image_id, image in before.items() if image.live]
    erased = [image_id for image_id in live if image_id not in after]
    deleted = [i for i in live if i in after and after[i].is_inferred_deletion]
    missing = len(stored_state.missing_now(connection, source_id)) if deleted else 0
    lost = len(erased) + len(deleted)
    if is_above_limit(lost + missing, len(live), source):
        why = f"{lost} of {len(live)} live images would be deleted or erased"
        why += f", and {missing} are held or wait for an answer," if missing else ","
        why += " more than the deletion limit allows"
    elif doubted := _doubted(connection, source, source_id, {i: after[i].told_at for i in deleted}):
        why = f"{doubted} live images would be deleted by listings that may just not have shown them"
    else:
        return None
    return f"{why}: nothing was changed; see --plan, forget the run that lacks them instead, or give --accept-deletions"


def _doubted(
    connection: Connection, source: SourceSettings, source_id: str, deleted: Mapping[str, datetime]
) -> int:
    """How many of these deletions the limit would hold, whatever their number: by listings alone."""
    proved = Ledger(connection, source_id).absence_reasons(deleted.keys(), deleted.values())
    moments: dict[datetime, set[str]] = {}
    for image_id, at in deleted.items() - proved.keys():
        moments.setdefault(at, set()).add(image_id)
    return sum(len(beyond_limit(connection, source, source_id, at, ids)) for at, ids in moments.items())
