"""Evidence that comes and goes, and people who decide: random stories against a real database and cloud.

Beside sweeps there are saved listings, observations that are forgotten, deletions that are kept or approved, prunes,
keys that are ignored from now on, and a login that loses a role. After each step history is what the rule says of the
ledger, no image that the cloud still has is deleted unless somebody accepts or approves, what is kept stays, and a
database that is made of the archive and the saved listings alone says the same.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Cloud, Held
from catalog.demo.server import service_of
from catalog.errors import UsageError
from catalog.fetch.files.reader import open_dump
from catalog.fetch.http.connection import Connection as CloudConnection
from catalog.fetch.http.connection import OriginAuth
from catalog.fetch.http.library import httpx
from catalog.fetch.http.retry import Patience
from catalog.fetch.listing.service import open_service
from catalog.mapping import MappingRules
from catalog.model import ImageService, RunResult
from catalog.store.db.connection import Connection, Database
from catalog.store.history.within_reach import SOME, UNKNOWN_RIGHT
from catalog.store.maintenance.prune import prune
from catalog.store.state import sources
from catalog.sync.approve_or_keep import Verb, decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from catalog.sync.sweep import sweep
from tests.integration.run.truth import (
    check_history,
    check_ledger,
    check_present,
    fetch,
    is_listed,
    is_reported,
)
from tests.reference import Seen, Told, fold, rank
from tests.support.cloud_server import CloudServer
from tests.support.examples import examples
from tests.support.faults import status
from tests.support.records import name_of
from tests.support.rows import contents_of, wipe
from tests.support.world import A_DAY_LATER

AT_ONCE = Patience(attempts=2, throttled_attempts=2, first_wait=0.0, longest_wait=0.0)
LONG_AGO = timedelta(days=30_000)
IGNORED = ("beat",)
NUMBERS = st.integers(0, 5)
_SAYS = [
    "v0",
    "v1",
    "v2",
    "v3",
    "v2",
    "delete",
    "delete",
    "delete",
    "unlist",
    "forbid",
    "hide",
    "show",
    "report",
]
CHANGES = st.tuples(st.sampled_from(_SAYS), NUMBERS)
FAULTS = {
    "none": None,
    "of look-ups": lambda request: request.path.startswith("/v2/images/"),
    "of later pages": lambda request: "marker" in request.query,
}
ACTIONS = {
    "nothing": 1, "accept": 1, "save": 2, "load": 4, "forget": 4, "keep": 3, "approve": 2, "decide in between": 3,
    "prune": 2, "lose a role": 3, "regain it": 2, "ignore": 1, "rebuild": 1,
}  # fmt: skip


class Login(OriginAuth):
    """A login that reaches what it is told to, each time anew."""

    kind = "keystone"

    def __init__(self, endpoint: str, roles: set[str]) -> None:
        super().__init__(endpoint)
        self._roles = roles
        self._reaches = frozenset([frozenset(roles)])

    def sign(self, request: httpx.Request) -> None:
        request.headers["X-Auth-Token"] = "t"

    def renew(self) -> bool:
        self._reaches |= {frozenset(self._roles)}
        return False

    def repeat(self) -> None:
        self.renew()

    def reaches(self) -> frozenset[frozenset[str]]:
        return self._reaches


@dataclass
class World:
    """What all examples share: two databases, and a server whose cloud can be exchanged."""

    direct: Connection
    database: Database
    other: Database
    server: CloudServer
    folder: Path
    answer: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def begin(self, cloud: Cloud) -> Path:
        """A folder for this example's files."""
        self.answer["service"] = service_of(cloud)
        self.server.faults.clear()
        self.server.requests.clear()
        wipe(self.database)
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return folder


