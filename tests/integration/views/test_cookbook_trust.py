"""Trusting the answer: the answers of docs/reporting.md, on a catalog with known contents."""

from __future__ import annotations

from typing import Any

from tests.integration.views.conftest import Shelf, ago
from tests.integration.views.cookbook import asked, told


@asked("Which images are stuck on their way?")
def test_stuck(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.spell(source, "stuck", "queued", ago(1), ago(0.5))
    shelf.spell(source, "stuck", "saving", ago(0.5))
    shelf.spell(source, "coming", "saving", ago(0.5 / 24))
    shelf.spell(source, "ready", "saving", ago(1), ago(0.5))
    shelf.spell(source, "ready", "active", ago(0.5))
    rows = told(shelf, answer_by, "image_id", "status", "entered_at", "hours")
    assert [row[:3] for row in rows] == [("stuck", "saving", ago(0.5))]
    assert 12 <= rows[0][3] < 13


@asked("How old is what the catalog says?")
def test_freshness(shelf: Shelf, answer_by: str) -> None:
    shelf.source("fresh", last_complete_at=ago(0), expected_seconds=900.0)
    failing = {"failing_since": ago(1), "error_kind": "login"}
    old = shelf.source("old", last_complete_at=ago(2), expected_seconds=900.0, **failing)
    shelf.source("retired", last_complete_at=ago(100), retired_at=ago(99))
    held = {"source_id": old, "image_id": "a", "run_id": "00000000-0000-4000-8000-000000000001"}
    shelf.insert("held_deletions", held | {"observed_at": ago(2), "decision": "open"})
    columns = ("source", "expected_minutes", "stale", "failing_since", "error_kind", "held")
    assert told(shelf, answer_by, *columns) == [
        ("old", 15, True, ago(1), "login", 1),
        ("fresh", 15, False, None, None, 0),
    ]
    assert 2880 <= shelf.ask(answer_by)[0]["age_minutes"] < 2940


@asked("What went wrong in the last day?")
def test_failures(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    for number, (at, outcome, kind, error) in enumerate(
        (
            (ago(0.1), "failed", "login", "401"),
            (ago(0.2), "failed", "login", "refused"),
            (ago(0.3), "partial", "deadline", "cut"),
            (ago(0.05), "complete", None, None),
            (ago(0.01), None, None, None),
            (ago(1.5), "failed", "network", "no route"),
        )
    ):
        run: dict[str, Any] = {
            "run_id": f"00000000-0000-4000-8000-{number:012}",
            "kind": "sync",
            "started_at": at,
        }
        shelf.insert(
            "runs", run | {"source_id": source, "outcome": outcome, "error_kind": kind, "error": error}
        )
    columns = ("source", "outcome", "error_kind", "runs", "last_started_at", "last_error")
    assert told(shelf, answer_by, *columns) == [
        ("one", "failed", "login", 2, ago(0.1), "401"),
        ("one", "partial", "deadline", 1, ago(0.3), "cut"),
    ]
