"""When a source is swept next: by interval with jitter or by crontab in a zone; later while it keeps failing.

The database holds the appointment (`sources.next_due_at`), this module computes it. Times come in and go out
with a zone; "now" is always the database's clock.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from catalog.errors import ConfigurationError
from catalog.model import RunResult
from catalog.settings import SourceSettings
from catalog.store import schedule as store
from catalog.store.database import Connection, clock

JITTER = 0.05
"""Share of the interval by which a run may come earlier or later, so that sources spread out."""
LONGEST_JITTER = 30.0
"""Seconds."""
MANY = 100
"""Failures in a row after which back-off is at its longest."""
LONGEST_BACK_OFF = 3600.0
"""A failing source is swept at least this often (seconds), unless its own schedule is slower."""
_SHIFT = timedelta(hours=3)
"""No clock is set forward or back by more than this."""
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""By crontab's numbers, 7 included; APScheduler's own numbers begin with Monday."""


class Gaps(NamedTuple):
    """Seconds between two regular times, at most. `usual`: while a crontab does not rest, over night or Sunday."""

    usual: float
    longest: float


class Plan(Protocol):
    """The regular times of a source, without jitter and back-off."""

    def after(self, start: datetime, now: datetime) -> datetime | None:
        """The first time later than `now`; `start`: when the last run began."""
        ...

    def gaps(self) -> Gaps: ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds, counted from the start of a run; missed times are folded into one."""

    seconds: float

    def after(self, start: datetime, now: datetime) -> datetime:
        from apscheduler.triggers.interval import IntervalTrigger

        trigger = IntervalTrigger(seconds=self.seconds, start_date=start, timezone=UTC)
        following: datetime = trigger.get_next_fire_time(None, now + timedelta(microseconds=1))
        reach = min(self.seconds * JITTER, LONGEST_JITTER)
        return max(now, following + timedelta(seconds=random.uniform(-reach, reach)))

    def gaps(self) -> Gaps:
        return Gaps(self.seconds, self.seconds)


@dataclass(frozen=True, slots=True)
class Crontab:
    """Five fields as crontab(5) reads them, by the wall clock of a zone.

    Clocks set forward: a time that the day lacks comes as much later. Clocks set back: a time that the day
    has twice counts once, the first; only where every hour counts (`*`) time goes on as it passes.
    """

    text: str
    zone: ZoneInfo
    triggers: tuple[Any, ...] = field(repr=False, compare=False)
    """APScheduler's, any of which may fire. In UTC, which stands for the wall clock; in the zone if every
    hour counts, where APScheduler goes on as time passes."""

    @classmethod
    def parse(cls, text: str, zone: str) -> Crontab:
        """Raises ConfigurationError for fields that crontab would not read, or a time that never comes."""
        from apscheduler.triggers.cron import CronTrigger

        try:
            minute, hour, day, month, weekday = text.split()
            days = [(day, _named_weekdays(weekday))]
            if not day.startswith("*") and not weekday.startswith("*"):
                # crontab(5): if both are restricted, either is enough
                days = [(day, "*"), ("*", _named_weekdays(weekday))]
            clock_of = ZoneInfo(zone) if hour == "*" else UTC
            triggers = tuple(
                CronTrigger(minute=minute, hour=hour, day=d, month=month, day_of_week=w, timezone=clock_of)
                for d, w in days
            )
        except ValueError as error:
            raise ConfigurationError(f'cron: expected five fields such as "0 3 * * *": {error}') from None
        crontab = cls(text, ZoneInfo(zone), triggers)
        if crontab.after(_SOME_DAY, _SOME_DAY) is None:
            raise ConfigurationError(f"cron: expected a time that comes; {text!r} never does")
        return crontab

    @property
    def every_hour(self) -> bool:
        return self.text.split()[1] == "*"

    def after(self, start: datetime, now: datetime) -> datetime | None:
        if self.every_hour:
            later = now + timedelta(microseconds=1)
            found = (
                trigger.get_next_fire_time(None, later.astimezone(self.zone)) for trigger in self.triggers
            )
            return min((moment.astimezone(UTC) for moment in found if moment is not None), default=None)
        return min((m for t in self.triggers for m in self._moments(t, now) if m > now), default=None)

    def _moments(self, trigger: Any, now: datetime) -> Iterator[datetime]:
        """Moments around `now` and the first clearly later one; clock changes may swap neighbours."""
        wall = now.astimezone(self.zone).replace(tzinfo=UTC, fold=0)
        reading = wall - _SHIFT
        while True:
            reading = trigger.get_next_fire_time(None, reading + timedelta(microseconds=1))
            if reading is None:
                return
            # fold=0: the first of two equal readings; one that the day lacks is as much later
            yield reading.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
            if reading > wall + _SHIFT:
                return

    def gaps(self) -> Gaps:
        return _gaps_of(self)


@lru_cache(maxsize=256)  # many sources keep one plan, and office hours take a tenth of a second
def _gaps_of(plan: Crontab) -> Gaps:
    moment, gaps = _SOME_DAY, []
    for _ in range(10):
        following = plan.after(moment, moment)
        if following is None:
            break
        gaps.append((following - moment).total_seconds())
        moment = following
    usual = max(gaps[1:] or gaps)
    # a rest is seen from each hour of a week
    hours = [_SOME_DAY + timedelta(hours=hour) for hour in range(_HOURS_OF_A_WEEK)]
    waits = [(due - hour).total_seconds() for hour in hours if (due := plan.after(hour, hour))]
    return Gaps(usual, max(usual, *waits))


_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_HOURS_OF_A_WEEK = 7 * 24


def _named_weekdays(text: str) -> str:
    """Crontab's weekday numbers (0 and 7 are Sunday) as names, ranges written out."""
    return ",".join(_named_part(part) for part in text.split(","))


