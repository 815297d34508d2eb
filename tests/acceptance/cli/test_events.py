"""`catalog events`: CloudEvents from a cursor on, by any number of readers, whatever is loaded or dated anew."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk
from tests.acceptance.daemon_process import until
from tests.support.records import image, name_of, write

Make = Callable[..., Record]
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def cloud(record: Make) -> Cloud:
    return Cloud("glance", [record(number) for number in range(4)])


@pytest.fixture
def loaded(desk: Desk, cloud: Cloud) -> Desk:
    """Two sources, loaded; of the first, `lab`, one image changed since, one came and one went."""
    desk.add_source("lab", cloud)
    desk.add_source("far/away", Cloud("ims", [image(number) for number in range(2)]), kind="ims")
    desk.run("sync")
    cloud.change(name_of(0), status="deactivated", tags=["golden"])
    cloud.add(image(9))
    cloud.delete(name_of(1))
    assert desk.run("sync").code == 0
    return desk


def events(desk: Desk, *arguments: str) -> list[dict[str, Any]]:
    done = desk.run("events", *arguments)
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return sorted((event["type"].removeprefix("catalog."), event.get("subject", "")) for event in found)


def test_each_line_is_a_cloudevent_that_others_read(loaded: Desk) -> None:
    found = events(loaded)
    assert kinds(found) == [
        ("image.created", name_of(9)),
        ("image.deleted", name_of(1)),
        ("image.updated", name_of(0)),
        ("source.loaded", ""),
        ("source.loaded", ""),
    ]
    for event in found:
        headers = {"content-type": "application/cloudevents+json"}
        read = from_http(HTTPMessage(headers, json.dumps(event).encode()), JSONFormat())
        assert read.get_id() == event["id"]
        assert read.get_time() is not None
    assert len({event["id"] for event in found}) == 5
    (updated,) = [event for event in found if event["type"] == "catalog.image.updated"]
    assert updated["source"] == "/sources/lab"
    assert updated["data"]["changed"]["status"] == ["active", "deactivated"]
    assert {event["source"] for event in found} == {"/sources/lab", "/sources/far/away"}


def test_a_cursor_goes_on_where_a_reader_stopped_at_whatever_line(loaded: Desk) -> None:
    found = events(loaded)
    for number, event in enumerate(found):
        rest = events(loaded, "--after", event["cursor"])
        assert [one["id"] for one in rest] == [one["id"] for one in found[number + 1 :]]
    assert events(loaded, "--after", found[-1]["cursor"]) == []


def test_the_id_of_an_event_is_a_cursor_of_its_source(loaded: Desk) -> None:
    first, *rest = events(loaded, "lab")
    assert events(loaded, "lab", "--after", first["id"]) == rest


def test_sources_and_types_are_chosen_by_globs(loaded: Desk) -> None:
    assert kinds(events(loaded, "far/*")) == [("source.loaded", "")]
    assert kinds(events(loaded, "--type", "catalog.image.created")) == [("image.created", name_of(9))]
    assert len(events(loaded, "--type", "catalog.image.*", "--type", "catalog.source.loaded")) == 5
    for arguments, named in ((["nowhere"], "lab"), (["--type", "image"], "catalog.image.created")):
        wrong = loaded.run("events", *arguments)
        assert (wrong.code, named in wrong.error) == (2, True)
    for text in ("yesterday", "a.b", ".1", "a.1,", "a.9999999999999999999"):
        assert loaded.run("events", "--after", text).code == 2


def test_what_is_loaded_dated_anew_or_forgotten_later_does_not_fire(loaded: Desk, cloud: Cloud) -> None:
    """Backfill before, between and after sweeps, `--forget` and `remap` change history, and tell nothing."""
    before = events(loaded)
    folder = loaded.folder / "dumps"
    write(folder, "2026-01-05.json", {"images": [image(0, name="long ago"), image(7)]})
    write(folder, "2026-01-06.json", {"images": [image(0, name="later")]})
    assert loaded.run("backfill", "lab", str(folder), "--complete").code == 0
    assert loaded.query("SELECT count(*) FROM image_revisions WHERE run_id IN (SELECT run_id FROM runs"
                        " WHERE kind = 'backfill')")[0][0]  # fmt: skip
    assert events(loaded) == before
    ((run_id,),) = loaded.query(
        "SELECT run_id::text FROM runs WHERE kind = 'backfill' ORDER BY observed_at LIMIT 1"
    )
    assert loaded.run("backfill", "lab", "--forget", run_id, "--yes").code == 0
    assert loaded.run("remap").code == 0
    assert loaded.run("sync").code == 0
    assert events(loaded) == before
    cloud.change(name_of(2), name="now")
    loaded.run("sync")
    assert kinds(events(loaded, "--after", before[-1]["cursor"])) == [("image.updated", name_of(2))]


def test_events_are_kept_for_events_keep(desk: Desk, cloud: Cloud) -> None:
    desk.add_source("lab", cloud, events_keep="2d")
    desk.run("sync")
    desk.query("UPDATE events SET time = now() - interval '3 days'")
    cloud.add(image(9))
    desk.run("sync")
    assert kinds(events(desk)) == [("image.created", name_of(9))]
    desk.query("UPDATE events SET time = now() - interval '3 days'")
    desk.run("sync")
    assert events(desk) == []
    cloud.add(image(10))
    desk.run("sync")
    (last,) = events(desk)
    assert last["id"].endswith(".3"), "numbers are never used again"


@pytest.fixture
def follower(loaded: Desk) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    process = subprocess.Popen(
        loaded.command("events", "--follow"),
        cwd=loaded.folder,
        env=loaded.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    found: list[dict[str, Any]] = []

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            found.append(json.loads(line))

    reader = threading.Thread(target=follow)
    reader.start()
    yield process, found
    process.kill()
    process.wait()
    reader.join()
    assert process.stdout is not None
    process.stdout.close()


def test_follow_prints_what_comes_of_new_sources_too_until_it_is_told_to_stop(
    loaded: Desk, cloud: Cloud, follower: tuple[subprocess.Popen[str], list[dict[str, Any]]]
) -> None:
    process, found = follower
    until(lambda: len(found) == 5, "what is there")
    cloud.change(name_of(2), name="now")
    loaded.add_source("new", Cloud("glance", [image(1)]))
    loaded.run("sync")
    until(lambda: len(found) == 7, "what came")
    assert kinds(found[5:]) == [("image.updated", name_of(2)), ("source.loaded", "")]
    assert events(loaded, "--after", found[-1]["cursor"]) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_feed_is_atom_newest_first_and_safe_whatever_images_are_called(loaded: Desk, cloud: Cloud) -> None:
    cloud.change(name_of(2), name='<b>"&\x1b[31m\uffff\u202e')
    loaded.run("sync")
    feed = ElementTree.fromstring(loaded.run("events", "--format", "atom").out)
    assert feed.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated", "author"):
        assert feed.find(f"{ATOM}{name}") is not None
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 6
    first = {child.tag.removeprefix(ATOM): child for child in entries[0]}
    assert first["category"].get("term") == "catalog.image.updated"
    assert '<b>"&\\x1b[31m\ufffd\\u202e' in (first["title"].text or "")
    moments = [entry.findtext(f"{ATOM}updated") or "" for entry in entries]
    assert moments == sorted(moments, reverse=True)
    assert feed.findtext(f"{ATOM}updated") == moments[0]
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 6
    assert loaded.run("events", "--format", "atom", "--follow").code == 2


def test_a_plan_tells_nothing(loaded: Desk, cloud: Cloud) -> None:
    before = events(loaded)
    cloud.change(name_of(2), name="now")
    assert loaded.run("sync", "--plan").code == 3
    assert events(loaded) == before


def test_a_dump_carries_events_to_another_database(loaded: Desk, tmp_path: Path) -> None:
    assert loaded.run("db", "dump", str(tmp_path / "catalog.dump")).code == 0
    before = events(loaded)
    other = Desk(loaded.folder, None, loaded.stack, loaded.entries)
    assert other.run("db", "upgrade").code == 0
    assert other.run("db", "restore", str(tmp_path / "catalog.dump")).code == 0
    assert events(other) == before
