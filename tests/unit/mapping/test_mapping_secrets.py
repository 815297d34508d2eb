"""Credentials in values never reach a table or a log (semantics 3.3)."""

import hashlib
import json

import pytest
from mapping_records import column, mapped, properties

from catalog.mapping import MappingRules, map_record

CLEANED = [
    ("swift+https://account:user:pa%20ss@host:5000/v3/c/o", "swift+https://host:5000/v3/c/o"),
    ("https://bucket.host/o?X-Amz-Signature=s&mail=a@b.c", "https://bucket.host/o"),
    ("http://u:p@w@host/o#f", "http://host/o#f"),
    ("http://u:pa/ss@host/o", "http://host/o"),
    ("http://u:p?w@host/o?q", "http://host/o"),
    ("http://u:p#w@host/o", "http://host/o"),
    ("//u:p@host/o", "//host/o"),
    ("u:p@host/o", "host/o"),
    ("http://host:80/a@b", "http://host:80/a@b"),
    ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
    ("192.0.2.10:443:bucket:object@2", "192.0.2.10:443:bucket:object@2"),
    ("rbd://fsid/pool/image/snap", "rbd://fsid/pool/image/snap"),
    ("snapshot", "snapshot"),
]


@pytest.mark.parametrize("key", ["direct_url", "__image_location", "imageUrl", "remote-uri", "locations"])
@pytest.mark.parametrize(("delivered", "stored"), CLEANED)
def test_values_of_keys_that_name_a_place_lose_user_info_and_query(
    key: str, delivered: str, stored: str
) -> None:
    image = mapped(**{key: delivered})
    assert properties(image) == {key: stored}
    assert json.loads(image.document)[key] == stored
    assert mapped(**{key: stored}) == image


def test_everything_below_locations_is_cleaned() -> None:
    place = "swift://u:p@host/o?temp_url_sig=s"
    image = mapped(locations=[{"url": place, "metadata": {"x": [place]}}], o={"url": place, "n": "a?b"})
    assert properties(image) == {
        "locations": [{"url": "swift://host/o", "metadata": {"x": ["swift://host/o"]}}],
        "o": {"url": "swift://host/o", "n": "a?b"},
    }


@pytest.mark.parametrize(
    ("delivered", "stored"),
    [
        ("see http://u:p@host/x?a=b or ftp://v@host2", "see http://host/x?a=b or ftp://host2"),
        ("https://host/guide?page=2", "https://host/guide?page=2"),
        ("mail a@b.c", "mail a@b.c"),
        ("http://u:pa/ss@host/o", "http://host/o"),
        ('[{"link":"http:\\/\\/u:p@host"}]', '[{"link":"http:\\/\\/host"}]'),
    ],
)
def test_any_other_text_loses_the_user_info_of_its_urls(delivered: str, stored: str) -> None:
    image = mapped(__description=delivered, note=delivered, notes={"a": [delivered]}, tags=[delivered])
    assert column(image, "description") == stored
    assert properties(image) == {"note": stored, "notes": {"a": [stored]}}
    assert image.tags == (stored,)


def test_an_escaped_url_is_found_too() -> None:
    image = map_record(rb'{"id":"a","note":"http\u003a\/\/u:p\u0040host"}', MappingRules())
    assert properties(image) == {"note": "http://host"}


def test_links_lose_user_info_and_are_else_kept_as_delivered() -> None:
    image = mapped(file="https://u:p@host/v2/file?x=1", self="/v2/images/a?b=c")
    assert column(image, "file_url") == "https://host/v2/file?x=1"
    assert column(image, "self_url") == "/v2/images/a?b=c"


def marker(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_a_redacted_value_is_replaced_by_its_hash_everywhere() -> None:
    keys = {
        "name": "n", "size": 5, "protected": True, "tags": ["b", "a"], "__support_kvm": "true",
        "self": "/v2/x",
        "user_mail": {"b": 1, "a": "x"}, "__os_version": "1", "os_version": "2", "created_at": "2026-01-01",
    }  # fmt: skip
    image = mapped(MappingRules([], ["*"]), **keys)
    expected = {key: marker(value) for key, value in keys.items()} | {"id": "image-1"}
    expected["tags"] = marker(["a", "b"])
    assert json.loads(image.archived) == expected
    assert column(image, "name") == marker("n")
    assert column(image, "os_version") == marker("1")
    assert column(image, "self_url") == marker("/v2/x")
    for empty in ("size", "protected", "created_at"):
        assert column(image, empty) is None
    assert image.tags == ()
    assert image.capabilities == ()
    assert properties(image) == {"user_mail": expected["user_mail"], "os_version": marker("2")}
    assert image.warnings == ()


def test_redaction_is_by_case_sensitive_globs_and_never_of_the_id() -> None:
    image = mapped(
        MappingRules([], ["owner_*", "i?", "x[12]"]), owner_user_name="a", Owner_user="b", x1="c", x3="d"
    )
    assert image.image_id == json.loads(image.document)["id"] == "image-1"
    assert properties(image) == {
        "owner_user_name": marker("a"), "Owner_user": "b", "x1": marker("c"), "x3": "d",
    }  # fmt: skip


def test_a_redacted_value_is_not_redacted_again_and_nothing_stays_nothing() -> None:
    rules = MappingRules([], ["x", "y"])
    once = mapped(rules, x="secret", y="")
    assert map_record(once.document.encode(), rules) == once
    assert properties(once) == {"x": marker("secret")}


def test_a_redacted_deleted_at_still_deletes() -> None:
    image = mapped(
        MappingRules([], ["deleted_at"]), deleted_at="2026-01-01T00:00:00Z", updated_at="2026-02-01"
    )
    assert image.reported_deleted
    assert image.deleted_at is None
    assert image.cloud_time == column(image, "updated_at")
