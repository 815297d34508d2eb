"""The API: its answers are the catalog's, its cursors lead through all of it, its document tells the truth."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from catalog.web import openapi
from tests.integration.views.conftest import NOW, RUN, T0, Shelf, ago
from tests.integration.web.conftest import Start

IMAGES = "/api/v1/images"


def ids(site: httpx.Client, **question: Any) -> list[str]:
    answer = site.get(IMAGES, params={"sort": "source"} | question)
    assert answer.status_code == 200, answer.text
    return [image["image_id"] for image in answer.json()["images"]]


def through(site: httpx.Client, path: str, member: str, **question: Any) -> list[dict[str, Any]]:
    """All of a listing, part by part."""
    found: list[dict[str, Any]] = []
    while True:
        answer = site.get(path, params=question)
        assert answer.status_code == 200, answer.text
        found += answer.json()[member]
        assert len(answer.json()[member]) <= question["limit"]
        if answer.json()["next"] is None:
            return found
        question["after"] = answer.json()["next"]


def stock(shelf: Shelf) -> str:
    """Five images of one source and one of another."""
    one, two = shelf.source("one"), shelf.source("two", kind="ims")
    shelf.insert("projects", {"source_id": one, "project_id": "p", "name": "Sales", "seen_at": NOW})
    shelf.image(
        one, "u22", name="ubuntu-22.04", platform="Ubuntu", os_version="22.04", tags=["golden"], owner="p",
        visibility="public", architecture="x86_64", size=5, created_at=ago(4),
    )  # fmt: skip
    shelf.image(
        one, "u24", name="Ubuntu-24.04", platform="Ubuntu", os_version="24.04", created_at=ago(3), size=7
    )
    shelf.image(one, "d12", name="debian-12", flags={"kvm": True, "xen": False}, created_at=ago(3), size=5)
    shelf.image(one, "nameless", name=None, created_at=None, status="queued", image_kind="snapshot")
    shelf.image(one, "gone", name="ubuntu-20.04", deleted_at=ago(1), deletion_reason="not_found")
    shelf.image(two, "u22", name="ubuntu-22.04", created_at=ago(2))
    return one


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, ["d12", "u22", "u24", "nameless", "u22"]),
        ({"sort": ""}, ["u22", "d12", "u24", "u22", "nameless"]),
        ({"text": "UBUNTU"}, ["u22", "u24", "u22"]),
        ({"source": "two"}, ["u22"]),
        ({"source": ["o*", "two"], "tag": "golden"}, ["u22"]),
        ({"capability": "kvm"}, ["d12"]),
        ({"os": "ubuntu-22.04", "source": "one"}, ["u22"]),
        ({"owner": "sales"}, ["u22"]),
        ({"visibility": "public", "arch": "amd64"}, ["u22"]),
        ({"status": "queued"}, ["nameless"]),
        ({"kind": "snapshot"}, ["nameless"]),
        ({"deleted": "true"}, ["gone"]),
        ({"state": "gone"}, ["gone"]),
        ({"sort": "-created", "limit": 2}, ["u22", "d12"]),
        ({"text": "", "as_of": ""}, ["d12", "u22", "u24", "nameless", "u22"]),
    ],
)
def test_a_question_leaves_the_images_that_fit_it(
    site: httpx.Client, shelf: Shelf, question: dict[str, Any], expected: list[str]
) -> None:
    stock(shelf)
    assert ids(site, **question) == expected


@pytest.mark.parametrize("sort", [sign + name for name in openapi.parameters.ORDERS for sign in ("", "-")])
def test_cursors_lead_through_all_images_in_order_and_meet_each_once(
    site: httpx.Client, shelf: Shelf, sort: str
) -> None:
    stock(shelf)
    whole = site.get(IMAGES, params={"sort": sort}).json()["images"]
    assert len(whole) == 5
    assert through(site, IMAGES, "images", sort=sort, limit=1) == whole
    assert through(site, IMAGES, "images", sort=sort, limit=2) == whole


@pytest.mark.parametrize("sort", ["name", "-name", "status", "source"])
def test_cursors_lead_past_names_of_any_length(site: httpx.Client, shelf: Shelf, sort: str) -> None:
    source = shelf.source()
    for number in range(4):
        long = "\u1000" * 5000 + str(number)
        shelf.image(source, f"i{number}", name=long, status=long)
    found = through(site, IMAGES, "images", sort=sort, limit=1)
    assert [image["image_id"] for image in found] == ["i0", "i1", "i2", "i3"]


def test_images_that_come_and_go_between_two_parts_neither_repeat_nor_hide_others(
    site: httpx.Client, shelf: Shelf
) -> None:
    source = shelf.source()
    for name in "bdfh":
        shelf.image(source, name)
    first = site.get(IMAGES, params={"sort": "name", "limit": 2}).json()
    shelf.ask("UPDATE images SET deleted_at = now() WHERE image_id = 'd' RETURNING 1")
    shelf.image(source, "a")
    shelf.image(source, "g")
    rest = ids(site, sort="name", after=first["next"])
    assert rest == ["f", "g", "h"]


def test_one_image_is_told_whole_with_the_reason_why_it_is_live(site: httpx.Client, shelf: Shelf) -> None:
    source = stock(shelf)
    shelf.revision(source, "u22", ago(4), change="created")
    shelf.observation(source, ago(4))
    image = site.get(f"{IMAGES}/{source}/u22").json()
    assert (image["name"], image["owner_name"], image["distro"], image["tags"]) == (
        "ubuntu-22.04",
        "Sales",
        "ubuntu",
        ["golden"],
    )
    assert image["explanation"]["standing"] == "live"
    assert [row["source"] for row in image["other_sources"]] == ["two"]


def test_an_id_may_hold_what_an_address_is_made_of(site: httpx.Client, shelf: Shelf) -> None:
    source = shelf.source()
    for image_id in ("a/b", "a/history", "100%", "a?b#c", "ä ö", ".."):
        shelf.image(source, image_id)
        path = (
            f"{IMAGES}/{source}/"
            + httpx.URL("http://h/").copy_with(params={"x": image_id}).query.decode()[2:]
        )
        path = path.replace("+", "%20").replace("..", "%2E%2E")
        assert site.get(path).json()["image_id"] == image_id
        assert site.get(path + "/history").json() == {"revisions": [], "next": None}


def test_history_is_told_newest_first_and_in_parts(site: httpx.Client, shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "i")
    for day in (5, 4, 3):
        shelf.revision(
            source, "i", ago(day), change="created" if day == 5 else "updated", changed={"name": [1, 2]}
        )
    path = f"{IMAGES}/{source}/i/history"
    found = through(site, path, "revisions", limit=2)
    assert [row["observed_at"] for row in found] == [f"{ago(day):%Y-%m-%dT%H:%M:%SZ}" for day in (3, 4, 5)]
    assert found[0]["changed"] == {"name": [1, 2]}


def test_changes_are_told_newest_first_and_in_parts_and_without_those_of_updated_at_alone(
    site: httpx.Client, shelf: Shelf
) -> None:
    source = shelf.source()
    for image_id in "abc":
        shelf.revision(source, image_id, ago(2), change="created")
    shelf.revision(source, "a", ago(1), changed={"updated_at": [1, 2]})
    shelf.revision(source, "b", ago(1), changed={"status": ["active", "deactivated"]})
    shelf.revision(source, "c", ago(9), change="created")
    found = through(site, "/api/v1/changes", "changes", limit=1)
    assert [(row["image_id"], row["change"]) for row in found] == [
        ("b", "updated"),
        ("a", "created"),
        ("b", "created"),
        ("c", "created"),
    ]
    assert len(through(site, "/api/v1/changes", "changes", limit=9, since="30d")) == 5
    assert [
        row["image_id"] for row in through(site, "/api/v1/changes", "changes", limit=9, field="status")
    ] == ["b"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"os": "ubuntu"}, ["one/u24", "two/u22"]),
        ({"os": "ubuntu", "source": "o*"}, ["one/u24"]),
        ({"family": "ubuntu-22.04", "arch": "amd64"}, ["one/u22"]),
        ({"tag": "golden", "visibility": "public"}, ["one/u22"]),
        ({"capability": "kvm"}, ["one/d12"]),
        ({"purpose": "gpu"}, []),
        ({"as_of": T0.isoformat()}, ["one/u24", "two/u22"]),
        ({"as_of": "2026-01-01"}, []),
    ],
)
def test_the_latest_image_is_that_of_the_command(
    site: httpx.Client, shelf: Shelf, question: dict[str, Any], expected: list[str]
) -> None:
    stock(shelf)
    found = site.get("/api/v1/latest", params=question).json()["images"]
    assert [f"{row['source']}/{row['image_id']}" for row in found] == expected


def test_events_go_on_after_the_last_answer(site: httpx.Client, shelf: Shelf) -> None:
    source = shelf.source(last_event=3)
    for number in (1, 2, 3):
        row = {
            "number": number,
            "type": "catalog.image.created",
            "subject": f"i{number}",
            "time": ago(9 - number),
        }
        shelf.insert("events", {"source_id": source, "run_id": RUN, "data": {"name": f"i{number}"}} | row)
    first = site.get("/api/v1/events", params={"limit": 2}).json()
    assert [event["subject"] for event in first["events"]] == ["i1", "i2"]
    rest = site.get("/api/v1/events", params={"after": first["next"]}).json()
    assert [event["subject"] for event in rest["events"]] == ["i3"]
    assert site.get("/api/v1/events", params={"after": rest["next"]}).json()["events"] == []
    assert site.get("/api/v1/events", params={"type": "*.deleted"}).json()["events"] == []


def test_sources_say_how_fresh_they_are_and_leave_out_retired_ones(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    shelf.source("old", retired_at=ago(1))
    found = site.get("/api/v1/sources").json()["sources"]
    assert [(row["source"], row["images"], row["stale"]) for row in found] == [
        ("one", 4, True),
        ("two", 1, True),
    ]
    assert [row["source"] for row in site.get("/api/v1/sources?source=old").json()["sources"]] == ["old"]


def test_who_has_an_answer_already_is_told_so_until_it_changes(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    tag = site.get(IMAGES).headers["etag"]
    again = site.get(IMAGES, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    shelf.image("s-one", "new")
    assert site.get(IMAGES, headers={"If-None-Match": tag}).status_code == 200


def check_problem(answer: httpx.Response, status: int, reason: str) -> None:
    """It is the status and the reason, as a problem of RFC 9457."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("images?nmae=x", "no parameter is called 'nmae'; known: after, arch"),
        ("images?limit=0", "limit: expected a number from 1 to 1000"),
        ("images?limit=1001", "limit: expected a number from 1 to 1000"),
        ("images?sort=colour", "sort: expected one of source, -source, name"),
        ("images?state=lost", "state: expected one of current,"),
        ("images?as_of=tomorrow", "as_of: expected a date"),
        ("images?deleted=maybe", "deleted: expected true or false"),
        ("images?text=a&text=b", "text: give it once"),
        ("images?text=%00", "NUL"),
        ("changes?since=soon", "since: expected a date"),
        ("sources?limit=1", "no parameter is called 'limit'; known: source"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    site: httpx.Client, shelf: Shelf, address: str, reason: str
) -> None:
    stock(shelf)
    check_problem(site.get(f"/api/v1/{address}"), 400, reason)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("images?as_of=2999-01-01", "in the future"),
        ("images?state=current&as_of=1d", "states are known for the present only"),
        ("images?source=nowhere", "no source is called 'nowhere'"),
        ("images?after=x", "after: expected the `next` of an answer of the same address"),
        ("images?after=WyJjaGFuZ2VzIl0", "after: expected the `next`"),
        ("events?after=nonsense", "expected the `cursor` or the `id`"),
        ("events?type=x", "no type of event is called 'x'"),
    ],
)
def test_what_the_catalog_lacks_is_not_found(
    site: httpx.Client, shelf: Shelf, address: str, reason: str
) -> None:
    stock(shelf)
    check_problem(site.get(f"/api/v1/{address}"), 404, reason)


