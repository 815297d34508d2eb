"""Each documented parameter lands in its column (docs/fields.md)."""

from datetime import UTC, datetime

import pytest
from mapping_records import column, mapped, mapped_json, properties

from catalog.fields import COLUMNS, FIELDS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("owner", "owner"), ("name", "name"), ("status", "status"), ("visibility", "visibility"),
        ("container_format", "container_format"), ("disk_format", "disk_format"),
        ("virtual_env_type", "virtual_env_type"), ("hw_firmware_type", "hw_firmware_type"),
        ("checksum", "checksum"), ("file", "file_url"), ("self", "self_url"), ("schema", "schema_url"),
        ("__os_version", "os_version"), ("__os_type", "os_type"), ("__platform", "platform"),
        ("__description", "description"), ("__image_source_type", "image_source_type"),
        ("__imagetype", "image_type"), ("__originalimagename", "parent_image_id"),
        ("__backup_id", "backup_id"), ("__productcode", "product_code"),
        ("__system__cmkid", "encryption_key_id"), ("__data_origin", "data_origin"),
        ("os_hash_algo", "hash_algo"), ("os_hash_value", "hash_value"),
        ("enterprise_project_id", "enterprise_project_id"), ("architecture", "architecture"),
        ("os_type", "os_type"), ("os_version", "os_version"), ("os_distro", "platform"),
        ("description", "description"), ("image_type", "image_kind"), ("base_image_ref", "parent_image_id"),
        ("instance_uuid", "source_server_id"), ("cinder_encryption_key_id", "encryption_key_id"),
    ],
)  # fmt: skip
def test_a_text_parameter_lands_in_its_column_as_delivered(key: str, name: str) -> None:
    image = mapped(**{key: " An unknown Value "})
    assert column(image, name) == " An unknown Value "
    assert image.properties == ()
    assert image.warnings == ()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("protected", "protected"), ("os_hidden", "hidden"), ("__isregistered", "is_registered"),
        ("__lazyloading", "lazy_loading"), ("__is_offshelved", "is_off_shelved"),
        ("__whole_image", "is_whole_image"),
    ],
)  # fmt: skip
def test_a_boolean_parameter_reads_json_and_text_of_any_case(key: str, name: str) -> None:
    for value in (True, "true", "True", "TRUE", "tRuE", "yes", "1", 1):
        assert column(mapped(**{key: value}), name) is True
    for value in (False, "false", "False", "FALSE", "no", "0", 0):
        assert column(mapped(**{key: value}), name) is False


@pytest.mark.parametrize(
    ("key", "name", "bits"),
    [
        ("size", "size", 63), ("virtual_size", "virtual_size", 63), ("__image_size", "image_size", 63),
        ("min_ram", "min_ram", 31), ("min_disk", "min_disk", 31), ("max_ram", "max_ram", 31),
        ("__os_bit", "os_bit", 31),
    ],
)  # fmt: skip
def test_a_number_parameter_reads_numbers_and_text_within_its_column(key: str, name: str, bits: int) -> None:
    for value in (40, "40", 40.0, "40.0", "0040", " 40 ", "+40"):
        assert column(mapped(**{key: value}), name) == 40
    assert column(mapped_json(f'"{key}":4e1'), name) == 40
    edge = (1 << bits) - 1
    assert column(mapped(**{key: edge}), name) == column(mapped(**{key: str(edge)}), name) == edge
    for value in (1 << bits, str(1 << bits), -(1 << bits) - 1, 10**30, "9" * 5000):
        image = mapped(**{key: value})
        assert column(image, name) is None
        assert len(image.warnings) == 1


