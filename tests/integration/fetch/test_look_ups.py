"""What an answer to a look-up by id proves (semantics 4.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.deadline import Deadline
from catalog.demo.answers import Answer
from catalog.demo.cloud import Cloud
from tests.integration.fetch.conftest import Opened, cloud_of
from tests.support.faults import body, hang, status
from tests.support.records import image

KINDS = ("glance", "ims")


@pytest.mark.parametrize("kind", KINDS)
def test_found_not_found_and_no_access(opened: Opened, kind: Any) -> None:
    cloud = cloud_of(kind, 4)
    cloud.hide("image-001")
    cloud.forbid("image-002")
    cloud.delete("image-003")
    service = opened.service(opened.server(cloud, "/image"), kind)
    answers = [service.lookup(f"image-{number:03d}") for number in range(4)]
    assert [answer.answer for answer in answers] == ["found", "found", "no_access", "not_found"]
    assert answers[0].record == json.dumps(image(0)).encode()
    assert [answer.record for answer in answers[2:]] == [None, None]


def test_an_image_that_ims_does_not_list_is_found_at_its_address(opened: Opened) -> None:
    cloud = Cloud("ims", [image(0, __isregistered="false")])
    service = opened.service(opened.server(cloud), "ims")
    assert service.lookup("image-000").answer == "found"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [400, 401, 429, 500, 502, 503])
def test_any_other_answer_decides_nothing(opened: Opened, kind: Any, code: int) -> None:
    server = opened.server(cloud_of(kind, 1))
    server.faults.add(status(code), times=None)
    found = opened.service(server, kind).lookup("image-000")
    assert found.answer == "unanswered"
    assert found.error is not None


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"null", b'{"id": "another"}', b"<html>", b'{"images": []}']
)
def test_a_200_that_is_not_the_record_decides_nothing(opened: Opened, content: bytes) -> None:
    server = opened.server(cloud_of("glance", 1))
    server.faults.add(body(content), times=None)
    assert opened.service(server, "glance").lookup("image-000").answer == "unanswered"


def test_ims_says_not_found_only_behind_an_empty_listing(opened: Opened) -> None:
    def listing_fails(asked: Any) -> Answer:
        return Answer(500 if "cloudimages" in asked.path else 404, b"{}")

    def listing_ignores_id(asked: Any) -> Answer:
        images = json.dumps({"images": [image(0), image(1)]}).encode()
        return Answer(200, images) if "cloudimages" in asked.path else Answer(404, b"{}")

    for service in (listing_fails, listing_ignores_id):
        assert opened.service(opened.server(service), "ims").lookup("image-009").answer == "unanswered"
    assert opened.service(opened.server(listing_ignores_id), "ims").lookup("image-001").answer == "found"


def test_a_gateway_that_knows_no_such_address_says_nothing_about_the_image(opened: Opened) -> None:
    def gateway(asked: Any) -> Answer:
        if "cloudimages" in asked.path:
            return Answer(200, b'{"images": []}')
        return Answer(404, b'{"error_code": "APIG.0101", "error_msg": "The API does not exist"}')

    assert opened.service(opened.server(gateway), "ims").lookup("image-000").answer == "unanswered"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [404, 403, 200])
@pytest.mark.parametrize("to", ["/sso/login", "/other/v2/images/image-000", "/v2/images/image-0000"])
def test_an_answer_from_elsewhere_says_nothing_about_the_image(
    opened: Opened, kind: Any, code: int, to: str
) -> None:
    """A redirect within the service's origin: to where one logs in, to another path, to another image."""

    def service(asked: Any) -> Answer:
        if asked.path == to:
            return Answer(code, json.dumps(image(0)).encode())
        if "cloudimages" in asked.path:
            return Answer(200, b'{"images": []}')
        return Answer(302, b"", {"Location": to})

    found = opened.service(opened.server(service), kind).lookup("image-000")
    assert (found.answer, found.error is not None) == ("unanswered", True)
    assert "redirected to another place" in str(found.error)


@pytest.mark.parametrize("to", ["/v2/images/image-000/", "/v2/images/image-000?once=more"])
@pytest.mark.parametrize(("code", "answer"), [(404, "not_found"), (403, "no_access"), (200, "found")])
def test_a_redirect_to_the_same_address_is_followed(opened: Opened, to: str, code: int, answer: str) -> None:
    def service(asked: Any) -> Answer:
        if asked.path.endswith("/") or asked.query:
            return Answer(code, json.dumps(image(0)).encode())
        return Answer(302, b"", {"Location": to})

    assert opened.service(opened.server(service), "glance").lookup("image-000").answer == answer


@pytest.mark.parametrize("image_id", ["a/b", "a b?c=d#e", "%2e", "ä", "..%2f", "x" * 255])
def test_odd_ids_are_asked_for_as_they_are(opened: Opened, image_id: str) -> None:
    """Servers that decode %2F answer for another address: for a slash "not found" is no answer."""
    service = opened.service(opened.server(Cloud("glance", [image(0, id=image_id)])), "glance")
    assert service.lookup(image_id).answer == "found"
    gone = "unanswered" if "/" in image_id else "not_found"
    assert service.lookup(image_id + "x").answer == gone


@pytest.mark.parametrize("kind", ["glance", "ims"])
@pytest.mark.parametrize("code", [404, 403])
def test_an_id_with_a_slash_is_never_called_gone(opened: Opened, kind: Any, code: int) -> None:
    def service(asked: Any) -> Answer:
        return Answer(200, b'{"images": []}') if "cloudimages" in asked.path else Answer(code, b"")

    assert opened.service(opened.server(service), kind).lookup("a/b").answer == "unanswered"


@pytest.mark.parametrize("image_id", [".", "..", "half \ufffd"])
def test_an_id_that_no_path_carries_is_never_called_gone(opened: Opened, image_id: str) -> None:
    server = opened.server(cloud_of("glance", 1))
    assert opened.service(server, "glance").lookup(image_id).answer == "unanswered"
    assert server.requests == []


def test_a_look_up_ends_while_a_tenth_of_the_deadline_is_left(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1))
    server.faults.add(hang(), times=None)
    deadline = Deadline(2.0)
    found = opened.service(server, "glance", deadline=deadline).lookup("image-000")
    assert found.answer == "unanswered"
    assert found.error is not None
    assert found.error.error_kind == "deadline"
    assert deadline.remaining() > 0


def test_half_a_surrogate_pair_in_a_record_is_mended_as_in_a_listing(opened: Opened) -> None:
    record = b'{"id": "a", "name": "half \\ud83d pair"}'

    def service(asked: Any) -> Answer:
        return Answer(200, b'{"images": [' + record + b"]}" if asked.path == "/v2/images" else record)

    glance = opened.service(opened.server(service), "glance")
    (page,) = glance.listing("listed")
    assert glance.lookup("a").record == bytes(page.records[0]) == record.replace(b"ud83d", b"ufffd")


def test_no_filter_is_sent_with_a_look_up(opened: Opened) -> None:
    server = opened.server(cloud_of("ims", 2))
    service = opened.service(server, "ims", filters={"status": "queued"})
    assert service.lookup("image-000").answer == "found"
    assert all("status" not in request.query for request in server.requests)