def test_a_cursor_goes_with_the_order_that_it_is_of(site: httpx.Client, shelf: Shelf) -> None:
    stock(shelf)
    cursor = site.get(IMAGES, params={"sort": "name", "limit": 1}).json()["next"]
    answer = site.get(IMAGES, params={"sort": "created", "after": cursor})
    assert (answer.status_code, "sorted by 'name'" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    "path", ["images/s-one/none", "images/s-one/a%00", "images/none/u22/history", "nothing"]
)
def test_what_is_not_there_is_not_found(site: httpx.Client, shelf: Shelf, path: str) -> None:
    stock(shelf)
    answer = site.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


def test_nothing_can_be_written(site: httpx.Client) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert site.request(method, IMAGES).status_code == 405
    assert site.head(IMAGES).status_code == 200


def test_a_statement_that_takes_too_long_is_ended_and_said_so(start: Start, shelf: Shelf) -> None:
    stock(shelf)
    # PostgreSQL counts it once the statement waits: for a lock that this test holds
    site = start(seconds=0.2)
    with shelf.connection.transaction():
        shelf.connection.execute("LOCK TABLE images IN ACCESS EXCLUSIVE MODE")
        answer = site.get(IMAGES)
    assert answer.status_code == 503
    assert site.get(IMAGES).status_code == 200


