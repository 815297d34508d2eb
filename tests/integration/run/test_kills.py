"""A database that goes away at any statement of a sweep: all of the sweep is there, or nothing of it, and the
run's row says which (semantics 4.4, 4.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.model import RunResult
from tests.integration.run.wire import Side, Wire, wired
from tests.support.records import image, name_of
from tests.support.world import Site, Sites

COUNTED = ("inserted", "updated", "deleted", "restored", "unchanged", "unlisted")


def state(site: Site) -> dict[str, Any]:
    return {i: (row["name"], row["deletion_reason"], row["tags"]) for i, row in site.images().items()}


def changed_site(sites: Sites, name: str, **settings: Any) -> Site:
    site = sites.open(images=4, name=name, **settings)
    site.sweep()
    site.cloud.change(name_of(0), name="renamed", tags=["new"])
    site.cloud.delete(name_of(1))
    site.cloud.add(image(9, __support_unheard="true"))
    return site


NEW = {
    name_of(0): ("renamed", None, ["new"]),
    name_of(1): ("name 1", "not_found", ["t"]),
    name_of(2): ("name 2", None, ["t"]),
    name_of(3): ("name 3", None, ["t"]),
    name_of(9): ("name 9", None, ["t"]),
}


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_sweep_is_merged_whole_or_not_at_all(sites: Sites, side: Side, tmp_path: Path) -> None:
    """Each statement of a sweep in turn is lost, or its answer is. What was merged is in the archive, too."""
    direct = sites.database
    with wired(direct) as (wire, through):
        statement, finished = 0, False
        outcomes = set()
        while not finished:
            statement += 1
            site = changed_site(sites, f"{statement}", archive=tmp_path)
            old, cuts = state(site), wire.cuts
            site.database = through
            wire.cut_at(statement, side, for_good=False)
            run = _swept(site)
            finished = wire.cuts == cuts
            wire.mend()
            site.database = direct
            outcomes.add(_judge(site, run, old))
            site.end_leases()
            again = site.sweep(wait_seconds=5)
            assert (again.outcome, state(site)) == ("complete", NEW), statement
            assert all(row["finished_at"] is not None for row in site.run_rows())
            assert {row["run_id"][:8] for row in merged(site)} == archived(tmp_path / f"{statement}")
    assert statement > 20
    assert outcomes == {"old", "new"}


def merged(site: Site) -> list[dict[str, Any]]:
    return site.rows("SELECT run_id::text FROM runs WHERE source_id = $ AND outcome = 'complete'")


def archived(folder: Path) -> set[str]:
    """What their files' names say of the runs."""
    return {path.name.split("-")[1].split(".")[0] for path in folder.iterdir()}


def _swept(site: Site) -> RunResult | None:
    try:
        return site.sweep()
    except CatalogError:
        return None  # the database failed before the run had a row


def _judge(site: Site, run: RunResult | None, old: dict[str, Any]) -> str:
    site.end_leases()
    _wait_for_the_killed(site)
    now, rows = state(site), site.run_rows()[1:]
    stored = rows[0]["outcome"] if rows else None
    if now == old:
        assert stored in (None, "failed")
        if rows and rows[0]["finished_at"] is not None:
            assert [rows[0][name] for name in COUNTED] == [0] * len(COUNTED)
        if run is not None:
            assert [getattr(run, name) for name in COUNTED] == [0] * len(COUNTED)
        return "old"
    assert now == NEW
    assert stored == "complete"
    assert run is not None
    assert (run.outcome, run.error, run.inserted, run.updated, run.deleted) == ("complete", None, 1, 1, 1)
    return "new"


def _wait_for_the_killed(site: Site) -> None:
    """Locks that a dying connection holds are waited for."""
    for table in ("runs", "leases"):
        site.rows(f"SELECT FROM {table} WHERE source_id = %s FOR UPDATE", site.source_id)


def test_a_wire_that_is_not_cut_changes_nothing(sites: Sites) -> None:
    site = changed_site(sites, "s")
    with wired(site.database) as (wire, through):
        site.database, direct = through, site.database
        assert site.sweep().outcome == "complete"
        site.database = direct
        assert isinstance(wire, Wire)
    assert state(site) == NEW
