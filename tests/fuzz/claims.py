"""What must hold of any bytes, whoever made them up: a listing's envelope, a record's mapping, a saved file."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from catalog.errors import BadListingError
from catalog.fetch.files.archive_format import write_checksum
from catalog.fetch.files.reader import BrokenDump, open_dump
from catalog.fetch.listing.page import read_page
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

RULES = (MappingRules(), MappingRules(["os_glance_*", "u*"], ["name", "x*", "__support_k*", "tags", "d*"]))


def envelope(data: bytes) -> None:
    """A listing is read or refused, and each record has the id that the mapping finds in it, or none."""
    for body in (data, b'{"images": [' + data + b"]}"):
        try:
            page = read_page(body)
        except BadListingError:
            continue
        assert len(page.records) == len(page.ids) == len(page.keys())
        for record, image_id in zip(page.records, page.ids, strict=True):
            if image_id is not None:
                assert peek(record)[0] == image_id.replace("\0", "\ufffd")


def mapped(raw: bytes, rules: MappingRules) -> MappedImage | None:
    try:
        return map_record(raw, rules)
    except Rejected as error:
        rejected = error
    assert rejected.image_id == peek(raw)[0]
    assert "\0" not in rejected_text(raw, rules)
    rejected_text(raw, rules).encode()
    return None


def record(data: bytes) -> None:
    """A record is rejected, or maps to what maps to itself again; nothing of it is beyond PostgreSQL."""
    for raw in (data, b'{"id": "a", ' + data + b"}"):
        for rules in RULES:
            image = mapped(raw, rules)
            if image is None:
                continue
            assert peek(raw)[0] == image.image_id
            assert map_record(image.archived.encode(), rules) == image
            again = map_document(image.document, rules)
            assert (again.document, again.content_hash) == (image.document, image.content_hash)
            assert show_difference(image.document, again.document, rules) == {}
            texts = [image.archived, *image.warnings, *image.tags, *(str(value) for value in image.values)]
            assert "\0" not in "".join(texts)
            "".join(texts).encode()


def dump(data: bytes) -> None:
    """A saved file is read whole or named with the reason, also where a checksum vouches for it."""
    for content in (data, data + write_checksum(hashlib.sha256(data).hexdigest())):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            with contextlib.suppress(BrokenDump):
                opened = open_dump(Path(file.name))
                for records in opened.read():
                    for raw in records:
                        peek(raw)


CLAIMS: dict[str, Callable[[bytes], None]] = {"envelope": envelope, "record": record, "dump": dump}
WORDS = [
    '"images"', '"next"', '"id"', '"tags"', '"status"', '"deleted"', '"deleted_at"', '"updated_at"',
    '"2026-01-01T00:00:00Z"', '"__support_kvm"', '"__support_fc_inject"', '"__data_origin"', '"instance,a"',
    '"locations"', '"https://u:p@h/?q"', '"\\\\u0000"', '"\\\\ud83d"', '"\\\\ude00"', "NaN", "-Infinity",
    "1e131072", "1e-16384", "e0", "null", "true", '{"catalog_archive"', '"checksum"', '"min_disk"', "[[[[[[[[",
    '"__os_version"', '"os_version"', '"self"', '"file"', '"name"', '"x"',
]  # fmt: skip
"""What a listing is made of, for fuzzers that make up more of it."""
