"""A listing's body is taken apart without decoding its records, whatever it holds."""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import BadListingError
from catalog.fetch.http.body import CutBodyError, read_body
from catalog.fetch.listing.page import read_page, usable_id
from catalog.text import without_unstorable_escapes

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(ANY_JSON, max_size=6), st.booleans())
def test_records_of_any_shape_come_back_as_they_were_sent(records: list[object], ascii_only: bool) -> None:
    sent = [json.dumps(record, ensure_ascii=ascii_only).encode() for record in records]
    sheet = read_page(b'{"images": [' + b", ".join(sent) + b"]}")
    assert [bytes(record) for record in sheet.records] == sent
    assert len(sheet.ids) == len(sheet.keys()) == len(sent)


@pytest.mark.parametrize("deep", [b"[]", b"[" * 200_000 + b"]" * 200_000], ids=["flat", "deep"])
def test_a_page_of_two_lists_is_none(deep: bytes) -> None:
    """A decoder would keep the last list alone. A record's own keys may have that name."""
    record = b'{"id": "a", "x": "images", "images": {"images": %s}}' % deep
    page = b'{"next": "x", "images": [%s], "first": "y"}' % record
    assert read_page(page).ids == ["a"]
    for more in (b'"images": [%s]' % record, b'"images": []', b'"images" : [], "links": []'):
        with pytest.raises(BadListingError, match="`images` twice"):
            read_page(b'{"images": [%s], ' % record + more + b"}")


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_bad_listing(body: bytes) -> None:
    for text in (body, b'{"images": [' + body + b"]}"):
        with contextlib.suppress(BadListingError):
            assert isinstance(read_page(text).records, list)


@given(st.lists(st.sampled_from(["\\", "\\\\", "u", "ud83d", "\\ud83d", "\\ude00", "\\n", "x", "ufffd"])))
def test_half_pairs_are_mended_and_all_else_is_left(parts: list[str]) -> None:
    """Against Python's own decoder, which lets half pairs through."""
    text = '{"id": "' + "".join(parts) + '"}'
    try:
        expected = json.loads(text)["id"]
    except ValueError:
        return
    sheet = read_page(b'{"images": [' + text.encode() + b"]}")
    whole = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in expected)
    assert json.loads(bytes(sheet.records[0]))["id"] == whole


@pytest.mark.parametrize("value", ['""', "7", "null", '"' + "x" * 256 + '"', "[]"])
def test_an_id_is_text_of_1_to_255_characters(value: str) -> None:
    assert usable_id(b'{"id": ' + value.encode() + b"}") is None
    assert usable_id(b"{}") is None
    assert usable_id(b'{"id": "' + b"x" * 255 + b'"}') == "x" * 255


@pytest.mark.parametrize("size", range(1, 31))
def test_a_body_cut_anywhere_is_told_from_a_bad_one(size: int) -> None:
    body = b'{"images": [{"id": "a"}, true]}'
    with pytest.raises(CutBodyError):
        read_page(body[:size])


def test_a_bomb_is_noticed_before_it_is_in_memory() -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    tracemalloc.start()
    with pytest.raises(BadListingError):
        read_body([bomb], "gzip", 1_000_000, 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_gzip_members_one_after_another_are_one_body() -> None:
    body = gzip.compress(b"a" * 600_000) + gzip.compress(b"b")
    chunks = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert read_body(chunks, "GZIP", 10_000, 700_000) == b"a" * 600_000 + b"b"
    with pytest.raises(CutBodyError):
        read_body([body[:-4]], "gzip", 10_000, 700_000)
    with pytest.raises(BadListingError, match="after inflation"):
        read_body([body], "gzip", 10_000, 599_999)
    with pytest.raises(BadListingError, match="on the wire"):
        read_body([b"x" * 11], "", 10, 10)


def test_a_page_of_too_many_values_or_records_is_refused_undecoded() -> None:
    full = b'{"images": [' + b",".join([b'{"id": "a", "k": [' + b"{}," * 99 + b"{}]}"] * 9_999) + b"]}"
    with pytest.raises(BadListingError, match="1,000,000 values"):
        read_page(full)
    with pytest.raises(BadListingError, match=r"10,001 records"):
        read_page(b'{"images": [' + b"0," * 10_000 + b"0]}")
    text = b"a,[{" * 500_000
    assert read_page(b'{"images": [{"id": "a", "k": "' + text + b'"}]}').ids == ["a"]
    with pytest.raises(BadListingError, match="1,000,000 values"):
        read_page(b'{"images": [{"id": "a", "k": ["' + b'","' * 1_100_000 + b'"]}]}')


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (r"\ud83d\ude00", r"\ud83d\ude00"),
        (r"\ud83d", r"\ufffd"),
        (r"\\ud83d", r"\\ud83d"),
        (r"\ude00\ud83d", r"\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00x", r"\ufffd\ud83d\ude00x"),
        (r"\n\ud83dx\u00e9", r"\n\ufffdx\u00e9"),
        ("x\\", "x\\"),
        (r"\ud8", r"\ud8"),
        (r"\\\udc00", r"\\\ufffd"),
        ("", ""),
        (r"a\u0000b\\u0000", r"a\ufffdb\\u0000"),
    ],
)
def test_half_a_surrogate_pair_becomes_the_replacement_character(text: str, mended: str) -> None:
    assert without_unstorable_escapes(text.encode()) == mended.encode()
