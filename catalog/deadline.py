"""How long work on one source may take, and a way to be told to stop."""

from __future__ import annotations

import threading
import time

from catalog.errors import DeadlineError, Stopped


class Deadline:
    """How long a sweep may go on: a deadline on the monotonic clock, and a way to be told to stop.

    `seconds` counts from the moment of construction. `check` raises DeadlineError or Stopped.
    """

    def __init__(self, seconds: float, stop: threading.Event | None = None) -> None:
        self.seconds = seconds
        self.ends = time.monotonic() + seconds
        self.stop = stop or threading.Event()

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.ends - time.monotonic())

    def to_write(self) -> float:
        """Seconds that the database may take: what is left, and never less than a tenth, for what was read."""
        return max(self.remaining(), self.seconds / 10, 2.0)

    def check(self) -> None:
        if self.stop.is_set():
            raise Stopped("stopped before the listing ended; start it again to read the rest")
        if self.remaining() <= 0:
            raise self.passed()

    def passed(self) -> DeadlineError:
        return DeadlineError(f"deadline of {self.seconds:g} s passed; raise `deadline` if this is normal")
