"""Durations and moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from catalog.cli.parameters import duration, history_period, moment, past


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1.5h", timedelta(minutes=90)),
        ("400d", timedelta(days=400)),
        ("2w", timedelta(days=14)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "10 minutes", "-5m", "1e9999d", "99999999999d", "900000d", "٣m"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a duration"):
        duration(text)


@pytest.mark.parametrize(("text", "days"), [("400d", 400), (" 7d ", 7), ("52w", 364), ("1.5w", 10.5)])
def test_a_period_of_history_is_in_days_or_weeks(text: str, days: float) -> None:
    assert history_period(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "6m", "720h", "86400s", "400", "d", "-7d", "365001d", "7 days"])
def test_a_shorter_unit_or_none_is_no_period_of_history(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected days or weeks"):
        history_period(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T08:00", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T08:00Z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T08:00:00+02:00", datetime(2026, 11, 25, 6, tzinfo=UTC)),
        ("20261125T080000Z", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("20261125", datetime(2026, 11, 25, tzinfo=UTC)),
    ],
)
def test_a_moment_without_a_zone_is_utc(text: str, expected: datetime) -> None:
    assert moment(text) == expected


def test_a_moment_may_be_so_long_ago() -> None:
    before = datetime.now(UTC)
    assert before - timedelta(days=7) <= moment("7d") <= datetime.now(UTC) - timedelta(days=7)


def test_what_was_then_cannot_be_asked_of_the_future() -> None:
    assert past("1h") == pytest.approx(datetime.now(UTC) - timedelta(hours=1), abs=timedelta(minutes=1))
    with pytest.raises(click.BadParameter, match="in the future"):
        past((datetime.now(UTC) + timedelta(days=1)).isoformat())


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "99999999d", "0001-01-01T00:00+23:59"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text)
