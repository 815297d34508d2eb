"""A forgotten observation leaves the tables as if it had never been loaded."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.backfill import forgetting
from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.cli.output import DONE, changes
from catalog.config.settings import SourceSettings
from catalog.errors import UsageError
from catalog.store.db.connection import Database
from catalog.store.maintenance.prune import prune
from catalog.store.state import sources
from tests.integration.run.test_held_in_any_order import archive
from tests.support.records import hour, image, listing, name_of, named, too_deep, write
from tests.support.rows import HISTORY, contents_of, images, live, rows, wipe
from tests.support.world import Sites, source


def test_a_forgotten_observation_leaves_the_tables_as_they_were(database: Database, tmp_path: Path) -> None:
    files = [write(tmp_path, named(n), listing(*range(n), name=f"n{n % 3}")) for n in (3, 5, 4, 6)]
    for path in (files[0], files[1], files[3]):
        backfill(database, source(), [path], complete=True)
    expected = contents_of(database, "s", (*HISTORY, "runs"))
    run = backfill(database, source(), [files[2]], complete=True).runs[0]
    assert contents_of(database, "s") != expected
    gone = forget(database, source(), run.run_id)
    assert gone.observations == {hour(4): (run.run_id,)}
    assert contents_of(database, "s", (*HISTORY, "runs")) == expected
    again = backfill(database, source(), [tmp_path], complete=True)
    assert (again.runs, again.unchanged, again.forgotten) == ([], 3, 1)
    refused = backfill(database, source(), [files[2]], complete=True)
    assert "--yes" in refused.failures[0].reason
    assert contents_of(database, "s", (*HISTORY, "runs")) == expected
    assert len(backfill(database, source(), [files[2]], complete=True, confirmed=True).runs) == 1
    assert backfill(database, source(), [tmp_path], complete=True).forgotten == 0


def test_a_forgotten_sweep_comes_back_neither_here_nor_where_its_archive_is_loaded(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = sites.open(images=3, archive=tmp_path)
    runs = [site.sweep().run_id for _ in range(2)]
    (early, late) = sorted(tmp_path.rglob("*.gz"))
    content = early.read_bytes()
    forget(database, site.source, runs[0])
    assert sorted(tmp_path.rglob("*.gz")) == [late]
    early.write_bytes(content)
    assert backfill(database, site.source, [tmp_path]).forgotten == 1
    assert backfill(database, site.source, [early]).runs == []
    assert len(rows(database, "SELECT * FROM runs")) == 1
    early.unlink()
    wipe(database)
    assert [run.run_id for run in backfill(database, site.source, [tmp_path]).runs] == [runs[1]]


def test_what_was_killed_before_it_hid_the_archive_is_finished_by_the_same_command(
    sites: Sites, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = sites.open(images=3, archive=tmp_path)
    runs = [site.sweep().run_id for _ in range(2)]

    def killed(*_: object) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "set_aside", killed)
        with pytest.raises(SystemExit):
            forget(database, site.source, runs[0])
    (_, late) = sorted(tmp_path.rglob("*.gz"))
    assert forget(database, site.source, runs[0]).observations == {}
    assert sorted(tmp_path.rglob("*.gz")) == [late]
    assert [row["run_id"] for row in rows(database, "SELECT run_id::text FROM runs")] == [runs[1]]


@pytest.mark.parametrize("going", [((4, 3), (1, 2), (2, 0)), ((2, 2), (4, 1), (1, 0))])
def test_which_runs_met_a_rejected_record_follows_neither_order_nor_what_is_forgotten(
    database: Database, tmp_path: Path, going: tuple[tuple[int, int], ...]
) -> None:
    """Two of one moment too: the least id is the first one's."""
    files = [
        write(tmp_path, named(n, part), [image(k), too_deep("odd")])
        for n, part, k in ((2, "-a", 1), (2, "-b", 2), (4, "", 3), (1, "", 4))
    ]
    met = "SELECT first_run_id::text, last_run_id::text, count FROM rejected_records"
    found = []
    for order in (files, files[::-1], sorted(files)):
        wipe(database)
        for path in order:
            backfill(database, source(), [path], confirmed=True)
        found += rows(database, met)
    assert found[0] == found[1] == found[2]
    assert found[0]["count"] == 4
    run = {
        row["observed_at"]: row["run_id"]
        for row in rows(database, "SELECT observed_at, run_id::text FROM runs")
    }
    assert (found[0]["first_run_id"], found[0]["last_run_id"]) == (run[hour(1)], run[hour(4)])
    for number, count in going:
        forget(database, source(), run[hour(number)])
        assert [row["count"] for row in rows(database, met)] == [count] * (count > 0)


