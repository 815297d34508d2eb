"""History from files is a function of what they say: not of their order, nor of how often each is loaded,
nor of the sweeps in between (semantics 4.6 and 7)."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.backfill.backfill import backfill
from catalog.cli import main
from catalog.config.settings import SourceSettings
from catalog.demo.cloud import Cloud
from catalog.demo.server import service_of
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.reference import Seen, fold
from tests.support.cloud_server import CloudServer
from tests.support.examples import examples
from tests.support.faults import body, status
from tests.support.records import too_deep
from tests.support.rows import HISTORY, contents_of, wipe
from tests.support.world import hasty

START = datetime(2026, 3, 1, tzinfo=UTC)
IDS = tuple(f"image-{n}" for n in range(6))
FORMS = ("body", "list", "lines", "indented", "pages", "mark", "utf-16", "gzip")
_numbers = itertools.count()


def moment(number: int) -> datetime:
    return START + timedelta(hours=number)


@st.composite
def records(draw: st.DrawFn, image_id: str) -> dict[str, Any]:
    record: dict[str, Any] = {"id": image_id, "name": draw(st.sampled_from(["x", "y"]))}
    record["status"] = draw(st.sampled_from(["active", "active", "queued", "deleted"]))
    if draw(st.booleans()):
        record["updated_at"] = moment(draw(st.integers(-3, 14))).isoformat()
    record["tags"] = draw(st.sampled_from([[], ["t"], ["u", "t"]]))
    record["self"] = f"/v2/images/{image_id}"
    return record


@dataclass(frozen=True)
class File:
    """A saved listing."""

    at: datetime
    complete: bool
    images: tuple[dict[str, Any], ...]
    form: str
    rejected: tuple[str, ...] = ()
    """Images whose records cannot be held."""

    def write(self, folder: Path) -> Path:
        name = f"listing-{self.at:%Y%m%dT%H%M%S.%fZ}-{next(_numbers)}"
        path = folder / name
        path.write_bytes(as_bytes(self.form, (*self.images, *map(too_deep, self.rejected))))
        return path

    def seen(self) -> Seen:
        return Seen(
            self.at,
            self.complete,
            {str(one["id"]): json.dumps(one).encode() for one in self.images},
            inconclusive=dict.fromkeys(self.rejected, "rejected"),
        )


def as_bytes(form: str, images: Any) -> bytes:
    """The same images in one of the forms that listings are saved in."""
    whole = json.dumps({"images": list(images), "first": "/v2/images"})
    match form:
        case "list":
            return json.dumps(list(reversed(images))).encode()
        case "lines" if len(images) > 1:  # one record alone is no listing
            return b"".join(json.dumps(one, indent=None).encode() + b"\r\n" for one in images)
        case "indented":
            return json.dumps({"images": list(images)}, indent=2).encode()
        case "pages":
            return b"\n".join(
                json.dumps({"images": list(images[n : n + 2])}).encode()
                for n in range(0, max(1, len(images)), 2)
            )
        case "mark":
            return b"\xef\xbb\xbf" + whole.encode()
        case "utf-16":
            return whole.encode("utf-16")
        case "gzip":
            return gzip.compress(whole.encode())
    return whole.encode()


@st.composite
def files(draw: st.DrawFn) -> File:
    held = draw(st.sets(st.sampled_from(IDS), max_size=5))
    images = tuple(draw(records(image_id)) for image_id in sorted(held))
    # an empty complete listing is held back while it is the last word, and only then
    complete = bool(held) and draw(st.booleans())
    rejected = tuple(draw(st.sets(st.sampled_from(IDS), max_size=2)) - held) if draw(st.booleans()) else ()
    form = draw(st.sampled_from(FORMS))
    return File(moment(draw(st.integers(0, 5))), complete, images, form, rejected)


def load(database: Database, settings_: SourceSettings, folder: Path, file: File) -> None:
    result = backfill(database, settings_, [file.write(folder)], complete=file.complete)
    assert result.failures == []
    assert not result.busy
    assert result.held == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dumps")


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), given_files=st.lists(files(), min_size=1, max_size=8))
def test_any_order_and_any_number_of_times(
    module_database: Database, folder: Path, data: st.DataObject, given_files: list[File]
) -> None:
    """Files in any order, some twice, give the tables that the rule demands, and each time the same."""
    source = SourceSettings("s", "glance")
    twice = data.draw(st.lists(st.sampled_from(given_files), max_size=3))
    wipe(module_database)
    for file in sorted(given_files, key=lambda one: one.at):
        load(module_database, source, folder, file)
    expected = contents_of(module_database, "s")
    check_fold(module_database, given_files)
    wipe(module_database)
    for file in data.draw(st.permutations(given_files + twice)):
        load(module_database, source, folder, file)
    assert contents_of(module_database, "s") == expected


def check_fold(database: Database, given_files: list[File]) -> None:
    seen = [file.seen() for file in given_files]
    with database.session() as connection:
        for image_id in IDS:
            rows = connection.execute(
                "SELECT observed_at, valid_from, change FROM revisions WHERE image_id = %s ORDER BY observed_at",
                (image_id,),
            ).fetchall()
            assert rows == [(one.observed_at, one.valid_from, one.change) for one in fold(seen, image_id)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_one_part_of_a_moment_rejects_is_present(
    database: Database, folder: Path, order: tuple[int, ...]
) -> None:
    """Another part that lacks it proves nothing, whichever comes first."""
    one, two = ({"id": image_id, "status": "active"} for image_id in IDS[:2])
    given_files = [
        File(moment(8), True, (one, two), "body"),
        File(moment(9), True, (one,), "body"),
        File(moment(9), True, (one,), "body", rejected=(IDS[1],)),
    ]
    for number in order:
        load(database, SourceSettings("s", "glance"), folder, given_files[number])
    check_fold(database, given_files)


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (0, 2, 3, 1), (2, 3, 0, 1), (3, 2, 1, 0)])
def test_what_one_part_of_a_moment_rejects_stays_inconclusive(
    database: Database, folder: Path, order: tuple[int, ...]
) -> None:
    """Though another part proved its absence before: what is loaded later finds it so."""
    one, two = ({"id": image_id, "status": "active"} for image_id in IDS[:2])
    given_files = [
        File(moment(7), True, (one, two), "body"),
        File(moment(8), True, (one,), "body"),
        File(moment(9), True, (one,), "body"),
        File(moment(9), True, (one,), "body", rejected=(IDS[1],)),
    ]
    source = SourceSettings("s", "glance")
    for file in given_files:
        load(database, source, folder, file)
    expected = contents_of(database, "s")
    wipe(database)
    for number in order:
        load(database, source, folder, given_files[number])
    check_fold(database, given_files)
    assert contents_of(database, "s") == expected


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[CloudServer, dict[str, Any]]]:
    """One server for all examples; its cloud can be exchanged."""
    answer: dict[str, Any] = {}
    with CloudServer(lambda request: answer["service"](request)) as server:
        yield server, answer


STEPS = ("sweep", "sweep", "change", "delete", "hide", "forbid", "add", "reject", "dump", "fault", "load")


@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(["glance", "ims"]))
def test_sweeps_in_between_and_a_database_rebuilt_from_files_alone(
    module_database: Database,
    folder: Path,
    world: tuple[CloudServer, dict[str, Any]],
    data: st.DataObject,
    kind: Any,
) -> None:
    """Sweeps of a lively cloud (faults, look-ups, rejected records) with dumps loaded in between; then the
    archive of those sweeps and the dumps, in any order, into an empty database: the same tables."""
    server, answer = world
    cloud = Cloud(kind)
    answer["service"] = service_of(cloud)
    server.faults.clear()
    archive = folder / f"archive-{next(_numbers)}"
    source = SourceSettings(
        "s", kind, endpoint=server.endpoint, auth="none", page_size=2, archive=archive, lookup_limit=2
    )
    wipe(module_database)
    dumps: list[File] = []
    waiting: list[File] = []
    present: set[str] = set()
    runs: list[RunResult] = []
    # one that stays: an empty listing that is the last word is held back, and only while it is that
    cloud.add({"id": "anchor", "status": "active", "created_at": "2026-01-01T00:00:00Z"})
    for image_id in IDS[:3]:
        cloud.add({"id": image_id, "status": "active", "created_at": "2026-01-01T00:00:00Z"})
        present.add(image_id)
    for step in [*data.draw(st.lists(st.sampled_from(STEPS), min_size=3, max_size=12)), "sweep"]:
        image_id = data.draw(st.sampled_from(IDS))
        if step == "sweep":
            server.faults.clear() if data.draw(st.booleans()) else None
            runs.append(sweep(module_database, source, opener=hasty))
            server.faults.clear()
        elif step == "dump":
            images = [one.record for one in cloud.oldest_first() if data.draw(st.booleans())]
            images = [one for one in images if "deep" not in one]
            at = module_database.now() if data.draw(st.booleans()) else moment(data.draw(st.integers(0, 3)))
            complete = bool(images) and data.draw(st.booleans())
            dumps.append(File(at, complete, tuple(images), data.draw(st.sampled_from(FORMS))))
            waiting.append(dumps[-1])
        elif step == "load":
            for file in waiting:
                load(module_database, source, folder, file)
            waiting.clear()
        elif step == "add" or image_id not in present:
            cloud.add({"id": image_id, "status": "active", "name": "new"})
            present.add(image_id)
        elif step == "reject":
            cloud.add(too_deep(image_id))
        elif step == "change":
            cloud.change(image_id, name=data.draw(st.sampled_from(["x", "y", "z"])))
        elif step == "hide":
            cloud.hide(image_id)
        elif step == "forbid":
            cloud.forbid(image_id)
        elif step == "delete":
            cloud.delete(image_id)
            present.discard(image_id)
        elif step == "fault":
            server.faults.add(
                data.draw(st.sampled_from([status(500), status(404), body(b"<html>")])),
                at=len(server.requests) + data.draw(st.integers(1, 4)),
                times=9,
            )
    for file in waiting:
        load(module_database, source, folder, file)
    tables = (*HISTORY, "run_passes", "rejected_records", "lookups")
    expected = contents_of(module_database, "s", tables)
    archives = sorted(archive.rglob("*.gz")) if archive.exists() else []
    assert len(archives) == len([run for run in runs if run.outcome != "failed"])
    wipe(module_database)
    everything: list[Any] = data.draw(st.permutations([*archives, *dumps]))
    for one in everything:
        if isinstance(one, File):
            load(module_database, source, folder, one)
        else:
            assert backfill(module_database, source, [one]).failures == []
    again = contents_of(module_database, "s", tables)
    for each in (expected, again):
        each["run_passes"] = [row for row in each["run_passes"] if _is_archived(row, archives)]
    assert again == expected


def _is_archived(row: str, archives: list[Path]) -> bool:
    run = str(json.loads(row)["run_id"])[:8]
    return any(path.name.endswith(f"-{run}.jsonl.gz") for path in archives)


def catalog(*arguments: str) -> int:
    """The command line, in this process; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code


