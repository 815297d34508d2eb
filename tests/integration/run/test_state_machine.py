"""Random catalogs, changes, faults and kills, against a real database and a cloud on loopback.

Whatever happens: an image that its cloud would still answer by id is never marked deleted, history is never
contradictory, a run that failed left no trace; and once the faults end, one sweep tells the cloud's state.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Cloud
from catalog.demo.server import service_of
from catalog.errors import CatalogError
from catalog.fetch.http.connection import Connection as CloudConnection
from catalog.fetch.http.retry import Patience
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, RunResult
from catalog.store.db.connection import Connection, Database
from catalog.sync.sweep import sweep
from tests.integration.run.truth import (
    check_history,
    check_ledger,
    check_present,
    digest,
    is_listed,
    is_reported,
)
from tests.integration.run.wire import Wire, wired
from tests.support.cloud_server import CloudServer
from tests.support.examples import examples
from tests.support.faults import altered, body, close, cut, first_page, html, images_null, next_link, status
from tests.support.records import name_of, too_deep
from tests.support.world import A_DAY_LATER

NUMBERS = st.integers(0, 7)
AT_ONCE = Patience(attempts=2, throttled_attempts=2, first_wait=0.0, longest_wait=0.0)


def open_at_once(source: SourceSettings, deadline: Deadline) -> ImageService:
    """Without back-off, and without reading the system's CA bundle each time."""
    connection = CloudConnection(source.endpoint or "", None, verify=False)
    return open_service(source, deadline, connection, patience=AT_ONCE)


@dataclass
class World:
    """What all examples share: a database behind a wire, and a server whose cloud can be exchanged."""

    direct: Connection
    database: Database
    wire: Wire
    server: CloudServer
    answer: dict[str, Any] = field(default_factory=dict)

    def begin(self, cloud: Cloud) -> None:
        self.answer["service"] = service_of(cloud)
        self.server.faults.clear()
        self.server.requests.clear()
        for table in self.tables:
            self.direct.execute(f"DELETE FROM {table}")

    @property
    def tables(self) -> list[str]:
        if "tables" not in self.answer:
            rows = self.direct.execute(
                "SELECT DISTINCT table_name FROM information_schema.columns JOIN pg_class ON relname = table_name"
                " WHERE column_name = 'source_id' AND table_schema = 'public' AND relkind = 'r'"
            )
            self.answer["tables"] = [name for (name,) in rows]
        tables: list[str] = self.answer["tables"]
        return tables

    def settle(self) -> None:
        """The killed process's connections are gone, and its lease has run out."""
        self.wire.mend()
        busy = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state <> 'idle'"
        )
        for _ in range(2000):
            if not self.direct.execute(busy).fetchall():
                break
            time.sleep(0.002)
        self.direct.execute(
            "UPDATE leases SET expires_at = now() - interval '1 second' WHERE holder IS NOT NULL"
        )


@pytest.fixture(scope="module")
def world(module_database: Database) -> Iterator[World]:
    answer: dict[str, Any] = {}

    def service(request: Request) -> Answer:
        answered: Answer = answer["service"](request)
        return answered

    with (
        psycopg.connect(module_database.libpq_url, autocommit=True) as direct,
        wired(module_database) as (wire, database),
        CloudServer(service) as server,
    ):
        yield World(direct, database, wire, server, answer)


def spoilt(listing: dict[str, Any]) -> dict[str, Any]:
    """One record that cannot be held, and one without an id."""
    images = listing.get("images") or []
    return {
        **listing,
        "images": [*(too_deep(images[0]["id"]) if n == 0 else r for n, r in enumerate(images)), "oops"],
    }


def short(listing: dict[str, Any]) -> dict[str, Any]:
    """A record is left out without a word."""
    return {**listing, "images": (listing.get("images") or [])[1:]}


FAULTS: dict[str, Callable[[], Any]] = {
    "503": lambda: status(503),
    "400": lambda: status(400),
    "401": lambda: status(401),
    "404": lambda: status(404),
    "429": lambda: status(429),
    "html": html,
    "null": images_null,
    "close": close,
    "cut": cut,
    "first page again": first_page,
    "the end too early": lambda: next_link(None),
    "nothing": lambda: body(b'{"images": []}'),
    "spoilt": lambda: altered(spoilt),
    "short": lambda: altered(short),
}
UNDECIDED: dict[str, Callable[[], Any]] = {
    "503": lambda: status(503),
    "close": close,
    "cut": cut,
    "html": html,
    "429": lambda: status(429),
}


