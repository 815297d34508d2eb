"""Who refuses a parameter gets the pass without it, never without what makes it that pass (semantics 4.1)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from catalog.demo.answers import Answer
from catalog.errors import ConfigurationError
from tests.integration.fetch.conftest import Opened, cloud_of, ids

GLANCE = ("visibility", "member_status", "sort", "limit")
IMS = ("sort_key", "sort_dir", "limit")


@pytest.mark.parametrize(
    ("kind", "refused"), [*(("glance", name) for name in GLANCE), *(("ims", n) for n in IMS)]
)
def test_a_refused_parameter_is_left_out_alone(opened: Opened, kind: str, refused: str) -> None:
    server = opened.server(cloud_of(kind, 7, refuses=[refused]))
    listing = opened.service(server, kind).listing("listed")
    assert len(ids(listing)) == 7
    assert (listing.verdict, listing.refused) == ("complete", True)
    last = server.requests[-1].query
    assert refused not in last
    assert {name for name in (GLANCE if kind == "glance" else IMS) if name != refused} <= last.keys()


@pytest.mark.parametrize("pair", list(itertools.combinations(GLANCE, 2)))
def test_two_refused_parameters_are_both_left_out(opened: Opened, pair: tuple[str, str]) -> None:
    listing = opened.service(opened.server(cloud_of("glance", 7, refuses=pair)), "glance").listing("listed")
    assert len(ids(listing)) == 7
    assert listing.refused


@pytest.mark.parametrize("refused", GLANCE)
def test_a_refusal_that_names_nothing_is_found_out_by_trying(opened: Opened, refused: str) -> None:
    server = opened.server(cloud_of("glance", 7))
    healthy = server.service
    server.service = lambda asked: (
        Answer(400, b"<html>no</html>") if refused in asked.query else healthy(asked)
    )
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 7
    assert listing.refused


@pytest.mark.parametrize(
    ("kind", "pass_name", "own"),
    [
        ("glance", "hidden", "os_hidden"),
        ("ims", "pending", "member_status"),
        ("ims", "market", "__imagetype"),
    ],
)
def test_a_pass_refused_even_so_holds_no_records(opened: Opened, kind: Any, pass_name: str, own: str) -> None:
    server = opened.server(cloud_of(kind, 7, refuses=[own]))
    listing = opened.service(server, kind).listing(pass_name)
    assert ids(listing) == []
    assert (listing.verdict, listing.records, listing.refused) == ("complete", 0, True)
    assert all(own in request.query for request in server.requests)
    assert len(server.requests) < 10


def test_filters_are_never_left_out(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 7, refuses=["colour"]))
    listing = opened.service(server, "glance", filters={"colour": "red"}).listing("listed")
    assert ids(listing) == []
    assert listing.verdict == "failed"
    assert all(request.query["colour"] == "red" for request in server.requests)


def test_a_403_is_no_refusal_of_a_parameter(opened: Opened) -> None:
    server = opened.server(lambda _: Answer(403, b"visibility"))
    listing = opened.service(server, "glance").listing("listed")
    assert ids(listing) == []
    assert (listing.verdict, listing.refused) == ("failed", False)
    assert len(server.requests) == 1


def test_an_unknown_pass_is_named_with_those_that_are_known(opened: Opened) -> None:
    service = opened.service(opened.server(cloud_of("glance", 1)), "glance")
    with pytest.raises(ConfigurationError, match="'pending', expected listed, hidden"):
        service.listing("pending")
