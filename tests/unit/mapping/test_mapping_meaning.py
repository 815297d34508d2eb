"""Values count by what they mean, whatever their spelling; the document keeps what was delivered (semantics 3)."""

import json
from datetime import UTC, datetime

import pytest
from mapping_records import RULES, capability, column, mapped, mapped_json, properties

from catalog.mapping import MappingRules, map_document, show_difference

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)

SAME = [
    ({"protected": False}, {"protected": "False"}, {"protected": 0}),
    ({"os_hidden": True}, {"os_hidden": "TRUE"}, {"os_hidden": "on"}),
    ({"min_disk": 40}, {"min_disk": "40"}, {"min_disk": "40.0"}, {"min_disk": 40.0}, {"min_disk": " 40 "}),
    ({"__os_bit": 64}, {"__os_bit": "64"}, {"__os_bit": "064"}),
    ({"max_ram": 0}, {"max_ram": "0"}),
    ({"__isregistered": True}, {"__isregistered": "true"}, {"__isregistered": "True"}),
    ({"__support_kvm": "true"}, {"__support_kvm": "True"}, {"__support_kvm": True}),
    ({"__support_new": "false"}, {"__support_new": "False"}, {"__support_new": 0}),
    ({"__support_fc_inject": "true"}, {"__support_fc_inject": True}),
    ({"__support_agent_list": "hss,ces"}, {"__support_agent_list": '["hss","ces"]'},
     {"__support_agent_list": "hss, ces,"}, {"__support_agent_list": ["hss", "ces"]}),
    ({"__support_kvm_gpu_type": "none"}, {"__support_kvm_gpu_type": "-"}, {"__support_kvm_gpu_type": "false"}),
    ({"created_at": "2026-03-01T10:00:00Z"}, {"created_at": "2026-03-01T10:00:00.000000"},
     {"created_at": 1772359200}, {"created_at": "Sun, 01 Mar 2026 10:00:00 GMT"}),
    ({"deleted_at": "2026-03-01T10:00:00Z"}, {"deleted_at": "2026-03-01T11:00:00+01:00"}),
    ({"deleted": True}, {"deleted": "True"}, {"deleted": "true"}),
    ({"__os_version": 7}, {"__os_version": "7"}), ({"os_version": 7}, {"os_version": "7"}),
    ({"stores": "ceph,file"}, {"stores": "file,ceph"}, {"stores": "file, ceph"}, {"stores": ["file", "ceph"]}),
    ({"locations": [{"url": "a"}, {"url": "b"}]}, {"locations": [{"url": "b"}, {"url": "a"}, {"url": "a"}]}),
    ({"tags": ["a=1", "b"]}, {"tags": ["b", {"key": "a", "value": "1"}]}, {"tags": ["b", "a=1", None, ""]}),
    ({"tags": {"env": "prod"}}, {"tags": ["env=prod"]}, {"tags": {"key": "env", "value": "prod"}}),
    ({}, {"deleted_at": "0001-01-01T00:00:00Z"}, {"updated_at": 0}, {"size": -1}, {"max_ram": "-1"}),
]  # fmt: skip


@pytest.mark.parametrize("spellings", SAME)
def test_spellings_of_one_meaning_are_one_content_and_no_difference(
    spellings: tuple[dict[str, object], ...],
) -> None:
    images = [mapped(name="n", **keys) for keys in spellings]
    for one in images:
        assert one.content_hash == images[0].content_hash
        assert (one.values, one.tags, one.deleted_at) == (
            images[0].values,
            images[0].tags,
            images[0].deleted_at,
        )
        assert show_difference(images[0].document, one.document) == {}
        assert map_document(one.document, RULES) == one
    for keys, one in zip(spellings, images, strict=True):
        for key, value in keys.items():
            if key not in ("tags", "locations", "stores"):
                assert json.loads(one.document)[key] == value


def test_a_difference_shows_what_was_delivered_and_only_keys_that_mean_something_else() -> None:
    old = mapped(protected=True, min_disk="40", name="a", deleted_at="0001-01-01T00:00:00Z").document
    new = mapped(protected="true", min_disk=50, name="a").document
    assert show_difference(old, new) == {"min_disk": ["40", 50]}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('"protected":"maybe"', '"protected":null'), ('"min_disk":"abc"', '"min_disk":"abd"'),
        ('"__support_agent_list":"a,b"', '"__support_agent_list":["a,b"]'),
        ('"__support_agent_list":"a,b"', '"__support_agent_list":"b,a"'),
        ('"__support_fc_inject":"true"', '"__support_fc_inject":"1"'), ('"x":"40"', '"x":40'),
        ('"x":[1,2]', '"x":[2,1]'), ('"created_at":"soon"', '"created_at":"later"'),
    ],
)  # fmt: skip
def test_what_means_something_else_differs(left: str, right: str) -> None:
    assert mapped_json(left).content_hash != mapped_json(right).content_hash


def test_ignored_keys_count_in_no_spelling() -> None:
    rules = MappingRules(ignore=["min_*"])
    assert (
        mapped(rules, min_disk="40").content_hash
        == mapped(rules, min_disk=50).content_hash
        == mapped(rules).content_hash
    )


