"""Runs a piece of work in a thread of its own, which ends when its time is over, whatever the other side does.

A socket's time-out counts from byte to byte: a server that drips them holds a reader for ever, and the
resolver knows no time-out at all. So requests run in a thread, and who waits for it watches the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from catalog.deadline import Deadline
from catalog.errors import Stopped

T = TypeVar("T")

WATCH_SECONDS = 0.2
"""Seconds between two looks at the clock while waiting."""
GRACE_SECONDS = 1.0
"""Seconds that a thread gets to notice that its connection was cut, before it is left to itself."""


MERGE_SHARE = 0.1
"""Of the deadline; whatever reads from the network ends before it."""


class DeadlineTask(Deadline):
    """A share of a sweep's deadline: it ends `reserve` seconds earlier, and when nobody wants its result."""

    def __init__(self, whole: Deadline, reserve: float = 0.0) -> None:
        self.seconds = whole.seconds
        self.ends = whole.ends - reserve
        self.stop = whole.stop
        self._cancelled = threading.Event()

    @classmethod
    def before_merge(cls, whole: Deadline) -> DeadlineTask:
        """All but the tenth of a sweep's deadline that is left to the merge (semantics 4.5)."""
        return cls(whole, reserve=whole.seconds * MERGE_SHARE)

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def over(self) -> bool:
        return self._cancelled.is_set() or self.stop.is_set() or self.remaining() <= 0

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Stopped("given up: nobody waits for this answer any more")
        super().check()

    def sleep(self, seconds: float) -> None:
        """Waits in small steps, so that a cancelled task ends as soon as one whose sweep was stopped."""
        until = time.monotonic() + seconds
        self.check()
        while (left := min(until - time.monotonic(), self.remaining())) > 0:
            self.stop.wait(min(left, WATCH_SECONDS))
            self.check()
        self.check()


class BackgroundCall(Generic[T]):
    """Work under way. `cut` breaks the connections that the work may be reading from."""

    def __init__(self, work: Callable[[], T], task: DeadlineTask, cut: Callable[[], None]) -> None:
        self._task = task
        self._cut = cut
        self._future: Future[T] = Future()
        # A daemon thread: one that hangs in the resolver must not keep a stopped process alive.
        threading.Thread(target=self._run, args=(work,), name="catalog-fetch", daemon=True).start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._future.set_result(work())
        except BaseException as error:
            self._future.set_exception(error)

    def result(self) -> T:
        """The work's result or its error; DeadlineError or Stopped when the task is over first."""
        while not self._done_within(min(WATCH_SECONDS, self._task.remaining())):
            if self._task.over and not self._done_after_cut():
                self._task.check()
        return self._future.result()

    def give_up(self) -> None:
        """Ends the work and waits a moment for its thread."""
        self._task.cancel()
        if not self._future.done():
            self._done_after_cut()

    def _done_after_cut(self) -> bool:
        """Cuts again and again: the thread may be just about to connect when the first cut comes."""
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until:
            self._cut()
            if self._done_within(GRACE_SECONDS / 20):
                return True
        return False

    def _done_within(self, seconds: float) -> bool:
        return bool(wait([self._future], seconds).done)
