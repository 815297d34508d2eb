"""A forgotten observation leaves the tables as if it had never been loaded."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.backfill import forgetting
from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.cli.output import DONE, changes
from catalog.errors import UsageError
from catalog.store.db.connection import Database
from catalog.store.maintenance.prune import prune
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
    with pytest.raises(UsageError, match="3 of 21 live images would be deleted or erased, and 11 are held"):
        forget(database, source(), seen)
    assert contents_of(database, "s", (*HISTORY, "runs", "held_deletions")) == before
    later = load(database, tmp_path, 5, *range(9), 31, complete=False)
    assert forget(database, source(), later).counts["erased"] == 1
    assert forget(database, source(), seen, accept_deletions=True).counts["deleted"] == 2


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
