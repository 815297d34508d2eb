"""JSON numbers as PostgreSQL's `numeric` keeps them, so that a document read back from jsonb maps alike.

jsonb keeps a number's value and the count of its decimals, but writes exponents out. So a number's
canonical form may depend on these two only, never on its spelling upstream: 1e2 is 100, -0 is 0. Except
where the number fills a text column (a version `6.10`), decimals that are zero are dropped too, because
jsonb holds 40 and 40.0 for equal and a revision that changes nothing would puzzle.

Long runs of zeros stay behind an exponent: else a hostile page of `1e131071` would grow ten-thousandfold.

A number outside `numeric` is kept as text, in one spelling of its exponent: `1e200000` as `1E+0200000`. The
zero is what tells it from delivered text (`3e712345`, a commit; `1E+200000`, a decimal's text in most
languages) when a document is mapped again: no library writes it, yet JSON and its readers take it.
"""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation

DIGITS_BEFORE_POINT = 131_072
"""Most digits before the decimal point in `numeric` (PostgreSQL manual, table "Numeric Types")."""
DIGITS_AFTER_POINT = 16_383
"""Most digits after the decimal point in `numeric` (the same table)."""
ZEROS_WRITTEN_OUT = 40
SMALLEST_BIGINT, LARGEST_BIGINT = -(1 << 63), (1 << 63) - 1

_WIDE = Context(prec=DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT, Emax=MAX_EMAX, Emin=MIN_EMIN)
_FIRST = frozenset("-0123456789")
_SPELLED = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?E[+-]0(?:[1-9][0-9]*)?")


def read_number(text: str) -> Decimal | str:
    """The number that `text` (JSON's grammar) spells; if `numeric` cannot hold it, its digits as text.

    That text has the exponent in the spelling that `is_outside_numeric` knows.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return _spell(text)
    return _spell(text) if not number.is_finite() or _is_outside(number) else number


def is_outside_numeric(text: str) -> bool:
    """True for what `read_number` makes of a number outside `numeric`: how such a number stands in documents."""
    if "E" not in text or text[0] not in _FIRST:
        return False
    return _SPELLED.fullmatch(text) is not None and isinstance(read_number(text), str)


def _spell(text: str) -> str:
    digits, _, exponent = text.replace("e", "E").partition("E")
    sign = "-" if exponent.startswith("-") else "+"
    return f"{digits}E{sign}0{exponent.lstrip('+-0')}"


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # JSON has no NaN and no infinity
    return exponent


def _is_outside(number: Decimal) -> bool:
    if -_exponent(number) > DIGITS_AFTER_POINT:
        return True
    return bool(number) and number.adjusted() >= DIGITS_BEFORE_POINT


def settle_number(number: int | Decimal, *, keep_decimals: bool) -> int | Decimal:
    """The canonical form of a number inside `numeric`: an int of 64 bits where that holds it, else a Decimal.

    `keep_decimals`: zeros at the end of a fraction count (6.10 is not 6.1), as in a text column.
    """
    if isinstance(number, int):
        if SMALLEST_BIGINT <= number <= LARGEST_BIGINT:
            return number
        number = Decimal(number)
    if not number:
        return abs(number) if keep_decimals and _exponent(number) < 0 else 0
    if keep_decimals and _exponent(number) < 0:
        return number
    stripped = number.normalize(_WIDE)
    if not 0 <= _exponent(stripped) <= ZEROS_WRITTEN_OUT:
        return stripped
    whole = stripped.quantize(Decimal(1), context=_WIDE)
    return int(whole) if SMALLEST_BIGINT <= whole <= LARGEST_BIGINT else whole


def number_text(number: int | Decimal) -> str:
    """A settled number as text, without exponent unless that would write out more than 40 zeros."""
    if isinstance(number, int):
        return str(number)
    zeros = max(_exponent(number), -number.adjusted() - 1)
    return format(number, "f") if zeros <= ZEROS_WRITTEN_OUT else str(number)
