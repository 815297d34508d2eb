"""A polite end: the first SIGINT or SIGTERM asks for it, the second is deadly as always."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class PoliteStop:
    """Inside the `with` block signals set `asked` instead of ending the process. Main thread only."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._signal: int | None = None
        self._before: dict[signal.Signals, object] = {}

    @property
    def exit_code(self) -> int | None:
        """128 + the signal, as shells count; None while there was none."""
        return None if self._signal is None else 128 + self._signal

    def __enter__(self) -> PoliteStop:
        self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        self.asked.set()
        for again in self.SIGNALS:
            signal.signal(again, signal.SIG_DFL)