def test_the_document_describes_what_is_answered(site: httpx.Client, shelf: Shelf) -> None:
    source = stock(shelf)
    shelf.revision(source, "u22", ago(4), change="created")
    shelf.insert(
        "events",
        {
            "source_id": source,
            "run_id": RUN,
            "number": 1,
            "type": "catalog.image.created",
            "subject": "u22",
            "time": ago(1),
            "data": {},
        },
    )
    shelf.ask("UPDATE sources SET last_event = 1 WHERE source_id = %s RETURNING 1", source)
    document = site.get("/api/v1/openapi.json").json()
    for path, item in document["paths"].items():
        answer = site.get(path.replace("{source_id}", source).replace("{image_id}", "u22"))
        assert answer.status_code == 200, path
        success = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert next(iter(answer.json().values())), f"{path}: nothing to compare"
        fits(answer.json(), success, document, path)


def fits(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    """Types, members that must be there, and none that the document does not know."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    if "type" in schema:
        allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[kind]) for kind in allowed), (where, value, allowed)  # type: ignore[arg-type]
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= value.keys(), where
        assert value.keys() <= set(schema["properties"]), where
        for name, each in value.items():
            fits(each, schema["properties"][name], document, f"{where}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for each in value:
            fits(each, schema["items"], document, f"{where}[]")
