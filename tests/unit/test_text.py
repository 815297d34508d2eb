"""Text from outside: what is stored, shown and counted."""

import json

import pytest

from catalog.text import has_too_many_values, outline, short


@pytest.mark.parametrize("body", ["[{},{},{}]", "[[],[],[]]", '{"a":1,"b":2,"c":3,"d":4}', "[1.5,null,0,0]"])
def test_values_are_counted_without_decoding(body: str) -> None:
    assert has_too_many_values(body.encode(), 3)
    assert not has_too_many_values(body.encode(), 8)


def test_commas_and_brackets_inside_of_texts_are_no_values() -> None:
    assert not has_too_many_values(json.dumps({"a": ',[{"\\' * 100_000}).encode(), 10)


def test_the_outline_of_an_object_has_null_for_what_is_nested() -> None:
    raw = b'{"a":[1,{"b":[2]}],"id":"x}[","n":NaN,"o":{"p":{}},"z":-Infinity}'
    assert json.loads(outline(raw)) == {"a": None, "id": "x}[", "n": None, "o": None, "z": None}


def test_a_long_text_is_cut_and_made_safe_to_show() -> None:
    assert short("a" * 100, 10) == "a" * 10 + "..."
    assert short("\x1b[1m\u202e", 10) == r"\x1b[1m\u202e"
    assert short("grün", 10) == "grün"
