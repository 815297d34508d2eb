"""Whatever a cloud sends is stored if it can be held, and rejected with a reason if it cannot."""

import hashlib
import json
from decimal import Decimal

import pytest
from mapping_records import RULES, capability, column, mapped, mapped_json, properties

from catalog.errors import CatalogError
from catalog.mapping import MappingRules, Rejected, map_document, map_record, peek, rejected_text

MARK = "\ufffd"


@pytest.mark.parametrize("record", [b'"oops"', b"5", b"null", b"true", b"[]", b'[{"id":"a"}]'])
def test_a_record_that_is_no_object_is_rejected(record: bytes) -> None:
    with pytest.raises(Rejected, match="not an object") as rejected:
        map_record(record, RULES)
    assert rejected.value.image_id is None
    assert isinstance(rejected.value, CatalogError)


@pytest.mark.parametrize("unusable", ["", None, 5, 1.5, True, [], {}, ["a"], "x" * 256, "x" * 5_000_000])
def test_a_record_without_usable_id_is_rejected(unusable: object) -> None:
    record = json.dumps({"id": unusable, "name": "n"}).encode()
    with pytest.raises(Rejected, match="no usable id"):
        map_record(record, RULES)
    assert peek(record)[0] is None
    with pytest.raises(Rejected, match="no usable id"):
        map_record(b'{"name":"n"}', RULES)


@pytest.mark.parametrize("usable", ["x", " ", "x" * 255, "\u00e9" * 255, "no-uuid", "http://u@h/"])
def test_any_text_of_1_to_255_characters_is_an_id(usable: str) -> None:
    record = json.dumps({"id": usable, "updated_at": "2026"}).encode()
    image = map_record(record, RULES)
    assert image.image_id == json.loads(image.document)["id"] == usable
    assert peek(record) == (usable, "2026")


@pytest.mark.parametrize("record", [b"", b" ", b"{", b'{"id":"a"', b'{"id":"a",}', b"\xff", b"{'id':'a'}"])
def test_a_record_that_is_no_json_is_rejected(record: bytes) -> None:
    with pytest.raises(Rejected, match="not JSON"):
        map_record(record, RULES)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_record_with_nan_is_no_json_but_its_id_is_found(constant: str) -> None:
    with pytest.raises(Rejected, match="not JSON") as rejected:
        map_record(f'{{"x":{constant},"id":"a","y":[{constant}]}}'.encode(), RULES)
    assert rejected.value.image_id == "a"