def test_what_a_prune_takes_of_rejections_still_counts(database: Database, tmp_path: Path) -> None:
    """Of the runs before the cut one row stays for each record, so that the last one is known."""
    met = "SELECT first_run_id::text, last_run_id::text, count FROM rejected_records"
    for n in (1, 2, 3, 4, 6):
        backfill(database, source(), [write(tmp_path, named(n), [image(n), too_deep("odd")])])
    before = rows(database, met)
    run = {
        r["observed_at"]: r["run_id"] for r in rows(database, "SELECT observed_at, run_id::text FROM runs")
    }
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET history_from = %s", (hour(4),))
    planned = prune(database, ["s"], timedelta(days=30_000), plan=True)[0].rows["rejections"]
    assert prune(database, ["s"], timedelta(days=30_000))[0].rows["rejections"] == planned == 2
    assert len(rows(database, "SELECT * FROM rejections")) == 3
    assert rows(database, met) == before
    backfill(database, source(), [write(tmp_path, named(5), [image(5), too_deep("odd")])])
    expected = {"first_run_id": run[hour(1)], "last_run_id": run[hour(6)], "count": 6}
    assert rows(database, met) == [expected]
    backfill(database, source(), [write(tmp_path, named(7), [image(7), too_deep("odd")])])
    (last,) = rows(database, "SELECT run_id::text FROM runs WHERE observed_at = %s", hour(7))
    for run_id in (run[hour(6)], last["run_id"]):
        forget(database, source(), run_id)
    (five,) = rows(database, "SELECT run_id::text FROM runs WHERE observed_at = %s", hour(5))
    assert rows(database, met) == [expected | {"last_run_id": five["run_id"], "count": 5}]
    for run_id in (five["run_id"], run[hour(4)]):
        forget(database, source(), run_id)
    assert rows(database, met) == [expected | {"last_run_id": run[hour(3)], "count": 3}]


def test_what_changed_in_history_alone_is_told(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(3), listing(1, 2))], complete=True)
    old = write(tmp_path, named(1), listing(1, name="old"))
    run = backfill(database, source(), [old], complete=True).runs[0]
    assert (run.inserted, run.updated, run.revised) == (0, 0, 1)
    (row,) = rows(database, "SELECT revised FROM runs WHERE run_id = %s", run.run_id)
    assert row["revised"] == 1
    told = changes({**dict.fromkeys(DONE, 0), "revised": run.revised})
    assert told == "nothing changed now, 1 revision of the past changed"
    assert forget(database, source(), run.run_id).counts["revised"] == 1


def test_the_first_and_the_only_observation_can_be_forgotten(database: Database, tmp_path: Path) -> None:
    run = backfill(database, source(), [write(tmp_path, named(1), listing(1))]).runs[0]
    forget(database, source(), run.run_id)
    assert images(database) == {}
    assert rows(database, "SELECT observed_since FROM sources") == [{"observed_since": None}]


