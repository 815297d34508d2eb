"""Rows on a terminal, as JSON and as CSV: nothing lost for programs, nothing dangerous for people."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import click
import pytest
from rich.cells import cell_len

from catalog.report.terminal import Format, print_pairs, print_rows
from catalog.text import visible

MOMENT = datetime(2026, 3, 1, 14, 30, 5, tzinfo=timezone(timedelta(hours=2)))


class Coloured(io.StringIO):
    def isatty(self) -> bool:
        return True


class Terminal(Coloured):
    """Remembers what was printed, without its colours."""

    def getvalue(self) -> str:
        return click.unstyle(super().getvalue())


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


def test_a_table_in_a_pipe_aligns_numbers_right_and_says_moments_in_utc() -> None:
    lines = printed(
        ["name", "images", "last_seen_at", "ok"], [("a", 5, MOMENT, True), ("b", 1234, None, False)]
    )
    header, _, first, second = lines.splitlines()
    assert header.split() == ["name", "images", "last", "seen", "at", "ok"]
    assert first.split() == ["a", "5", "2026-03-01", "12:30Z", "yes"]
    assert first.index("5") == second.index("4"), "units stand below units"
    assert second.split() == ["b", "1234", "no"]


ID = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"
WIDE = "测试镜像" * 50


@pytest.mark.parametrize("width", ["20", "80"])
@pytest.mark.parametrize("columns", [1, 8, 40])
def test_nothing_is_wrapped_or_cut_where_standard_output_is_not_a_terminal(
    columns: int, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    rows = [(ID,) * columns, (WIDE,) * columns]
    lines = printed([f"a_long_name_{n}" for n in range(columns)], rows).splitlines()
    assert [line.split() for line in lines[2:]] == [[ID] * columns, [WIDE] * columns]
    assert len(lines) == 4


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("columns", range(1, 12))
def test_a_table_fits_the_terminal_and_breaks_no_id(
    columns: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = ["name", "image_id", "images", "owner", "seen_at", "run_id", "a", "b_id", "c", "d", "e"][:columns]
    long_id = "an-id-that-is-not-a-uuid-1234567890"
    values = {"image_id": ID, "images": 1234567890, "owner": ID, "seen_at": MOMENT, "run_id": UUID(int=7)}
    row = tuple(long_id if name.endswith("_id") else WIDE for name in names)
    text = printed(
        names, [tuple(values.get(name, v) for name, v in zip(names, row, strict=True))] * 3, stream=Terminal()
    )
    assert max(map(cell_len, text.splitlines())) <= width
    for name in names:
        if name == "b_id" or (name in values and name != "seen_at"):
            assert text.count(str(values.get(name, long_id))) >= 3, name
    assert "2026-03-01 " in text or "seen_at" not in names


def test_a_name_that_has_no_room_ends_in_an_ellipsis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "66")
    line = printed(["image_id", "name"], [(ID, "a-name-" * 9)], stream=Terminal()).splitlines()[2]
    assert line == f"{ID} a-name-a-name-a-name-a-name-…"
    wide = printed(["image_id", "name"], [(ID, "测" * 30)], stream=Terminal()).splitlines()[2]
    assert wide == f"{ID} {'测' * 14}…"


def test_columns_without_room_side_by_side_take_a_second_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = printed(["image_id", "name", "run_id"], [(ID, "web", UUID(int=1))], stream=Terminal())
    assert text.splitlines() == [
        f"{'image id':<36} name",
        "  run id",
        "─" * 41,
        f"{ID} web",
        f"  {UUID(int=1)}",
    ]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_names_that_begin_alike_are_told_apart_at_usual_widths(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row takes another line before a name is cut to where it says nothing."""
    monkeypatch.setenv("COLUMNS", str(width))
    columns = ["source", "name", "status", "visibility", "os", "created_at", "owner", "image_id"]
    names = ["Standard_Ubuntu_22.04_latest", "Standard_Ubuntu_24.04_latest", "x" * 70]
    rows = [("otc/eu-de", name, "active", "public", "ubuntu-22.04", MOMENT, "f" * 32, ID) for name in names]
    text = printed(columns, rows, stream=Terminal())
    assert all(name in text for name in names[:2])
    assert f"{'x' * 27}" in text
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_sentence_is_not_cut_where_another_line_has_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = "not listed; the look-up by id found nothing"
    row = (MOMENT, said, "sync", UUID(int=1))
    assert said in printed(["observed_at", "meaning", "kind", "run_id"], [row], stream=Terminal())


def test_a_text_that_no_line_has_room_for_is_cut_rather_than_set_in_many_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(["name", "tags", "image_id"], [("web", "t" * 500, ID)], stream=Terminal())
    assert len(text.splitlines()) == 3


def test_a_later_line_of_a_row_in_which_nothing_stands_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    rows = [(ID, None), ("other", UUID(int=1))]
    lines = printed(["image_id", "run_id"], rows, stream=Terminal()).splitlines()
    assert lines[3:] == [ID, "other", f"  {UUID(int=1)}"]


