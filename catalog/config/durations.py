"""Durations as people write them, in the configuration and on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds."""
LONGEST_DAYS = 365_000
"""Nothing takes longer, and so long ago or ahead is still a date."""


def duration_seconds(value: int | float | str) -> float | None:
    """Seconds of `10m`, `90s`, `1.5h`, `400d`, `2w`; a number alone is seconds.

    None: not a duration, a negative one, or one of more than LONGEST_DAYS.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw]?)\s*", value)
        if match is None:
            return None
        value = float(match[1]) * UNITS[match[2] or "s"]
    return float(value) if 0 <= value <= LONGEST_DAYS * UNITS["d"] else None


def moment(text: str, now: datetime) -> datetime:
    """A date or time by ISO 8601, in UTC where no zone is given; or a duration: so long before `now`.

    Raises ValueError, which says what is expected.
    """
    try:
        if text.strip()[-1:].isalpha() and (ago := duration_seconds(text)) is not None:
            return now - timedelta(seconds=ago)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "a date, a time such as 2026-11-25T08:00Z, or how long ago, such as 7d"
        raise ValueError(f"expected {expected}; found {text!r}") from None