def test_runs_of_one_moment_are_forgotten_together(database: Database, tmp_path: Path) -> None:
    """Their records were united, so one cannot be taken out of the other; the answer names both."""
    runs = [
        backfill(database, source(), [write(tmp_path, named(1, f"-{n}"), listing(n))]).runs[0] for n in (1, 2)
    ]
    gone = forget(database, source(), runs[0].run_id)
    assert sorted(gone.run_ids) == sorted(run.run_id for run in runs)
    assert images(database) == {}
    assert rows(database, "SELECT * FROM runs") == []


def test_a_run_that_is_not_there_cannot_be_forgotten(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(1), listing(1))])
    for run_id in (str(uuid.uuid4()), "nonsense"):
        with pytest.raises(UsageError, match="catalog runs"):
            forget(database, source(), run_id)


# ---- what does not come back unasked ------------------------------------------------------------------


def renamed(database: Database, folder: Path) -> SourceSettings:
    with database.transaction() as connection:
        sources.rename(connection, "s", "t")
    return source("t")


def with_another_page(_: Database, folder: Path) -> SourceSettings:
    write(folder, named(2, "-2"), listing(2))
    return source()


def with_a_broken_page(_: Database, folder: Path) -> SourceSettings:
    write(folder, named(2, "-2"), b"{")
    return source()


def with_a_key_ignored(_: Database, folder: Path) -> SourceSettings:
    return source(ignore=("name",))


def with_a_key_redacted(_: Database, folder: Path) -> SourceSettings:
    return source(redact=("name",))


def written_otherwise(_: Database, folder: Path) -> SourceSettings:
    body = json.loads((folder / named(2)).read_bytes())
    lines = "\n".join(json.dumps(dict(sorted(record.items(), reverse=True))) for record in body["images"])
    (folder / named(2)).unlink()
    write(folder, f"{named(2)}l.gz", gzip.compress(lines.encode()))
    return source()


def as_it_was(_: Database, folder: Path) -> SourceSettings:
    return source()


