"""When a source is due next: intervals, crontabs across daylight saving, back-off."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.config.crontab import Crontab
from catalog.config.settings import SourceSettings
from catalog.daemon.schedule import LONGEST_BACK_OFF, Schedule
from catalog.errors import ConfigurationError

SOURCE = SourceSettings(name="moon", kind="glance", endpoint="http://127.0.0.1", auth="none")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def by_interval(seconds: float) -> Schedule:
    return Schedule.of(dataclasses.replace(SOURCE, interval=seconds))


def by_cron(text: str, zone: str = "UTC") -> Schedule:
    return Schedule.of(dataclasses.replace(SOURCE, cron=text, timezone=zone))


def times(schedule: Schedule, start: datetime, count: int) -> list[datetime]:
    """The regular times after `start`, each as seen from the one before."""
    found = []
    for _ in range(count):
        start = schedule.next_due(start, start)
        found.append(start)
    return found


def local(moments: list[datetime], zone: str) -> list[str]:
    return [moment.astimezone(ZoneInfo(zone)).strftime("%d %H:%M") for moment in moments]


def test_an_interval_counts_from_the_start_of_the_run_with_a_little_jitter() -> None:
    schedule = by_interval(600)
    due = [schedule.next_due(NOON, NOON + timedelta(seconds=40)) - NOON for _ in range(200)]
    assert all(timedelta(seconds=570) <= wait <= timedelta(seconds=630) for wait in due)
    assert len(set(due)) > 100


@given(st.floats(0.5, 1e6), st.floats(0, 1e7))
def test_missed_times_are_folded_into_one(interval: float, late: float) -> None:
    """However late a run ends, the next one lies in the future, and no further than one interval."""
    now = NOON + timedelta(seconds=late)
    due = by_interval(interval).next_due(NOON, now)
    assert now <= due <= now + timedelta(seconds=interval * 1.06 + 0.001)


def test_a_daily_run_takes_place_once_on_the_day_that_lacks_its_hour() -> None:
    """Berlin, 29 March 2026: 02:00 to 03:00 does not exist; the run comes when that hour would be over."""
    schedule = by_cron("30 2 * * *", "Europe/Berlin")
    start = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert local(times(schedule, start, 4), "Europe/Berlin") == [
        "28 02:30",
        "29 03:00",
        "30 02:30",
        "31 02:30",
    ]


def test_a_daily_run_in_the_missing_hour_is_still_ahead_just_before_the_clocks_are_set() -> None:
    schedule = by_cron("30 2 * * *", "Europe/Berlin")
    just_before = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)  # 01:59:59 in Berlin
    assert schedule.next_due(just_before, just_before) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_time_that_comes_twice_is_over_once_it_has_come() -> None:
    """Asked between the two: the daemon's restart at 02:10 of the second round makes no second run."""
    schedule = by_cron("30 2 * * *", "Europe/Berlin")
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert schedule.next_due(between, between) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_daily_run_takes_place_once_on_the_day_that_has_its_hour_twice() -> None:
    """Berlin, 25 October 2026: 02:30 comes at 00:30 and at 01:30 UTC; the first one counts."""
    schedule = by_cron("30 2 * * *", "Europe/Berlin")
    found = times(schedule, datetime(2026, 10, 24, 12, tzinfo=UTC), 3)
    assert found == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 27, 1, 30, tzinfo=UTC),
    ]


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.sampled_from([datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 28, tzinfo=UTC)]),
)
def test_a_daily_run_takes_place_once_a_local_day(minute: int, hour: int, zone: str, start: datetime) -> None:
    """Whatever the time and the place, forty days that hold a change of the clocks have forty runs."""
    found = times(by_cron(f"{minute} {hour} * * *", zone), start, 40)
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in found]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 39


@pytest.mark.parametrize("text", ["*/15 * * * *", "30 * * * *"])
@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)]
)
def test_where_every_hour_counts_time_goes_on_as_it_passes(text: str, day: datetime) -> None:
    found = times(by_cron(text, "Europe/Berlin"), day, 40)
    gaps = {later - earlier for earlier, later in pairwise(found)}
    assert len(gaps) == 1


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("0", {"Sun"}),
        ("1-7", {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}),
        ("7", {"Sun"}),
        ("1-5", {"Mon", "Tue", "Wed", "Thu", "Fri"}),
        ("5-7", {"Fri", "Sat", "Sun"}),
        ("mon,3", {"Mon", "Wed"}),
        ("*/2", {"Sun", "Tue", "Thu", "Sat"}),
        ("sat", {"Sat"}),
    ],
)
def test_weekdays_are_numbered_as_crontab_numbers_them(weekdays: str, expected: set[str]) -> None:
    found = times(by_cron(f"0 6 * * {weekdays}"), NOON, 14)
    assert {moment.strftime("%a") for moment in found} == expected


