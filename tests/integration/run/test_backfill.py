"""Backfill: what is read, what is refused before anything is written, what is left alone (semantics 7)."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import socket
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from catalog.backfill.backfill import AHEAD, backfill, find_source
from catalog.config.settings import DatabaseSettings, Settings, SourceSettings
from catalog.errors import UsageError
from catalog.store.db.connection import Database
from tests.support.records import START, hour, image, listing, name_of, named, too_deep, write
from tests.support.rows import images, live, rows, snapshot
from tests.support.world import LEDGER, Sites, source


def test_the_time_is_told_by_option_then_name_never_by_mtime(database: Database, tmp_path: Path) -> None:
    """--observed-at beats the name; without either nothing is written."""
    nameless = write(tmp_path, "images.json", listing(1))
    with pytest.raises(UsageError, match=r"images\.json: when was it taken"):
        backfill(database, source(), [nameless])
    assert rows(database, "SELECT * FROM sources") == []
    dated = write(tmp_path, named(1), listing(1))
    assert backfill(database, source(), [dated]).runs[0].observed_at == hour(1)
    assert backfill(database, source(), [nameless, dated], observed_at=hour(2)).runs[0].observed_at == hour(2)


def test_a_time_ahead_of_the_databases_clock_is_refused(database: Database, tmp_path: Path) -> None:
    """Five minutes are let pass: clocks differ."""
    path = write(tmp_path, "x.json", listing(1))
    now = database.now()
    before = snapshot(database)
    with pytest.raises(UsageError, match="ahead"):
        backfill(database, source(), [path], observed_at=now + timedelta(minutes=6))
    assert snapshot(database) == before
    assert len(backfill(database, source(), [path], observed_at=now + timedelta(minutes=4)).runs) == 1


@pytest.mark.parametrize("at", ["0001-01-01T00:00+03:00", "1970-01-01T00:00Z"])
def test_a_time_before_any_cloud_is_refused(database: Database, tmp_path: Path, at: str) -> None:
    """Python cannot hold what PostgreSQL makes of the first one; the second is a clock that nobody had set."""
    path = write(tmp_path, "x.json", listing(1))
    before = snapshot(database)
    with pytest.raises(UsageError, match="before any cloud"):
        backfill(database, source(), [path], observed_at=datetime.fromisoformat(at))
    assert snapshot(database) == before


def test_one_wrong_file_refuses_the_command_before_anything_is_written(
    database: Database, tmp_path: Path
) -> None:
    write(tmp_path, named(1), listing(1))
    write(tmp_path, "zz.json", listing(2))
    before = snapshot(database)
    with pytest.raises(UsageError):
        backfill(database, source(), [tmp_path])
    assert snapshot(database) == before


def test_history_that_was_pruned_is_not_written_again(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(5), listing(1))])
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET history_from = %s", (hour(4),))
    before = snapshot(database)
    with pytest.raises(UsageError, match="prune"):
        backfill(database, source(), [write(tmp_path, named(3), listing(1))])
    assert snapshot(database) == before


def test_a_dump_says_nothing_about_images_that_it_lacks(database: Database, tmp_path: Path) -> None:
    """Unless it is complete: then what it lacks is deleted as of then, for lack of a look-up `not_listed`."""
    for n, numbers in ((1, (1, 2)), (2, (2,)), (3, (2,))):
        write(tmp_path, named(n), listing(*numbers))
    backfill(database, source(), [tmp_path / named(n) for n in (1, 2)])
    assert live(database) == {name_of(1), name_of(2)}
    backfill(database, source(), [tmp_path / named(3)], complete=True)
    row = images(database)[name_of(1)]
    assert (row["deleted_at"], row["deletion_reason"]) == (hour(3), "not_listed")
    assert rows(database, "SELECT * FROM absences") == []


def test_an_image_known_only_from_old_dumps_is_deleted_by_the_first_sweep_after_them(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    site = sites.open(images=1)
    run = site.sweep()
    backfill(database, site.source, [write(tmp_path, named(1), listing(0, 7))])
    row = site.images()[name_of(7)]
    assert (row["deleted_at"], row["deletion_reason"]) == (run.observed_at, "not_listed")
    assert site.images()[name_of(0)]["first_seen_at"] == hour(1)
    assert site.live() == {name_of(0)}
    assert site.history(name_of(7)) == [("created", "active"), ("deleted", "active")]


def test_files_of_one_moment_are_one_observation(database: Database, tmp_path: Path) -> None:
    """Their images are united, and together they are complete."""
    backfill(database, source(), [write(tmp_path, named(0), listing(1, 2, 3))])
    parts = [write(tmp_path, named(1, f"-page{n}"), listing(n)) for n in (1, 2)]
    result = backfill(database, source(), parts, complete=True)
    assert [run.listed for run in result.runs] == [2]
    assert live(database) == {name_of(1), name_of(2)}
    assert len(rows(database, "SELECT * FROM observations")) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_records_of_one_moment_the_later_update_counts(
    database: Database, tmp_path: Path, turned: bool
) -> None:
    """Else the greater canonical form: in whatever order they come, in one file or in two."""
    late = image(1, name="a late", updated_at="2026-02-02T00:00:00Z")
    early = image(1, name="z early", updated_at="2026-02-01T00:00:00Z")
    small, great = image(2, name="a"), image(2, name="b")
    content = [late, early, small, great]
    write(tmp_path, named(1), {"images": content[::-1] if turned else content})
    write(tmp_path, named(2, "-b" if turned else "-a"), {"images": [late, small]})
    write(tmp_path, named(2, "-a" if turned else "-b"), {"images": [early, great]})
    backfill(database, source(), [tmp_path])
    for table in ("images", "revisions"):
        found = rows(database, f"SELECT DISTINCT image_id, name FROM {table} ORDER BY 1")
        assert [row["name"] for row in found] == ["a late", "b"]


def test_loading_again_writes_nothing(database: Database, tmp_path: Path) -> None:
    """Not even in another form, order, or under another name; not one row anywhere."""
    records = listing(1, 2, 3)["images"]
    backfill(database, source(), [write(tmp_path, named(1), {"images": records})], complete=True)
    before = snapshot(database)
    other = b"".join(json.dumps(dict(reversed(r.items()))).encode() + b"\n" for r in reversed(records))
    again = write(tmp_path, "again/" + named(1, "-other"), gzip.compress(other))
    result = backfill(database, source(), [tmp_path / named(1), again], complete=True)
    assert snapshot(database) == before
    assert (result.runs, result.unchanged) == ([], 1)


def test_the_run_id_is_told_by_source_time_completeness_and_content(
    database: Database, tmp_path: Path
) -> None:
    """UUIDv5: stable between databases, another one where any of the four differs."""
    path = write(tmp_path, "x.json", listing(1))
    other = write(tmp_path, "y.json", listing(2))
    ids = [
        backfill(database, source(name), [file], observed_at=hour(at), complete=complete, confirmed=True)
        .runs[0]
        .run_id
        for name, file, at, complete in (
            ("s", path, 1, False),
            ("t", path, 1, False),
            ("s", other, 1, False),
            ("s", path, 2, False),
            ("s", path, 1, True),
        )
    ]
    assert len(set(ids)) == 5
    assert {uuid.UUID(one).version for one in ids} == {5}
    assert ids[0] == "aa4bb328-6c4d-56dc-a4b5-aced427d0415"


def test_a_broken_file_is_named_writes_nothing_and_the_others_go_on(
    database: Database, tmp_path: Path
) -> None:
    """And the other files of its moment count as incomplete."""
    backfill(database, source(), [write(tmp_path, named(0), listing(1, 2, 3))])
    write(tmp_path, named(1, "-a"), listing(1))
    lines = json.dumps(image(2)).encode() + b"\n" + json.dumps(image(9)).encode() + b'\n{"id": "x", \n'
    write(tmp_path, named(1, "-b"), lines)
    write(tmp_path, named(2), listing(1, 3))
    result = backfill(database, source(), [tmp_path], complete=True)
    assert [(Path(one.path).name, one.line) for one in result.failures] == [(named(1, "-b"), 3)]
    outcomes = {run.observed_at: run.outcome for run in result.runs}
    assert outcomes == {hour(0): "complete", hour(1): "partial", hour(2): "complete"}
    assert name_of(9) not in images(database)
    found = rows(
        database, "SELECT observed_at, bool_or(complete) AS c FROM observations GROUP BY 1 ORDER BY 1"
    )
    assert [row["c"] for row in found] == [True, False, True]
    assert live(database) == {name_of(1), name_of(3)}


def test_a_file_that_cannot_be_opened_is_named(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path, named(1), gzip.compress(json.dumps(listing(1)).encode())[:-5])
    result = backfill(database, source(), [path, write(tmp_path, named(2), listing(2))])
    assert [(one.line, one.reason) for one in result.failures] == [(1, "the gzip stream ends before its end")]
    assert live(database) == {name_of(2)}


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to("unmounted/listing.json"), "No such file"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.symlink_to("/dev/null"), "a pipe, a socket or a device"),
        (os.mkfifo, "a pipe, a socket or a device"),
        (bind, "a pipe, a socket or a device"),
    ],
    ids=["dangling link", "link to itself", "device", "pipe", "socket"],
)
def test_what_stands_in_a_folder_and_is_no_file_is_named_and_the_others_prove_no_absence(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    reason: str,
) -> None:
    """A folder of listings that was copied without what its links lead to, for example."""
    backfill(database, source(), [write(tmp_path, named(0), listing(1, 2, 3))])
    write(tmp_path, f"folder/{named(1, '-a')}", listing(1, 2))
    monkeypatch.chdir(tmp_path / "folder")  # the address of a socket is short
    make(Path(named(1, "-b")))
    result = backfill(database, source(), [Path()], complete=True)
    assert [(one.path, one.line) for one in result.failures] == [(named(1, "-b"), None)]
    assert reason in result.failures[0].reason
    assert not result.runs[0].proves_absence
    assert live(database) == {name_of(1), name_of(2), name_of(3)}
    Path(named(1, "-b")).rename("undated")
    with pytest.raises(UsageError, match=r"undated: [^;]+; when was it taken"):
        backfill(database, source(), [Path()], complete=True)


def test_a_listing_whose_last_page_is_missing_proves_no_absence(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(0), listing(1, 2))])
    first = {**listing(1), "next": "/v2/images?marker=image-001"}
    result = backfill(database, source(), [write(tmp_path, named(1), first)], complete=True)
    assert live(database) == {name_of(1), name_of(2)}
    assert "last page" in result.warnings[0]
    parts = [write(tmp_path, named(2, "-1"), first), write(tmp_path, named(2, "-2"), listing(3))]
    assert backfill(database, source(), parts, complete=True).warnings == []
    assert live(database) == {name_of(1), name_of(3)}


def test_rejected_records_are_kept_and_prove_no_absence(database: Database, tmp_path: Path) -> None:
    """One with an id says nothing about its image; one without, and nobody's absence is proved."""
    backfill(database, source(), [write(tmp_path, named(0), listing(1, 2, 3))])
    deep = {"images": [image(1), too_deep(name_of(2))]}
    backfill(database, source(), [write(tmp_path, named(1), deep)], complete=True)
    assert live(database) == {name_of(1), name_of(2)}
    nameless = {"images": [image(1), {"name": "no id"}]}
    result = backfill(database, source(), [write(tmp_path, named(2), nameless)], complete=True)
    assert live(database) == {name_of(1), name_of(2)}
    assert result.runs[0].rejected == 1
    found = rows(database, "SELECT image_id, reason FROM rejected_records ORDER BY image_id")
    assert [(row["image_id"], bool(row["reason"])) for row in found] == [(name_of(2), True), (None, True)]


