"""Exit codes over all sources, and a result in one line."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.cli.failures import one_by_one
from catalog.cli.output import summary
from catalog.cli.sync import exit_code
from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError, DatabaseError, SourceBusy
from catalog.model import RunResult


def run(**values: Any) -> RunResult:
    return RunResult("lab", "", **{"outcome": "complete", **values})


GOOD = run()
FAILED = run(outcome="failed")
MISCONFIGURED = run(outcome="failed", error_kind="config")
PARTIAL = run(outcome="partial", listed=1)
HELD = run(held=2)
BUSY = run(outcome="busy")
CHANGED = run(inserted=1)


@pytest.mark.parametrize(
    ("results", "plan", "code"),
    [
        ([], False, 0),
        ([GOOD, CHANGED], False, 0),
        ([GOOD, CHANGED], True, 3),
        ([GOOD], True, 0),
        ([CHANGED, BUSY], True, 5),
        ([CHANGED, BUSY, HELD], True, 4),
        ([CHANGED, BUSY, HELD, PARTIAL], True, 1),
        ([BUSY, HELD, FAILED], False, 1),
        ([MISCONFIGURED, FAILED], False, 2),
        ([MISCONFIGURED, GOOD], False, 1),
    ],
)
def test_the_first_exit_code_that_applies_counts(results: list[RunResult], plan: bool, code: int) -> None:
    assert exit_code(results, plan=plan) == code


@pytest.mark.parametrize("counter", ["inserted", "updated", "deleted", "restored"])
def test_each_kind_of_change_makes_a_plan_exit_3(counter: str) -> None:
    assert exit_code([run(**{counter: 1})], plan=True) == 3


def test_one_source_that_fails_stops_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Each failure is a line, and the exit code is the first that applies."""
    failures = {"a": SourceBusy("later"), "b": None, "c": DatabaseError("broken"), "d": None}
    done = []

    def work(source: SourceSettings) -> None:
        error = failures[source.name]
        if error is not None:
            raise error
        done.append(source.name)

    assert one_by_one(work, [SourceSettings(name, "ims") for name in failures]) == 1
    assert done == ["b", "d"]
    assert capsys.readouterr().err == "error: a: later\nerror: c: broken\n"


@pytest.mark.parametrize(("error", "code"), [(SourceBusy("x"), 5), (ConfigurationError("x"), 2)])
def test_an_error_brings_its_own_exit_code(error: Exception, code: int) -> None:
    def work(source: SourceSettings) -> None:
        raise error

    assert one_by_one(work, [SourceSettings("a", "ims")]) == code


def test_a_summary_tells_what_happened_and_what_to_do() -> None:
    """One line, whatever a cloud put in it."""
    told = summary(run(listed=9, inserted=2, deleted=1, unlisted=3, rejected=1, held=2, note="a\nb\x1b[2J"))
    assert "9 listed, 2 inserted, 1 deleted, 3 unlisted but live, 1 rejected" in told
    assert "2 deletions held, see `catalog deletions list lab`" in told
    assert told.endswith("; a b\\x1b[2J")


def test_a_summary_of_a_plan_tells_what_would_happen() -> None:
    assert summary(run(listed=9, updated=1, restored=2), plan=True).endswith("would update 1, restore 2")
    assert summary(run(listed=9), plan=True).endswith("would change nothing")
