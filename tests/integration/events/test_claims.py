"""Who may deliver to a webhook: one at a time, and never one whose time was over before it wrote."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

import pytest

from catalog.errors import LeaseLost
from catalog.store.db.connection import Connection
from catalog.store.state import webhooks
from catalog.store.state.webhooks import Claim
from tests.support.world import Site, Sites


def claim() -> Claim:
    return Claim("alerts", str(uuid.uuid4()), 60.0)


@pytest.fixture
def site(sites: Sites) -> Site:
    """A source with one event, and a webhook that waits for it."""
    site = sites.open()
    site.database.transact(partial(webhooks.know, name="alerts"))
    site.sweep()
    return site


def end_its_time(site: Site) -> None:
    with site.database.transaction() as connection:
        connection.execute("UPDATE webhooks SET held_until = now() - interval '1 second'")


def waiting(site: Site) -> list[str]:
    return site.database.transact(partial(webhooks.waiting, names=["alerts"]))


def test_one_holds_it_until_it_lets_go_or_its_time_is_over(site: Site) -> None:
    transact, first, second = site.database.transact, claim(), claim()
    assert waiting(site) == ["alerts"]
    assert transact(first.take)
    assert not transact(second.take)
    assert waiting(site) == []
    transact(first.release)
    assert transact(second.take)
    end_its_time(site)
    assert waiting(site) == ["alerts"]
    assert transact(first.take)
    transact(partial(first.failed, answer="HTTP 500", wait=60.0))
    assert waiting(site) == []
    assert not transact(second.take)


def test_one_whose_time_was_over_changes_nothing(site: Site) -> None:
    transact, late, now = site.database.transact, claim(), claim()
    transact(late.take)
    end_its_time(site)
    assert transact(now.take)
    (backlog,) = transact(now.backlogs)
    place = {"source_id": backlog.source_id, "number": backlog.newest}
    refused: list[Callable[[Connection], object]] = [
        late.renew, late.failures, partial(late.pass_over, **place), partial(late.accepted, **place, answer="HTTP 204"),
    ]  # fmt: skip
    for write in refused:
        with pytest.raises(LeaseLost):
            transact(write)
    transact(partial(late.failed, answer="HTTP 500", wait=60.0))
    transact(late.release)
    assert transact(now.backlogs) == [backlog]
    (state,) = transact(webhooks.states).values()
    assert (state.failures, state.answer) == (0, None)
    transact(partial(now.accepted, **place, answer="HTTP 204"))
    assert transact(now.backlogs) == []