@pytest.fixture(scope="module")
def world(
    module_database: Database, other_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    answer: dict[str, Any] = {}

    def service(request: Request) -> Answer:
        answered: Answer = answer["service"](request)
        return answered

    with (
        psycopg.connect(module_database.libpq_url, autocommit=True) as direct,
        CloudServer(service) as server,
    ):
        yield World(direct, module_database, other_database, server, tmp_path_factory.mktemp("files"), answer)


@dataclass(frozen=True)
class File:
    """A saved listing."""

    path: Path
    at: datetime
    complete: bool
    records: dict[str, bytes]


class Evidence(RuleBasedStateMachine):
    """Each step is checked for what must hold after it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.beats = itertools.count()

    @initialize(
        kind=st.sampled_from(["glance", "ims"]),
        count=st.integers(1, 6),
        lookup_limit=st.sampled_from([0, 1, 2, 100, 100]),
        limit_count=st.sampled_from([0, 0, 1, 3]),
        limit_percent=st.sampled_from([0.0, 0.0, 25.0, 60.0]),
    )
    def begin(self, kind: Any, count: int, lookup_limit: int, limit_count: int, limit_percent: float) -> None:
        self.cloud = Cloud(kind)
        self.folder = self.world.begin(self.cloud)
        self.source = SourceSettings(
            "s",
            kind,
            endpoint=self.world.server.endpoint,
            auth="none",
            page_size=3,
            archive=self.folder / "archive",
            lookup_limit=lookup_limit,
            deletion_limit_count=limit_count,
            deletion_limit_percent=limit_percent,
        )
        self.roles = {"role reader", "role admin"}
        self.out_of_sight: dict[str, Held] = {}
        """What the cloud shows to an admin alone, while nobody is one."""
        self.swept: set[str] = set()
        """Images whose last record is of an admin's sweep."""
        self.parts: dict[str, dict[str, bytes]] = {}
        """The records of each run."""
        self.files: list[File] = []
        self.loaded: list[File] = []
        self.kept: set[str] = set()
        self.decided_at: dict[str, datetime] = {}
        self.seen_before: dict[str, datetime] = {}
        """Of images that somebody decided to keep, when, and when they were last seen before they were held."""
        self.approved_at: dict[str, datetime] = {}
        self.ledger: dict[datetime, Seen] = {}
        self.cut: datetime | None = None
        self.comparable = True
        """A catalog that is made of the same files says the same: nobody decided, and no file was held back."""
        for number in range(count):
            self.cloud.add(self.record(number, 0))
        self.sweep()

    def teardown(self) -> None:
        if hasattr(self, "cloud"):
            self.all_is_well_again()
            self.rebuild(0)
            shutil.rmtree(self.folder)

    # ---- what happens ------------------------------------------------------------------------------

    @rule(
        changes=st.lists(CHANGES, max_size=6),
        sweeps=st.sampled_from([*FAULTS, "none", "none", "not"]),
        action=st.sampled_from([action for action, often in ACTIONS.items() for _ in range(often)]),
        number=st.integers(0, 63),
    )
    def change_and_act(self, changes: list[tuple[str, int]], sweeps: str, action: str, number: int) -> None:
        """One round. (One rule, because Hypothesis turns whole rules off in most examples.)"""
        for what, which in changes:
            self.change(what, which)
        if sweeps != "not":
            fault = FAULTS[sweeps]
            if fault is not None:
                self.world.server.faults.add(status(503), when=fault, times=None)
            self.sweep()
            self.world.server.faults.clear()
        getattr(self, action.replace(" ", "_"))(number)

    def record(self, number: int, version: int) -> dict[str, Any]:
        """Versions differ in everything; of one version each record differs from the one before in its `beat`."""
        return {
            "id": name_of(number),
            "name": f"v{version}",
            "status": "queued" if version == 1 else "active",
            "visibility": "public",
            "created_at": f"2026-01-0{1 + (version == 3)}T00:00:{number:02d}Z",
            "updated_at": None if version == 2 else datetime.now(UTC).isoformat(),
            "tags": ["t", f"v{version}"],
            "__support_kvm": "true" if version else "false",
            "beat": str(next(self.beats)),
        }

    def change(self, what: str, number: int) -> None:
        image_id = name_of(number)
        held = self.cloud.find(image_id)
        if what.startswith("v"):
            self.out_of_sight.pop(image_id, None)
            self.cloud.add(self.record(number, int(what[1])))
        elif held is None:
            return
        elif what == "delete":
            self.cloud.delete(image_id)
        elif what == "hide" and self.cloud.kind == "glance":
            self.cloud.hide(image_id)
        elif what == "report":
            self.cloud.change(image_id, status="deleted", updated_at=datetime.now(UTC).isoformat())
        else:
            held.unlisted, held.forbidden = what in ("unlist", "hide"), what == "forbid"

    def nothing(self, number: int) -> None:
        """Only the sweep, if there is one."""

    def accept(self, number: int) -> None:
        self.sweep(accept=True)

    def save(self, number: int) -> None:
        """A listing as it is now: whole (then it may be loaded as complete), or some of it."""
        complete = bool(number & 1)
        listed = [held.record for held in self.cloud.oldest_first() if is_listed(held)]
        if number & 2 and any(not record.get("os_hidden") for record in listed):
            listed = [record for record in listed if not record.get("os_hidden")]
        if not complete:
            listed = listed[:: 1 + (number >> 2 & 1)]
        if not listed:
            return  # an empty one is held back whatever the limit
        at = self.world.database.now()
        if number & 8 and (swept := self.observations()):
            at, complete = swept[-1], False  # another part of what a sweep saw
        path = self.folder / f"{at:%Y%m%dT%H%M%S.%fZ}-{len(self.files)}.json"
        path.write_text(json.dumps({"images": listed}))
        self.files.append(File(path, at, complete, {r["id"]: json.dumps(r).encode() for r in listed}))

    def load(self, number: int) -> None:
        """Some listing that was saved, for the first time or once more."""
        if not self.files:
            self.save(number)
        for file in self.files[number % len(self.files) :][: 1 + number % 2] if self.files else []:
            self.load_file(file)

    def load_file(self, file: File) -> None:
        if self.cut is not None and file.at < self.cut:
            with pytest.raises(UsageError, match="was cut"):
                self.load_into(self.world.database, self.source, file)
            return
        waiting = self.live() & self.ids("SELECT image_id FROM held_deletions WHERE decision = 'open'")
        runs = self.load_into(self.world.database, self.source, file)
        # it does not say what its login could see
        assert waiting - file.records.keys() <= self.live()
        for run in runs:
            self.parts[run.run_id] = file.records
            self.loaded.append(file)
            self.kept -= {i for i in file.records if i in self.decided_at and self.decided_at[i] < file.at}
        self.swept -= file.records.keys()
        self.check()

    @staticmethod
    def load_into(database: Database, source: SourceSettings, file: File) -> list[RunResult]:
        result = backfill(database, source, [file.path], complete=file.complete, confirmed=True)
        assert (result.failures, result.busy) == ([], False)
        return result.runs

    def forget(self, number: int) -> None:
        if number & 32:
            self.hold(number)
            self.sweep()
        chosen = self.holders() if number & 32 else self.observations()
        if chosen:
            self.take_out(chosen[number % len(chosen)])

    def take_out(self, at: datetime) -> None:
        seen = self.ledger[at]
        gone = forget(self.world.database, self.source, seen.run_id.split()[0], accept_deletions=True)
        assert sorted(gone.run_ids) == seen.run_id.split()
        self.loaded = [file for file in self.loaded if file.at != seen.at]
        self.swept &= self.live()
        # a decision goes with what it was about, and what was cut is not looked at again
        self.kept &= (
            self.live()
            if self.cut is not None
            else self.ids("SELECT image_id FROM images WHERE deletion_reason IS DISTINCT FROM 'reported'")
        )
        for image_id in [i for i, when in self.seen_before.items() if when == at]:
            self.seen_before[image_id] = self.last_seen(image_id, at)
        self.check()

    def hold(self, number: int) -> None:
        """Something to decide about, if the limits are low."""
        if not self.ids("SELECT image_id FROM held_deletions WHERE decision = 'open'"):
            for which in range(number % 6):
                self.change("delete", which)
            self.sweep()

    def keep(self, number: int) -> None:
        self.hold(number)
        held = dict(
            self.all("SELECT image_id, observed_at FROM held_deletions WHERE decision IN ('open', 'kept')")
        )
        chosen = self.decided("keep", number)
        self.kept |= chosen
        for image_id in chosen:
            self.seen_before[image_id] = self.last_seen(image_id, held[image_id])
            self.approved_at.pop(image_id, None)
            self.decided_at[image_id] = self.world.database.now()
        self.check()

    def last_seen(self, image_id: str, before: datetime) -> datetime:
        seen = [at for at, one in self.ledger.items() if image_id in one.records and at < before]
        return max(seen, default=datetime.min.replace(tzinfo=UTC))

    def approve(self, number: int) -> None:
        self.hold(number)
        live = self.live()
        decided = self.decided("approve", number)
        self.kept -= decided
        for image_id in decided:
            self.decided_at.pop(image_id, None)
            self.approved_at[image_id] = self.world.database.now()
        assert live - self.live() <= decided
        self.check()

    def decide_in_between(self, number: int) -> None:
        """What is held is listed at times, and somebody decides before these listings are loaded."""
        self.hold(number)
        held = self.ids("SELECT image_id FROM held_deletions WHERE decision = 'open'")
        which = [bit for bit in range(6) if name_of(bit) in held]
        listings = len(self.files)
        for what, how in (("delete", 1), ("v0", number & 1), ("delete", 1), ("v0", 0)):
            for bit in which:
                self.change(what, bit)
            self.save(how)
        files = self.files[listings:]
        if number & 16 and len(files) > 1:
            self.load_file(files.pop(1))
        (self.approve if number & 32 else self.keep)(0)
        if number & 8 and (holders := self.holders()):
            self.take_out(holders[-1])
        random.Random(number).shuffle(files)
        for file in files:
            self.load_file(file)

    def observations(self) -> list[datetime]:
        """What can be forgotten; a decision is none of it."""
        return sorted(
            at for at, one in self.ledger.items() if one.run_id and (self.cut is None or at >= self.cut)
        )

    def holders(self) -> list[datetime]:
        """Those that held an image back first."""
        held = {at for (at,) in self.all("SELECT observed_at FROM held_deletions")}
        return [at for at in self.observations() if at in held]

    def decided(self, verb: Verb, number: int) -> set[str]:
        """The images that were decided about, all that wait or some."""
        chosen = self.ids("SELECT image_id FROM held_deletions WHERE decision IN ('open', 'kept')")
        some = sorted(chosen)[:: 1 + number % 2] if number & 4 else []
        rules = MappingAdapter.of(self.source)
        try:
            rows = decide(self.world.database, self.stored(), verb, rules, by="me", image_ids=some)
        except UsageError:  # of one that was found since
            return set()
        self.comparable = self.comparable and not rows
        return {row.image_id for row in rows}

    def prune(self, number: int) -> None:
        """Cuts the history at some observation."""
        moments = sorted(at for at in self.ledger if self.cut is None or at > self.cut)
        if not moments:
            return
        self.cut = moments[number % len(moments)]
        self.world.direct.execute("UPDATE sources SET history_from = %s", (self.cut,))
        self.unchanged(lambda: prune(self.world.database, ["s"], LONG_AGO))

    def ignore(self, number: int) -> None:
        self.source = dataclasses.replace(self.source, ignore=IGNORED)
        with self.world.database.transaction() as connection:
            stored = sources.known(connection, "s")
        self.unchanged(lambda: remap(self.world.database, stored, MappingAdapter.of(self.source)))

    def lose_a_role(self, number: int) -> None:
        """Some images are not to be seen without it."""
        if "role admin" not in self.roles:
            return
        self.roles.discard("role admin")
        for bit in range(6):
            held = self.cloud.find(name_of(bit))
            if number >> bit & 1 and held is not None:
                self.out_of_sight[name_of(bit)] = held
                self.cloud.delete(name_of(bit))

    def regain_it(self, number: int) -> None:
        self.roles.add("role admin")
        for image_id, hidden in self.out_of_sight.items():
            self.cloud.add(hidden.record)
            held = self.cloud.find(image_id)
            assert held is not None
            held.unlisted, held.forbidden = hidden.unlisted, hidden.forbidden
        self.out_of_sight.clear()

    def unchanged(self, work: Callable[[], object]) -> None:
        before = fetch(
            self.world.direct, "SELECT image_id, deleted_at, unlisted_since FROM images ORDER BY 1"
        )
        work()
        after = fetch(self.world.direct, "SELECT image_id, deleted_at, unlisted_since FROM images ORDER BY 1")
        assert after == before
        self.check()

    def sweep(self, *, accept: bool = False, **changed: Any) -> RunResult:
        live = self.live()

        def opener(source: SourceSettings, deadline: Deadline) -> ImageService:
            endpoint = source.endpoint or ""
            connection = CloudConnection(endpoint, Login(endpoint, self.roles), verify=False)
            return open_service(source, deadline, connection, patience=AT_ONCE)

        source = dataclasses.replace(self.source, **changed)
        run = sweep(self.world.database, source, accept_deletions=accept, opener=opener)
        assert run.outcome in ("complete", "partial", "failed"), run.error
        if run.outcome != "failed":
            self.read_archive(run.run_id)
        for image_id in live - self.live():
            held = self.cloud.find(image_id)
            reason = self.one("SELECT deletion_reason FROM images WHERE image_id = %s", image_id)
            if image_id in self.out_of_sight:
                assert image_id not in self.swept, (
                    f"{image_id} needs another login, and was deleted: {reason}"
                )
            elif held is not None and not held.forbidden and not is_reported(held):
                allowed = accept or (self.source.lookup_limit == 0 and held.unlisted)
                assert allowed, f"{image_id} is answered by id, and was deleted: {reason}"
                assert reason == "not_listed"
        self.swept &= self.live()
        self.check()
        return run

    def read_archive(self, run_id: str) -> None:
        (path,) = (self.folder / "archive" / "s").glob(f"*-{run_id[:8]}.jsonl.gz")
        dump = open_dump(path)
        raws = [bytes(raw) for records in dump.read() for raw in records]
        assert dump.trailer is not None
        self.parts[run_id] = {json.loads(raw)["id"]: raw for raw in raws}
        self.kept -= self.parts[run_id].keys() - set(dump.trailer.found)
        self.swept -= self.parts[run_id].keys()
        if "role admin" in self.roles:
            self.swept |= self.parts[run_id].keys()

    def all_is_well_again(self) -> None:
        """One sweep without faults tells the cloud's state."""
        self.regain_it(0)
        self.change("v0", 5)  # one that lives, for control look-ups
        self.world.direct.execute(A_DAY_LATER)
        live = self.live()
        kept = self.kept & live
        doubted = UNKNOWN_RIGHT in (self.one("SELECT login FROM sources") or ())
        run = self.sweep(accept=True, lookup_limit=100)
        assert (run.outcome, run.error) == ("complete", None)
        if (
            doubted and run.held
        ):  # as some lived again by `--forget`, no login is trusted to miss them (semantics 7.7)
            held = self.ids("SELECT image_id FROM held_deletions WHERE decision = 'open'")
            assert held.isdisjoint(
                str(one.record["id"]) for one in self.cloud.oldest_first() if not one.forbidden
            )
            rules = MappingAdapter.of(self.source)
            decide(self.world.database, self.stored(), "approve", rules, by="me", image_ids=sorted(held))
            self.comparable = False
        else:
            assert run.held == 0
        check_present(self.world.direct, self.cloud, live, kept)

    # ---- what must hold ----------------------------------------------------------------------------

    def check(self) -> None:
        direct = self.world.direct
        ignoring = self.source.ignore == IGNORED
        check_history(direct, remapped=ignoring, cut=self.cut is not None)
        if self.cut is None:
            check_ledger(direct)
        self.read_ledger()
        self.check_rule()
        self.check_held()
        assert self.kept <= self.live()
        assert self.kept <= self.ids("SELECT image_id FROM held_deletions WHERE decision = 'kept'")

    def read_ledger(self) -> None:
        """The evidence as the ledger has it, with the records that the files have. What was cut stays known here."""
        absences: dict[datetime, dict[str, str]] = {}
        for image_id, at, reason in self.all("SELECT image_id, observed_at, reason FROM absences"):
            absences.setdefault(at, {})[image_id] = reason
        found = {}
        held = self.ids(
            "SELECT unnest(image_ids) FROM id_sets WHERE kind IN ('held', 'held_for_login', 'kept')"
        )
        for at, complete, covers_hidden, login, run_ids, sets in self.all(
            "SELECT observed_at, complete, covers_hidden, login,"
            " ARRAY(SELECT run_id::text FROM runs r WHERE r.source_id = o.source_id AND r.observed_at = o.observed_at"
            " AND r.run_id = ANY (o.run_ids)), (SELECT jsonb_object_agg(kind, image_ids) FROM id_sets s"
            " WHERE s.source_id = o.source_id AND s.set_id = o.inconclusive_set) FROM observations o"
        ):
            lacks = absences.get(at, {})  # of one that was held, too, once somebody approves
            # what follows from other evidence is not read, but found out again
            silent = {
                i: kind
                for kind, ids in (sets or {}).items()
                for i in ids
                if kind not in ("found", "unlisted", "hidden", "unreached") and i not in lacks
            }
            records: dict[str, list[bytes]] = {}
            for run_id in run_ids:
                for image_id, raw in self.parts[run_id].items():
                    records.setdefault(image_id, []).append(raw)
            found[at] = Seen(
                at,
                complete,
                {image_id: max(raws, key=rank) for image_id, raws in records.items()},
                lacks,
                silent,
                " ".join(sorted(run_ids)),
                covers_hidden,
                frozenset((sets or {}).get("found", ())),
                None if login is None else {r for r in login if not r.startswith((SOME, UNKNOWN_RIGHT))},
                UNKNOWN_RIGHT in (login or ()),
            )
            if any(file.at == at and file.complete for file in self.loaded):
                # an image that was held and is listed when this is loaded lives unlisted here
                kinds = {kind for kind, ids in (sets or {}).items() if held.intersection(ids)}
                self.comparable = (
                    self.comparable and not {"held", "held_for_login", "kept", "unlisted"} & kinds
                )
        for at, one in self.ledger.items() if self.cut is not None else ():
            if at < self.cut:  # of an absence that a later one follows the ledger needs to know no more
                now = found.get(at, one)
                absent = {**one.absent, **now.absent}
                silent = {i: kind for i, kind in now.inconclusive.items() if i not in absent}
                found[at] = dataclasses.replace(now, absent=absent, inconclusive=silent)
        self.ledger = found

    def check_rule(self) -> None:
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for image_id, *row in self.all(
            "SELECT image_id, observed_at, valid_from, change, deletion_reason FROM revisions ORDER BY observed_at"
        ):
            rows.setdefault(image_id, []).append(tuple(row))
        for image_id in map(name_of, range(6)):
            expected = _line(fold(self.ledger.values(), image_id))
            stored = rows.get(image_id, [])
            if self.cut is not None:
                expected, stored = self.since_the_cut(expected), self.since_the_cut(stored)
            if self.source.ignore != IGNORED:
                assert stored == expected, image_id
                continue
            # what was a change before the key was ignored may be one still
            rules = MappingRules(ignore=IGNORED)
            needed = _line(fold(self.ledger.values(), image_id, rules))
            needed = needed if self.cut is None else self.since_the_cut(needed)[1:]
            assert {row[0] for row in needed} <= {row[0] for row in stored}, image_id
            # the one in force at the cut may be older than that of whoever ignores nothing
            stored = stored if self.cut is None else stored[1:]
            assert {row[0] for row in stored} <= {row[0] for row in expected}, image_id

    def check_held(self) -> None:
        """What is held, and since when, is what the ledger says; what somebody decided to keep lived all the time."""
        rows = self.all("SELECT image_id, decision, observed_at FROM held_deletions")
        kept = {image_id for image_id, decision, _ in rows if decision == "kept"}
        held: dict[str, datetime] = {}
        for image_id in self.live() - kept:
            for at, one in sorted(self.ledger.items(), reverse=True):
                kind = one.inconclusive.get(image_id)
                if image_id in one.records or image_id in one.absent or kind == "rejected":
                    break
                if kind in ("held", "held_for_login", "kept"):
                    held[image_id] = at
        assert {i: at for i, decision, at in rows if decision == "open"} == held
        deleted = self.all("SELECT image_id, observed_at FROM revisions WHERE content_hash IS NULL")
        known = self.ids("SELECT image_id FROM images")
        self.decided_at, self.approved_at = (
            {i: at for i, at in decided.items() if i in known}
            for decided in (self.decided_at, self.approved_at)
        )
        seen = {
            i for one in self.ledger.values() for i in one.records if one.at > self.approved_at.get(i, one.at)
        }
        assert not self.approved_at.keys() & self.live() - seen
        for image_id, at in deleted:
            if image_id in self.decided_at:
                assert not self.seen_before[image_id] < at <= self.decided_at[image_id], image_id

    def since_the_cut(self, line: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The revisions from the cut on, and the last one before."""
        assert self.cut is not None
        before = [row for row in line if row[0] < self.cut]
        return before[-1:] + line[len(before) :]

    def rebuild(self, number: int) -> None:
        """Another database, from the archive and the saved listings in some order."""
        if not self.comparable or self.cut is not None or self.source.ignore == IGNORED:
            return
        other = self.world.other
        archives = [File(path, self.ledger_time(path), False, {}) for path in self.archives()]
        # a listing that is the last word while it is loaded may not be that in the end
        source = dataclasses.replace(self.source, deletion_limit_count=1000)
        everything = sorted([*archives, *self.loaded], key=lambda file: (file.at, str(file.path)))
        if number:
            random.Random(number).shuffle(everything)
        wipe(other)
        for file in everything:
            self.load_into(other, source, file)
        assert contents_of(other, "s") == contents_of(self.world.database, "s")

    def archives(self) -> list[Path]:
        return sorted((self.folder / "archive").rglob("[!.]*.gz"))

    @staticmethod
    def ledger_time(path: Path) -> datetime:
        header = open_dump(path).header
        assert header is not None
        return header.observed_at

    # ---- the tables --------------------------------------------------------------------------------

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.world.direct.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        row = self.world.direct.execute(query, values).fetchone()
        return row[0] if row else None

    def ids(self, query: str) -> set[str]:
        return {image_id for (image_id,) in self.all(query)}

    def live(self) -> set[str]:
        return self.ids("SELECT image_id FROM images WHERE deleted_at IS NULL")

    def stored(self) -> str:
        source_id = self.one("SELECT source_id FROM sources")
        assert isinstance(source_id, str)
        return source_id


def _line(told: list[Told]) -> list[tuple[Any, ...]]:
    line: list[tuple[Any, ...]] = []
    for one in told:
        reason = None if one.change != "deleted" else one.reason or "reported"
        if one.image is None and line and line[-1][-1] is not None:
            reason = line[-1][-1]  # it was deleted before
        line.append((one.observed_at, one.valid_from, one.change, reason))
    return line


def test_evidence_that_comes_and_goes_and_decisions_keep_their_promises(world: World) -> None:
    class InThisWorld(Evidence):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(
        InThisWorld,
        settings=settings(
            max_examples=examples(30),
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
