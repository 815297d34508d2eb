"""Listing and look-ups against a real Glance that trusts a token's own word."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.fetch.auth.login import connect
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, Page
from tests.real_cloud.services import Glance

pytestmark = pytest.mark.real_cloud

Open = Callable[..., ImageService]


def token_of(project: str, roles: str = "member,reader") -> str:
    return f"user-{project[:8]}:{project}:{roles}"


@pytest.fixture
def project() -> str:
    """A project of the test's own; what other tests made public shows in it, too."""
    return uuid.uuid4().hex


@pytest.fixture
def open_as(real_glance: Glance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the service with a token as a sweep does."""
    opened: list[ImageService] = []

    def open_as(token: str, page_size: int = 1000, token_file: Path | None = None) -> ImageService:
        monkeypatch.setenv("REAL_CLOUD_TOKEN", token)
        source = SourceSettings(
            name="real",
            kind="glance",
            endpoint=real_glance.url,
            auth="token",
            token_env=None if token_file else "REAL_CLOUD_TOKEN",
            token_file=token_file,
            page_size=page_size,
        )
        deadline = Deadline(60)
        opened.append(open_service(source, deadline, connect(source, deadline)))
        return opened[-1]

    yield open_as
    for service in opened:
        service.close()


def ids_of(page: Page) -> list[str]:
    return [json.loads(bytes(record))["id"] for record in page.records]


def listed(service: ImageService, *passes: str) -> list[str]:
    """The ids of the passes, in order; each pass must be complete."""
    found: list[str] = []
    for name in passes or ("listed",):
        listing = service.listing(name)
        found += [image_id for page in listing for image_id in ids_of(page)]
        assert (listing.verdict, listing.error) == ("complete", None)
        assert not listing.refused
    return found


KINDS: list[dict[str, Any]] = [
    {"name": "plain"},
    {"name": None},
    {"name": "x" * 255},
    {"name": "weiß 漢字"},
    {"tags": ["b", "a", "Ä"]},
    {"protected": False, "min_ram": 2048, "min_disk": 40},
    {"disk_format": None, "container_format": None},
    {"disk_format": "qcow2", "os_distro": "ubuntu", "os_version": "24.04", "architecture": "x86_64"},
    {"disk_format": "iso"},
    {"disk_format": "zvhd2", "__os_type": "Linux", "__support_kvm": "true", "__imagetype": "gold"},
    {"disk_format": "zvhd", "__os_version": "6.10", "__image_size": "5368709120"},
    {"image_type": "snapshot", "base_image_ref": str(uuid.uuid4()), "instance_uuid": str(uuid.uuid4())},
    {"hw_disk_bus": "scsi", "trait:CUSTOM_X": "required", "a property with spaces": "1"},
    {"description": ""},
    {"visibility": "private"},
    {"visibility": "shared"},
    {"visibility": "community"},
    {"os_hidden": True},
    {"os_hidden": True, "visibility": "private"},
    {"os_hidden": True, "visibility": "community"},
]


def test_images_of_all_kinds_are_listed_page_by_page_each_once(
    real_glance: Glance, open_as: Open, project: str
) -> None:
    token, admin = token_of(project), token_of(project, "admin,member,reader")
    made = {real_glance.create(token, **kind) for kind in KINDS}
    made |= {real_glance.create(token, data=b"bytes", name=f"active-{number}") for number in range(3)}
    made |= {real_glance.create(admin, visibility="public", name=f"public-{number}") for number in range(2)}
    assert len(made) == 25
    service = open_as(token, page_size=4)
    found = listed(service, "listed", "hidden")
    assert len(found) == len(set(found))
    assert made <= set(found)
    assert service.requests > len(found) / 4
    assert service.retries == 0


def test_a_listing_that_fills_its_last_page_ends(real_glance: Glance, open_as: Open, project: str) -> None:
    token = token_of(project)
    made = {real_glance.create(token) for _ in range(6)}
    for page_size in (1, 2, 3, 6):
        assert made <= set(listed(open_as(token, page_size)))


def test_hidden_and_community_images_of_others_are_found(
    real_glance: Glance, open_as: Open, project: str
) -> None:
    other = token_of(uuid.uuid4().hex)
    community = real_glance.create(other, visibility="community")
    hidden = real_glance.create(other, visibility="community", os_hidden=True)
    service = open_as(token_of(project))
    plain, concealed = listed(service, "listed"), listed(service, "hidden")
    assert community in plain
    assert hidden not in plain
    assert hidden in concealed


def test_who_is_no_administrator_sees_less_without_an_error(
    real_glance: Glance, open_as: Open, project: str
) -> None:
    private = real_glance.create(token_of(uuid.uuid4().hex), visibility="private")
    assert private not in listed(open_as(token_of(project)))
    assert private in listed(open_as(token_of(project, "admin,member,reader")))


def test_a_share_is_found_accepted_or_not(real_glance: Glance, open_as: Open, project: str) -> None:
    owner = token_of(uuid.uuid4().hex)
    made = []
    for status in ("pending", "accepted", "rejected"):
        image_id = real_glance.create(owner, visibility="shared")
        made.append(image_id)
        path = f"/v2/images/{image_id}/members"
        real_glance.request("POST", path, owner, {"member": project})
        if status != "pending":
            real_glance.request("PUT", f"{path}/{project}", token_of(project), {"status": status})
    assert set(made) <= set(listed(open_as(token_of(project))))


def test_markers_that_vanish_in_mid_listing_lose_no_image(
    real_glance: Glance, open_as: Open, project: str
) -> None:
    token = token_of(project)
    made = [real_glance.create(token) for _ in range(16)]
    mine = set(made)
    gone: set[str] = set()
    found: set[str] = set()
    listing = open_as(token, page_size=2).listing("listed")
    for page in listing:
        ids = ids_of(page)
        found |= set(ids)
        # The page's last image is the marker of what follows; with the one before, it is two steps back.
        for image_id in ids if len(gone) < 6 else ids[-1:]:
            if image_id in mine and len(gone) < 10:
                real_glance.delete(token, image_id)
                gone.add(image_id)
    assert (listing.verdict, listing.error) == ("complete", None)
    assert len(gone) == 10
    assert mine <= found


def test_newcomers_of_a_listing_are_in_it(real_glance: Glance, open_as: Open, project: str) -> None:
    token = token_of(project)
    made = {real_glance.create(token) for _ in range(6)}
    listing = open_as(token, page_size=2).listing("listed")
    found: set[str] = set()
    for number, page in enumerate(listing):
        found |= set(ids_of(page))
        if number == 0:
            real_glance.create(token)
    assert listing.verdict == "complete"
    assert made <= found


def test_a_token_that_ends_in_mid_listing_is_read_again(
    real_glance: Glance, open_as: Open, project: str, tmp_path: Path
) -> None:
    first, second = token_of(project, "member,reader"), token_of(project, "reader,member")
    made = {real_glance.create(first) for _ in range(12)}
    file = tmp_path / "token"
    file.write_text(first)
    service = open_as(first, page_size=1, token_file=file)
    listing = service.listing("listed")
    found: set[str] = set()
    for number, page in enumerate(listing):
        found |= set(ids_of(page))
        if number == 0:
            file.write_text(second)
            real_glance.revoke(first)
    assert (listing.verdict, listing.error) == ("complete", None)
    assert made <= found


def test_a_refused_token_fails_the_pass_as_a_login(real_glance: Glance, open_as: Open) -> None:
    listing = open_as("nonsense").listing("listed")
    assert list(listing) == []
    assert listing.verdict == "failed"
    assert listing.error is not None
    assert listing.error.error_kind == "login"


def test_look_ups_tell_what_is_gone_from_what_is_out_of_sight(
    real_glance: Glance, open_as: Open, project: str
) -> None:
    token, other = token_of(project), token_of(uuid.uuid4().hex)
    deleted = real_glance.create(token)
    real_glance.delete(token, deleted)
    answers = {
        real_glance.create(token): "found",
        real_glance.create(token, os_hidden=True): "found",
        real_glance.create(other, visibility="community"): "found",
        real_glance.create(other, visibility="private"): "not_found",
        deleted: "not_found",
        str(uuid.uuid4()): "not_found",
    }
    service = open_as(token)
    for image_id, answer in answers.items():
        found = service.lookup(image_id)
        assert found.answer == answer
        if answer == "found":
            assert found.record is not None
            assert json.loads(bytes(found.record))["id"] == image_id
