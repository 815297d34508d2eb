"""What becomes of records that could not all be mapped in time (semantics 4.5)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from catalog.deadline import Deadline
from catalog.errors import DeadlineError
from catalog.mapping import MappingRules
from catalog.store.state.stored_state import StoredState
from catalog.sync.buffer import LAST_SHARE, LEAST_SECONDS, ListingBuffer


@pytest.fixture
def late() -> Iterator[tuple[ListingBuffer, Deadline]]:
    """Two images that were listed and two that only look-ups found, read just before the deadline."""
    deadline = Deadline(10)
    buffer = ListingBuffer(StoredState(), MappingRules(), deadline)
    buffer.add([b'{"id": "z1"}', b'{"id": "z2"}'])
    buffer.add([b'{"id": "a1"}', b'{"id": "a2"}'], listed=False)
    deadline.ends = time.monotonic() + 10 * LAST_SHARE + LEAST_SECONDS / 2
    yield buffer, deadline
    buffer.close()


def test_of_a_complete_listing_only_what_look_ups_found_may_be_late(
    late: tuple[ListingBuffer, Deadline],
) -> None:
    buffer, _ = late
    merged = buffer.candidates(complete=True)
    assert [next(merged).image.image_id for _ in range(3)] == ["z1", "z2", "a1"]
    time.sleep(LEAST_SECONDS)
    assert list(merged) == []
    assert buffer.cut
    assert buffer.inconclusive == {"a2": "unanswered"}


def test_a_complete_listing_is_merged_as_a_whole_or_not_at_all(late: tuple[ListingBuffer, Deadline]) -> None:
    buffer, deadline = late
    deadline.ends = time.monotonic() + LEAST_SECONDS
    merged = buffer.candidates(complete=True)
    assert next(merged).image.image_id == "z1"
    time.sleep(LEAST_SECONDS)
    with pytest.raises(DeadlineError):
        next(merged)


def test_of_an_incomplete_listing_something_is_merged_however_late(
    late: tuple[ListingBuffer, Deadline],
) -> None:
    buffer, _ = late
    merged = buffer.candidates(complete=False)
    assert next(merged).image.image_id == "z1"
    time.sleep(LEAST_SECONDS)
    assert list(merged) == []
    assert buffer.cut
