"""Rows on a terminal, as JSON and as CSV: nothing lost for programs, nothing dangerous for people."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from catalog.report.terminal import Format, print_rows
from catalog.text import visible

MOMENT = datetime(2026, 3, 1, 14, 30, 5, tzinfo=timezone(timedelta(hours=2)))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(
    columns: list[str],
    rows: list[tuple[Any, ...]],
    format: Format = "table",
    stream: io.StringIO | None = None,
) -> str:
    stream = stream or io.StringIO()
    print_rows(columns, rows, format, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Übung 测试 😀", "Übung 测试 😀"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("bell\a\nline\rback\b", r"bell\x07\nline\rback\x08"),
        ("c1\x9b31m", r"c1\x9b31m"),
        ("a\u202eb\u2066c\u200fd", r"a\u202eb\u2066c\u200fd"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("split\u2028line", r"split\u2028line"),
        ("tag\U000e0041", r"tag\U000e0041"),
    ],
)
def test_what_acts_on_a_terminal_or_hides_in_it_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_table_aligns_numbers_right_and_says_moments_in_utc() -> None:
    lines = printed(
        ["name", "images", "last_seen_at", "ok"], [("a", 5, MOMENT, True), ("b", 1234, None, False)]
    )
    header, _, first, second = lines.splitlines()
    assert header.split() == ["name", "images", "last", "seen", "at", "ok"]
    assert first.split() == ["a", "5", "2026-03-01", "12:30Z", "yes"]
    assert first.index("5") == second.index("4"), "units stand below units"
    assert second.split() == ["b", "1234", "no"]


@pytest.mark.parametrize("columns", range(1, 16))
def test_a_table_fits_into_80_columns_and_loses_nothing(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    uuid = "0123456789abcdef-0123456789abcdef-xyz"
    text = printed([f"column_{n}" for n in range(columns)], [(uuid,) * columns, ("测试镜像" * 8,) * columns])
    assert max(len(line) + sum(ord(c) > 0x2E80 for c in line) for line in text.splitlines()) <= 80
    for character in set(uuid):
        assert text.count(character) >= uuid.count(character) * columns
    assert text.count("镜") == 8 * columns


def test_many_rows_come_under_one_header() -> None:
    text = printed(["number"], [(n,) for n in range(4500)])
    assert text.count("number") == 1
    assert [int(line) for line in text.splitlines()[2:]] == list(range(4500))


def test_nothing_to_show_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(["a"], []) == "(no rows)\n"
    assert json.loads(printed(["a"], [], "json")) == []
    assert printed(["a", "b"], [], "csv") == "a,b\n"


def test_markup_in_a_name_is_text() -> None:
    assert "[bold]x[/] :smile:" in printed(["name"], [("[bold]x[/] :smile:",)])


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in printed(["a"], [("x",)])
    assert "\x1b[1m" in printed(["a"], [("x",)], stream=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(["a"], [("x",)], stream=Terminal())


VALUES = (
    MOMENT,
    date(2026, 3, 1),
    Decimal("2.50"),
    Decimal(7),
    UUID(int=1),
    ["x", "y"],
    {"k": [1, None]},
    None,
    True,
    b"\x01\xff",
)
NAMES = list("abcdefghij")


def test_json_is_an_array_of_objects_with_moments_in_utc() -> None:
    [row] = json.loads(printed(NAMES, [VALUES], "json"))
    assert row == {
        "a": "2026-03-01T12:30:05Z",
        "b": "2026-03-01",
        "c": 2.5,
        "d": 7,
        "e": "00000000-0000-0000-0000-000000000001",
        "f": ["x", "y"],
        "g": {"k": [1, None]},
        "h": None,
        "i": True,
        "j": "01ff",
    }


def test_json_keeps_every_character_yet_prints_none_that_acts_or_hides() -> None:
    name = "测试 \x1b[31m\u202e\u200b\x9b\u2028\x7f"
    text = printed(["name"], [(name,)], "json")
    assert json.loads(text) == [{"name": name}]
    assert "测试" in text
    assert all(c == "\n" or c.isprintable() for c in text)


def test_csv_keeps_every_character_for_programs_and_escapes_for_terminals() -> None:
    name = 'a,"b"\nc\x1b\u202e'
    assert list(csv.reader(io.StringIO(printed(["n"], [(name,)], "csv"), newline=""))) == [["n"], [name]]
    assert "\x1b" not in printed(["n"], [(name,)], "csv", Terminal())
    [_, row] = csv.reader(io.StringIO(printed(NAMES, [VALUES], "csv")))
    assert row[:5] == ["2026-03-01T12:30:05Z", "2026-03-01", "2.50", "7", str(UUID(int=1))]
    assert row[5:] == ['["x", "y"]', '{"k": [1, null]}', "", "true", "01ff"]


@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_a_stream_that_cannot_hold_a_character_gets_an_escape(format: Format) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    print_rows(["name"], [("测试",)], format, stream)
    stream.flush()
    assert rb"\u6d4b\u8bd5" in raw.getvalue()


def test_a_long_column_gives_way_before_short_ones() -> None:
    text = printed(["short", "long"], [("0123456789012", "y" * 200)])
    assert "0123456789012" in text.splitlines()[2]