@pytest.mark.parametrize("key", ["created_at", "updated_at", "deleted_at"])
@pytest.mark.parametrize(
    "unset",
    [
        "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0000-00-00 00:00:00", "0001-01-01 00:00:00 +0000 UTC",
        "1970-01-01", "1969-12-31T19:00:00-05:00", "00010101T000000Z", 0, "0", -1, -62135596800000,
        "1900-01-01T00:00:00",
        "9999-12-31T23:59:59Z", "Thu, 01 Jan 1970 00:00:00 GMT", 0.0,
        253402300799, "253402300799", 253402300799.0, "253402344000", 253402300799000, "253402300799999",
        253402344000000, 9223372036854775807, "9223372036854775807", 9223372036854775, 1772359200000000,
        10**30, 1e300,
    ],
)  # fmt: skip
def test_a_time_that_was_never_set_says_nothing(key: str, unset: object) -> None:
    image = mapped(**{key: unset})
    assert image.values == mapped().values
    assert (image.deleted_at, image.reported_deleted, image.cloud_time, image.warnings) == (
        None,
        False,
        None,
        (),
    )
    assert image.content_hash == mapped().content_hash


@pytest.mark.parametrize(
    "spelling",
    [
        1772359200, "1772359200", 1772359200000, "1772359200000",
        1772359200.0, "1772359200.000", "20260301T100000Z", "20260301T1000Z", "20260301T110000+0100", "20260301100000",
        "2026-03-01T10:00:00Z[UTC]", "2026-03-01T11:00:00+01:00[Europe/Paris]", "2026-03-01 10:00:00 +0000 UTC",
        "2026-03-01 11:00:00.000 +0100 CET", "2026-03-01 10:00:00 UTC", "2026-03-01T10:00:00 GMT",
        "2026-03-01T09:59:60Z",
        "Sun, 01 Mar 2026 10:00:00 GMT", "Sunday, 01-Mar-26 10:00:00 GMT", "Sun Mar  1 10:00:00 2026",
    ],
)  # fmt: skip
def test_a_time_is_read_in_each_usual_form(spelling: object) -> None:
    for key in ("created_at", "updated_at"):
        image = mapped(**{key: spelling})
        assert column(image, key) == TEN
        assert image.warnings == ()
    assert mapped(deleted_at=spelling).deleted_at == TEN


def test_the_end_of_a_day_is_the_next_one() -> None:
    for spelling in ("2026-02-28T24:00:00Z", "2026-02-28T23:59:60Z"):
        assert column(mapped(created_at=spelling), "created_at") == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "odd",
    [
        "2026-03-01T24:00:01Z", "2026-03-01T25:00:00Z", "2026-03-01T10:60:00Z", "2026-03-01T10:00:61Z",
        "2026-03-01 10:00 CET",
        "2026-03-01T10:00:00[Europe/Paris]", "1e9", "Sun, 01 Mar 2026 10:00:00 Mars",
        "Sun, 99 Mar 2026 10:00:00 GMT",
        True, ["2026-03-01"],
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_left_empty_with_a_warning(odd: object) -> None:
    image = mapped(created_at=odd)
    assert column(image, "created_at") is None
    assert len(image.warnings) == 1


@pytest.mark.parametrize(
    "keys", [{"deleted": True}, {"deleted": "true"}, {"deleted": 1}, {"status": "DELETED"}]
)
def test_a_deletion_is_reported_without_a_time(keys: dict[str, object]) -> None:
    image = mapped(updated_at="2026-03-01T10:00:00Z", **keys)
    assert (image.reported_deleted, image.deleted_at, image.cloud_time) == (True, None, TEN)
    assert not mapped(deleted=False).reported_deleted
    assert not mapped(deleted="no idea").reported_deleted
    assert mapped(MappingRules(redact=["*"]), deleted=True).reported_deleted
    assert properties(mapped(deleted="False")) == {"deleted": "False"}


@pytest.mark.parametrize("key", ["size", "virtual_size", "__image_size", "min_ram", "min_disk", "max_ram"])
def test_a_negative_size_says_nothing(key: str) -> None:
    for value in (-1, "-1", "-1.0", -(10**18)):
        image = mapped(**{key: value}) if key.endswith("size") or value != -(10**18) else mapped(**{key: -5})
        assert image.values == mapped().values
        assert image.warnings == ()
        assert image.content_hash == mapped().content_hash


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([{"key": "env", "value": "prod"}], ("env=prod",)), ({"env": "prod", "team": "web"}, ("env=prod", "team=web")),
        ([{"key": "env", "value": ""}, {"key": "a"}], ("a", "env")), ([{"key": "n", "value": 5}, "x"], ("n=5", "x")),
        ({"key": "env", "value": "prod"}, ("env=prod",)), ({}, ()),
    ],
)  # fmt: skip
def test_tags_that_are_pairs_are_read(tags: object, expected: tuple[str, ...]) -> None:
    for key in ("tags", "image_tags"):
        image = mapped(**{key: tags})
        assert image.tags == expected
        assert image.warnings == image.properties == ()
    assert mapped(tags=["own"], image_tags=tags).tags == tuple(sorted({"own", *expected}))


@pytest.mark.parametrize(
    "tags", [[{"key": "", "value": "v"}], [{"key": "k", "value": []}], [{"k": "v", "w": "x"}], "a,b"]
)
def test_other_shapes_of_tags_are_warned_about(tags: object) -> None:
    image = mapped(tags=tags)
    assert image.tags == ()
    assert len(image.warnings) == 1


@pytest.mark.parametrize("value", ["none", "null", "-", "None", " - ", "none,-", "[]", '["none"]'])
def test_words_for_no_model_name_none_and_are_no_true(value: str) -> None:
    image = mapped(__support_kvm_gpu_type=value)
    flag = capability(image, "kvm_gpu_type")
    assert (flag.supported, flag.models, flag.raw_value) == (False, None, value)
    assert image.warnings == ()