def is_listing(request: Request) -> bool:
    return not request.path.startswith("/v2/images/") and "id" not in request.query


_SAYS = ["v0", "v1", "v2", "v3", "delete", "delete", "unlist", "unlist", "unlist", "forbid", "hide", "show"]
_REPORTS = ["status deleted", "deleted_at"]
CHANGES = st.tuples(st.sampled_from([*_SAYS, *_REPORTS, "a day passes"]), NUMBERS)
SELDOM = st.integers(0, 7).map(lambda number: number == 7)


@dataclass
class Trouble:
    """What goes wrong in one sweep: at requests for listings, at look-ups, at a statement."""

    faults: list[tuple[str, int, int]]
    undecided: str | None
    cut: tuple[int, Any, bool] | None


FAULT = st.tuples(st.sampled_from(sorted(FAULTS)), st.integers(0, 4), st.integers(1, 2))
NO_FAULTS: st.SearchStrategy[list[tuple[str, int, int]]] = st.just([])
TROUBLE = st.builds(
    Trouble,
    faults=NO_FAULTS | st.lists(FAULT, min_size=1, max_size=2),
    undecided=st.none() | st.sampled_from(sorted(UNDECIDED)),
    cut=st.none()
    | st.none()
    | st.tuples(st.integers(1, 45), st.sampled_from(["before", "after"]), st.booleans()),
)


