"""What becomes of records that could not all be mapped in time (semantics 4.5)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from catalog.errors import DeadlineError
from catalog.mapping import MappingRules
from catalog.model import Budget
from catalog.store.state.stored_state import StoredState
from catalog.sync.buffer import LAST_SHARE, LEAST_SECONDS, Intake


@pytest.fixture
def late() -> Iterator[tuple[Intake, Budget]]:
    """Two images that were listed and two that only look-ups found, read just before the deadline."""
    budget = Budget(10)
    intake = Intake(StoredState(), MappingRules(), budget)
    intake.add([b'{"id": "z1"}', b'{"id": "z2"}'])
    intake.add([b'{"id": "a1"}', b'{"id": "a2"}'], listed=False)
    budget.ends = time.monotonic() + 10 * LAST_SHARE + LEAST_SECONDS / 2
    yield intake, budget
    intake.close()


def test_of_a_complete_listing_only_what_look_ups_found_may_be_late(late: tuple[Intake, Budget]) -> None:
    intake, _ = late
    merged = intake.candidates(complete=True)
    assert [next(merged).image.image_id for _ in range(3)] == ["z1", "z2", "a1"]
    time.sleep(LEAST_SECONDS)
    assert list(merged) == []
    assert intake.cut
    assert intake.silent == {"a2": "unanswered"}


def test_a_complete_listing_is_merged_as_a_whole_or_not_at_all(late: tuple[Intake, Budget]) -> None:
    intake, budget = late
    budget.ends = time.monotonic() + LEAST_SECONDS
    merged = intake.candidates(complete=True)
    assert next(merged).image.image_id == "z1"
    time.sleep(LEAST_SECONDS)
    with pytest.raises(DeadlineError):
        next(merged)


def test_of_an_incomplete_listing_something_is_merged_however_late(late: tuple[Intake, Budget]) -> None:
    intake, _ = late
    merged = intake.candidates(complete=False)
    assert next(merged).image.image_id == "z1"
    time.sleep(LEAST_SECONDS)
    assert list(merged) == []
    assert intake.cut