def test_a_day_of_the_month_and_a_weekday_are_either_enough() -> None:
    """As crontab(5) has it: the first of the month, and every Monday."""
    found = times(by_cron("0 0 1 * 1"), datetime(2026, 6, 20, tzinfo=UTC), 4)
    assert [moment.strftime("%d %a") for moment in found] == ["22 Mon", "29 Mon", "01 Wed", "06 Mon"]


@pytest.mark.parametrize(
    "text", ["", "* * * *", "61 * * * *", "0 0 * * 8", "x * * * *", "0 0 30 2 *", "0 0 3 * * *", "@daily"]
)
def test_a_crontab_that_cannot_be_kept_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"moon.*cron"):
        by_cron(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("*/10 * * * *", 600), ("0 3 * * *", 86_400), ("0 6 * * 1-5", 3 * 86_400), ("0 0 1 * *", 31 * 86_400),
     ("*/5 9-17 * * 1-5", 300 + 63 * 3600 / 3)],
)  # fmt: skip
def test_the_expected_interval_of_a_crontab_is_its_longest_gap(text: str, seconds: float) -> None:
    """Where it rests over night or Sunday, three of them are just longer than the rest: else it would be called
    stale each night."""
    assert by_cron(text).expected_seconds == seconds


def test_a_crontab_that_rests_backs_off_by_its_usual_gap() -> None:
    plan = by_cron("*/5 9-17 * * 1-5")
    assert [plan.back_off(failures) for failures in (1, 2, 3, 9)] == [0, 600, 1200, 3600]


def test_a_source_that_keeps_failing_is_swept_less_and_less_often_up_to_once_an_hour() -> None:
    schedule = by_interval(300)
    waits = [
        (schedule.next_due(NOON, NOON + timedelta(seconds=1), n) - NOON).total_seconds() for n in range(9)
    ]
    assert all(abs(wait - 300) <= 15 for wait in waits[:2])
    assert waits[2:] == [600, 1200, 2400, 3600, 3600, 3600, 3600]
    assert schedule.back_off(10_000) == LONGEST_BACK_OFF


def test_back_off_never_makes_a_slow_schedule_slower() -> None:
    """One run a night stays one run a night, also across a day of 23 hours."""
    schedule = by_cron("30 4 * * *", "Europe/Berlin")
    before = datetime(2026, 3, 28, 3, 30, tzinfo=UTC)
    assert schedule.next_due(before, before, failures=7) == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def test_back_off_keeps_to_the_times_of_a_crontab() -> None:
    due = by_cron("*/10 * * * *").next_due(NOON, NOON + timedelta(seconds=5), failures=3)
    assert due == NOON + timedelta(minutes=50)


@given(
    seconds=st.floats(0.5, 200_000),
    start=st.timedeltas(timedelta(0), timedelta(days=365)),
    took=st.floats(0, 10_000),
    failures=st.integers(0, 40),
    text=st.sampled_from([None, "*/5 9-17 * * 1-5", "30 2 * * *", "0 0 31 * *"]),
)
def test_no_appointment_lies_behind_the_latest(
    seconds: float, start: timedelta, took: float, failures: int, text: str | None
) -> None:
    """So that what does was made by a clock that was ahead of today's."""
    schedule = by_interval(seconds) if text is None else by_cron(text, "Europe/Berlin")
    began = NOON + start
    now = began + timedelta(seconds=took)
    assert schedule.next_due(began, now, failures) <= schedule.latest(now)


def test_a_crontab_is_compared_by_its_text_and_zone() -> None:
    """So that a configuration read again without a change changes nothing."""
    assert Crontab.parse("0 3 * * *", "UTC") == Crontab.parse("0 3 * * *", "UTC")
    assert Crontab.parse("0 3 * * *", "UTC") != Crontab.parse("0 3 * * *", "Europe/Berlin")
