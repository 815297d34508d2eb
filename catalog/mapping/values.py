"""Conversions of single values to the types of columns. Each returns None for what it cannot convert."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from catalog.fields import Conversion
from catalog.mapping.numbers import number_text

BITS: dict[Conversion, int] = {"integer": 31, "bigint": 63}
"""Of whole numbers, without their sign."""
_SURELY_64_BITS = 19
"""Fewer digits than this make a number of 63 bits at most."""
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?")
_BOOLEANS = {"true": True, "True": True, "false": False, "False": False}
_BOOLEAN_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:(?:[Tt]| +)(\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?)?"
    r" ?(?:[Zz]|UTC|([+-]\d\d):?(\d\d)?)?",
    re.ASCII,
)


def text(value: object) -> str | None:
    """Text as it is; a number or a boolean as its JSON text; a list or an object is no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value) if isinstance(value, int | Decimal) else None


def integer(value: object) -> int | None:
    """A whole number of 32 bits, also as text or with a fraction of zeros."""
    return _whole(value, BITS["integer"])


def bigint(value: object) -> int | None:
    """A whole number of 64 bits, also as text or with a fraction of zeros."""
    return _whole(value, BITS["bigint"])


def _whole(value: object, bits: int) -> int | None:
    if type(value) is str and len(value) < _SURELY_64_BITS and value.isascii() and value.isdigit():
        value = int(value)
    elif type(value) is str:
        match = _INTEGER.fullmatch(value) or _INTEGER.fullmatch(value.strip())
        if match is None:
            return None
        value = int(match[1] + match[2])
    # settled numbers are ints wherever they are whole and small enough; a boolean is no number
    return value if type(value) is int and -(1 << bits) <= value < 1 << bits else None


def boolean(value: object) -> bool | None:
    """A JSON boolean, 1 or 0, or one of true, false, yes, no, 1, 0 as text in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        known = _BOOLEANS.get(value)
        return _BOOLEAN_WORDS.get(value.strip().lower()) if known is None else known
    return value == 1 if isinstance(value, int) and value in (0, 1) else None


def timestamp(value: object) -> datetime | None:
    """A moment in UTC: `Z`, an offset or no zone at all (= UTC), T or a blank, digits past microseconds cut.

    None also for what no calendar holds: year 0, 31 February, a shift beyond the years 1 to 9999.
    """
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 20 and value[10] == "T" and value[19] == "Z" and value[4] == "-" == value[7]:
            return datetime.fromisoformat(value)
        match = _TIMESTAMP.fullmatch(value.strip())
        if match is None:
            return None
        day, minute, second, fraction, hours, minutes = match.groups()
        clock = f"{minute or '00:00'}{second or ':00'}.{(fraction or '')[:6]:0<6}"
        zone = f"{hours}:{minutes or '00'}" if hours else "+00:00"
        return datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


CONVERSIONS: dict[Conversion, tuple[Callable[[object], object], str]] = {
    "text": (text, "no text"),
    "integer": (integer, "no whole number of 32 bits"),
    "bigint": (bigint, "no whole number of 64 bits"),
    "boolean": (boolean, "neither true nor false"),
    "timestamp": (timestamp, "no point in time"),
}
"""By conversion of `catalog.fields`: the function, and what is said of a value that it cannot convert."""
