"""When a source is swept next: by interval with jitter or by crontab in a zone; later while it keeps failing.

The database holds the next run (`sources.next_due_at`), this module computes it. Times come in and go out
with a zone; "now" is always the database's clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from catalog.config.crontab import Crontab
from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError
from catalog.model import RunResult
from catalog.store.db.connection import Connection, clock
from catalog.store.state import due_sources as store

JITTER = 0.05
"""Share of the interval by which a run may come earlier or later, so that sources spread out."""
LONGEST_JITTER = 30.0
"""Seconds."""
SHORTEST_INTERVAL = 0.001
"""Seconds."""
MANY = 100
"""Failures in a row after which back-off is at its longest."""
LONGEST_BACK_OFF = 3600.0
"""A failing source is swept at least this often (seconds), unless its own schedule is slower."""
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_HOURS_OF_A_WEEK = 7 * 24


class Gaps(NamedTuple):
    """Seconds between two regular times, at most. `usual`: while a crontab does not rest, over night or Sunday."""

    usual: float
    longest: float


@lru_cache(maxsize=256)  # many sources share one crontab
def _gaps_of(crontab: Crontab) -> Gaps:
    times = [_SOME_DAY]
    while len(times) <= 10 and (following := crontab.after(times[-1])):
        times.append(following)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    usual = max(gaps[1:] or gaps)
    # a rest is seen from each hour of a week
    hours = [_SOME_DAY + timedelta(hours=hour) for hour in range(_HOURS_OF_A_WEEK)]
    waits = [(due - hour).total_seconds() for hour in hours if (due := crontab.after(hour))]
    return Gaps(usual, max(usual, *waits))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A source's crontab, else its interval in seconds; with back-off for one that keeps failing."""

    interval: float
    crontab: Crontab | None
    gaps: Gaps
    changes: float | None = None
    """Seconds between changes-only sweeps; None: none are made."""

    @classmethod
    def of(cls, source: SourceSettings) -> Schedule:
        """Raises ConfigurationError for a crontab that can't be read, or whose time never comes."""
        if source.cron is None:
            gaps = Gaps(source.interval, source.interval)
            return cls(source.interval, None, gaps, source.changes_interval)
        try:
            crontab = Crontab.parse(source.cron, source.timezone)
        except ConfigurationError as error:
            raise ConfigurationError(f"source {source.name!r}: {error}") from None
        return cls(source.interval, crontab, _gaps_of(crontab), source.changes_interval)

    @property
    def expected_seconds(self) -> float:
        """Three times as long without a complete sweep, and the source is stale: no sooner than a rest allows."""
        usual, longest = self.gaps
        return usual if longest <= usual else usual + longest / 3

    def back_off(self, failures: int) -> float:
        """Seconds that a source waits after so many runs in a row that were not complete; 0 = as planned."""
        if failures < 2 or self.gaps.usual >= LONGEST_BACK_OFF:
            return 0.0
        return min(LONGEST_BACK_OFF, self.gaps.usual * 2.0 ** min(failures - 1, 30))

    def next_due(self, start: datetime, now: datetime, failures: int = 0) -> datetime:
        """When the source is due after a run that began at `start`, seen from `now`: never before `now`."""
        rest = start + timedelta(seconds=self.back_off(failures))
        if self.crontab is None:
            return max(rest, self._by_interval(start, now))
        due = self.crontab.after(now)
        if due is not None and due < rest:
            due = self.crontab.after(rest)
        assert due is not None, "Crontab.parse saw to it that the time comes"
        return due

    def _by_interval(self, start: datetime, now: datetime) -> datetime:
        """The next of the times that are whole intervals after `start`: missed ones are folded into one."""
        step = timedelta(seconds=max(self.interval, SHORTEST_INTERVAL))
        due = start + step * max(1, (now - start) // step + 1)
        return max(now, due + timedelta(seconds=_jitter(self.interval)))

    def latest(self, now: datetime) -> datetime:
        """No run that ends now sets a next run later than this, however often the source failed."""
        # this one's jitter may be the least, that one's the most
        return self.next_due(now, now, failures=MANY) + timedelta(seconds=2 * LONGEST_JITTER)

    @property
    def usual_wait(self) -> float:
        """Seconds; who waits longer may wait for a time that only a clock set back has made so far away.

        Or for one of an uneven crontab: `latest` tells.
        """
        return max(self.gaps.longest, LONGEST_BACK_OFF) + LONGEST_JITTER


def _jitter(interval: float) -> float:
    reach = min(interval * JITTER, LONGEST_JITTER)
    return random.uniform(-reach, reach)


class ChangesClaim:
    """A daemon's claim on the changes of a source: whoever moves their time on asks for them."""

    def __init__(self, interval: float) -> None:
        self._interval = interval

    def is_due(self, connection: Connection, source_id: str) -> bool:
        seconds = self._interval + _jitter(self._interval)
        return store.claim_changes(connection, source_id, seconds)

    def done(self, connection: Connection, source_id: str, run: RunResult) -> None:
        """Waits longer where changes can't be read: as long as they could not be read yet."""
        if run.outcome != "complete":
            store.postpone_changes(connection, source_id, self._interval, LONGEST_BACK_OFF)


class ScheduledClaim:
    """A daemon's claim on one due sweep: the database decides under the lease, and is told the next time.

    `current` gives the schedule as configured when the run ends. `due_at`, `failures`: what was written.
    """

    def __init__(self, current: Callable[[], Schedule]) -> None:
        self._current = current
        self.due_at: datetime | None = None
        self.failures = 0

    def is_due(self, connection: Connection, source_id: str) -> bool:
        """False: another daemon was faster, or the source was retired."""
        return store.is_due(connection, source_id)

    def done(self, connection: Connection, source_id: str, run: RunResult) -> None:
        """Sets the next time, in the transaction that closes the run's row."""
        if run.stopped:
            return  # still due, for the next daemon or our restart
        now = clock(connection)
        schedule = self._current()
        self.failures = store.failures(connection, source_id)
        self.due_at = schedule.next_due(run.started_at or now, now, self.failures)
        changes = None
        if schedule.changes is not None:
            changes = now + timedelta(seconds=schedule.changes + _jitter(schedule.changes))
        store.set_due(connection, source_id, self.due_at, changes, schedule.expected_seconds)
