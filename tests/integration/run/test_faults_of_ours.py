"""A sweep that breaks by a fault of ours ends as any failed one, and says so; one that is ended says that."""

from __future__ import annotations

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.model import ImageService
from tests.support.world import Site, Sites

ROW = (
    "SELECT run_id, outcome, error_kind, error, started_at, finished_at FROM runs WHERE source_id = $"
    " ORDER BY started_at DESC LIMIT 1"
)
HEALTH = "SELECT error_kind, failures FROM sources WHERE source_id = $"


def broken(source: SourceSettings, deadline: Deadline) -> ImageService:
    raise ZeroDivisionError("hush")


def ended(source: SourceSettings, deadline: Deadline) -> ImageService:
    raise KeyboardInterrupt


@pytest.fixture
def site(sites: Sites) -> Site:
    return sites.open(images=2)


def test_a_fault_of_ours_is_the_runs_result_and_its_row(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    run = site.sweep(opener=broken)
    (row,) = site.rows(ROW)
    assert str(row["run_id"]) == run.run_id
    told = (run.outcome, run.error_kind, run.error, run.started_at, run.finished_at)
    assert told == tuple(row.values())[1:]
    assert (run.outcome, run.error_kind) == ("failed", "upstream")
    assert str(run.error).startswith("unexpected ZeroDivisionError, a bug in catalog")
    assert site.rows(HEALTH) == [{"error_kind": "upstream", "failures": 1}]
    assert "ZeroDivisionError: hush" in "".join(capsys.readouterr())  # the log has the traceback
    assert site.sweep().outcome == "complete"


def test_a_sweep_that_is_ended_from_outside_says_so(site: Site) -> None:
    with pytest.raises(KeyboardInterrupt):
        site.sweep(opener=ended)
    (row,) = site.rows(ROW)
    assert (row["outcome"], row["error_kind"]) == ("failed", "database")
    assert row["error"] == "the run was ended from outside"
