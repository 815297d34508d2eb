"""A token that ends in the middle of a sweep: one new login, of the same project (semantics 4.1, 4.5, 4.7 and 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from tests.identity import IdentityService
from tests.integration.run.cloud_entry import CloudEntry, expire, later_page, lookup
from tests.support.faults import status
from tests.support.records import name_of
from tests.support.world import Site, Sites


def tokens_at(site: Site) -> set[str]:
    """The tokens that the image service was shown."""
    return {request.headers["x-auth-token"] for request in site.server.requests}


def all_of(count: int) -> set[str]:
    return {name_of(n) for n in range(count)}


def assert_cut_short(site: Site, run: Any, words: str) -> None:
    """The pass failed as a login does, kept what it read, and nothing is called gone."""
    assert (run.outcome, run.error_kind, run.listed, run.deleted) == ("partial", "login", 2, 0), run.error
    assert words in run.error
    assert "\n" not in run.error
    assert site.passes(run)["listed"] == "failed"
    assert site.live() == all_of(5)
    assert site.unlisted() == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"project_id": "2" * 32}, f"another project, '{'2' * 32}' and not '{'1' * 32}'"),
        ({"region_name": "south"}, "another region, 'south' and not 'north'"),
    ],
    ids=["project", "region"],
)
def test_a_new_login_of_another_project_lists_nothing(
    sites: Sites, entry: CloudEntry, change: dict[str, Any], words: str
) -> None:
    """The other one's token never reaches the image service, and its images pass for nobody's."""
    site = entry.lead_to(sites.open(images=5))
    assert site.sweep().outcome == "complete"
    site.cloud.delete(name_of(4))
    site.cloud.add({"id": name_of(4), "name": "kept by the other project", "status": "active"})
    site.server.requests.clear()
    expire(site, later_page, lambda: entry.write(**change))
    assert_cut_short(site, site.sweep(), words)
    assert tokens_at(site) == {"token-2"}  # the one that this sweep began with


def test_a_new_login_elsewhere_is_not_even_made(sites: Sites, entry: CloudEntry) -> None:
    site = entry.lead_to(sites.open(images=5))
    site.sweep()
    with IdentityService().running() as elsewhere:
        expire(site, later_page, lambda: entry.write(auth_url=elsewhere.url))
        assert_cut_short(site, site.sweep(), "another identity service, 'http://localhost:")
        assert elsewhere.logins == []
    assert tokens_at(site) == {"token-1", "token-2"}


def test_the_same_login_may_be_spelled_in_another_way(sites: Sites, entry: CloudEntry) -> None:
    """A new password, or another version behind the same address: the listing goes on."""
    site = entry.lead_to(sites.open(images=5))

    def rotate() -> None:
        entry.identity.password = "rotated"
        entry.write("rotated", auth_url=entry.identity.url + "/")

    expire(site, later_page, rotate)
    assert (site.sweep().outcome, len(site.live())) == ("complete", 5)
    assert tokens_at(site) == {"token-1", "token-2"}


def with_token_file(site: Site, folder: Path) -> Path:
    secret = folder / "token"
    site.source = SourceSettings(
        "s",
        "glance",
        endpoint=site.server.endpoint,
        auth="token",
        token_file=secret,
        page_size=2,
        deadline=20.0,
    )
    return secret


def with_key_file(site: Site, folder: Path) -> Path:
    secret = folder / "key"
    keys: dict[str, Any] = {"access_key_file": secret, "secret_key_file": secret, "project_id": "p"}
    site.source = SourceSettings(
        "s", "ims", endpoint=site.server.endpoint, auth="aksk", **keys, page_size=2, deadline=20.0
    )
    return secret


@pytest.mark.parametrize(("kind", "secret_of"), [("glance", with_token_file), ("ims", with_key_file)])
def test_a_secret_that_is_gone_for_a_moment_costs_a_pass_and_no_record(
    sites: Sites, tmp_path: Path, kind: str, secret_of: Any
) -> None:
    site = sites.open(kind, 5)
    secret = secret_of(site, tmp_path)
    secret.write_text("s3cret")
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(1))
    expire(site, later_page, lambda: secret.write_text(""))
    run = site.sweep()
    assert_cut_short(site, run, f"_file: {secret}: expected a secret, found nothing")
    assert run.updated == 1
    secret.write_text("s3cret")
    site.server.faults.clear()
    assert site.sweep().deleted == 1


def test_a_password_that_is_gone_for_a_moment_costs_a_pass_and_no_record(
    sites: Sites, entry: CloudEntry
) -> None:
    site = entry.lead_to(sites.open(images=5))
    site.sweep()
    expire(site, later_page, lambda: entry.write(password=None))
    assert_cut_short(site, site.sweep(), "password is a required attribute; set it in clouds.yaml")


def test_a_secret_that_is_gone_at_the_look_ups_leaves_the_listing_complete(
    sites: Sites, tmp_path: Path
) -> None:
    """The look-up is unanswered; what was listed is merged."""
    site = sites.open(images=5)
    secret = with_token_file(site, tmp_path)
    secret.write_text("s3cret")
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(4))
    expire(site, lookup, lambda: secret.write_text(""))
    run = site.sweep()
    assert (run.outcome, run.listed, run.updated, run.deleted, run.unlisted) == ("complete", 4, 1, 0, 1)
    assert site.unlisted() == {name_of(4)}


@pytest.mark.parametrize("kind", ["glance", "ims"])
@pytest.mark.parametrize("refused_by", ["identity service", "image service"])
def test_a_login_that_failed_is_not_repeated_for_each_image(
    sites: Sites, entry: CloudEntry, kind: str, refused_by: str
) -> None:
    """A login that fails is the last, or the account gets locked; images that were not asked for keep their place."""
    site = entry.lead_to(sites.open(kind, 8))
    site.sweep()
    for n in range(4):
        site.cloud.delete(name_of(n))
    entry.identity.logins.clear()
    site.server.requests.clear()

    def lock() -> None:
        if refused_by == "identity service":
            entry.identity.password = "another"

    expire(site, lookup, lock, times=None)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.unlisted, run.looked_up) == ("complete", 0, 4, 1)
    assert len(entry.identity.logins) == 3  # for the listing, before the look-ups, and after the refusal
    asked = [request for request in site.server.requests if lookup(request)]
    assert len(asked) == (1 if refused_by == "identity service" else 2)
    assert [row["image_id"] for row in site.rows("SELECT * FROM lookups WHERE source_id = $")] == [name_of(0)]


def test_a_login_that_failed_in_one_pass_is_not_repeated_in_the_next(sites: Sites, entry: CloudEntry) -> None:
    site = entry.lead_to(sites.open(images=5))
    site.sweep()
    entry.identity.logins.clear()

    def lock() -> None:
        entry.identity.password = "another"

    expire(site, lambda request: "marker" in request.query or "os_hidden" in request.query, lock, times=None)
    run = site.sweep()
    assert site.passes(run) == {"listed": "failed", "hidden": "failed"}
    assert len(entry.identity.logins) == 2


def test_each_of_many_short_tokens_is_renewed(sites: Sites, entry: CloudEntry) -> None:
    """A long listing may outlive several: only a login that does not help is the last."""
    site = entry.lead_to(sites.open(images=9))
    for at in (2, 4, 6):
        site.server.faults.add(status(401), at=at)
    assert (site.sweep().outcome, len(site.live())) == ("complete", 9)
    assert len(entry.identity.logins) == 4
