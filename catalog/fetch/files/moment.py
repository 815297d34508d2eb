"""Reads from a file's name when its listing was taken (semantics 7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE = re.compile(
    r"(?<![0-9])(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"|(?P<bmonth>[0-9]{2})(?P<bday>[0-9]{2}))(?![0-9])"
)
# two digits after a dash may as well number a page
_ZONE = (
    r"(?P<zone>[Zz](?![A-Za-z])|\+(?:0[0-9]|1[0-4])(?::?(?:00|15|30|45))?"
    r"|-(?:0[0-9]|1[0-4]):?(?:00|15|30|45))?(?![0-9])"
)
_TIMES = tuple(
    re.compile(form + _ZONE)
    for form in (
        # colons can't stand in every file name: dots, dashes and low lines in their place are understood ...
        (
            r"[Tt_ -](?P<hour>[0-9]{2})(?P<mark>[-_.:]?)(?P<minute>[0-9]{2})(?P=mark)(?P<second>[0-9]{2})"
            r"(?![0-9])(?:[.,](?P<fraction>[0-9]{1,9})(?![0-9]))?"
        ),
        # ... but not where a dash may as well begin the zone, a dot a fraction, and four digits number a page
        r"(?:[Tt]|[_ -](?=..[:h]))(?P<hour>[0-9]{2})[:h]?(?P<minute>[0-9]{2})(?![:0-9])",
        r"[Tt](?P<hour>[0-9]{2})(?![:_-]?[0-9])",
    )
)
_UNREAD = re.compile(
    r"[A-Za-z+[]|[.,:][0-9]|-[0-9]{2}(?![0-9])|[ _-]?[A-Z]{2,4}T(?![A-Za-z])|[ _.-]*[AaPp]\.?[Mm](?![A-Za-z])"
    r"|[ _]+(?:\+|-[0-9]{2}:?(?:[0-9]{2})?(?![0-9]))"
)
"""After a time: more of it (a zone's name, a page or a zone, a fraction of a minute, half of a day, a zone that stands
apart, as `date '+%F %T %z'` writes it)."""
_UNREAD_TIME = re.compile(
    r"[^0-9A-Za-z]*(?:[TtHh]|[Aa][Tt])?[^0-9A-Za-z]*(?:[0-9]{2}|[0-9](?:[-_.:h][0-9]|[ _.-]*[AaPp]\.?[Mm](?![A-Za-z])))"
    r"|[Tt][0-9]"
)
"""After a date: a time is meant, but none that can surely be read."""


def date_in_name(name: str) -> datetime | None:
    """The one point in time (ISO 8601, basic or extended) that a file's name holds, in UTC.

    Without a zone it is UTC, a date alone is its midnight. None if the name holds none, more than one, or a time that
    can't be read for sure: better none than a wrong one.
    """
    moments: set[datetime | None] = set()
    for match in _DATE.finditer(name):
        try:
            year, month, day = match["year"], match["month"] or match["bmonth"], match["day"] or match["bday"]
            date = datetime(int(year), int(month), int(day), tzinfo=UTC)
        except ValueError:
            continue
        moments.add(_moment(date, name[match.end() :]))
    return moments.pop() if len(moments) == 1 else None


def _moment(day: datetime, rest: str) -> datetime | None:
    time = next(filter(None, (form.match(rest) for form in _TIMES)), None)
    if time is None:
        return None if _UNREAD_TIME.match(rest) else day
    if time["zone"] is None and _UNREAD.match(rest, time.end()):
        return None
    parts = {name: value for name, value in time.groupdict().items() if value}
    clock = f"{parts['hour']}:{parts.get('minute', '00')}:{parts.get('second', '00')}.{parts.get('fraction', '0')}"
    try:
        return datetime.fromisoformat(f"{day.date()}T{clock}{parts.get('zone', 'Z').upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
