"""Long iterables in lists of bounded length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many items, the last one of fewer; none is kept here once the next is asked for."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part
        del part
