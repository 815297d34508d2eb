"""The canonical form decides what is equal, what is stored and what is shown as changed (semantics 3.4)."""

import json

import pytest
from mapping_records import RULES, column, mapped, mapped_json

from catalog.fields import LINK_KEYS
from catalog.mapping import MappingRules, encode_json, map_document, map_record, show_difference

LINKS = {"file": "/v2/images/a/file", "self": "/v2/images/a", "schema": "/v2/schemas/image"}


def test_the_document_is_sorted_and_without_links_nulls_and_empty_texts() -> None:
    image = mapped(**LINKS, z="1", a=None, b="", tags=["y", "x"], o={"b": None, "a": ""}, e=[])
    assert image.document == '{"e":[],"id":"image-1","o":{"a":"","b":null},"tags":["x","y"],"z":"1"}'


def test_archived_is_the_document_with_the_links_and_maps_to_an_equal_image() -> None:
    image = mapped(**LINKS, name="n", min_disk="abc", size=40.0, x={"b": 1, "a": [1.50]})
    assert json.loads(image.archived) == json.loads(image.document) | LINKS
    assert map_record(image.archived.encode(), RULES) == image


def test_a_stored_document_maps_to_an_equal_image_but_for_the_links() -> None:
    body = '"name":6.10,"x":1e2,"min_disk":40.0,"tags":["b","a"],"__support_arm":"true"'
    plain = mapped_json(body)
    linked = mapped_json(body + ',"self":"/v2/images/a"')
    assert linked != plain
    for document in (plain.document, plain.document.encode(), linked.document):
        assert map_document(document, RULES) == plain
    assert map_document(json.loads(mapped(x=1).document), RULES) == mapped(x=1)


def test_links_and_ignored_keys_do_not_count_in_the_fingerprint_and_updated_at_does() -> None:
    plain = mapped(name="n")
    assert mapped(name="n", **LINKS).content_hash == plain.content_hash
    noisy = mapped(name="n", os_glance_import_task="t")
    assert noisy.content_hash == plain.content_hash
    assert noisy.document != plain.document
    assert mapped(name="n", updated_at="2026-01-01").content_hash != plain.content_hash
    rules = MappingRules(ignore=["updated_*"])
    assert mapped(rules, name="n", updated_at="2026-01-01").content_hash == plain.content_hash
    assert column(mapped(rules, updated_at="2026-01-01"), "updated_at") is not None
    assert len(plain.content_hash) == 16


def test_a_deletion_counts_though_the_key_that_says_so_is_ignored() -> None:
    rules = MappingRules(ignore=["status", "deleted*"])
    plain = mapped(rules, status="active")
    assert mapped(rules, status="queued", deleted=False).content_hash == plain.content_hash
    for gone in ({"status": "deleted"}, {"deleted": True}, {"deleted_at": "2026-01-01T00:00:00Z"}):
        assert mapped(rules, **gone).content_hash != plain.content_hash


def test_globs_are_case_sensitive_and_match_whole_keys() -> None:
    rules = MappingRules(ignore=["x", "y*"])
    plain = mapped(rules)
    assert mapped(rules, x="1", y="1", yy="1").content_hash == plain.content_hash
    for key in ("X", "xx", "Y", "ay"):
        assert mapped(rules, **{key: "1"}).content_hash != plain.content_hash


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('"a":1,"b":2', '"b":2,"a":1'), ('"x":40', '"x":40.0'), ('"x":[1e2]', '"x":[100]'),
        ('"x":-0', '"x":0'),
        ('"x":6.10', '"x":6.1'), ('"tags":["a","b"]', '"tags":["b","a","a"]'), ('"x":null', '"y":""'),
        ('"x":"\\u00e9"', '"x":"\u00e9"'), ('"o":{"a":1,"b":2}', '"o":{"b":2,"a":1}'),
        ('"x":"\\/"', '"x":"/"'),
        ('"size":40.0', '"size":40'),
    ],
)  # fmt: skip
def test_two_spellings_of_one_content_are_one_image(left: str, right: str) -> None:
    assert mapped_json(left) == mapped_json(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('"x":1', '"x":true'), ('"x":1', '"x":"1"'), ('"x":0', '"x":false'), ('"x":[1,2]', '"x":[2,1]'),
        ('"x":[]', '"y":[]'), ('"__os_version":6.10', '"__os_version":6.1'), ('"x":"a"', '"x":"A"'),
        ('"tags":["a"]', '"tags":["A"]'), ('"x":1e-7', '"x":0'), ('"x":[null]', '"x":[]'),
    ],
)  # fmt: skip
def test_different_contents_have_different_fingerprints(left: str, right: str) -> None:
    assert mapped_json(left).content_hash != mapped_json(right).content_hash
    assert show_difference(mapped_json(left).document, mapped_json(right).document)


def test_a_difference_names_each_changed_key_with_both_sides() -> None:
    old = mapped(name="a", gone="x", tags=["a"], same=[1], x=1).document
    new = mapped(name="b", come={"k": 1}, tags=["a", "b"], same=[1], x=True).document
    expected = {
        "come": [None, {"k": 1}], "gone": ["x", None], "name": ["a", "b"], "tags": [["a"], ["a", "b"]],
        "x": [1, True],
    }  # fmt: skip
    assert show_difference(old, new) == expected
    assert show_difference(json.loads(old), json.loads(new)) == expected
    assert show_difference(old, old) == {}


def test_a_difference_leaves_out_ignored_keys_and_links() -> None:
    old = {"id": "a", "os_glance_x": "1", "self": "/1", "name": "a"}
    new = {"id": "a", "os_glance_x": "2", "self": "/2", "name": "b"}
    assert show_difference(old, new, RULES) == {"name": ["a", "b"]}
    assert set(LINKS) == LINK_KEYS


def test_equal_numbers_are_no_difference() -> None:
    assert show_difference('{"x":1,"o":[1.50]}', '{"x":1.0,"o":[1.5]}') == {}
    assert show_difference({"x": 1, "o": [2.0]}, {"x": 1.0, "o": [2]}) == {}
    assert show_difference({"x": 1}, {"x": True}) == {"x": [1, True]}
    assert show_difference({"x": [1]}, {"x": [True]}) == {"x": [[1], [True]]}


def test_numbers_in_a_text_column_differ_by_their_text() -> None:
    changed = show_difference('{"__os_version":6.1}', '{"__os_version":6.10}')
    assert encode_json(changed) == '{"__os_version":[6.1,6.10]}'


def test_images_of_a_million_different_keys_do_not_fill_the_memory_of_the_rules() -> None:
    rules = MappingRules()
    for start in range(0, 30_000, 10_000):
        mapped(rules, **{f"key-{number}": 1 for number in range(start, start + 10_000)})
    assert len(rules.uses) <= 10_000