def test_a_terminal_gets_no_column_in_which_nothing_stands() -> None:
    rows = [("web", None, "", []), ("db", None, "", [])]
    assert printed(["name", "file", "note", "tags"], rows, stream=Terminal()).split() == [
        "name",
        "─" * 4,
        "web",
        "db",
    ]
    assert printed(["name", "file", "note", "tags"], rows).splitlines()[0] == "name file note tags"
    assert "name" in printed(["name"], [(None,)], stream=Terminal())


def test_sentences_are_broken_between_words_and_names_of_keys_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    print_pairs([("hw_disk_bus", "not listed; the look-up by id found nothing")], stream, keys=True)
    assert stream.getvalue().splitlines() == [
        "hw_disk_bus  not listed; the look-up by",
        "             id found nothing",
    ]


def test_a_terminal_says_moments_in_its_own_zone_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        summer = MOMENT.replace(month=7)
        head, _, *lines = printed(["at"], [(MOMENT,), (summer,)], stream=Terminal()).splitlines()
        assert (head, lines) == ("at (CEST/CET)", ["2026-03-01 13:30", "2026-07-01 14:30"])
        assert "2026-03-01 12:30Z" in printed(["at"], [(MOMENT,)])
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("format", ["table", "json", "jsonl", "csv"])
def test_rows_are_written_before_anything_is_said_elsewhere(format: Format) -> None:
    """Else an error on standard error stands amid them where both go to one file."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "utf-8")
    print_rows(["name"], [("web",)], format, stream)
    assert b"web" in raw.getvalue()


def test_many_rows_come_under_one_header() -> None:
    text = printed(["number"], [(n,) for n in range(4500)])
    assert text.count("number") == 1
    assert [int(line) for line in text.splitlines()[2:]] == list(range(4500))


def test_nothing_to_show_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(["a"], []) == "(no rows)\n"
    assert json.loads(printed(["a"], [], "json")) == []
    assert printed(["a"], [], "jsonl") == ""
    assert printed(["a", "b"], [], "csv") == "a,b\n"


def test_markup_in_a_name_is_text() -> None:
    assert "[bold]x[/] :smile:" in printed(["name"], [("[bold]x[/] :smile:",)])


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in printed(["a"], [("x",)])
    assert "\x1b[1m" in printed(["a"], [("x",)], stream=Coloured())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(["a"], [("x",)], stream=Coloured())


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


def test_json_lines_are_objects_one_per_line() -> None:
    lines = printed(NAMES, [VALUES, VALUES], "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(printed(NAMES, [VALUES, VALUES], "json"))


def test_json_keeps_every_character_yet_prints_none_that_acts_or_hides() -> None:
    name = "测试 \x1b[31m\u202e\u200b\x9b\u2028\x7f"
    text = printed(["name"], [(name,)], "json")
    assert json.loads(text) == [{"name": name}]
    assert "测试" in text
    assert all(c == "\n" or c.isprintable() for c in text)


def test_csv_keeps_every_character_for_programs_and_escapes_for_terminals() -> None:
    name = 'a,"b"\nc\x1b\u202e'
    assert list(csv.reader(io.StringIO(printed(["n"], [(name,)], "csv"), newline=""))) == [["n"], [name]]
    assert "\x1b" not in printed(["n"], [(name,)], "csv", Coloured())
    [_, row] = csv.reader(io.StringIO(printed(NAMES, [VALUES], "csv")))
    assert row[:5] == ["2026-03-01T12:30:05Z", "2026-03-01", "2.50", "7", str(UUID(int=1))]
    assert row[5:] == ['["x", "y"]', '{"k": [1, null]}', "", "true", "01ff"]


@pytest.mark.parametrize("lone", ["a\rb", "\r", "a\nb"])
def test_a_line_break_of_any_kind_inside_of_csv_is_quoted(lone: str) -> None:
    assert printed(["n"], [(lone,)], "csv") == f'n\n"{lone}"\n'


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1", "＝1", "\u00a0-1"]
)
def test_safe_csv_holds_no_formula(text: str) -> None:
    [_, [shown, *_]] = csv.reader(io.StringIO(printed(["n"], [(text,)], "safe-csv"), newline=""))
    assert shown == "'" + text
    [_, [plain]] = csv.reader(io.StringIO(printed(["n"], [(text,)], "csv"), newline=""))
    assert plain == text


def test_safe_csv_leaves_everything_else_as_it_is() -> None:
    rows = [("a=b", -1, Decimal("-2.5"), MOMENT, ["=x"], None)]
    assert printed(list("abcdef"), rows, "safe-csv") == printed(list("abcdef"), rows, "csv")


@pytest.mark.parametrize("format", ["table", "json", "jsonl", "csv", "safe-csv"])
def test_a_stream_that_cannot_hold_a_character_gets_an_escape(format: Format) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    print_rows(["name"], [("测试",)], format, stream)
    stream.flush()
    assert rb"\u6d4b\u8bd5" in raw.getvalue()


def test_a_long_column_gives_way_before_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(["short", "long"], [("0123456789012", "y" * 200)], stream=Terminal())
    assert "0123456789012" in text.splitlines()[2]
