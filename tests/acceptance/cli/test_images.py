"""`catalog images`, and naming an image on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
import pytest
from rich.cells import cell_len

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk

Make = Callable[..., Record]
ID = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"


@pytest.fixture
def stocked(desk: Desk, record: Make) -> Desk:
    """Two regions: an Ubuntu with a long name in the first, two images of one name in the second."""
    ubuntu = {"id": ID, "os_distro": "ubuntu", "os_version": "22.04", "tags": ["golden"], "owner": "0" * 32}
    desk.add_source("lab/de", Cloud("glance", [record(1) | ubuntu | {"name": "long-name-" * 25}]))
    desk.add_source("lab/nl", Cloud("glance", [record(2) | {"name": "twin"}, record(3) | {"name": "twin"}]))
    assert desk.run("sync").code == 0
    return desk


def test_images_are_listed_in_every_format(stocked: Desk, record: Make) -> None:
    (row,) = stocked.run("images", "--os", "ubuntu-22.04", "--source", "lab/*", "--format", "json").rows
    assert (row["image_id"], row["source"], row["tags"]) == (ID, "lab/de", ["golden"])
    assert len(stocked.run("images", "--format", "jsonl").out.splitlines()) == 3
    assert (
        len(stocked.run("images", "--format", "csv", "--sort", "-created", "--limit", "2").out.splitlines())
        == 3
    )
    assert stocked.run("images", "twin", "--source", "lab/de").out == "(no rows)\n"
    assert "nothing was swept" not in stocked.run("images", "twin", "--source", "lab/de").err


def test_a_pipe_gets_whole_ids_and_names(stocked: Desk, record: Make) -> None:
    lines = stocked.run("images", COLUMNS="40").out.splitlines()
    assert lines[0].split() == [
        "source",
        "name",
        "status",
        "visibility",
        "os",
        "created",
        "at",
        "owner",
        "image",
        "id",
    ]
    assert [line.split()[-1] for line in lines[2:]] == [ID, record(2)["id"], record(3)["id"]]
    assert "long-name-" * 25 in lines[2]


def test_what_images_do_not_take_is_an_error(stocked: Desk) -> None:
    for arguments in (
        ["--sort", "colour"],
        ["--state", "lost"],
        ["--state", "current", "--as-of", "1d"],
        ["--source", "nowhere"],
        ["one", "two"],
    ):
        assert (stocked.run("images", *arguments).code, arguments) == (2, arguments)
        assert stocked.run("images", *arguments).error


def test_a_name_of_several_images_lists_them(stocked: Desk, record: Make) -> None:
    several = stocked.run("report", "timeline", "twin", "--format", "json")
    assert several.code == 2
    assert {row["image_id"] for row in several.rows} == {record(2)["id"], record(3)["id"]}
    assert "'twin' means 2 images" in several.error
    rows = stocked.run("report", "timeline", ID[:8], "--format", "json").rows
    assert {row["image_id"] for row in rows} == {ID}


def test_an_option_that_a_report_does_not_use_is_an_error(stocked: Desk) -> None:
    for arguments, words in (
        (
            ["report", "lifecycle", "--as-of", "1d"],
            "report lifecycle takes no --as-of; it takes --source --since",
        ),
        (["report", "summary", "--limit", "3"], "takes no --limit"),
        (["report", "summary", "twin"], "takes no IMAGE"),
        (["report", "--html", "-", "--format", "json"], "it takes --source alone"),
        (["report", "--html", "-", "--limit", "3"], "it takes --source alone"),
        (["report", "--tag", "x"], "name a report"),
    ):
        assert words in stocked.run(*arguments).error
        assert stocked.run(*arguments).code == 2


def test_a_report_takes_several_sources(stocked: Desk) -> None:
    names = ["--source", "lab/de", "--source", "lab/n*"]
    rows = stocked.run("report", "summary", *names, "--format", "json").rows
    assert [row["source"] for row in rows] == ["lab/de", "lab/nl"]
    page = stocked.run("report", "--html", "-", *names).out
    assert page.startswith("<!doctype html>")
    assert not (stocked.folder / "-").exists()


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_terminal_gets_tables_that_fit_it_with_whole_ids_and_its_own_time(
    stocked: Desk, columns: int
) -> None:
    for command in (["images"], ["report", "changes", "--since", "2020-01-01"], ["show", ID]):
        shown = click.unstyle(stocked.on_terminal(*command, columns=columns, TZ="Europe/Berlin").out)
        assert max(map(cell_len, shown.splitlines())) <= columns, command
        assert ID in shown
        assert "(CE" in shown, "CET, or CEST"
    assert re.search("long-name-.*…", click.unstyle(stocked.on_terminal("images", columns=columns).out))
