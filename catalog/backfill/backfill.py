"""`catalog backfill`: saved listings become history, in any order and any number of times (semantics 7)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from catalog.address import service_of
from catalog.backfill.loader import (
    AHEAD,
    BackfillResult,
    FileFailure,
    Interrupted,
    Loader,
    Progress,
    archived_run,
)
from catalog.backfill.yielding_lease import Busy
from catalog.config.settings import (
    Settings,
    SourceSettings,
    check_new_name,
    configured_source,
    source_settings,
)
from catalog.errors import UsageError
from catalog.fetch.files.discovery import find_files
from catalog.fetch.files.moment import date_in_name
from catalog.fetch.files.reader import BrokenDump, Dump, open_dump
from catalog.model import SourceKind
from catalog.store.db.connection import Database, clock
from catalog.store.state import runs, sources
from catalog.store.state.sources import Source

__all__ = [
    "BackfillResult",
    "FileFailure",
    "Progress",
    "backfill",
    "find_source",
]

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""A time before it was told by a clock that nobody had set: no cloud is as old."""


@dataclass(slots=True)
class _Moment:
    """The files of one moment."""

    dumps: list[Dump] = field(default_factory=list)
    archives: list[Dump] = field(default_factory=list)
    broken: list[BrokenDump] = field(default_factory=list)


def find_source(
    database: Database,
    settings: Settings,
    name: str,
    *,
    kind: SourceKind | None = None,
    paths: Sequence[Path] = (),
) -> SourceSettings:
    """The settings of a source by its name: as configured, else with `[defaults]`; its kind known in the
    database, or new: this `kind`, or the one that the header of an archive among `paths` names.

    Raises UsageError where the kind cannot be told, or is another than the one known, or no new source can
    have the name.
    """
    with database.transaction(read_only=True) as connection:
        stored = sources.find(connection, name)
    if stored is None:
        check_new_name(settings, name)
    configured = configured_source(settings, name)
    known = configured.kind if configured is not None else stored.kind if stored is not None else None
    if known is not None and kind is not None and known != kind:
        raise UsageError(f"source {name!r} is of kind {known!r}, not {kind!r}; leave --kind out")
    told = known or kind or _kind_in_archives(paths)
    if told is None:
        raise UsageError(
            f"source {name!r} is neither configured nor in the database; name its kind: --kind glance or --kind ims"
        )
    return source_settings(settings, name, told)


def _kind_in_archives(paths: Sequence[Path]) -> SourceKind | None:
    kinds = set()
    for path in find_files(paths) if paths else ():
        try:
            header = open_dump(path).header
        except BrokenDump:
            continue
        if header is not None:
            kinds.add(header.kind)
    return kinds.pop() if len(kinds) == 1 else None


