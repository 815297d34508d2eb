"""The same image twice in one sweep: the later `updated_at` counts, else the copy read last (semantics 4.3)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from catalog.demo.answers import Request
from tests.support.faults import body
from tests.support.records import body_of, image, name_of
from tests.support.rows import snapshot
from tests.support.world import LEDGER, Site, Sites

COPIES = {
    "stored": image(0, name="stored"),
    "older": image(0, name="older", updated_at=1767225600),
    "same": image(0, name="same"),
    "later": image(0, name="later", updated_at=1767398400000),
    "undated": image(0, name="undated", updated_at=None),
}
DAY = {"undated": 0, "older": 1, "stored": 2, "same": 2, "later": 3}
"""Of January 2026, on which each was updated: as text, in seconds, or in milliseconds."""


def wins(names: tuple[str, ...]) -> str:
    """The rule, read aloud."""
    best = names[0]
    for name in names[1:]:
        if DAY[name] >= DAY[best]:
            best = name
    return best


def deliver(site: Site, pages: list[list[Any]]) -> None:
    """The next sweep's pages of the first pass."""
    for n, records in enumerate(pages):
        onward = {"next": f"/v2/images?marker=page-{n + 1}"} if n + 1 < len(pages) else {}
        wanted = f"page-{n}" if n else None

        def asked(request: Request, wanted: str | None = wanted) -> bool:
            return request.query.get("marker") == wanted and "os_hidden" not in request.query

        site.server.faults.add(body(body_of(records, **onward)), when=asked)


def test_of_copies_in_one_listing_the_later_counts_else_the_last(sites: Sites) -> None:
    """Also where one copy's bytes are those that are stored, and wherever a page ends between them."""
    site = sites.open(images=[COPIES["stored"], image(1)])
    site.sweep()
    orders = [*itertools.product(COPIES, repeat=2), *itertools.product(COPIES, repeat=3)]
    for n, names in enumerate(orders):
        fillers = [image(1), *(image(50 + k) for k in range(len(names)))]
        records = [COPIES[name] for name in names]
        if n % 2:
            deliver(site, [[record, filler] for record, filler in zip(records, fillers, strict=False)])
        else:
            deliver(site, [[*records, *fillers[: len(names)]]])
        before = site.images()[name_of(0)]["name"]
        run = site.sweep(accept_deletions=True)
        assert run.outcome == "complete", names
        assert site.images()[name_of(0)]["name"] == wins(names), (names, "stored:", before)
        assert run.listed == 1 + len(names), names
        if n % 3:
            site.sweep(accept_deletions=True)
            assert site.images()[name_of(0)]["name"] == "stored"


@pytest.mark.parametrize("first", ["listed", "hidden"])
def test_an_image_in_both_passes_counts_once(sites: Sites, first: str) -> None:
    """It was hidden, or shown, between the two: the later copy is the truth."""
    site = sites.open(images=3)
    site.sweep()
    hidden = {**image(0), "os_hidden": True, "updated_at": "2026-01-05T00:00:00Z"}
    shown = {**image(0), "os_hidden": False, "updated_at": "2026-01-06T00:00:00Z"}
    in_listed, in_hidden = (shown, hidden) if first == "hidden" else (hidden, shown)
    deliver(site, [[in_listed, image(1), image(2)]])
    site.server.faults.add(body(body_of([in_hidden])), when=lambda r: "os_hidden" in r.query)
    run = site.sweep()
    assert (run.outcome, run.listed) == ("complete", 3)
    assert site.images()[name_of(0)]["hidden"] is False
    assert len(site.history(name_of(0))) == 2


def test_the_stored_copy_twice_is_no_change(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    before = snapshot(site.database, LEDGER)
    deliver(site, [[image(0), image(1), image(0)]])
    run = site.sweep()
    assert (run.listed, run.unchanged, run.updated) == (2, 2, 0)
    assert snapshot(site.database, LEDGER) == before