def test_a_source_is_configured_or_known_or_named_with_its_kind(database: Database, tmp_path: Path) -> None:
    nothing = Settings(DatabaseSettings(url=None, data_dir=tmp_path), ())
    configured = dataclasses.replace(nothing, sources=(SourceSettings("c", "ims", ignore=("x",)),))
    assert find_source(database, configured, "c") is configured.sources[0]
    with pytest.raises(UsageError, match="--kind"):
        find_source(database, configured, "n")
    fresh = find_source(database, configured, "n", kind="ims")
    backfill(database, fresh, [write(tmp_path, named(1), listing(1))])
    assert find_source(database, nothing, "n").kind == "ims"
    with pytest.raises(UsageError, match="kind"):
        find_source(database, nothing, "n", kind="glance")
    with pytest.raises(UsageError, match="adopt"):
        backfill(database, source("n"), [write(tmp_path, named(2), listing(1))])


def test_settings_of_the_source_hold_for_its_dumps(database: Database, tmp_path: Path) -> None:
    """Ignored keys open no revision, redacted ones are never stored."""
    strict = dataclasses.replace(source(), ignore=("noise",), redact=("secret",))
    for n in (1, 2):
        write(tmp_path, named(n), listing(1, noise=n, secret="hush"))
    backfill(database, strict, [tmp_path])
    assert len(rows(database, "SELECT * FROM revisions")) == 1
    assert "hush" not in str(rows(database, "SELECT * FROM revision_documents"))
    assert timedelta(minutes=5) == AHEAD
    assert LEDGER