class Sweeping(RuleBasedStateMachine):
    """Each sweep is checked for what must hold after it; each example ends with a faultless one."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.clock = 0

    @initialize(
        kind=st.sampled_from(["glance", "ims"]),
        count=st.integers(0, 6),
        page_size=st.integers(1, 4),
        lookup_limit=st.integers(1, 4),
        limit_count=st.integers(0, 3),
        limit_percent=st.sampled_from([0.0, 25.0, 60.0]),
    )
    def begin(self, kind: Any, count: int, page_size: int, lookup_limit: int, **limits: Any) -> None:
        self.cloud = Cloud(kind)
        self.world.begin(self.cloud)
        self.source = SourceSettings(
            "s",
            kind,
            endpoint=self.world.server.endpoint,
            auth="none",
            page_size=page_size,
            lookup_limit=lookup_limit,
            deletion_limit_count=limits["limit_count"],
            deletion_limit_percent=limits["limit_percent"],
        )
        for number in range(count):
            self.cloud.add(self.record(number, 0))

    def record(self, number: int, version: int) -> dict[str, Any]:
        """A record; versions differ in everything that can be told apart."""
        self.clock += 1
        return {
            "id": name_of(number),
            "name": f"v{version}",
            "status": "queued" if version == 1 else "active",
            "visibility": "public",
            "created_at": f"2026-01-01T00:00:{number:02d}Z",
            "updated_at": None
            if version == 2
            else f"2026-02-01T00:{self.clock // 60:02d}:{self.clock % 60:02d}Z",
            "tags": ["t", f"v{version}"],
            "__support_kvm": "true" if version else "false",
            f"__support_v{version}": "true",
            "purpose": f"v{version}",
        }

    @rule(
        changes=st.lists(CHANGES, min_size=1, max_size=8),
        trouble=TROUBLE,
        accept=SELDOM,
        keeps=SELDOM,
        well_first=SELDOM,
    )
    def change_and_sweep(
        self, changes: list[tuple[str, int]], trouble: Trouble, accept: bool, keeps: bool, well_first: bool
    ) -> None:
        """One round. (One rule, because Hypothesis turns whole rules off in most examples.)"""
        if well_first:
            self.all_is_well_again()
        for what, number in changes:
            self.change(what, name_of(number))
        if keeps:
            self.world.direct.execute("UPDATE held_deletions SET decision = 'kept' WHERE decision = 'open'")
        waiting = self.world.server.faults
        for name, behind, times in trouble.faults:
            at = len(self.world.server.requests) + 1 + behind
            waiting.add(FAULTS[name](), at=at, when=is_listing, times=times)
        if trouble.undecided is not None:
            waiting.add(
                UNDECIDED[trouble.undecided](), when=lambda request: not is_listing(request), times=None
            )
        if trouble.cut is not None:
            self.world.wire.cut_at(*trouble.cut[:2], for_good=trouble.cut[2])
        self.swept(accept=accept, cut=trouble.cut is not None)
        waiting.clear()

    def change(self, what: str, image_id: str) -> None:
        held = self.cloud.find(image_id)
        if what.startswith("v"):
            self.cloud.add(self.record(int(image_id[-3:]), int(what[1])))
            new = self.cloud.find(image_id)
            if held is not None and new is not None:
                new.unlisted, new.forbidden = held.unlisted, held.forbidden
        elif what == "a day passes":
            self.a_day_passes()
        elif held is None:
            return
        elif what == "delete":
            self.cloud.delete(image_id)
        elif what == "hide" and self.cloud.kind == "glance":
            self.cloud.hide(image_id)
        elif what == "status deleted":
            self.cloud.change(image_id, status="deleted", updated_at="2026-02-03T00:00:00Z")
        elif what == "deleted_at":
            self.cloud.change(image_id, deleted_at="2026-02-02T00:00:00Z")
        else:
            held.unlisted, held.forbidden = what in ("unlist", "hide"), what == "forbid"

    def a_day_passes(self) -> None:
        self.world.direct.execute(A_DAY_LATER)

    def swept(self, *, accept: bool = False, cut: bool = False, **settings: Any) -> RunResult | None:
        direct = self.world.direct
        before, live = digest(direct), self.live()
        run = None
        try:
            run = sweep(
                self.world.database,
                dataclasses.replace(self.source, **settings),
                accept_deletions=accept,
                opener=open_at_once,
            )
        except CatalogError:
            assert cut, "only a database that fails may end a sweep without a result"
        self.world.settle()
        for image_id in live - self.live():
            held = self.cloud.find(image_id)
            if held is not None and not held.forbidden:
                reason = self.one("SELECT deletion_reason FROM images WHERE image_id = %s", image_id)
                allowed = {"reported"} | ({"not_listed"} if accept else set())
                assert reason in allowed, f"{image_id} is still answered by id, and was deleted: {reason}"
        check_history(direct)
        check_ledger(direct)
        stored = self.one("SELECT outcome FROM runs WHERE run_id = %s", run.run_id) if run else None
        if run is not None and not cut:
            assert run.outcome in ("complete", "partial", "failed")
            assert stored == run.outcome
        if run is not None and stored not in ("complete", "partial"):
            assert digest(direct) == before, "a run that failed has left a trace"
        return run

    def live(self) -> set[str]:
        rows = self.world.direct.execute("SELECT image_id FROM images WHERE deleted_at IS NULL")
        return {image_id for (image_id,) in rows}

    def one(self, query: str, *values: Any) -> Any:
        row = self.world.direct.execute(query, values).fetchone()
        return row[0] if row else None

    def all_is_well_again(self) -> None:
        """One sweep without faults tells the cloud's state, and another one has nothing to add."""
        self.world.server.faults.clear()
        self.world.wire.mend()
        self.a_day_passes()
        listed_now = [held for held in self.cloud.oldest_first() if is_listed(held)]
        if listed_now and all(map(is_reported, listed_now)):
            self.cloud.add(
                self.record(9, 0)
            )  # beside deleted ones alone no look-up is believed (semantics 4.5)
        live = self.live()
        kept = {
            image_id
            for (image_id,) in self.world.direct.execute(
                "SELECT image_id FROM held_deletions WHERE decision = 'kept'"
            )
        }
        run = self.swept(accept=True, lookup_limit=100)
        assert run is not None
        assert (run.outcome, run.held, run.error) == ("complete", 0, None)
        check_present(self.world.direct, self.cloud, live, kept & live)
        listed = sum(is_listed(held) for held in self.cloud.oldest_first())
        assert run.listed == listed
        before = digest(self.world.direct)
        again = self.swept(lookup_limit=0 if kept else 100)
        assert again is not None
        if not any(held.unlisted and is_reported(held) for held in self.cloud.oldest_first()):
            # (of such a one the second sweep says that it is listed no more, and is deleted still)
            assert (again.inserted, again.updated, again.deleted, again.restored) == (0, 0, 0, 0)
            now = digest(self.world.direct)
            changed = {new["name"] for old, new in zip(before, now, strict=True) if old != new}
            assert changed <= {"observations", "id_sets"}

    def teardown(self) -> None:
        if hasattr(self, "cloud"):
            self.all_is_well_again()


def test_sweeps_keep_their_promises_whatever_happens(world: World) -> None:
    class InThisWorld(Sweeping):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(
        InThisWorld,
        settings=settings(
            max_examples=examples(50),
            stateful_step_count=4,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
