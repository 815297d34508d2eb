"""`projects = "*"` on the command line: each project is a source, and what is not swept is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk
from tests.identity import PASSWORD, IdentityService, service_entry
from tests.support.cloud_server import CloudServer

Make = Callable[..., Record]
STARRED = """
[[sources]]
name = "meadow/{project}"
kind = "glance"
cloud = "meadow"
region = "north"
projects = "*"
"""


@pytest.fixture
def identity(desk: Desk, record: Make) -> Iterator[IdentityService]:
    """A cloud of the projects hay and straw with one image, named by clouds.yaml, and an entry for both."""
    identity = IdentityService()
    server = desk.stack.enter_context(CloudServer(Cloud("glance", [record(9)])))
    identity.catalogue = [service_entry("image", north=server.endpoint)]
    auth = {"auth_url": identity.url, "username": "ann", "password": PASSWORD, "user_domain_name": "Default"}
    auth |= {"project_name": "hay", "project_domain_name": "Default"}
    (desk.folder / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": {"auth": auth}}}))
    desk.entries.append(STARRED)
    desk.write_configuration()
    with identity.running():
        yield identity


def live(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.query("SELECT source, image_id FROM image_overview ORDER BY 1, 2")


def test_a_project_whose_name_is_taken_is_left_out_and_told(
    desk: Desk, identity: IdentityService, record: Make
) -> None:
    """Two clouds in one source would delete each other's images at every sweep."""
    desk.add_source("meadow/hay", Cloud("glance", [record(1), record(2)]))
    for _ in range(2):
        done = desk.run("sync", "--format", "json")
        assert done.code == 1
        assert {name: row["outcome"] for name, row in done.results.items()} == {
            "meadow/hay": "complete",
            "meadow/straw": "complete",
            "meadow/{project}": "failed",
        }
        failure = done.results["meadow/{project}"]
        assert failure["error_kind"] == "config"
        assert "project 'hay' is left out" in failure["error"]
        assert "'meadow/hay'" in failure["error"]
        assert live(desk) == [
            ("meadow/hay", "image-001"), ("meadow/hay", "image-002"), ("meadow/straw", "image-009"),
        ]  # fmt: skip
    assert desk.run("sync", "meadow/straw").code == 0
    assert desk.run("sync", "meadow/hay").code == 1
    checked = desk.run("sources", "--check", "--format", "json")
    assert checked.code == 1
    assert {row["source"]: row["ok"] for row in checked.rows} == {
        "meadow/hay": True,
        "meadow/straw": True,
        "meadow/{project}": False,
    }


@pytest.mark.parametrize("patterns", [(), ("meadow/*",), ("meadow/hay",)])
def test_a_user_that_may_enter_no_project_is_a_failed_login(
    desk: Desk, identity: IdentityService, patterns: tuple[str, ...]
) -> None:
    """And no missing configuration."""
    identity.projects = []
    done = desk.run("sync", "--format", "json", *patterns)
    assert done.code == 1
    failure = done.results["meadow/{project}"]
    assert (failure["outcome"], failure["error_kind"]) == ("failed", "login")
    assert "may enter no project" in failure["error"]
