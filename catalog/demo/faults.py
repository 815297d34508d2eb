"""Answers that go wrong at chosen requests: the demo server's seam for tests, which bring the faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog.demo.answers import Answer, Request, Service


@dataclass(slots=True)
class Exchange:
    """One request to be answered badly: the raw way out, and what the healthy service would say."""

    request: Request
    service: Service
    write: Callable[[bytes], None]
    stopping: threading.Event
    close: bool = False
    """Set: the connection ends after this exchange."""

    def send(self, answer: Answer, length: int | None = None) -> None:
        """The answer with a Content-Length, its own if none is given."""
        self.write(head(answer, {"Content-Length": str(len(answer.body) if length is None else length)}))
        self.write(answer.body)

    def healthy(self) -> Answer:
        return self.service(self.request)


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class _Planned:
    fault: Fault
    at: int | None
    when: Callable[[Request], bool] | None
    left: int | None


@dataclass(slots=True)
class Faults:
    """Faults in wait. The first that fits a request is played instead of the answer."""

    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        fault: Fault,
        *,
        at: int | None = None,
        when: Callable[[Request], bool] | None = None,
        times: int | None = 1,
    ) -> None:
        """Plans a fault.

        `at`: from the n-th request to the server on, counted from 1; `when`: only requests that it accepts;
        `times`: how often, None for ever.
        """
        with self._lock:
            self._planned.append(_Planned(fault, at, when, times))

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, number: int, request: Request) -> Fault | None:
        """The fault to play at this request, if any; it is used up."""
        with self._lock:
            for planned in self._planned:
                fits = (planned.at is None or number >= planned.at) and planned.left != 0
                if fits and (planned.when is None or planned.when(request)):
                    if planned.left is not None:
                        planned.left -= 1
                    return planned.fault
        return None


def head(answer: Answer, more: dict[str, str] | None = None) -> bytes:
    """The status line and headers of an answer."""
    lines = [
        f"HTTP/1.1 {answer.status} -",
        *(f"{k}: {v}" for k, v in {**answer.headers, **(more or {})}.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
