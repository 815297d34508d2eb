"""Listings in every format, reports, and how commands end."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from catalog.cli import program
from catalog.demo import Cloud
from catalog.demo.cloud import Record
from catalog.report.queries import BY_NAME
from tests.acceptance.cli.conftest import Desk

Make = Callable[..., Record]


def test_runs_come_newest_first_in_every_format(desk: Desk, record: Make) -> None:
    desk.add_source("lab/a", Cloud("glance", [record(1)]))
    desk.add_source("lab/b")
    desk.run("sync", "lab/a")
    desk.run("sync")
    rows = desk.run("runs", "--format", "json").rows
    assert len(rows) == 3
    assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)
    listed = csv.DictReader(io.StringIO(desk.run("runs", "lab/a", "--format", "csv").out))
    assert [(row["source"], row["inserted"]) for row in listed] == [("lab/a", "0"), ("lab/a", "1")]
    assert list(map(json.loads, desk.run("runs", "--format", "jsonl").out.splitlines())) == rows
    table = desk.run("runs", "--limit", "1").out
    assert len(table.splitlines()) == 3
    assert desk.run("runs", "zzz").code == 2


def test_reports_are_listed_and_answered(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    names = [row["name"] for row in desk.run("report", "--format", "json").rows]
    assert {"summary", "changes", "lifecycle", "timeline"} <= set(names)
    shown = click.unstyle(desk.on_terminal("report", columns=60).out)
    assert "of it (8 characters or more)" in " ".join(shown.split())
    assert "…" not in shown
    for name in set(names) - {"timeline"}:
        assert desk.run("report", name, "--format", "json").code == 0
    (row,) = desk.run("report", "summary", "--source", "la*", "--format", "json").rows
    assert row["source"] == "lab"
    assert desk.run("report", "timeline", "image-001", "--since", "2026-01-01").code == 0
    assert desk.run("report", "changes", "--since", "2026-01-01", "--exit-code").code == 3
    assert desk.run("report", "duplicates", "--exit-code").code == 0
    unknown = desk.run("report", "nonsense")
    assert (unknown.code, "there are: summary" in unknown.error) == (2, True)


def test_a_pipe_gets_whole_lines_whatever_the_width(desk: Desk, record: Make) -> None:
    long_name = "a-name-" * 30
    image_id = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"
    cloud = Cloud("glance", [record(1) | {"name": long_name, "id": image_id}, record(2)])
    desk.add_source("lab", cloud, deletion_limit_count=0, deletion_limit_percent=0)
    desk.add_source("empty")
    desk.run("sync")
    cloud.delete(image_id)
    assert desk.run("sync", "lab").code == 4
    for command in (
        ["images"],
        ["images", "A-NAME"],
        ["compare", "lab", "empty"],
        ["report", "changes", "--since", "2026-01-01"],
        ["report", "timeline", image_id],
        ["deletions", "list"],
        ["deletions", "keep", "lab", "--plan"],
    ):
        lines = desk.run(*command, COLUMNS="40").out.splitlines()
        assert any(long_name in line and image_id in line for line in lines), command
    text = desk.run("show", image_id, "--explain", COLUMNS="40").out
    run_ids = [row["run_id"] for row in desk.run("runs", "lab", "--format", "json").rows]
    assert all(words in text for words in (long_name, *run_ids))


def listings() -> set[tuple[str, ...]]:
    """The commands that print tables, reports one by one."""

    def found(
        command: click.Command, path: tuple[str, ...], parent: click.Context | None
    ) -> Iterator[tuple[str, ...]]:
        context = click.Context(command, info_name=path[-1] if path else "catalog", parent=parent)
        formats = [option.type for option in command.params if "--format" in option.opts]
        if any(isinstance(kind, click.Choice) and "table" in kind.choices for kind in formats):
            yield path
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                _, inner, _ = command.resolve_command(context, [name])
                assert inner is not None
                yield from found(inner, (*path, name), context)

    reports = {("report", name) for name in BY_NAME}
    return (
        set(found(program, (), None)) - {("report",), ("db", "distribute")} | reports
    )  # a cluster is not at hand


IMAGE = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"
ASKED: dict[tuple[str, ...], list[str]] = {
    ("sync",): ["lab", "--plan"],
    ("backfill",): ["lab", "--forget", "RUN", "--plan"],
    ("deletions", "approve"): ["lab", "--plan"],
    ("deletions", "keep"): ["lab", "--plan"],
    ("show",): [IMAGE, "--explain"],
    ("compare",): ["lab", "other"],
    ("announce",): [IMAGE, "--deprecated", "2026-01-01", "--use-instead", "image-002"],
    ("report", "timeline"): [IMAGE],
    ("report", "changes"): ["--since", "2020-01-01"],
    ("sources", "remove"): ["other", "--plan"],
    ("db", "prune"): ["--older-than", "400d", "--plan"],
}
"""What a listing is asked with, so that it has rows."""
EMPTY = {("db", "prune"), ("report", "coverage"), ("report", "stale")}
"""Listings that have none even so: they need a history of weeks."""


def test_every_listing_gives_a_pipe_whole_ids_and_names(desk: Desk, record: Make) -> None:
    """All commands are walked, so that a new listing is tried as well."""
    long_name = "Ubuntu-22.04-" + "a-name-" * 30
    owner = "0123456789abcdef0123456789abcdef"
    base: dict[str, Any] = {"name": long_name, "owner": owner, "os_distro": "ubuntu", "os_version": "16.04"}
    base |= {"__support_kvm": "true", "provided_until": "2020-01-01", "replace_frequency": "daily"}
    records = [record(number) | base for number in (2, 3, 4)]
    cloud = Cloud("glance", [record(1) | base | {"id": IMAGE}, *records])
    desk.add_source("lab", cloud, deletion_limit_count=0, deletion_limit_percent=0)
    desk.add_source("other", Cloud("glance", [record(2) | base | {"visibility": "public", "size": 7}]))
    assert desk.run("sync").code == 0
    cloud.delete(IMAGE)
    assert desk.run("sync", "lab").code == 4
    (run_id,) = {row["run_id"] for row in desk.run("runs", "lab", "--limit", "1", "--format", "json").rows}
    desk.entries.append('[[webhooks]]\nname = "alerts"\nurl = "http://127.0.0.1:9/"\nsecret_file = "hook"\n')
    (desk.folder / "hook").write_text("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0\n")
    desk.write_configuration()
    seen: set[tuple[tuple[str, ...], str]] = set()
    cut, empty = [], set()
    for command in sorted(listings()):
        arguments = [*command, *(run_id if word == "RUN" else word for word in ASKED.get(command, ()))]
        table = desk.run(*arguments, COLUMNS="40", TERM="xterm-256color", FORCE_COLOR="1")
        assert table.code in (0, 3, 4), (command, table.err)
        assert "\x1b" not in table.out, command
        empty |= {command} if "(no rows)" in table.out else set()
        for word in re.split(r"[\s,;()]+", table.out):
            for text in (IMAGE, run_id, owner, long_name):
                if word.startswith(text[:8]):
                    seen.add((command, text))
                    cut += [(command, word)] if word != text else []
        cut += [(command, "…")] if "…" in table.out else []
    assert cut == []
    assert empty == EMPTY, "each listing is tried with rows: say in ASKED how it gets some"
    assert {command for command, text in seen if text == IMAGE} >= {
        ("images",), ("show",), ("compare",), ("deletions", "list"), ("deletions", "keep"), ("deletions", "approve"),
        ("report", "changes"), ("report", "timeline"), ("report", "lifecycle"), ("report", "support"),
    }  # fmt: skip
    assert {command for command, text in seen if text == run_id} >= {("backfill",), ("runs",), ("show",)}


NOTHING_SWEPT = "nothing was swept; run `catalog sync`"


def test_an_empty_catalog_says_what_to_do_and_none_is_made_by_asking(desk: Desk) -> None:
    for command in (
        ["report", "changes"],
        ["runs"],
        ["deletions", "list"],
        ["report", "changes", "--format", "json"],
        ["events"],
    ):
        found = desk.run(*command)
        rows = "[]\n" if "json" in command else "" if command == ["events"] else "(no rows)\n"
        assert (found.code, found.out) == (0, rows)
        assert NOTHING_SWEPT in found.err
    for command, code in (
        (["latest"], 1),
        (["show", "web"], 2),
        (["compare", "a", "b"], 2),
        (["report", "timeline", "web"], 2),
    ):
        found = desk.run(*command)
        assert (found.code, NOTHING_SWEPT in found.error) == (code, True), command
    desk.database_url = None
    for command in (
        ["report", "changes"],
        ["runs"],
        ["deletions", "list"],
        ["db", "shell", "-c", "SELECT 1"],
        ["events"],
        ["events", "--format", "atom"],
        ["deletions", "approve", "--all"],
        ["remap"],
        ["announce", "web", "--withdraw"],
        ["sources", "retire", "lab"],
        ["sources", "rename", "lab", "new"],
        ["sources", "adopt", "lab"],
        ["sources", "remove", "lab"],
        ["db", "prune", "--older-than", "400d"],
    ):
        missing = desk.run(*command)
        assert (missing.code, NOTHING_SWEPT in missing.error) == (2, True), command
    desk.add_source("lab")
    assert [row["state"] for row in desk.run("sources", "--format", "json").rows] == ["new"]
    assert desk.run("webhooks").out == "(no rows)\n"
    assert not (desk.folder / "data" / "postgresql").exists()


def test_a_listing_without_rows_says_how_to_come_by_some(desk: Desk, record: Make) -> None:
    assert "add [[sources]] to catalog.toml" in desk.run("sources").err
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.add_source("other", Cloud("glance", [record(1)]))
    desk.run("sync")
    for command, hint in (
        (["webhooks"], "add [[webhooks]] with `name` and `url` to catalog.toml"),
        (["announce"], "`catalog announce IMAGE --deprecated DATE`"),
        (["runs", "--kind", "backfill"], "`catalog backfill SOURCE PATH`"),
        (["images", "nothing-is-called-so"], "--deleted"),
        (["deletions", "list"], "no deletion is held"),
        (["deletions", "approve", "--all"], "no deletion is held"),
        (["compare", "lab", "other"], "no difference"),
        (["report", "changes", "--change", "deleted"], "--since 30d"),
    ):
        for format, nothing in (("table", "(no rows)\n"), ("json", "[]\n"), ("jsonl", "")):
            found = desk.run(*command, "--format", format)
            assert (found.code, found.out) == (0, nothing), command
            assert (hint in found.err, found.err == "") == (format == "table", format != "table"), command
        assert desk.run("-q", *command).err == ""
    assert desk.run("images", "image").err == ""


def test_safe_goes_with_csv_alone(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1) | {"name": "=cmd|' /C calc'!A0"}]))
    desk.run("sync")
    command = ["report", "changes", "--since", "2026-01-01", "--format", "csv"]
    assert ",'=cmd|' /C calc'!A0," in desk.run(*command, "--safe").out
    assert ",=cmd|' /C calc'!A0," in desk.run(*command).out
    assert "--safe goes with --format csv" in desk.run("runs", "--safe").error


def test_the_page_is_written(desk: Desk) -> None:
    assert desk.run("report", "--html", "page.html").code == 0
    assert "<html" in (desk.folder / "page.html").read_text()
    refused = desk.run("report", "--html", "nowhere/page.html")
    assert (refused.code, "nowhere/page.html" in refused.error) == (2, True)


def test_a_usage_error_is_one_line_that_names_the_help(desk: Desk) -> None:
    for arguments, hint in (
        (["synk"], "Did you mean 'sync'?"),
        (["sync", "--nope"], "see `catalog sync --help`"),
        (["runs", "--format", "xml"], "see `catalog runs --help`"),
        (["db", "prune"], "--older-than"),
        (["report", "changes", "--since", "soon"], "7d"),
    ):
        wrong = desk.run(*arguments)
        assert (wrong.code, wrong.out) == (2, "")
        assert hint in wrong.error


def test_a_reader_that_goes_away_is_no_fault(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(number) for number in range(40)]))
    desk.run("sync")
    process = subprocess.Popen(
        desk.command("report", "changes", "--format", "csv"),
        cwd=desk.folder,
        env=desk.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_closed_standard_streams_change_nothing_else(desk: Desk) -> None:
    """As under some supervisors, or after `>&-`: the work is done, and its code is the usual one."""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *desk.command("--version")],
            cwd=desk.folder,
            env=desk.environment(),
            capture_output=True,
        )
        assert (closed, done.returncode, done.stderr) == (closed, 0, b"")


def test_output_that_cannot_be_written_is_named(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            desk.command("report", "--format", "json"),
            cwd=desk.folder,
            env=desk.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written: No space left")
    assert done.stderr.count("\n") == 1
