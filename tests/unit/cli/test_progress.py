"""The bar on a terminal: what is said meanwhile, and how it looks on light and dark grounds."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest

from catalog.cli.failures import say_error, say_warning
from catalog.cli.output import COLOURS, say
from catalog.cli.progress import counting, reading


class Terminal(io.TextIOWrapper):
    """As the standard streams are: text before bytes."""

    def __init__(self) -> None:
        self.shown = io.BytesIO()
        super().__init__(self.shown, "utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.shown.getvalue().decode()


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output and standard error are one terminal from now on, to the end of the test."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


@pytest.mark.parametrize("speak", [say, say_warning, say_error])
def test_what_is_said_while_a_bar_stands_gets_a_line_of_its_own(
    speak: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal(monkeypatch)
    with counting("sources", 3) as advance:
        advance(1)
        speak("lab is away")
    before, found, after = terminal.text().partition("lab is away")
    assert found
    line = re.sub(r"(warning|error): $", "", before)
    assert line.endswith("\x1b[2K"), "the bar is erased first"
    assert after.startswith("\n")


def contrasts(place: int) -> list[float]:
    """One of 256 colours against white and black, as WCAG 2 reckons."""
    assert place >= 16, "the first colours are the terminal's own, and may be anything"
    levels = [(0, 95, 135, 175, 215, 255)[(place - 16) // step % 6] / 255 for step in (36, 6, 1)]
    red, green, blue = (((level + 0.055) / 1.055) ** 2.4 if level > 0.04 else 0.0 for level in levels)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return [1.05 / (light + 0.05), (light + 0.05) / 0.05]


def test_colours_are_read_on_white_and_on_black(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with reading(3) as (advance, watch):
        watch("lab", 5)
        advance(1)
    for colour in COLOURS.values():
        assert min(contrasts(colour)) >= 3.5, colour
    text = re.sub(r"\x1b\[[0-9;]*m[━╸╺]+", "", terminal.text())
    assert "lab" in text
    assert "\x1b[3" not in text, "words and figures have the terminal's own colour"
