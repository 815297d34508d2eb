"""Conversions of single values to the types of columns.

Each returns None for a value that says nothing, and raises ValueError for one that it can't convert.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from catalog.fields import Conversion
from catalog.mapping.numbers import number_text

BITS: dict[Conversion, int] = {"integer": 31, "bigint": 63}
"""Of whole numbers, without their sign."""
_SURELY_64_BITS = 19
"""Fewer digits than this make a number of 63 bits at most."""
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?")
_BOOLEANS: dict[object, bool] = {
    **dict.fromkeys((1, "true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys((0, "false", "f", "no", "n", "off", "0"), False),
}
"""Those of OpenStack's own libraries."""
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:(?:[Tt]| *)(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    # a zone; after it may stand its name, as Go and Java write it
    r" ?(?:(?:[Zz]|UTC|GMT|([+-]\d\d):?(\d\d)?)(?: (?:[A-Z]{1,5}|[+-]\d{4}))?(?:\[[\w/+:-]+\])?)?",
    re.ASCII,
)
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [\w :-]+ (?:GMT|UTC|[+-]?\d{4})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_SINCE_1970 = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_BASIC_LENGTHS = 8, 14
"""Digits of a date, and of a date and a time, in ISO's basic form without separators."""
_FAR = 10**11
"""Seconds: the year 5138. A number from here on means milliseconds."""
_YEAR_9999 = 253_370_764_800
"""Its first second. Some services write its last one for "never", a day later where that is of a zone in the west."""
_FIRST_YEAR, _LAST_YEAR = 1971, 9998


def text(value: object) -> str:
    """Text as it is; a number or a boolean as its JSON text; a list or an object is not text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return number_text(value)
    raise ValueError


def whole(value: object, bits: int) -> int | None:
    """A whole number of so many bits, also as text or with a fraction of zeros. A negative one says nothing."""
    if type(value) is str and len(value) < _SURELY_64_BITS and value.isascii() and value.isdigit():
        value = int(value)
    elif type(value) is str:
        match = _INTEGER.fullmatch(value.strip())
        value = int(match[1] + match[2]) if match else None
    # canonical numbers are ints wherever they are whole and small enough; a boolean is not a number
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise ValueError
    return value if value >= 0 else None


def boolean(value: object) -> bool:
    """A JSON boolean, 1 or 0, or a word such as true, yes, on, 1 as text in any case."""
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str | int) and word in _BOOLEANS:
        return _BOOLEANS[word]
    raise ValueError


def timestamp(value: object) -> datetime | None:
    """A point in time in UTC; None if it is before 1971 or from the year 9999 on: a time that was never set.

    ISO 8601 extended or basic (T or a blank, `Z`, an offset or no zone at all = UTC, leap seconds, 24:00,
    digits past microseconds cut), HTTP dates, and seconds or milliseconds since 1970.
    """
    if type(value) is str:
        if len(value) == 20 and value[10] == "T" and value[19] == "Z" and value[4] == "-" == value[7]:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                pass
            else:
                return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
        value = value.strip()
    try:
        read = _read_time(value)
    except OverflowError:
        raise ValueError from None
    return read if read is not None and _FIRST_YEAR <= read.year <= _LAST_YEAR else None


def _read_time(value: object) -> datetime | None:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _since_1970(value)
    if not isinstance(value, str):
        raise ValueError
    if _SECONDS_SINCE_1970.fullmatch(value) and not (value.isdigit() and len(value) in _BASIC_LENGTHS):
        return _since_1970(Decimal(value))
    match = _ISO.fullmatch(value)
    if match is None:
        if not _HTTP_DATE.fullmatch(value):
            raise ValueError
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    year, month, day, hour, minute, second, micros, zone_hours, zone_minutes = match.groups("0")
    if int(year) < _FIRST_YEAR - 1:
        return None
    clock = int(hour) * 3600 + int(minute) * 60 + int(second)
    if int(minute) > 59 or int(second) > 60 or clock > 24 * 3600:
        raise ValueError
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_hours[0] + zone_minutes))
    since = timedelta(seconds=clock, microseconds=int(f"{micros[:6]:0<6}"))
    return datetime(int(year), int(month), int(day), tzinfo=UTC) + since - offset


def _since_1970(number: int | Decimal) -> datetime | None:
    if number < 0 or _YEAR_9999 <= number < _YEAR_9999 + 366 * 86400:
        return None  # before it is taken for milliseconds of 1978
    micros = int(number * 1_000_000) // (1 if number < _FAR else 1000)
    return _EPOCH + timedelta(microseconds=micros) if micros < _YEAR_9999 * 1_000_000 else None


CONVERSIONS: dict[Conversion, tuple[Callable[[Any], object], str]] = {
    "text": (text, "not text"),
    "integer": (partial(whole, bits=BITS["integer"]), "not a whole number of 32 bits"),
    "bigint": (partial(whole, bits=BITS["bigint"]), "not a whole number of 64 bits"),
    "boolean": (boolean, "neither true nor false"),
    "timestamp": (timestamp, "not a point in time"),
}
"""By conversion of `catalog.fields`: the function, and what is said of a value that it can't convert."""
