"""A record that finds no room ends its pass, and nothing of what was read before it (semantics 4.1)."""

from __future__ import annotations

from contextlib import closing

import pytest

from catalog.deadline import Deadline
from catalog.fingerprint import fingerprint
from catalog.mapping import MappingRules
from catalog.store.state.stored_state import StoredState
from catalog.sync.buffer import ListingBuffer
from catalog.sync.spill_file import SpillError

STORED = b'{"id": "a", "updated_at": "2026-01-01T00:00:00Z"}'


def test_a_changed_copy_without_room_leaves_the_image_unchanged() -> None:
    known = StoredState(by_raw={fingerprint(STORED): "a"})
    with closing(ListingBuffer(known, MappingRules(), Deadline(10), spool_limit=8)) as buffer:
        buffer.add([STORED])
        with pytest.raises(SpillError):
            buffer.add([STORED.replace(b"2026", b"2027")])
        buffer.resolve_duplicates({"a": None})
        assert buffer.unchanged == {"a"}
        assert list(buffer.candidates(complete=False)) == []
