"""Answers that are given again: as long as nothing was written, and never longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from catalog.store.db.connection import Connection, Database, is_spread
from catalog.store.maintenance.prune import prune
from catalog.store.maintenance.source_removal import remove
from catalog.store.state import announcements, leases, sources
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from catalog.web.answers import Answer, answer
from catalog.web.cache import Cache
from tests.integration.web.conftest import Start
from tests.support.world import Site, Sites


@pytest.fixture
def site(sites: Sites) -> Site:
    site = sites.open("glance", 3)
    site.sweep()
    with site.database.transaction(read_only=True) as connection:
        if is_spread(connection):
            pytest.skip("on Citus no answer is given again")
    return site


@pytest.fixture
def browser(site: Site, start: Start) -> Iterator[httpx.Client]:
    return start()


def names(browser: httpx.Client, **question: str) -> set[str]:
    found = browser.get("/api/v1/images", params=question).json()["images"]
    return {image["name"] for image in found}


def behind_its_back(site: Site) -> None:
    with site.database.transaction() as connection:
        connection.execute("UPDATE images SET name = 'unseen'")


def test_an_answer_is_given_again_until_something_is_written(site: Site, browser: httpx.Client) -> None:
    before = names(browser)
    behind_its_back(site)
    assert names(browser) == before, "it was asked for anew"
    assert names(browser, limit="1000") == {"unseen"}, "another question has an answer of its own"
    site.sweep()
    assert names(browser) == {"unseen"}


def test_an_answer_to_a_question_with_a_time_is_made_anew(site: Site, browser: httpx.Client) -> None:
    question = {"as_of": "0s"}
    before = names(browser, **question)
    with site.database.transaction() as connection:
        connection.execute("UPDATE revisions SET name = 'then'")
    assert names(browser, **question) == {"then"} != before


def test_how_old_sources_are_is_told_anew(site: Site, browser: httpx.Client) -> None:
    browser.get("/sources"), browser.get("/api/v1/sources")
    with site.database.transaction() as connection:
        connection.execute("UPDATE runs SET error = 'told anew'")
        connection.execute("UPDATE image_state SET live = false")
    assert [each["images"] for each in browser.get("/api/v1/sources").json()["sources"]] == [0]
    assert browser.get("/sources").text.count(">0<") >= 1


def test_an_answer_that_is_there_already_is_not_sent_twice(site: Site, browser: httpx.Client) -> None:
    first = browser.get("/images")
    again = browser.get("/images", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


def _announce(database: Database, site: Site) -> None:
    subject = announcements.Subject(site.source_id, "s", "image", next(iter(site.images())))
    with database.transaction() as connection:
        announcements.announce(connection, subject, by="test", note="soon")


def _withdraw(database: Database, site: Site) -> None:
    subject = announcements.Subject(site.source_id, "s", "image", next(iter(site.images())))
    with database.transaction() as connection:
        announcements.withdraw(connection, subject, by="test")


def _in_a_transaction(work: Callable[[Connection], Any]) -> Callable[[Database, Site], None]:
    def write(database: Database, site: Site) -> None:
        with database.transaction() as connection:
            work(connection)

    return write


def _known(database: Database, name: str) -> sources.Source:
    with database.transaction(read_only=True) as connection:
        return sources.known(connection, name)


WRITERS: dict[str, Callable[[Database, Site], Any]] = {
    "a sweep": lambda database, site: site.sweep(),
    "announce": _announce,
    "withdraw": _withdraw,
    "keep": lambda database, site: decide(
        database, site.source_id, "keep", MappingAdapter.of(site.source), by="test"
    ),
    "approve": lambda database, site: decide(
        database, site.source_id, "approve", MappingAdapter.of(site.source), by="test"
    ),
    "prune": lambda database, site: prune(database, ["s"], timedelta(0)),
    "remap": lambda database, site: remap(database, _known(database, "s"), MappingAdapter.of(site.source)),
    "rename": _in_a_transaction(lambda connection: sources.rename(connection, "s", "t")),
    "retire": _in_a_transaction(lambda connection: sources.retire(connection, "s")),
    "remove": lambda database, site: remove(database, _known(database, "s")),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_whoever_writes_is_seen(site: Site, sites: Sites, writer: str) -> None:
    """Beside a source of which nothing is written."""
    sites.open("glance", 1, "beside").sweep()
    if writer == "withdraw":
        _announce(site.database, site)
    if writer in ("keep", "approve"):
        for record in list(site.cloud.records)[1:]:
            site.cloud.delete(record["id"])
        site.sweep(changed={"deletion_limit_percent": 1.0, "deletion_limit_count": 0})
        assert site.held_for()
    with site.database.transaction(read_only=True) as connection:
        before = leases.version(connection)
        assert before == leases.version(connection) is not None
    WRITERS[writer](site.database, site)
    with site.database.transaction(read_only=True) as connection:
        assert leases.version(connection) != before


def test_without_leases_nothing_is_given_again(site: Site, browser: httpx.Client) -> None:
    """As in a hub, where rows arrive by replication."""
    with site.database.transaction() as connection:
        connection.execute("DELETE FROM leases")
    names(browser)
    behind_its_back(site)
    assert names(browser) == {"unseen"}


def test_what_was_not_asked_for_longest_makes_room(site: Site) -> None:
    made: list[str] = []

    def ask(question: str, size: int = 400) -> Answer:
        def make() -> Answer:
            made.append(question)
            return answer("x" * size, "text/plain")

        return cache.answer(connection, question, make)

    cache = Cache(largest_bytes=1000)
    with site.database.transaction(read_only=True) as connection:
        for question in ("a", "b", "a", "c", "a", "b"):
            ask(question)
        assert made == ["a", "b", "c", "b"], "b made room for c, as a was asked for again"
        ask("whole", 1001)
        ask("whole", 1001)
        assert made[4:] == ["whole", "whole"], "more than there is room for is not kept"
        ask("b")
        assert made[6:] == [], "nor does it take the room of others"
