"""Durations as people write them, in the configuration and on the command line."""

from __future__ import annotations

import re

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
