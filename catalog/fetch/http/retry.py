"""When to ask again, and how long to wait before."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from catalog.errors import FetchError

_THROTTLED = frozenset({"APIG.0308", "IMG.0060"})
"""Codes of the gateway, and of the Image Management Service itself (flow control, with a 400)."""
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")  # a fraction is against the RFC, and sent all the same
_CODE = re.compile(rb'"(?:error_)?code"\s*:\s*"([A-Z]{2,8}\.\d{3,8})"')


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try again. Seconds.

    `attempts` bounds the tries after connection errors, cut bodies and 5xx; `throttled_attempts` those after
    a 429 that names no time. An answer that names one (Retry-After) is obeyed within the deadline.
    """

    attempts: int = 4
    throttled_attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 8.0

    def wait(self, failures: int) -> float:
        """Exponential back-off with jitter: between half and the whole of the step."""
        step = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 30))
        return step * random.uniform(0.5, 1.0)


@dataclass(eq=False)
class TryAgain(Exception):
    """An attempt failed in a way that may pass. `error` is what to raise when it does not.

    `too_large`: a gateway gave the answer up, so that a smaller one may come through.
    """

    error: FetchError
    after: float | None = None
    throttled: bool = False
    too_large: bool = False


class Tries:
    """The failed attempts at one thing, and how long to wait before the next one."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = self._throttles = self._gateways = 0

    @property
    def gateway_gave_up(self) -> bool:
        """Twice: the same question would only be given up again."""
        return self._gateways >= 2

    def pause(self, again: TryAgain, remaining: float) -> float:
        """Seconds to wait. Raises `again.error` where no other attempt is to be made.

        Nothing is asked again before the time that the other side names; one beyond what remains is not waited
        for at all.
        """
        self._gateways += again.too_large
        if again.throttled:
            self._throttles += 1
            given_up = again.after is None and self._throttles >= self._patience.throttled_attempts
        else:
            self._failures += 1
            given_up = self._failures >= self._patience.attempts
        wait = again.after or self._patience.wait(self._throttles + self._failures)
        if given_up or (again.throttled and wait >= remaining):
            raise again.error from again
        return wait


def error_code(body: bytes) -> str | None:
    """The business or gateway code of an error body (`IMG.0011`, `APIG.0308`); no more of it is trusted."""
    match = _CODE.search(body)
    return match[1].decode() if match else None


def is_throttled(status: int, headers: Mapping[str, str], code: str | None) -> bool:
    """429, a code that says so whatever its status, or a 503 that says when to come back."""
    return status == 429 or code in _THROTTLED or (status == 503 and "retry-after" in headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, in either form (RFC 9110, 10.2.3); None if it says nothing usable.

    A date is measured against the answer's own Date, so that a clock set wrong on either side does no harm.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _timestamp(value)
    if until is None:
        return None
    now = _timestamp(headers.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _timestamp(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
