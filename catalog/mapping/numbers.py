"""JSON numbers in one spelling, so that a document read back from jsonb maps alike.

jsonb keeps a number's value and the count of its decimals, but writes exponents out. So a number's
canonical form may depend on these two only, never on its spelling upstream: 1e2 is 100, -0 is 0. Except
where the number fills a text column (a version `6.10`), decimals that are zero are dropped too, because
jsonb holds 40 and 40.0 for equal and a revision that changes nothing would puzzle.

A number beyond float64's range, or of more than a thousand decimals, is text: few readers of JSON take it. Its
spelling is that of `decimal.Decimal` (1E+400), which some forms of saved listings come through (`fetch.files.records`).
"""

from __future__ import annotations

import math
from decimal import Context, Decimal

MOST_DECIMALS = 1000
LONGEST_NUMBER = 1400
"""Characters of a number written out: 309 before the point, a thousand after it, and signs."""
ZEROS_WRITTEN_OUT = 40
"""Longer runs of zeros stay behind an exponent: else a hostile page of `1e300` would grow sixtyfold."""
SMALLEST_BIGINT, LARGEST_BIGINT = -(1 << 63), (1 << 63) - 1
_LARGEST = 1 << 1024
_EXACT = Context(prec=LONGEST_NUMBER)


def read_number(spelling: str) -> Decimal | str:
    """The number that this text (JSON's grammar) spells, or text if it can't stay a number."""
    if len(spelling) > LONGEST_NUMBER or math.isinf(value := float(spelling)):
        return _respelt(spelling)
    if not value and any(digit in "123456789" for digit in spelling.lower().partition("e")[0]):
        return _respelt(spelling)
    number = Decimal(spelling) if value or len(spelling) < 10 else Decimal(spelling.lower().partition("e")[0])
    return str(number) if -_exponent(number) > MOST_DECIMALS else number


def _respelt(spelling: str) -> str:
    try:
        return str(Decimal(spelling))
    except ArithmeticError:  # an exponent of twenty digits
        return spelling


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # JSON has neither NaN nor infinity
    return exponent


def canonical_number(number: int | Decimal, *, keep_decimals: bool) -> int | Decimal | str:
    """An int of 64 bits where that holds the number, else a Decimal; text beyond float64's range.

    `keep_decimals`: zeros at the end of a fraction count (6.10 is not 6.1), as in a text column.
    """
    if isinstance(number, int):
        if SMALLEST_BIGINT <= number <= LARGEST_BIGINT:
            return number
        if abs(number) >= _LARGEST:
            return str(number)
        number = Decimal(number)
    if keep_decimals and _exponent(number) < 0:
        return number if number else abs(number)
    if not number:
        return 0
    stripped = number.normalize(_EXACT)
    if not 0 <= _exponent(stripped) <= ZEROS_WRITTEN_OUT:
        return stripped
    whole = int(stripped)
    return whole if SMALLEST_BIGINT <= whole <= LARGEST_BIGINT else Decimal(whole)


def number_text(number: int | Decimal) -> str:
    """A canonical number as text, without exponent unless that would write out more than 40 zeros."""
    if isinstance(number, int):
        return str(number)
    zeros = max(_exponent(number), -number.adjusted() - 1)
    return format(number, "f") if zeros <= ZEROS_WRITTEN_OUT else str(number)