@pytest.mark.parametrize("key", ["created_at", "updated_at", "deleted_at"])
@pytest.mark.parametrize(
    "spelling",
    [
        "2026-03-01T12:00:00Z", "2026-03-01T12:00:00", "2026-03-01 12:00:00", "2026-03-01T12:00:00.000000",
        "2026-03-01T13:00:00+01:00", "2026-03-01T13:00:00+0100", "2026-03-01T06:30:00.0-05:30",
        "2026-03-01T12:00:00+0000", "2026-03-01T12:00:00.000000001Z", "2026-03-01T12:00Z",
        "2026-03-01t12:00:00z", "2026-03-01T12:00:00+00",
    ],
)  # fmt: skip
def test_a_time_is_read_in_each_spelling_and_stored_in_utc(key: str, spelling: str) -> None:
    image = mapped(**{key: spelling})
    moment = image.deleted_at if key == "deleted_at" else column(image, key)
    assert moment == NOON
    assert isinstance(moment, datetime)
    assert moment.utcoffset() == NOON.utcoffset()


def test_a_time_keeps_its_microseconds() -> None:
    image = mapped(updated_at="2026-03-01T12:00:00.1234569Z")
    assert column(image, "updated_at") == NOON.replace(microsecond=123456)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_disk", "abc"), ("min_disk", "4_0"), ("min_disk", "\u0664\u0660"), ("min_disk", 40.5),
        ("min_disk", True), ("min_disk", [40]), ("min_disk", " "), ("size", "1e3"), ("size", {}),
        ("protected", "maybe"), ("protected", 2), ("protected", []), ("protected", 0.5),
        ("created_at", "yesterday"), ("created_at", "2026-02-30T00:00:00Z"),
        ("updated_at", "9999-12-31T23:59:59-01:00"), ("updated_at", "+12026-01-01T00:00:00Z"),
        ("updated_at", "2026-01-01T00:00:00 Mars"), ("name", ["a"]), ("name", {"a": 1}), ("__os_bit", "x64"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_null_stays_in_the_document_and_is_named(key: str, value: object) -> None:
    image = mapped(**{key: value})
    position = next(field.column for field in FIELDS if key in field.keys)
    assert column(image, position) is None
    assert f'"{key}":' in image.document
    assert image.properties == ()
    (warning,) = image.warnings
    assert "image-1" in warning
    assert key in warning


def test_null_empty_text_and_a_missing_key_are_the_same() -> None:
    keys = [key for field in FIELDS for key in field.keys] + [
        "deleted_at",
        "tags",
        "__support_kvm",
        "leftover",
    ]
    nothing = mapped()
    for empty in (None, ""):
        image = mapped(**dict.fromkeys(keys, empty))
        assert image == nothing
    assert nothing.values == (None,) * len(COLUMNS)
    assert nothing.document == '{"id":"image-1"}'


def test_numbers_and_booleans_in_a_text_column_are_their_json_text() -> None:
    for text in ("6.10", "7", "7.0", "-1.50", "true", "false", "12345678901234567890123", "0.0000001"):
        image = mapped_json(f'"__os_version":{text},"os_version":{text},"name":{text}')
        assert column(image, "os_version") == text
        assert column(image, "name") == text
        assert image.properties == ()


def test_an_exponent_is_written_out_as_postgresql_does() -> None:
    assert column(mapped_json('"name":1.5e3'), "name") == "1500"
    assert column(mapped_json('"name":-0'), "name") == "0"


def test_a_version_as_text_never_becomes_a_number() -> None:
    assert column(mapped(__os_version="6.10"), "os_version") == "6.10"


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("__os_version", "os_version", "os_version"), ("__os_type", "os_type", "os_type"),
        ("__platform", "os_distro", "platform"), ("__description", "description", "description"),
        ("__originalimagename", "base_image_ref", "parent_image_id"),
        ("__system__cmkid", "cinder_encryption_key_id", "encryption_key_id"),
    ],
)  # fmt: skip
def test_of_two_spellings_the_first_fills_the_column_and_a_different_other_one_is_a_property(
    first: str, second: str, name: str
) -> None:
    for image in (mapped(**{first: "a", second: "b"}), mapped(**{second: "b", first: "a"})):
        assert column(image, name) == "a"
        assert properties(image) == {second: "b"}
    equal = mapped(**{first: "a", second: "a"})
    assert column(equal, name) == "a"
    assert equal.properties == ()
    assert column(mapped(**{first: "", second: "b"}), name) == "b"
    unreadable = mapped(**{first: ["a"], second: "b"})
    assert column(unreadable, name) == "b"
    assert len(unreadable.warnings) == 1