@settings(max_examples=examples(5), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), given_files=st.lists(files(), min_size=1, max_size=8))
def test_through_the_command_line(
    module_database: Database,
    folder: Path,
    world: tuple[CloudServer, dict[str, Any]],
    data: st.DataObject,
    given_files: list[File],
) -> None:
    """`catalog backfill` and `catalog sync` in one order, archive and dumps in another, some twice."""
    server, answer = world
    cloud = Cloud("glance", [{"id": image_id, "status": "active"} for image_id in IDS[2:5]])
    answer["service"] = service_of(cloud)
    server.faults.clear()
    place = folder / f"desk-{next(_numbers)}"
    place.mkdir()
    configuration = place / "catalog.toml"
    configuration.write_text(
        f'[[sources]]\nname = "s"\nkind = "glance"\nendpoint = "{server.endpoint}"\nauth = "none"\n'
        f'archive = "{place / "archive"}"\n'
    )
    common = ("--config", str(configuration), "--database-url", str(module_database.settings.url))

    def load_by_command(path: Path, *, complete: bool) -> None:
        assert catalog(*common, "backfill", "s", str(path), *["--complete"] * complete) == 0

    wipe(module_database)
    steps: list[Any] = data.draw(st.permutations([*given_files, "sweep", "sweep", "delete"]))
    for step in steps:
        if step == "sweep":
            assert catalog(*common, "sync", "s") == 0
        elif step == "delete":
            cloud.delete(IDS[2])
        else:
            load_by_command(step.write(place), complete=step.complete)
    expected = contents_of(module_database, "s", (*HISTORY, "lookups"))
    wipe(module_database)
    everything: list[Any] = [*(place / "archive").rglob("*.gz"), *given_files]
    assert len(everything) == len(given_files) + 2
    twice = data.draw(st.lists(st.sampled_from(everything), max_size=2))
    for one in data.draw(st.permutations(everything + twice)):
        path = one.write(place) if isinstance(one, File) else one
        load_by_command(path, complete=isinstance(one, File) and one.complete)
    assert contents_of(module_database, "s", (*HISTORY, "lookups")) == expected
