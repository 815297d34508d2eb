"""A polite end: the first SIGINT or SIGTERM asks for it, the second is deadly as always."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stopping:
    """`exit_code`: 128 + the signal, as shells count; None while there was none."""

    asked: threading.Event = field(default_factory=threading.Event)
    exit_code: int | None = None


@contextmanager
def polite_stop() -> Iterator[Stopping]:
    """Inside the `with` block signals set `asked` instead of ending the process. Main thread only."""
    stopping = Stopping()

    def ask(number: int, frame: FrameType | None) -> None:
        stopping.exit_code = 128 + number
        stopping.asked.set()
        for again in SIGNALS:
            signal.signal(again, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
