"""Answers that still hold are given again: between two sweeps people ask for the same pages."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from catalog.store.db.connection import Connection
from catalog.store.state import leases
from catalog.web.answers import Answer

LARGEST_BYTES = 64 * 2**20
"""Of all answers that are kept; those that were not asked for longest go first."""
LONGEST_SECONDS = 60
"""An answer is made anew in each minute, as some change by the time alone: an announced date comes."""


class Cache:
    """Answers by their question, each with what was known when it was made. Any thread may use it."""

    def __init__(self, largest_bytes: int = LARGEST_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[object, Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, connection: Connection, question: str, make: Callable[[], Answer]) -> Answer:
        """The answer that `make` gives or gave. `connection`: in a transaction that sees one moment, so that an answer
        and the version beside it are of the same."""
        version = leases.version(connection)
        if version is None:
            return make()
        known = (version, time.time() // LONGEST_SECONDS)
        with self._lock:
            kept = self._kept.get(question)
            if kept is not None and kept[0] == known:
                self._kept.move_to_end(question)
                return kept[1]
        made = make()
        if len(made.content) > self._largest_bytes:
            return made
        with self._lock:
            self._drop(question)
            self._kept[question] = (known, made)
            self._bytes += len(made.content)
            while self._bytes > self._largest_bytes:
                self._drop(next(iter(self._kept)))
        return made

    def _drop(self, question: str) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self._bytes -= len(kept[1].content)