def _named_part(part: str) -> str:
    span, _, step = part.partition("/")
    if span == "*" and not step:
        return "*"
    first, _, last = ("0-6" if span == "*" else span).partition("-")
    if not first.isdigit():
        return part
    numbers = range(int(first), int(last or (6 if step else first)) + 1, int(step or 1))
    if not numbers or numbers[-1] >= len(_WEEKDAYS):
        raise ValueError(f"{part!r} is no day of the week: 0 to 7, or names")
    return ",".join(dict.fromkeys(_WEEKDAYS[number] for number in numbers))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A source's plan, with back-off for one that keeps failing."""

    plan: Plan
    gaps: Gaps

    @classmethod
    def of(cls, source: SourceSettings) -> Schedule:
        """Raises ConfigurationError for a crontab that can't be read, or whose time never comes."""
        plan: Plan = Interval(source.interval)
        if source.cron is not None:
            try:
                plan = Crontab.parse(source.cron, source.timezone)
            except ConfigurationError as error:
                raise ConfigurationError(f"source {source.name!r}: {error}") from None
        return cls(plan, plan.gaps())

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
        due = self.plan.after(start, now)
        if due is not None and due < rest:
            due = self.plan.after(rest, rest) if isinstance(self.plan, Crontab) else rest
        assert due is not None, "Crontab.parse saw to it that the time comes"
        return due

    def latest(self, now: datetime) -> datetime:
        """No run that ends now makes an appointment later than this, however often the source failed."""
        # this one's jitter may be the least, that one's the most
        return self.next_due(now, now, failures=MANY) + timedelta(seconds=2 * LONGEST_JITTER)

    @property
    def usual_wait(self) -> float:
        """Seconds; who waits longer may wait for a time that only a clock set back has made so far away.

        Or for one of an uneven crontab: `latest` tells.
        """
        return max(self.gaps.longest, LONGEST_BACK_OFF) + LONGEST_JITTER


class Appointment:
    """A daemon's claim on one due sweep: the database decides under the lease, and is told the next time.

    `current` gives the schedule as configured when the run ends. `due_at`, `failures`: what was written.
    """

    def __init__(self, current: Callable[[], Schedule], stop: threading.Event) -> None:
        self._current = current
        self._stop = stop
        self.due_at: datetime | None = None
        self.failures = 0

    def is_due(self, connection: Connection, source_id: str) -> bool:
        """False: another daemon was faster, or the source was retired."""
        return store.is_due(connection, source_id)

    def done(self, connection: Connection, source_id: str, run: RunResult) -> None:
        """Sets the next time, in the transaction that closes the run's row."""
        if self._stop.is_set() and run.outcome != "complete":
            return  # cancelled by us: still due, for the next daemon or our restart
        now = clock(connection)
        schedule = self._current()
        self.failures = store.failures(connection, source_id)
        self.due_at = schedule.next_due(run.started_at or now, now, self.failures)
        store.set_due(connection, source_id, self.due_at, schedule.expected_seconds)