def backfill(
    database: Database,
    source: SourceSettings,
    paths: Sequence[Path],
    *,
    observed_at: datetime | None = None,
    complete: bool = False,
    accept_deletions: bool = False,
    confirmed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> BackfillResult:
    """Loads files and folders into the history of one source, the oldest first, one transaction a moment.

    `observed_at`: when all of them were taken, else each file tells. `complete`: dumps prove the absence of
    what they lack (archives know for themselves). `accept_deletions`: beyond the deletion limit, too.
    `confirmed`: also files that seem to be another source's, or whose observation was forgotten.

    A file that cannot be read whole is among `failures`, and nothing of it is written. Raises UsageError,
    before anything is written, where a time cannot be told, lies ahead, or before the history that was kept,
    or where an archive is another source's; DatabaseError and LeaseLost.
    """
    files = find_files(paths)
    asked_for = {path for path in paths if path.is_file()}
    moments = _sort(files, observed_at)
    archives = [(at, dump) for at, moment in sorted(moments.items()) for dump in moment.archives]
    _check(database, source, moments, archives, confirmed=confirmed)
    everything = [dump for moment in moments.values() for dump in (*moment.archives, *moment.dumps)]
    with Loader(
        database,
        source,
        complete=complete,
        accept=accept_deletions,
        confirmed=confirmed,
        asked_for=asked_for,
        total=sum(dump.size for dump in everything),
        progress=progress,
        stop=stop,
    ) as loader:
        result = loader.result
        try:
            for at, moment in sorted(moments.items()):
                for error in moment.broken:
                    loader.fail(error)
                broken = bool(moment.broken)
                for dump in moment.archives:
                    lacking = len(result.failures) + result.forgotten
                    loader.load_archive(at, dump, identifies=dump is archives[-1][1])
                    broken = broken or len(result.failures) + result.forgotten > lacking
                    loader.done([dump])
                if moment.dumps:
                    loader.load_dumps(at, moment.dumps, broken=broken)
                    loader.done(moment.dumps)
        except Busy:
            result.busy = True
        except Interrupted:
            result.stopped = True
        return result


def _sort(files: Sequence[Path], observed_at: datetime | None) -> dict[datetime, _Moment]:
    moments: dict[datetime, _Moment] = {}
    for path in files:
        dump: Dump | None = None
        broken: BrokenDump | None = None
        try:
            dump = open_dump(path)
        except BrokenDump as error:
            broken = error
        header = dump.header if dump is not None else None
        at = observed_at or (header.observed_at if header is not None else date_in_name(path.name))
        if at is None:
            unread = f"{broken.reason}; " if broken is not None else ""
            raise UsageError(
                f"{path}: {unread}when was it taken? Its name holds no date (ISO 8601), or more than one;"
                " rename it, or give --observed-at; nothing was written"
            )
        moment = moments.setdefault(at, _Moment())
        if broken is not None:
            moment.broken.append(broken)
        elif dump is not None:
            (moment.dumps if header is None else moment.archives).append(dump)
    return moments


def _check(
    database: Database,
    source: SourceSettings,
    moments: dict[datetime, _Moment],
    archives: Sequence[tuple[datetime, Dump]],
    *,
    confirmed: bool,
) -> None:
    """All that makes the command wrong as a whole, before anything is written."""
    run_ids = [_run_id(at, dump) for at, dump in archives]
    since: datetime | None = None
    known: set[str] = set()
    own_ids: set[str | None] = set()
    headers = [(dump.path, dump.header) for _, dump in archives]
    ids = {header.source_id for _, header in headers if header and header.source_id}
    with database.transaction(read_only=True) as connection:
        stored = sources.find(connection, source.name)
        limit = clock(connection) + AHEAD
        if stored is not None:
            since = sources.history_from(connection, stored.source_id)
            known = runs.among(connection, stored.source_id, run_ids)
            own_ids = sources.own_ids(connection, stored.source_id)
        owners = sources.owners(connection, ids - own_ids, stored.source_id if stored else "")
    if stored is not None and stored.observed_since is not None and stored.kind != source.kind:
        raise UsageError(
            f"source {source.name!r} was recorded with kind {stored.kind!r}, not {source.kind!r};"
            f" run `catalog sources adopt {source.name}` if it changed; nothing was written"
        )
    for at, moment in moments.items():
        name = _name_of(moment)
        if at < EARLIEST:
            raise UsageError(
                f"{name}: its time {at.isoformat()} is before any cloud's; give the right one with"
                " --observed-at; nothing was written"
            )
        if at > limit:
            raise UsageError(
                f"{name}: its time {at.isoformat()} is more than 5 minutes ahead of the database's clock;"
                " nothing was written"
            )
        if since is not None and at < since:
            raise UsageError(
                f"{name}: its time {at.isoformat()} lies before {since.isoformat()}, where the history of"
                f" {source.name!r} was cut by `catalog db prune`; nothing was written"
            )
    new = [run_id not in known for run_id in run_ids]
    pairs = [(dump, is_new) for (_, dump), is_new in zip(archives, new, strict=True)]
    _check_origin(source, stored, own_ids, pairs, confirmed=confirmed)
    for (path, header), is_new in zip(headers, new, strict=True):
        owner = owners.get(header.source_id) if header and header.source_id and is_new else None
        if owner is not None and not confirmed:
            raise UsageError(
                f"{path}: an archive of source {owner!r}; load it there, or give --yes if it is this one's;"
                " nothing was written"
            )


def _name_of(moment: _Moment) -> str:
    files: list[Dump | BrokenDump] = [*moment.archives, *moment.dumps, *moment.broken]
    return str(files[0].path)


def _run_id(at: datetime, dump: Dump) -> str:
    try:
        return archived_run(at, dump)
    except ValueError:
        raise UsageError(f"{dump.path}: its header names no run (UUID); nothing was written") from None


def _check_origin(
    source: SourceSettings,
    stored: Source | None,
    own_ids: Set[str | None],
    archives: Sequence[tuple[Dump, bool]],
    *,
    confirmed: bool,
) -> None:
    """From one archive to the one before, either the source's id stays or kind, region, project and endpoint do.

    A source that was adopted keeps its id, so its whole archive passes; another source's does not. The last one is
    compared with the source itself, an endpoint that is configured included, unless it is its own or `confirmed`. Those
    that are in the ledger (not new) are never refused.
    """
    whose, after = repr(source.name), None
    own: dict[str, str | None] = dict.fromkeys(("region", "project", "endpoint"))
    if stored is not None:
        own = {"region": stored.region, "project": stored.project_id, "endpoint": stored.endpoint}
    met = {**own, "kind": source.kind, "region": own["region"] or source.region}
    configured = own["endpoint"] is None and not confirmed
    if configured:
        met["endpoint"] = source.endpoint
    for dump, is_new in reversed(archives):
        header = dump.header
        assert header is not None
        told = {"kind": header.kind, "region": header.region, "project": header.project_id}
        told["endpoint"] = header.endpoint
        for what, value in told.items():
            known = met[what]
            if (
                value is None
                or known is None
                or (after is not None and header.source_id == after)
                or not is_new
            ):
                continue
            moved = what == "endpoint" and header.source_id in own_ids  # a service may get another address
            if moved or value == known or (what == "endpoint" and service_of(value) == service_of(known)):
                continue
            adopt = after is None and own.get(what) is not None
            confirm = configured and what == "endpoint" and after is None
            raise UsageError(
                f"{dump.path}: an archive of {header.source!r} with {what} {value!r}, while {whose} has"
                f" {known!r}; load it into a source of its own"
                + (f", or run `catalog sources adopt {source.name}` if it is this one's" if adopt else "")
                + (", or give --yes if it is this one's" if confirm else "")
                + "; nothing was written"
            )
        whose, after = str(dump.path), header.source_id
        met.update((what, value) for what, value in told.items() if value is not None)
