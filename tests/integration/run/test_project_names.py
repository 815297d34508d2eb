"""`project_names = true`: names of owners from a real login, once a day, and never at a sweep's expense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from catalog.config.settings import SourceSettings
from catalog.demo.cloud import Cloud
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.identity import PASSWORD, IdentityService, service_entry
from tests.support.cloud_server import CloudServer
from tests.support.faults import status
from tests.support.records import image
from tests.support.rows import rows, snapshot
from tests.support.world import LEDGER, moved

HAY, STRAW = "1" * 32, "2" * 32
OF_ALL, OF_USER = "/v3/projects", "/v3/auth/projects"


@dataclass
class Meadow:
    """A cloud with a login, and a source that wants the names of its projects."""

    database: Database
    identity: IdentityService
    server: CloudServer
    source: SourceSettings
    asked: list[str] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    """Open transactions of the database, whenever the cloud was asked for projects."""

    def sweep(self) -> RunResult:
        return sweep(self.database, self.source)

    def note(self, path: str) -> None:
        if path in (OF_ALL, OF_USER):
            self.asked.append(path)
            open_ones = (
                "SELECT count(*) AS open FROM pg_stat_activity WHERE datname = current_database()"
                " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
            )
            self.idle.append(rows(self.database, open_ones)[0]["open"])

    def names(self) -> dict[str, tuple[str, str | None]]:
        found = rows(self.database, "SELECT project_id, name, domain_name FROM projects")
        return {row["project_id"]: (row["name"], row["domain_name"]) for row in found}

    def a_day_later(self) -> None:
        with self.database.transaction() as connection:
            connection.execute(f"UPDATE sources SET {moved('projects_asked_at', '-1 day')}")


@pytest.fixture
def meadow(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meadow]:
    monkeypatch.setattr("catalog.fetch.http.retry.Patience.wait", lambda self, failures: 0.0)
    images = [image(1, owner=HAY), image(2, owner=STRAW), image(3, owner="unknown")]
    identity = IdentityService()
    with ExitStack() as stack:
        server = stack.enter_context(CloudServer(Cloud("glance", images)))
        identity.catalogue = [service_entry("image", north=server.endpoint)]
        stack.enter_context(identity.running())
        auth = {"auth_url": identity.url, "username": "ann", "password": PASSWORD, "project_name": "hay"}
        auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(json.dumps({"clouds": {"meadow": {"auth": auth, "region_name": "north"}}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
        source = SourceSettings("s", "glance", cloud="meadow", region="north", project_names=True)
        meadow = Meadow(database, identity, server, source)
        identity.when_asked = meadow.note
        yield meadow


def complete(run: RunResult) -> RunResult:
    assert (run.outcome, run.error) == ("complete", None)
    return run


def test_a_sweep_names_the_owners_of_images(meadow: Meadow) -> None:
    """Of all projects if the user may list them, else of its own; asked for outside of any transaction."""
    complete(meadow.sweep())
    assert meadow.names() == {HAY: ("hay", "Default"), STRAW: ("straw", None)}
    owners = rows(meadow.database, "SELECT owner_name FROM image_overview ORDER BY image_id")
    assert [row["owner_name"] for row in owners] == ["hay", "straw", None]
    assert meadow.asked == [OF_ALL, OF_USER]
    assert meadow.idle == [0, 0]


def test_names_are_asked_for_once_a_day(meadow: Meadow) -> None:
    """A sweep between writes its ledger alone (semantics 4.4)."""
    complete(meadow.sweep())
    before = snapshot(meadow.database, without=LEDGER)
    asked = rows(meadow.database, "SELECT projects_asked_at FROM sources")
    complete(meadow.sweep())
    assert snapshot(meadow.database, without=LEDGER) == before
    assert rows(meadow.database, "SELECT projects_asked_at FROM sources") == asked
    assert len(meadow.asked) == 2
    meadow.a_day_later()
    complete(meadow.sweep())
    assert len(meadow.asked) == 4


def test_a_name_follows_the_cloud_and_is_never_deleted(meadow: Meadow) -> None:
    complete(meadow.sweep())
    meadow.identity.projects = [{"id": HAY, "name": "barley", "domain_id": "elsewhere"}]
    meadow.a_day_later()
    complete(meadow.sweep())
    assert meadow.names() == {HAY: ("barley", "Default"), STRAW: ("straw", None)}


def test_a_clock_set_back_does_not_end_the_asking(meadow: Meadow) -> None:
    complete(meadow.sweep())
    with meadow.database.transaction() as connection:
        connection.execute(f"UPDATE sources SET {moved('projects_asked_at', '9 days')}")
    complete(meadow.sweep())
    assert len(meadow.asked) == 4


@pytest.mark.parametrize(
    "answer", [b"<html>", b'{"projects": null}', b"[" * 100_000, b'{"projects": [' * 100_000]
)
def test_names_that_cannot_be_read_are_a_warning_and_no_failed_sweep(meadow: Meadow, answer: bytes) -> None:
    """The next day asks again, not the next sweep."""
    meadow.identity.raw_projects = answer
    with structlog.testing.capture_logs() as logged:
        run = complete(meadow.sweep())
    assert run.inserted == 3
    warnings = [line for line in logged if line["log_level"] == "warning"]
    assert [(line["event"], line["source"]) for line in warnings] == [
        ("names of projects could not be read", "s")
    ]
    assert meadow.names() == {}
    complete(meadow.sweep())
    assert len(meadow.asked) == 2
    meadow.identity.raw_projects = None
    meadow.a_day_later()
    complete(meadow.sweep())
    assert set(meadow.names()) == {HAY, STRAW}


def test_whatever_a_project_is_called_can_be_held(meadow: Meadow) -> None:
    """NUL and lone surrogates become U+FFFD; no id, one as long as no index holds it, one told twice."""
    told: list[dict[str, Any]] = [
        {"id": HAY, "name": "a\0b", "domain_id": ["default"]},
        {"id": STRAW, "name": "\ud800" + "x" * 10_000, "domain_id": None},
        {"id": "twice", "name": "first"},
        {"id": "twice", "name": "second"},
        {"id": "nul\0", "name": ""},
        {"id": "", "name": "no id"},
        {"id": "y" * 10_000, "name": "long"},
        {"id": 5, "name": "five"},
        {"name": "nameless"},
    ]
    meadow.identity.raw_projects = json.dumps({"projects": told}).encode()
    complete(meadow.sweep())
    assert meadow.names() == {
        HAY: ("a\ufffdb", None),
        STRAW: ("\ufffd" + "x" * 10_000, None),
        "twice": ("second", None),
        "nul\ufffd": ("", None),
    }


def test_a_sweep_that_reads_nothing_asks_for_no_names(meadow: Meadow) -> None:
    meadow.server.faults.add(status(400), times=None)
    assert meadow.sweep().outcome == "failed"
    assert meadow.asked == []
    assert rows(meadow.database, "SELECT projects_asked_at FROM sources") == [{"projects_asked_at": None}]
