"""What holds for every record that anyone could send (hypothesis)."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mapping_records import RULES

from catalog.fields import CAPABILITIES, FIELDS
from catalog.mapping import (
    MappingRules,
    Rejected,
    map_document,
    map_record,
    peek,
    rejected_text,
    show_difference,
)
from catalog.model import MappedImage
from tests.support.examples import examples

LINKS = ("file_url", "self_url", "schema_url")
REDACTING = MappingRules(["os_glance_*", "upd*"], ["name", "x*", "__support_k*", "tags", "deleted_*"])
KEYS = [key for field in FIELDS for key in field.keys] + [known.upstream_key for known in CAPABILITIES]
keys = st.one_of(
    st.sampled_from([*KEYS, "id", "tags", "deleted_at", "locations", "direct_url", "__support_new", "x"]),
    st.text(max_size=5),
)
NUMBER = r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,6})?\Z"
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=8),
    st.text('a:/@?#[]1\\"', max_size=20),
    st.sampled_from(
        ["true", "False", "40", "instance,a", "2026-01-01T00:00:00Z", "1e999999", "\0", "\ud83d", "a,b"]
    ),
    st.from_regex(NUMBER),
    st.builds("{}://{}".format, st.text("ab:@", max_size=4), st.text("ab:@/?# 1", max_size=12)),
)
spelled_numbers = st.from_regex(NUMBER)
huge_numbers = st.from_regex(r"\A-?[1-9](\.[0-9]{1,3})?[eE][+-]?[2-9][0-9]{5,16}\Z")


@dataclass(frozen=True)
class Spelled:
    """A number in one spelling."""

    spelling: str


JSON_LIKE = '{}[]":,\\u0d89e-1idtruNaN \0\x1f\u00ff'
scalars = st.one_of(st.none(), st.booleans(), st.integers(), spelled_numbers.map(Spelled), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=12)


def write(value: Any) -> bytes:
    """The value as JSON, numbers as they were spelled."""
    return _write(value).encode()


def _write(value: Any) -> str:
    if isinstance(value, Spelled):
        return value.spelling
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_write(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return json.dumps(value)


def mapped_or_rejected(raw: bytes, rules: MappingRules) -> MappedImage | None:
    try:
        return map_record(raw, rules)
    except Rejected as error:
        rejected = error
    assert rejected.image_id == peek(raw)[0]
    assert "\0" not in rejected_text(raw, rules)
    return None


def check(raw: bytes, rules: MappingRules) -> None:
    image = mapped_or_rejected(raw, rules)
    if image is None:
        return
    assert peek(raw)[0] == image.image_id
    assert map_record(image.archived.encode(), rules) == image
    document = map_document(image.document, rules)
    assert document.content_hash == image.content_hash
    assert document.document == image.document
    assert (document.tags, document.capabilities, document.properties) == (
        image.tags, image.capabilities, image.properties,
    )  # fmt: skip
    for field, before, after in zip(FIELDS, image.values, document.values, strict=True):
        assert (before == after and type(before) is type(after)) or field.column in LINKS
    assert show_difference(image.document, document.document, rules) == {}
    stored = "".join([image.archived, *image.warnings, *image.tags, *(f"{v}" for v in image.values)])
    stored.encode()
    assert "\0" not in stored
    assert "\\u0000" not in image.document.replace("\\\\", "")


@settings(max_examples=examples(200), deadline=None)
@given(objects, st.sampled_from([RULES, REDACTING]))
@example({"id": "a", "": 1, "__support_": True}, RULES)
@example({"id": "a\0", "tags": ["1e999999", Spelled("1e999999")]}, RULES)
@example({"id": "a", "deleted_at": "0001-01-01T00:00:00Z", "deleted": "True"}, REDACTING)
def test_a_record_maps_again_to_the_same_image_or_is_rejected(
    record: dict[str, Any], rules: MappingRules
) -> None:
    check(write({"id": "a"} | record), rules)


@settings(max_examples=examples(100), deadline=None)
@given(values)
def test_no_json_value_raises_anything_but_rejected(value: Any) -> None:
    check(write(value), RULES)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.one_of(
        st.binary(max_size=40), st.text('{}[]":,\\u0d89e-1idtruNaN \0\x1f\u00ff', max_size=40).map(str.encode)
    )
)
def test_no_bytes_raise_anything_but_rejected(raw: bytes) -> None:
    check(raw, RULES)


@settings(max_examples=examples(150), deadline=None)
@given(objects, st.integers(min_value=0), st.binary(min_size=0, max_size=3), st.integers(0, 3))
def test_no_damaged_record_raises_anything_but_rejected(
    record: dict[str, Any], at: int, noise: bytes, lost: int
) -> None:
    raw = write({"id": "a"} | record)
    at %= len(raw)
    check(raw[:at] + noise + raw[at + lost :], REDACTING)


@settings(max_examples=examples(100), deadline=None)
@given(objects, st.randoms())
def test_the_order_of_keys_and_tags_means_nothing(record: dict[str, Any], random: Any) -> None:
    record = {"id": "a", "tags": ["b", "a", None]} | record
    shuffled = list(record.items())
    random.shuffle(shuffled)
    tags = record["tags"]
    if isinstance(tags, list):
        shuffled = [(key, [*tags[::-1], *tags, None] if key == "tags" else value) for key, value in shuffled]
    if len({key.encode("utf-8", "replace") for key in record}) == len(record):
        assert mapped_or_rejected(write(dict(shuffled)), RULES) == mapped_or_rejected(write(record), RULES)


@settings(max_examples=examples(100), deadline=None)
@given(spelled_numbers)
def test_a_number_means_the_same_written_out_or_with_an_exponent(spelling: str) -> None:
    written_out = format(Decimal(spelling), "f") if abs(Decimal(spelling).adjusted()) < 300 else spelling
    for body in ('{"id":"a","x":%s}', '{"id":"a","name":%s}', '{"id":"a","min_disk":%s}'):
        one, other = (map_record((body % number).encode(), RULES) for number in (spelling, written_out))
        if not one.warnings:
            assert one == other


@settings(max_examples=examples(150), deadline=None)
@given(huge_numbers)
def test_a_huge_number_is_text(number: str) -> None:
    text = map_record(write({"id": "a", "x": number, "l": [number], "tags": [number]}), RULES)
    assert text.tags == (number,)
    assert dict(text.properties) == {"x": f'"{number}"', "l": f'["{number}"]'}
    huge, text_of_it = Spelled(number), str(Decimal(number))
    one, same = (
        map_record(write({"id": "a", "x": told, "l": [told], "tags": [told, text_of_it]}), RULES)
        for told in (huge, text_of_it)
    )
    assert one == same
    assert map_document(text.document, RULES) == text
