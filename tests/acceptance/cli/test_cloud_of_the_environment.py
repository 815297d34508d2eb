"""A cloud of OS_CLOUD, of clouds.yaml alone or of a source that names no region, with its regions."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator

import pytest

from catalog.demo import Cloud, CloudServer
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk
from tests.acceptance.daemon_process import DaemonProcess, configuration, until
from tests.identity import PASSWORD, IdentityService, service_entry

Make = Callable[..., Record]


@pytest.fixture
def identity(desk: Desk, record: Make) -> Iterator[IdentityService]:
    """The cloud meadow with one image in the north and two in the south, whose clouds.yaml names no region."""
    identity = IdentityService()
    north, south = (
        desk.stack.enter_context(CloudServer(Cloud("glance", [record(number) for number in numbers])))
        for numbers in ([1], [2, 3])
    )
    identity.catalogue = [service_entry("image", north=north.endpoint, south=south.endpoint)]
    auth = {"auth_url": identity.url, "username": "ann", "password": PASSWORD, "user_domain_name": "Default"}
    auth |= {"project_name": "hay", "project_domain_name": "Default"}
    (desk.folder / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": {"auth": auth}}}))
    with identity.running():
        yield identity


def test_a_cloud_of_several_regions_is_a_source_for_each(desk: Desk, identity: IdentityService) -> None:
    done = desk.run("sync", "--format", "json", OS_CLOUD="meadow")
    assert (done.code, done.err) == (0, "")
    assert {name: row["inserted"] for name, row in done.results.items()} == {
        "meadow/north": 1,
        "meadow/south": 2,
    }
    assert desk.query("SELECT name, region FROM sources ORDER BY 1") == [
        ("meadow/north", "north"),
        ("meadow/south", "south"),
    ]
    checked = desk.run("sources", "--check", "--format", "json", OS_CLOUD="meadow")
    assert {row["source"]: row["images"] for row in checked.rows} == {"meadow/north": 1, "meadow/south": 2}
    listed = desk.run("sources", "--format", "json", OS_CLOUD="meadow")
    assert {row["source"]: row["state"] for row in listed.rows} == {
        "meadow/north": "configured",
        "meadow/south": "configured",
    }


def test_one_region_is_meant_by_a_variable_or_by_its_name(desk: Desk, identity: IdentityService) -> None:
    for arguments, region in ((["sync"], "south"), (["sync", "meadow/south"], "")):
        done = desk.run(*arguments, "--format", "json", OS_CLOUD="meadow", OS_REGION_NAME=region)
        assert (done.code, list(done.results)) == (0, ["meadow/south"])
    wrong = desk.run("sync", OS_CLOUD="meadow", OS_REGION_NAME="west")
    assert "known: north, south" in wrong.out + wrong.err


def test_the_only_cloud_needs_no_variable(desk: Desk, identity: IdentityService) -> None:
    done = desk.run("sync", "--format", "json")
    assert set(done.results) == {"meadow/north", "meadow/south"}


def test_a_login_that_fails_is_the_failure_of_the_cloud_and_leaves_no_row(
    desk: Desk, identity: IdentityService
) -> None:
    identity.catalogue = []
    done = desk.run("sync", "--format", "json", OS_CLOUD="meadow")
    assert (done.code, list(done.results)) == (1, ["meadow"])
    assert desk.query("SELECT FROM sources") == []


def test_a_cloud_of_one_region_is_one_source_of_its_name(desk: Desk, identity: IdentityService) -> None:
    (entry,) = identity.catalogue
    entry["endpoints"] = [one for one in entry["endpoints"] if one["region"] == "north"]
    done = desk.run("sync", "--format", "json", OS_CLOUD="meadow")
    assert {name: row["inserted"] for name, row in done.results.items()} == {"meadow": 1}


def configured(desk: Desk, *lines: str) -> None:
    """A source of the cloud meadow, without a region unless `lines` name one."""
    text = ["[[sources]]", 'kind = "glance"', 'cloud = "meadow"', *lines]
    (desk.folder / "catalog.toml").write_text("\n".join(text))


@pytest.mark.parametrize("name", ["wide", "wide/{region}"])
def test_a_configured_cloud_of_several_regions_is_a_source_for_each(
    desk: Desk, identity: IdentityService, name: str
) -> None:
    configured(desk, f'name = "{name}"')
    done = desk.run("sync", "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert {name: row["inserted"] for name, row in done.results.items()} == {"wide/north": 1, "wide/south": 2}
    listed = desk.run("sources", "--format", "json")
    assert {row["source"]: row["state"] for row in listed.rows} == {
        "wide/north": "configured",
        "wide/south": "configured",
    }
    one = desk.run("sync", "wide/south", "--format", "json")
    assert list(one.results) == ["wide/south"]
    wrong = desk.run("sync", "wild/south")
    assert (wrong.code, "no source is called 'wild/south'" in wrong.err) == (2, True)


def test_a_configured_cloud_of_one_region_keeps_its_name_or_has_the_region_in_it(
    desk: Desk, identity: IdentityService
) -> None:
    (entry,) = identity.catalogue
    entry["endpoints"] = [one for one in entry["endpoints"] if one["region"] == "north"]
    configured(desk, 'name = "wide"')
    assert list(desk.run("sync", "--format", "json").results) == ["wide"]
    configured(desk, 'name = "wide/{region}"')
    assert list(desk.run("sync", "--plan", "--format", "json").results) == ["wide/north"]


def test_each_project_of_each_region_is_a_source(desk: Desk, identity: IdentityService) -> None:
    configured(desk, 'name = "wide/{region}/{project}"', 'projects = "*"')
    done = desk.run("sync", "--format", "json")
    assert (done.code, set(done.results)) == (
        0,
        {f"wide/{region}/{project}" for region in ("north", "south") for project in ("hay", "straw")},
    )
    assert list(desk.run("sync", "wide/south/hay", "--format", "json").results) == ["wide/south/hay"]


def test_a_configured_cloud_that_cannot_be_asked_is_a_failure_and_leaves_no_row(
    desk: Desk, identity: IdentityService
) -> None:
    configured(desk, 'name = "wide"')
    identity.status = 401
    for names in ([], ["wide"], ["wide/south"]):
        done = desk.run("sync", *names, "--format", "json")
        assert (done.code, list(done.results)) == (1, ["wide"]), done.err
    assert desk.query("SELECT FROM sources") == []


def test_a_daemon_shows_a_cloud_that_cannot_be_asked_and_then_its_regions(
    desk: Desk, identity: IdentityService
) -> None:
    """Without a row nobody would be alerted; with one that stays, for ever."""
    assert desk.database_url is not None
    names = "SELECT name FROM sources ORDER BY 1"
    identity.status = 401
    text = (
        configuration(desk.database_url, {})
        + '\n[[sources]]\nname = "wide"\nkind = "glance"\ncloud = "meadow"\n'
    )
    with DaemonProcess(
        desk.folder / "catalog.toml", text, OS_CLIENT_CONFIG_FILE=str(desk.folder / "clouds.yaml")
    ) as daemon:
        until(lambda: desk.query(names) == [("wide",)], "the row of the cloud")
        identity.status = None
        daemon.process.send_signal(signal.SIGHUP)
        until(
            lambda: desk.query(names) == [("wide/north",), ("wide/south",)],
            f"a row for each region: {daemon.lines}",
        )
        assert daemon.stop() == 0


def test_it_is_said_that_a_configuration_beats_os_cloud(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    for command in (["sync"], ["sources"], ["sources", "--check"]):
        done = desk.run(*command, OS_CLOUD="meadow")
        assert done.code == 0
        assert (
            done.err == "warning: OS_CLOUD=meadow does not count: catalog.toml says which sources there are\n"
        )