@pytest.mark.parametrize(("then", "now"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize(
    "change",
    [
        renamed, with_another_page, with_a_broken_page, with_a_key_ignored, with_a_key_redacted,
        written_otherwise, as_it_was,
    ],
)  # fmt: skip
def test_a_forgotten_file_does_not_come_back_whatever_changed_since(
    database: Database,
    tmp_path: Path,
    change: Callable[[Database, Path], SourceSettings],
    then: bool,
    now: bool,
) -> None:
    write(tmp_path, named(1), listing(*range(6)))
    write(tmp_path, named(2), listing(0, 9))
    wrong = backfill(database, source(), [tmp_path], complete=then).runs[1]
    forget(database, source(), wrong.run_id)
    all_live = {name_of(n) for n in range(6)}
    assert live(database) == all_live
    changed = change(database, tmp_path)
    (path,) = (path for path in tmp_path.iterdir() if path.name.startswith((named(2), f"{named(2)}l")))
    assert backfill(database, changed, [tmp_path], complete=now).forgotten == 1
    assert live(database) == all_live
    assert backfill(database, changed, [tmp_path], complete=now).runs == []
    (refused,) = backfill(database, changed, [path], complete=now).failures
    assert "--yes" in refused.reason
    assert live(database) == all_live
    assert len(backfill(database, changed, [path], complete=now, confirmed=True).runs) == 1
    assert name_of(9) in live(database)
    assert backfill(database, changed, [tmp_path], complete=now).forgotten == 0


def test_beside_a_forgotten_file_others_of_its_moment_are_loaded_as_incomplete(
    database: Database, tmp_path: Path
) -> None:
    """A page alone does not prove that what stood on the forgotten one is gone; without that it does."""
    write(tmp_path, named(1), listing(*range(6)))
    forgotten = write(tmp_path, named(2), listing(0, 9))
    forget(database, source(), backfill(database, source(), [tmp_path], complete=True).runs[1].run_id)
    write(tmp_path, named(2, "-2"), listing(1, 8))
    result = backfill(database, source(), [tmp_path], complete=True)
    assert [(run.listed, run.proves_absence) for run in result.runs] == [(2, False)]
    assert (result.forgotten, result.unchanged) == (1, 1)
    (warning,) = result.warnings
    assert "it counts as incomplete, as a file of its moment was forgotten" in warning
    assert live(database) == {name_of(n) for n in (*range(6), 8)}
    forgotten.unlink()
    assert backfill(database, source(), [tmp_path], complete=True).runs[0].proves_absence
    assert live(database) == {name_of(n) for n in (1, 8)}


def test_each_part_of_a_forgotten_observation_is_asked_for_by_itself(
    database: Database, tmp_path: Path
) -> None:
    parts = [write(tmp_path, named(1, f"-{n}"), listing(n)) for n in range(3)]
    forget(database, source(), backfill(database, source(), [tmp_path]).runs[0].run_id)
    result = backfill(database, source(), [tmp_path, parts[0]], confirmed=True)
    assert (result.runs[0].listed, result.forgotten, live(database)) == (1, 2, {name_of(0)})
    assert [one.path for one in backfill(database, source(), parts[1:2]).failures] == [str(parts[1])]
    forget(database, source(), result.runs[0].run_id)
    assert backfill(database, source(), [tmp_path]).forgotten == 3
    # a mended one is another file, and the same one of another moment another observation
    write(tmp_path, parts[1].name, listing(1, name="mended"))
    again = backfill(database, source(), [tmp_path])
    assert (again.runs[0].listed, again.forgotten) == (1, 2)
    assert len(backfill(database, source(), parts[:1], observed_at=hour(5)).runs) == 1
    assert live(database) == {name_of(0), name_of(1)}


def test_a_forgotten_archive_without_trailer_does_not_come_back(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    """It has a run id of its own, of which `ignore` is a part; its whole archive is another file."""
    site = sites.open(images=3, archive=tmp_path)
    site.sweep()
    (path,) = tmp_path.rglob("*.gz")
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(b"".join(gzip.decompress(whole).splitlines(keepends=True)[:-1])))
    wipe(database)
    run = backfill(database, source(), [tmp_path]).runs[0]
    forget(database, source(), run.run_id)
    for settings in (source(), source(ignore=("name",))):
        result = backfill(database, settings, [tmp_path])
        assert (result.runs, result.forgotten) == ([], 1)
    path.write_bytes(whole)
    assert [run.outcome for run in backfill(database, source(), [tmp_path]).runs] == ["complete"]


def test_a_listing_beside_a_forgotten_archive_of_its_moment_is_incomplete(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = sites.open(images=3, archive=tmp_path)
    site.sweep()
    run = site.sweep()
    archive = sorted(tmp_path.rglob("*.gz"))[1]
    content = archive.read_bytes()
    forget(database, site.source, run.run_id)
    archive.write_bytes(content)
    assert run.observed_at is not None
    write(tmp_path, f"{run.observed_at:%Y%m%dT%H%M%S.%fZ}.json", {"images": [image(0)]})
    result = backfill(database, site.source, [tmp_path], complete=True)
    assert ([run.proves_absence for run in result.runs], result.forgotten) == ([False], 1)
    assert len(live(database)) == 3


def test_what_is_known_of_files_is_pruned_with_their_moments(database: Database, tmp_path: Path) -> None:
    runs = [load(database, tmp_path, n, n, complete=False) for n in (1, 2, 3)]
    forget(database, source(), runs[1], runs[2])
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET history_from = %s", (hour(3),))
    planned = prune(database, ["s"], timedelta(days=30_000), plan=True)[0].rows["loaded_files"]
    assert prune(database, ["s"], timedelta(days=30_000))[0].rows["loaded_files"] == planned == 2
    (tmp_path / named(1)).unlink()
    (tmp_path / named(2)).unlink()
    assert backfill(database, source(), [tmp_path]).forgotten == 1


# ---- one decision for all of a command ----------------------------------------------------------------


def load(database: Database, folder: Path, number: int, *ids: int, complete: bool = True) -> str:
    path = write(folder, named(number), listing(*ids))
    return backfill(database, source(), [path], complete=complete, accept_deletions=True).runs[0].run_id


def test_the_deletion_limit_counts_all_that_a_command_deletes(database: Database, tmp_path: Path) -> None:
    """Each of these observations alone is within it: together they take 100 images to 20."""
    load(database, tmp_path, 1, *range(20))
    runs = [load(database, tmp_path, n, *range(20 * n), complete=False) for n in range(2, 6)]
    assert len(live(database)) == 100
    before = contents_of(database, "s", (*HISTORY, "runs"))
    for each in runs[::-1]:
        assert forget(database, source(), each, plan=True).refusal is None
    with pytest.raises(UsageError, match=r"80 of 100 live images .* nothing was changed"):
        forget(database, source(), *runs)
    planned = forget(database, source(), *runs, plan=True)
    assert contents_of(database, "s", (*HISTORY, "runs")) == before
    assert planned.refusal is not None
    assert planned.effects["erased"] == sorted(name_of(n) for n in range(20, 100))
    assert planned.names[name_of(99)] == "name 99"
    done = forget(database, source(), *runs, accept_deletions=True)
    assert done.effects == planned.effects
    assert (done.run_ids, live(database)) == (tuple(runs[::-1]), {name_of(n) for n in range(20)})


def test_erased_images_count(database: Database, tmp_path: Path) -> None:
    """Those of which no record is left, be they the whole source."""
    run = load(database, tmp_path, 1, *range(12))
    with pytest.raises(UsageError, match="12 of 12 live images"):
        forget(database, source(), run)
    assert len(live(database)) == 12


def test_what_is_held_already_counts_beside_what_would_be_deleted(database: Database, tmp_path: Path) -> None:
    """And not beside what would be erased alone."""
    load(database, tmp_path, 1, *range(20))
    backfill(database, source(), [write(tmp_path, named(2), listing(*range(9)))], complete=True)
    seen = load(database, tmp_path, 4, *range(9), 30, complete=False)
    backfill(database, source(), [write(tmp_path, named(3), listing(*range(7)))], complete=True)
    before = contents_of(database, "s", (*HISTORY, "runs", "held_deletions"))
    with pytest.raises(
        UsageError, match="3 of 21 live images would be deleted or erased, and 11 are held or"
    ):
        forget(database, source(), seen)
    assert contents_of(database, "s", (*HISTORY, "runs", "held_deletions")) == before
    later = load(database, tmp_path, 5, *range(9), 31, complete=False)
    assert forget(database, source(), later).counts["erased"] == 1
    assert forget(database, source(), seen, accept_deletions=True).counts["deleted"] == 2


def test_what_waits_for_an_answer_counts_beside_what_would_be_deleted(
    database: Database, tmp_path: Path
) -> None:
    waiting = [name_of(n) for n in range(12, 20)]
    swept = archive(tmp_path, 2, *range(12), inconclusive=dict.fromkeys(waiting, "unanswered"))
    backfill(database, source(), [archive(tmp_path, 1, *range(20)), swept])
    seen = load(database, tmp_path, 4, *range(12), complete=False)
    load(database, tmp_path, 3, *range(9))
    with pytest.raises(UsageError, match="3 of 20 live images would be deleted or erased, and 8 are held or"):
        forget(database, source(), seen)
    assert len(live(database)) == 20


PUBLIC = [image(n, visibility="public", owner="p") for n in range(3)]
PRIVATE = [image(n, visibility="private", owner="p") for n in range(3, 7)]
SHARED = [image(n, visibility="shared", owner="q") for n in (7, 8)]


@pytest.mark.parametrize(
    ("before", "listed"),
    [(PUBLIC, []), (PUBLIC + PRIVATE, PUBLIC), (PRIVATE + SHARED, PRIVATE)],
    ids=["empty", "public ones alone", "no shares"],
)
def test_what_a_listing_may_not_have_shown_is_not_deleted_by_it(
    database: Database, tmp_path: Path, before: list[dict[str, object]], listed: list[dict[str, object]]
) -> None:
    """Though it was no last word when it was loaded."""
    runs = [
        backfill(database, source(auth="token"), [write(tmp_path, named(n), {"images": records})], complete=n < 3)
        for n, records in ((1, before), (3, before), (2, listed))
    ]  # fmt: skip
    seen = runs[1].runs[0].run_id
    lacked = len(before) - len(listed)
    with pytest.raises(UsageError, match=f"^{lacked} live images would be deleted by listings that may"):
        forget(database, source(auth="token"), seen)
    assert len(live(database)) == len(before)
    assert forget(database, source(auth="token"), seen, accept_deletions=True).counts["deleted"] == lacked


def test_an_image_that_waits_for_an_answer_may_not_have_been_shown_either(
    database: Database, tmp_path: Path
) -> None:
    """So that the other private one is not the last of its kind."""
    settings, waiting = source(auth="token"), {name_of(3): "unanswered"}
    dumps = [(1, PUBLIC + PRIVATE[:2]), (4, PUBLIC + PRIVATE[1:2]), (3, PUBLIC)]
    paths = [write(tmp_path, named(number), {"images": records}) for number, records in dumps]
    backfill(database, settings, paths[:1], complete=True)
    swept = archive(tmp_path, 2, *range(3), complete=False, inconclusive=waiting, logins=None)
    assert backfill(database, settings, [swept], confirmed=True).failures == []
    seen = backfill(database, settings, paths[1:2]).runs[0].run_id
    backfill(database, settings, paths[2:], complete=True)
    with pytest.raises(UsageError, match=r"^1 live images would be deleted by listings that may"):
        forget(database, settings, seen)


def test_what_a_span_changes_and_takes_back_is_no_change(database: Database, tmp_path: Path) -> None:
    """Deleted for a while by each of two observations, and only between them."""
    load(database, tmp_path, 1, *range(20))
    runs = [load(database, tmp_path, 2, 0), load(database, tmp_path, 3, *range(20))]
    with pytest.raises(UsageError):
        forget(database, source(), runs[1])
    gone = forget(database, source(), *runs)
    assert {effect for effect, ids in gone.effects.items() if ids} == set()


def test_effects_name_what_is_held_and_what_is_held_no_longer(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *range(20))
    path = write(tmp_path, named(2), listing(0))
    held = backfill(database, source(), [path], complete=True).runs[0].run_id
    back = load(database, tmp_path, 3, *range(20))
    gone = sorted(name_of(n) for n in range(1, 20))
    assert forget(database, source(), back).counts["held"] == 19
    done = forget(database, source(), held)
    assert (done.effects["released"], done.effects["updated"]) == (gone, [])


@pytest.mark.parametrize(("lacked", "is_refused"), [(20, True), (8, False)])
def test_it_is_refused_where_an_older_listing_lacked_too_much_though_most_was_seen_again(
    database: Database, tmp_path: Path, *, lacked: int, is_refused: bool
) -> None:
    """Three are left, of which that listing would be the last word."""
    ids, run_ids = range(40), {}
    for number, shown in [(1, ids), (3, ids), (4, range(37)), (2, range(40 - lacked))]:
        path = write(tmp_path, named(number), listing(*shown))
        run_ids[number] = backfill(database, source(), [path], complete=number != 4).runs[0].run_id
    if is_refused:
        with pytest.raises(UsageError, match="3 live images would be deleted by listings"):
            forget(database, source(), run_ids[3])
    else:
        forget(database, source(), run_ids[3])
    assert len(live(database)) == (40 if is_refused else 37)