@pytest.mark.parametrize("depth", [201, 900, 90_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_record_nested_too_deeply_is_rejected_with_its_id(depth: int, opening: str, closing: str) -> None:
    record = f'{{"x":{opening * depth}1{closing * depth},"updated_at":"t","id":"a"}}'.encode()
    with pytest.raises(Rejected, match="nested too deeply") as rejected:
        map_record(record, RULES)
    assert rejected.value.image_id == "a"
    assert peek(record) == ("a", "t")


def test_two_hundred_levels_are_held() -> None:
    image = mapped_json(f'"x":{"[" * 200}{"]" * 200}')
    assert image.properties == (("x", "[" * 200 + "]" * 200),)


def test_a_million_brackets_are_rejected() -> None:
    with pytest.raises(Rejected, match="too large"):
        map_record(b"[" * 1_000_000, RULES)
    assert peek(b"[" * 1_000_000) == (None, None)


def test_a_record_of_more_than_100_000_values_is_rejected_undecoded() -> None:
    for value in (b"1", b"{}", b"[]", b"1.5", b'{"a":[]}'):
        with pytest.raises(Rejected, match="more than 100,000 values") as rejected:
            map_record(b'{"id":"a","x":[' + (value + b",") * 100_000 + b"1]}", RULES)
        assert rejected.value.image_id == "a"
    assert mapped(x=[0] * 99_000).properties
    assert mapped(x="," * 200_000).properties


def test_a_document_of_over_16_mib_is_rejected_with_its_id() -> None:
    with pytest.raises(Rejected, match="too large for a document: more than 16 MiB") as rejected:
        mapped(x="x" * 17_000_000)
    assert rejected.value.image_id == "image-1"
    assert mapped(x="x" * 16_000_000).properties == (("x", '"' + "x" * 16_000_000 + '"'),)


def test_numbers_that_jsonb_would_write_out_beyond_the_bound_are_rejected() -> None:
    with pytest.raises(Rejected, match="too large"):
        mapped_json(f'"x":[{",".join(["1e300"] * 60_000)}]')


@pytest.mark.parametrize(
    ("escaped", "stored"),
    [
        (r"a\u0000b", f"a{MARK}b"), (r"\ud83d", MARK), (r"\ude00", MARK), (r"\ude00\ud83d", MARK * 2),
        (r"\ud83d\ud83d\ude00", MARK + "\U0001f600"), (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83dA", MARK + "A"),
        (r"\\u0000", r"\u0000"), (r"\\\u0000", "\\" + MARK), (r"\uD83D\u0041", MARK + "A"),
        (r"\\ud83d", r"\ud83d"),
        ("\\\"\\u0000", '"' + MARK),
    ],
)  # fmt: skip
def test_characters_that_postgresql_cannot_hold_are_replaced_the_same_way_everywhere(
    escaped: str, stored: str
) -> None:
    record = (
        f'{{"id":"{escaped}","name":"{escaped}","tags":["{escaped}"],"x{escaped}":["{escaped}"],'
        f'"__support_{escaped}":"true","o":{{"{escaped}":"{escaped}"}}}}'
    ).encode()
    image = map_record(record, RULES)
    assert image.image_id == peek(record)[0] == stored
    assert column(image, "name") == stored
    assert image.tags == (stored,)
    assert properties(image) == {f"x{stored}": [stored], "o": {stored: stored}}
    assert image.capabilities[0].capability == stored
    assert json.loads(image.document)["name"] == stored


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    record = b'{"id":"a\xff","name":"\xed\xa0\xbd!"}'
    image = map_record(record, RULES)
    assert image.image_id == peek(record)[0] == f"a{MARK}"
    assert column(image, "name") == f"{MARK * 3}!"


def test_of_keys_that_become_equal_the_last_counts() -> None:
    assert properties(mapped_json(r'"a":1,"b":0,"a":2')) == {"a": 2, "b": 0}
    assert properties(mapped_json(r'"\u0000":1,"\ufffd":2')) == {MARK: 2}
    assert properties(mapped_json(r'"\ufffd":1,"\ud800":2,"\u0000":3,"\ufffd":4')) == {MARK: 4}
    assert properties(mapped_json(r'"\u0000":1,"\ufffd":2,"\u0000":3')) == {MARK: 3}
    assert properties(mapped_json(r'"o":{"\u0000":1,"\ud800":2}')) == {"o": {MARK: 2}}
    assert properties(mapped_json('"a":1,"a":null')) == {}
    record = rb'{"id":"a","\u0069d":"b"}'
    assert map_record(record, RULES).image_id == peek(record)[0] == "b"


@pytest.mark.parametrize(
    "number",
    [
        "1e309", "-1E+400000", "1.50e200000", "7" * 310, "7" * 4300, "7" * 5000, "0." + "1" * 1001, "1e-400",
        "1e" + "9" * 30, "1E+0200000", "-" + "7" * 20_000,
    ],
)  # fmt: skip
def test_a_number_beyond_what_readers_of_json_take_is_text(number: str) -> None:
    """Everywhere as if it had been delivered as text in one spelling, so that the stored document maps alike."""
    image = mapped_json(f'"x":{number},"tags":["a",{number}],"l":[{number}],"name":{number}')
    text = number if len(number) > 30 else str(Decimal(number))
    assert image.properties == (("l", f'["{text}"]'), ("x", f'"{text}"'))
    assert image == mapped_json(f'"x":"{text}","tags":["a","{text}"],"l":["{text}"],"name":"{text}"')
    assert column(image, "name") == text
    assert map_document(image.document, RULES) == image
    assert column(mapped_json(f'"min_disk":{number}'), "min_disk") is None


LOOKS_LIKE_A_NUMBER = [
    "3e712345", "12e4567890", "9E999999", "1e-16384", "0e99999999999999999999", "-1e400000", "1.5e200000",
    "1E+200000", "1E-16384", "1e+0200000", "01E+0200000", "7" * 900 + "e131000",
]  # fmt: skip


@pytest.mark.parametrize("text", [*LOOKS_LIKE_A_NUMBER, "7" * 131_073, "7" * 131_073 + "e0"])
def test_text_that_looks_like_a_number_is_text_everywhere(text: str) -> None:
    image = mapped(x=text, name=text, description=text, nested={text: [text]}, __support_agent_list=text)
    assert properties(image) == {"x": text, "nested": {text: [text]}}
    assert column(image, "name") == column(image, "description") == text
    assert capability(image, "agent_list").models == (text,)
    assert json.loads(image.document)["x"] == text
    assert image.warnings == ()
    assert map_document(image.document, RULES) == image


@pytest.mark.parametrize("text", LOOKS_LIKE_A_NUMBER)
def test_a_tag_or_a_key_that_looks_like_a_number_has_its_row(text: str) -> None:
    image = mapped(**{"tags": [text, "plain"], text: "a", f"__support_{text}": "true"})
    assert image.tags == tuple(sorted([text, "plain"]))
    assert properties(image) == {text: "a"}
    assert capability(image, text).supported
    assert image.warnings == ()
    assert map_document(image.document, RULES) == image


@pytest.mark.parametrize(
    ("spelling", "stored"),
    [
        ("1e300", "1E+300"), ("1e-300", "1E-300"), ("1e2", "100"), ("-0.0", "0"), ("40.0", "40"),
        ("6.10", "6.1"), ("1e-7", "1E-7"), ("0.1e1", "1"), ("123456789012345678901234567890", None),
        ("18446744073709551616", None), ("-9223372036854775808", None), ("0e99", "0"), ("0.0e-16000", "0"),
    ],
)  # fmt: skip
def test_numbers_keep_their_value_to_the_last_digit(spelling: str, stored: str | None) -> None:
    image = mapped_json(f'"x":{spelling},"o":{{"l":[{spelling}]}}')
    expected = stored or spelling
    assert dict(image.properties) == {"x": expected, "o": f'{{"l":[{expected}]}}'}
    assert image.warnings == ()


def test_any_buffer_is_read() -> None:
    record = b'{"id":"a","name":"n"}'
    whole = b"[" + record + b"]"
    for buffer in (record, bytearray(record), memoryview(whole)[1:-1]):
        assert map_record(buffer, RULES).image_id == peek(buffer)[0] == "a"


def test_peek_reads_updated_at_as_it_is_delivered() -> None:
    for value in ("2026-01-01T00:00:00Z", 1767225600, None, "", []):
        assert peek(json.dumps({"updated_at": value, "id": "a"}).encode()) == ("a", value)


def test_a_document_that_is_no_json_object_is_rejected() -> None:
    for document in ("", "[]", b"\xff", {"id": 5}, {"id": "a", "x": object()}):
        with pytest.raises(Rejected):
            map_document(document, RULES)  # type: ignore[arg-type]


def test_a_rejected_record_is_kept_as_text_as_it_came() -> None:
    for record in ('"oops"', '{"name": "no id",  "n": 1.50}', "{not json", '["\u00e9"]'):
        assert rejected_text(record.encode()) == record
    assert rejected_text(b"a\0b\xff") == f"a{MARK}b{MARK}"


def test_a_rejected_record_is_kept_without_secrets() -> None:
    whole = rejected_text(
        b'{"direct_url": "swift+https://u:p@host/c/o?sig=s", "key": "k"}', MappingRules([], ["key"])
    )
    assert json.loads(whole) == {
        "direct_url": "swift+https://host/c/o",
        "key": "sha256:" + hashlib.sha256(b'"k"').hexdigest(),
    }
    broken = rejected_text(b'{"direct_url": "http:\\/\\/u:p@host/o?sig=s", ...')
    assert broken == '{"direct_url": "http:\\/\\/host/o", ...'
    withheld = rejected_text(b'{"key": "k", ...', MappingRules([], ["key"]))
    assert '"k"' not in withheld
    assert "sha256:" in withheld
