"""Retry-After, error codes, back-off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.fetch.http.retry import Patience, error_code, is_throttled, retry_after

DATE = "Wed, 04 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1.5.2", None),
        ("Wed, 04 Mar 2026 10:00:30 GMT", 30.0),
        ("Wed, 04 Mar 2026 09:00:00 GMT", 0.0),
        ("Wednesday, 04-Mar-26 10:00:30 GMT", 30.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("9" * 4000, None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_both_forms_against_the_answers_own_clock(
    value: str, seconds: float | None
) -> None:
    assert retry_after({"retry-after": value, "date": DATE}) == seconds


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_makes_it_fail(value: str, date: str) -> None:
    seconds = retry_after({"retry-after": value, "date": date})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"message": "m", "code": "IMG.0011"}}', "IMG.0011"),
        (b'{"error_code":"APIG.0308","error_msg":"slow"}', "APIG.0308"),
        (b'{"code": 404, "title": "Not Found"}', None),
        (b'{"code": "tok3n"}', None),
        (b"<html>", None),
    ],
)
def test_only_the_code_of_an_error_body_is_taken(body: bytes, code: str | None) -> None:
    assert error_code(body) == code


def test_what_counts_as_throttling() -> None:
    assert is_throttled(429, {}, None)
    assert is_throttled(400, {}, "APIG.0308")
    assert is_throttled(503, {"retry-after": "1"}, None)
    assert not is_throttled(503, {}, None)
    assert not is_throttled(400, {}, "IMG.0011")


@given(st.integers(1, 10_000))
def test_back_off_grows_to_its_bound_and_stays_there(failures: int) -> None:
    patience = Patience(first_wait=0.5, longest_wait=8.0)
    assert 0.25 <= patience.wait(failures) <= 8.0
