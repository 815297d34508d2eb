"""The pages: what is asked stands in the address, what a cloud says is text, nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree

import httpx
import pytest

from tests.integration.views.conftest import NOW, RUN, Shelf, ago
from tests.support.markup import Outline

HOSTILE = (
    "<script>alert(1)</script>\"'&\u202egpj.\x1b[31m<img src=//evil.example/x onerror=alert(2)>{{ 7*7 }}"
)
SHOWN = HOSTILE.replace("\u202e", r"\u202e").replace("\x1b", r"\x1b")
PAGES = (
    "/images",
    "/images?deleted=true",
    "/changes?since=90d",
    "/compare?a=one&from=1d",
    "/sources",
    "/report",
)


def page(site: httpx.Client, address: str) -> str:
    answer = site.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def links(text: str) -> dict[str, str]:
    """Addresses by the words that lead to them; of equal words the last."""
    found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL)
    return {words(inside): unescape(address) for address, inside in found}


def stock(shelf: Shelf) -> None:
    one, two = shelf.source("one", last_complete_at=ago(0), expected_seconds=900), shelf.source("two")
    shelf.insert("projects", {"source_id": one, "project_id": "p", "name": "Sales", "seen_at": NOW})
    for number in range(3):
        shelf.image(
            one, f"u{number}", name=f"ubuntu-2{number}.04", platform="Ubuntu", tags=["golden"], owner="p"
        )
        shelf.revision(one, f"u{number}", ago(9), None if number else ago(1), "created")
        shelf.spell(one, f"u{number}", "active", ago(9))
    shelf.image(two, "u0", name="ubuntu-20.04", tags=["golden", "lts"], flags={"kvm": True})
    shelf.image(one, "gone", name="old", deleted_at=ago(1), deletion_reason="not_found")
    shelf.revision(one, "u0", ago(1), changed={"status": ["queued", "active"]})


def hostile(shelf: Shelf) -> None:
    source = shelf.source(HOSTILE, region=HOSTILE)
    harm: dict[str, Any] = dict.fromkeys(
        ("name", "status", "visibility", "owner", "platform", "os_version"), HOSTILE
    )
    shelf.insert("projects", {"source_id": source, "project_id": HOSTILE, "name": HOSTILE, "seen_at": NOW})
    shelf.image(source, "h", tags=[HOSTILE], flags={HOSTILE: True}, **harm)
    shelf.insert(
        "image_properties",
        {"source_id": source, "image_id": "h", "name": HOSTILE, "value": f'{{"a": "{7}"}}'},
    )
    shelf.revision(source, "h", ago(3), ago(2), "created", **harm)
    shelf.revision(
        source, "h", ago(2), changed={"name": ["calm", HOSTILE], HOSTILE: [["a"], [HOSTILE]]}, **harm
    )
    shelf.spell(source, "h", HOSTILE, ago(3))
    shelf.source("one")


def test_what_is_searched_and_chosen_narrows_the_list_and_stands_in_the_address(
    site: httpx.Client, shelf: Shelf
) -> None:
    stock(shelf)
    first = page(site, "/images?text=ubuntu")
    assert "Images 4" in words(first)
    assert "golden 4 lts 1" in words(first)
    assert "one 3 two 1" in words(first)
    narrowed = page(site, links(first)["lts"])
    assert "Images 1" in words(narrowed)
    assert links(narrowed)["ubuntu-20.04"] == "/images/s-two/u0"
    assert parse_qs(urlsplit(links(narrowed)["golden"]).query) == {
        "text": ["ubuntu"],
        "tag": ["lts", "golden"],
    }
    assert links(narrowed)["tag lts ×"] == "/images?text=ubuntu"


def test_a_facet_names_values_that_the_same_question_finds(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    text = page(site, "/images")
    counted = re.findall(
        r'<li><a href="(/images\?[^"]*)"><bdi>[^<]*</bdi></a> <span class="n soft">(\d+)</span>', text
    )
    assert len(counted) >= 8, "source, system, state, tag, capability, owner"
    for address, count in counted:
        assert f"Images {count}" in words(page(site, unescape(address))), address


def test_in_a_large_catalog_states_can_be_chosen_uncounted(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    assert "State current 4" in words(page(site, "/images"))
    shelf.connection.execute(
        """INSERT INTO images (source_id, image_id, first_seen_at, last_changed_at, deleted_at, description)
            SELECT 's-two', 'x' || n, now(), now(), now(), repeat('x', 1000) FROM generate_series(1, 20001) AS n"""
    )
    shelf.connection.execute("ANALYZE images")
    text = page(site, "/images")
    assert "State current superseded" in words(text)
    assert links(text)["current"] == "/images?state=current"


def test_a_list_goes_on_where_it_ended(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    first = page(site, "/images?sort=-name&limit=2")
    second = page(site, "/images" + links(first)["Next"])
    names = [name for text in (first, second) for name in links(text) if name.startswith("ubuntu-2")]
    assert names == ["ubuntu-22.04", "ubuntu-21.04", "ubuntu-20.04"], "the last one is in two sources"
    assert "Next" not in links(second)
    assert links(second)["From the beginning"] == "/images?sort=-name&limit=2"


def test_a_moment_of_the_past_can_be_asked_for(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    assert "No image fits" in words(page(site, f"/images?as_of={ago(20):%Y-%m-%dT%H:%M:%SZ}"))
    assert "ubuntu-22.04" in page(site, "/images?as_of=2d")


def test_one_image_shows_why_it_is_live_and_its_timeline(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    text = page(site, "/images/s-one/u0")
    assert "live: " in words(text)
    assert links(text)["two"] == "/images/s-two/u0"
    titles = re.findall(r"<title>(.*?)</title>", text)
    assert titles[1].startswith("active, from ")
    assert [title.split()[0] for title in titles[2:]] == ["updated", "created"]


def test_changes_are_listed_and_filtered(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    text = words(page(site, "/changes?since=20d"))
    assert text.index("status queued → active") < text.index("created u1")
    assert "created" not in words(page(site, "/changes?change=updated").split("<ol")[1])
    assert "Nothing changed" in words(page(site, "/changes?field=size"))


def test_changes_are_a_feed_too(site: httpx.Client, shelf: Shelf) -> None:
    source = shelf.source(last_event=2)
    # whoever wrote them held it; on Citus they are found by it
    shelf.insert("leases", {"source_id": source, "fence": 0})
    for number in (1, 2):
        row = {
            "number": number,
            "type": "catalog.image.created",
            "subject": f"i{number}",
            "time": ago(9 - number),
        }
        shelf.insert("events", {"source_id": source, "run_id": RUN, "data": {"name": HOSTILE}} | row)
    answer = site.get("/changes.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    ids = [entry.text for entry in ElementTree.fromstring(answer.text).iterfind(".//{*}entry/{*}id")]
    assert ids == [f"urn:catalog:event:{source}.{number}" for number in (2, 1)]


def test_sources_are_compared(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    assert "Choose two sources" in words(page(site, "/compare"))
    text = words(page(site, "/compare?a=one&b=two"))
    assert "In one In two" in text
    assert "only in one" in text
    itself = words(page(site, "/compare?a=one&from=20d&to=2d"))
    assert re.search(r"Difference At \S+ \S+ At .* only at ", itself)
    assert "only now" in words(page(site, "/compare?a=one&from=20d"))
    assert "golden, lts" in text
    assert "They are the same" in words(page(site, "/compare?a=one&b=one"))


def test_sources_and_the_report_are_shown(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    assert re.search(r"one Glance 3 fresh .* two Glance 1 stale", words(page(site, "/sources")))
    assert links(page(site, "/report"))["Images and more"] == "/images"


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_catalog_says_what_to_do(site: httpx.Client, address: str) -> None:
    answer = site.get(address)
    if address.startswith("/compare"):
        assert (answer.status_code, "no source is called" in words(answer.text)) == (404, True)
    else:
        assert answer.status_code == 200
        assert re.search("catalog sync|Nothing changed", answer.text)


@pytest.mark.parametrize("address", [*PAGES, "/images/{source}/h", "/nothing", "/images?nothing=1"])
def test_what_a_cloud_says_is_text_and_nothing_is_loaded_or_run(
    site: httpx.Client, shelf: Shelf, address: str
) -> None:
    hostile(shelf)
    answer = site.get(address.format(source=quote(f"s-{HOSTILE}", safe="")))
    assert answer.status_code in ((200,) if "nothing" not in address else (400, 404)), answer.text
    text = answer.text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "49" not in words(text.split("</header>")[1]) or "{{ 7*7 }}" in text
    outline = Outline(text)
    assert not {tag for tag, _ in outline.tags} & {"script", "img", "iframe", "object", "embed", "base"}
    for tag, attributes in outline.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "src" not in attributes
        assert re.match(r"/(?!/)|data:,$|\?|#main$", attributes.get("href", "/") or "/"), attributes
        assert "style" not in attributes or address == "/report"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert ("unsafe" in policy) == (address == "/report")


def test_each_hostile_value_is_seen_as_it_is(site: httpx.Client, shelf: Shelf) -> None:
    hostile(shelf)
    listed = site.get("/images").text
    assert Outline(listed).words.count(SHOWN) >= 6, "name, source, status, owner and facets"
    shown = site.get(links(listed)[" ".join(SHOWN.split())])
    assert shown.status_code in (200, 404)


def test_a_mistake_in_an_address_is_explained_on_a_page(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    answer = site.get("/images?as_of=soon")
    assert answer.status_code == 400
    assert "as_of: expected a date" in words(answer.text)
    assert "nothing has this address" in words(site.get("/x").text)
    assert site.get("/images/s-one/none").status_code == 404


def test_the_first_address_leads_to_the_images(site: httpx.Client) -> None:
    answer = site.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/images")