def test_the_server_comes_from_the_data_origin_before_instance_uuid() -> None:
    image = mapped(__data_origin="instance,server-1", instance_uuid="server-2")
    assert column(image, "source_server_id") == "server-1"
    assert column(image, "data_origin") == "instance,server-1"
    assert properties(image) == {"instance_uuid": "server-2"}
    same = mapped(instance_uuid="server-1", __data_origin="instance,server-1")
    assert same.properties == ()
    assert column(mapped(instance_uuid="server-2"), "source_server_id") == "server-2"


@pytest.mark.parametrize(
    "origin",
    ["image,r1,image-0", "volume,v", "server_backup,b", "file,bucket:a,b", "instance,", "instance,a,b", 5],
)
def test_any_other_data_origin_names_no_server(origin: object) -> None:
    image = mapped(__data_origin=origin)
    assert column(image, "source_server_id") is None
    assert column(image, "data_origin") == str(origin)


def test_anything_else_is_a_property_with_its_json_value() -> None:
    leftovers = {"active_at": "2026-01-01", "n": 7, "b": False, "l": [1, None, ""], "o": {"z": None, "a": {}}}
    image = mapped(**leftovers, __system_support_market=False, __is_support_kvm="true", __support_="x", e=[])
    assert properties(image) == leftovers | {
        "__system_support_market": False, "__is_support_kvm": "true", "__support_": "x", "e": [],
    }  # fmt: skip


def test_a_property_name_of_over_a_thousand_bytes_has_no_row_but_stays_in_the_document() -> None:
    longest, longer = "\u00e9" * 500, "\u00e9" * 500 + "x"
    image = mapped(**{longest: "a", longer: "b"})
    assert properties(image) == {longest: "a"}
    assert longer in image.document
    assert len(image.warnings) == 1


def test_text_is_never_cut() -> None:
    text = "d" * 100_000
    image = mapped(name=text, __description=text, leftover=text)
    assert column(image, "name") == column(image, "description") == text
    assert properties(image) == {"leftover": text}


def test_status_deleted_or_a_deleted_at_is_a_reported_deletion() -> None:
    live = mapped(status="active", updated_at="2026-03-01T12:00:00Z")
    assert (live.reported_deleted, live.deleted_at, live.cloud_time) == (False, None, NOON)
    by_status = mapped(status="deleted", updated_at="2026-03-01T12:00:00Z", deleted=False, deleted_at=None)
    assert (by_status.reported_deleted, by_status.deleted_at, by_status.cloud_time) == (True, None, NOON)
    by_time = mapped(status="active", updated_at="2026-02-01T00:00:00Z", deleted_at="2026-03-01T12:00:00Z")
    assert (by_time.reported_deleted, by_time.deleted_at, by_time.cloud_time) == (True, NOON, NOON)
    assert column(by_time, "status") == "active"
    assert '"deleted_at":"2026-03-01T12:00:00Z"' in by_time.document


def test_a_deleted_at_that_cannot_be_read_deletes_nothing() -> None:
    image = mapped(status="active", deleted_at="soon")
    assert (image.reported_deleted, image.deleted_at, len(image.warnings)) == (False, None, 1)


def test_warnings_show_values_short_and_without_control_characters() -> None:
    (warning,) = mapped(min_disk="\x1b[31m\u202e" + "x" * 1000).warnings
    assert warning.isprintable()
    assert len(warning) < 200
