"""The body of a listing, taken apart without decoding its records in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from catalog.errors import BadListingError
from catalog.fetch.http.body import CutBodyError
from catalog.fetch.listing.links import next_link, repeated_key
from catalog.fetch.listing.nesting import without_deep_records
from catalog.fingerprint import fingerprint
from catalog.text import LONGEST_ID, has_too_many_values, outline, without_unstorable_escapes

MOST_RECORDS = 10_000
"""Records of one page, where fewer were asked for: some services ignore `limit`."""
MOST_PAGE_VALUES = 1_000_000
"""Values of one page: a thousand images have some 70,000. Undecoded records take up to 200 bytes each."""


class _TooDeep(BadListingError):
    """JSON nested more deeply than can be read."""


class _Page(msgspec.Struct):
    images: list[msgspec.Raw]
    next: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    links: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class _Images(msgspec.Struct):
    images: msgspec.Raw


class _Identity(msgspec.Struct):
    id: str


class _Identities(msgspec.Struct):
    images: list[_Identity]


T = TypeVar("T")
_page = msgspec.json.Decoder(_Page)
_images = msgspec.json.Decoder(_Images)
_any = msgspec.json.Decoder()
_identity = msgspec.json.Decoder(_Identity)
_identities = msgspec.json.Decoder(_Identities)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One answer: `ids` stand beside `records`, None where a record has no usable id; `next` and `links` as JSON."""

    records: list[msgspec.Raw]
    ids: list[str | None]
    next: bytes = b"null"
    links: bytes = b"null"

    def link(self) -> str | None:
        """Where the listing goes on. Raises BadListingError: that is not text."""
        link = next_link(_decoded(_any.decode, self.next), None)
        if link is None:
            link = next_link(None, _decoded(_any.decode, self.links))
        if link is not None and not isinstance(link, str):
            raise BadListingError("the listing's `next` is not an address")
        return link

    def keys(self) -> list[int]:
        """Eight bytes that stand for each record: of its id, or of its bytes where it has none."""
        return [
            hash(image_id) if image_id is not None else _hash(record)
            for image_id, record in zip(self.ids, self.records, strict=True)
        ]


def read_page(body: bytes, most_records: int = MOST_RECORDS) -> ParsedPage:
    """Takes a listing's page apart. A record that is nested too deeply harms no other.

    Raises BadListingError, CutBodyError.
    """
    if has_too_many_values(body, MOST_PAGE_VALUES):
        raise BadListingError(
            f"the page holds more than {MOST_PAGE_VALUES:,} values; lower `page_size` if it is genuine"
        )
    shallow = body
    try:
        page = _decoded(_page.decode, body)
    except _TooDeep:
        shallow, deep = without_deep_records(bytes(body))
        if not deep:
            raise
        page = _decoded(_page.decode, shallow)
        page.images = [msgspec.Raw(deep.get(bytes(record), record)) for record in page.images]
    if shallow.count(b'"images"') > 1:
        key = repeated_key(bytes(shallow), bytes(_decoded(_images.decode, shallow).images))
        if key is not None:
            raise BadListingError(f"the page holds `{key}` twice; what the first of them lists would be lost")
    if len(page.images) > most_records:
        raise BadListingError(f"the page holds {len(page.images):,} records, far more than were asked for")
    return ParsedPage(page.images, _ids(body, page.images), bytes(page.next), bytes(page.links))


def read_record(body: bytes, image_id: str) -> bytes:
    """The record of this image, as it was sent. Raises BadListingError for any other body."""
    if usable_id(body) != image_id:
        raise BadListingError("the service answered with a body that is not the record asked for")
    return without_unstorable_escapes(bytes(body))


def usable_id(record: bytes | msgspec.Raw) -> str | None:
    """The id of a record, if it is text of 1 to 255 characters."""
    try:
        try:
            image_id = _decoded(_identity.decode, record).id
        except _TooDeep:
            image_id = _decoded(_identity.decode, outline(bytes(record))).id
    except BadListingError:
        return None
    return image_id if 1 <= len(image_id) <= LONGEST_ID else None


def _ids(body: bytes, records: list[msgspec.Raw]) -> list[str | None]:
    """All at one go, as long as each record has an id; else one by one."""
    try:
        ids = [record.id for record in _identities.decode(body).images]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        ids = []
    if len(ids) == len(records) and all(1 <= len(image_id) <= LONGEST_ID for image_id in ids):
        return list(ids)
    return [usable_id(record) for record in records]


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise BadListingError(
            f"the service answered with a body that is not a listing of images ({error})"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        mended = without_unstorable_escapes(bytes(body))
        if mended != body:
            return _decoded(decode, mended)
        if "truncated" in str(error):
            raise CutBodyError("the service answered with a body that ends before its end") from error
        raise BadListingError("the service answered with a body that is not JSON") from error
    except RecursionError:
        raise _TooDeep("the service answered with JSON nested too deeply to be read") from None


def _hash(record: msgspec.Raw) -> int:
    return int.from_bytes(fingerprint(record)[:8])