def test_the_timeline_of_the_documentation(database: Database, tmp_path: Path) -> None:
    """docs/backfill.md draws it: the sweep first, then one dump after another."""

    def at(hours: int, minutes: int = 0) -> datetime:
        return START + timedelta(hours=hours, minutes=minutes)

    other = image(9)
    seen = {
        8: (True, [other, image(1, status="queued", updated_at=None)]),
        10: (False, [image(1, updated_at=at(9, 12).isoformat())]),
        12: (True, [other]),
        14: (True, [other, image(1, updated_at=at(13, 30).isoformat())]),
    }
    drawn = {
        14: [("active", at(13, 30))],
        10: [("active", at(9, 12))],
        12: [("active", at(9, 12)), ("deleted", at(12)), ("active", at(13, 30))],
        8: [("queued", at(8)), ("active", at(9, 12)), ("deleted", at(12)), ("active", at(13, 30))],
    }
    for hours, expected in drawn.items():
        complete, records = seen[hours]
        path = write(tmp_path, named(hours), {"images": records})
        backfill(database, source(), [path], complete=complete)
        found = rows(
            database,
            "SELECT status, valid_from FROM status_history WHERE image_id = %s ORDER BY valid_from",
            name_of(1),
        )
        assert [(row["status"], row["valid_from"]) for row in found] == expected
