"""Saved listings: forms told apart by content, whole or named with line and reason, within bounded memory."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import tracemalloc
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.fetch.files import archive_format
from catalog.fetch.files.discovery import find_files
from catalog.fetch.files.moment import date_in_name
from catalog.fetch.files.reader import BrokenDump, Dump, open_dump
from catalog.fetch.files.records import Counts, Lines, in_batches, read_records
from catalog.mapping import MappingRules, map_record
from catalog.text import without_unstorable_escapes
from tests.support.examples import examples

A = {"id": "a", "name": "Ä", "tags": ["x"], "note": 'brackets ]} and "quotes" \\'}
B = {"id": "b", "images": "not a page", "deep": [{"id": "inner"}, [1, "]"]]}
C = {"id": "c", "size": 18446744073709551616}
LISTING = {"images": [A, B, C], "schema": "/v2/schemas/images", "first": "/v2/images"}
PAGES = [{"images": [A, B], "next": "/v2/images?marker=b"}, {"images": [C]}]


def dumped(*values: Any, end: str = "", **options: Any) -> bytes:
    return "".join(json.dumps(value, **options) + end for value in values).encode()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
FORMS = {
    "a listing body": dumped(LISTING),
    "a listing body, indented": dumped(LISTING, indent=4),
    "a bare list": dumped([A, B, C]),
    "a bare list, indented": dumped([A, B, C], indent=1),
    "one record a line": dumped(A, B, C, end="\n"),
    "one record a line, with blank lines and CRLF": b"\r\n" + dumped(A, B, C, end="\r\n\r\n"),
    "one record a line, no newline at the end": dumped(A, B, C, end="\n")[:-1],
    "one page a line": dumped(*PAGES, end="\n"),
    "a list a line": dumped([A], [B, C], end="\n"),
    "several pages, nothing between them": dumped(*PAGES),
    "several pages, indented": dumped(*PAGES, indent=2),
    "a compact page, then an indented one": dumped(PAGES[0], end="\n") + dumped(PAGES[1], indent=2),
    "a list of pages": dumped(PAGES),
    "a list of pages, indented": dumped(PAGES, indent=2),
    "records, nothing between them": dumped(A, B, C),
}


def written(folder: Path, content: bytes, name: str = "dump") -> Dump:
    path = folder / name
    path.write_bytes(content)
    return open_dump(path)


def read(dump: Dump) -> list[Any]:
    return [json.loads(bytes(record)) for batch in dump.read() for record in batch]


def broken(folder: Path, content: bytes) -> BrokenDump:
    with pytest.raises(BrokenDump) as caught:
        read(written(folder, content))
    assert str(folder / "dump") in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "coat", ["plain", "gzip", "gzip in two members", "mark", "mark in gzip", "utf-16", "utf-32"]
)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_told_by_its_content(tmp_path: Path, form: str, coat: str) -> None:
    """Each form, plain, gzipped, with a byte order mark, or in UTF-16 as PowerShell writes it."""
    content = FORMS[form]
    middle = len(content) // 2
    dressed = {
        "plain": content,
        "gzip": gzip.compress(content),
        "gzip in two members": gzip.compress(content[:middle]) + gzip.compress(content[middle:]),
        "mark": b"\xef\xbb\xbf" + content,
        "mark in gzip": gzip.compress(b"\xef\xbb\xbf" + content),
        "utf-16": content.decode().encode("utf-16"),
        "utf-32": content.decode().encode("utf-32"),
    }[coat]
    dump = written(tmp_path, dressed)
    assert read(dump) == [A, B, C]
    assert read(dump) == [A, B, C], "a file can be read twice"
    assert dump.position == dump.size == len(dressed)
    assert dump.listings.lack() is None


def test_records_are_handed_on_as_they_stand(tmp_path: Path) -> None:
    """Bytes, not values: so that a record known already is known by its hash."""
    raw = b'{ "id" : "a",\t"size": 1.50e3 }'
    for content in (
        raw + b"\n" + raw + b"\n",
        b'{"images": [' + raw + b"," + raw + b"]}",
        b"[" + raw + b" ," + raw + b"]",
    ):
        dump = written(tmp_path, content)
        assert [bytes(record) for batch in dump.read() for record in batch] == [raw, raw]


NEXT = "/v2/images?limit=2&marker=b"


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("content", "lack"),
    [
        (PAGES[:1], "next"),
        (PAGES, None),
        ([{"images": [A], "next": None}], None),
        ([A], None),
        ([{"images": [A], "links": [{"rel": "self", "href": "x"}, {"rel": "next", "href": NEXT}]}], "next"),
        ([{"images": [A], "links": {"next": NEXT}}], "next"),
        ([{"images": [A], "links": {"self": NEXT, "next": {"href": NEXT}}}, {"images": [B], "links": {}}], None),
        ([{"images": [A], "links": "text", "next": ""}], None),
        # hidden images are a listing of their own, which was cut
        ([{"images": [A], "first": "/v2/images"}, {"images": [B], "first": "/v2/images?os_hidden=true", "next": NEXT}],
         "next"),
        ([{"images": [A], "first": "/v2/images?limit=9"}, {"images": [B], "next": NEXT + "&os_hidden=true"}], "next"),
        ([{"images": [A]}, {"images": [B], "next": NEXT + "&os_hidden=true"}], "filter (os_hidden)"),
        ([{"images": [A], "first": "/v2/images"}, {"images": [B], "first": "/v2/images?os_hidden=true"}], None),
        ([{"images": [A], "first": "/v2/images?limit=5&name=ubuntu&tag=x"}], "filter (name, tag)"),
        ([{"images": [A], "first": "https://h/v2/images?visibility=public"}], "filter (visibility)"),
        ([{"images": [A], "next": NEXT + "&visibility=public"}, {"images": [B]}], "filter (visibility)"),
        ([{"images": [A], "first": "/v2/images?limit=5&sort=created_at%3Aasc&visibility=all&member_status=all"}], None),
        ([{"images": [A], "first": 7, "next": "http://[::"}], "next"),
        # each page of a listing tells its beginning, if one does: an end that tells none is of another one
        ([{"images": [A], "first": "/v2/images", "next": NEXT}, {"images": []}], "next"),
        ([{"images": [A], "first": "/v2/images", "next": NEXT}, {"images": [B], "first": "/v2/images?limit=2"}], None),
    ],
)  # fmt: skip
def test_pages_that_are_not_the_whole_listing_are_noticed(
    tmp_path: Path, content: list[Any], lack: str | None, indent: int | None
) -> None:
    """By where they say that the listing goes on, and by what it was asked for with."""
    dump = written(tmp_path, dumped(*content, indent=indent))
    read(dump)
    found = dump.listings.lack()
    assert found == lack or (lack is not None and lack in str(found))


def test_pages_of_endless_listings_are_no_listing(tmp_path: Path) -> None:
    pages = [{"images": [A], "first": f"/v2/images?tag={n}"} for n in range(1100)]
    assert "listings" in broken(tmp_path, dumped(*pages, end="\n")).reason


@pytest.mark.parametrize(
    "form", [b"%s\n", b"[%s,\n%s]\n", b'[{"images": []}, %s]\n'], ids=["a page", "pages", "a list"]
)
@pytest.mark.parametrize("gap", [b" ", b"\n"], ids=["on one line", "on lines"])
@pytest.mark.parametrize(
    ("page", "key"),
    [
        (b'{"images": [{"id": "a"}],~"images": [{"id": "b"}]}', "images"),
        (b'{"images": [{"id": "a"}],~"images": [{"id": "a"}]}', "images"),
        (b'{"images": [{"id": "a"}],~"images": []}', "images"),
        (b'{"images": [{"id": "a"}],~"im\\u0061ges": [{"id": "b"}]}', "images"),
        (b'{"images": null,~"images": [{"id": "b"}]}', "images"),
        (b'{"images": [{"id": "a"}], "next": "x",~"images": [{"id": "b"}], "next": null}', "images"),
        (b'{"next": "/v2/images?marker=a",~"images": [{"id": "a"}], "next": null}', "next"),
        (b'{"images": [{"id": "a"}],~"links": {"next": "x"}, "links": {}}', "links"),
        (b'{"first": "/v2/images?tag=a", "images": [],~"first": "/v2/images"}', "first"),
    ],
)  # fmt: skip
def test_a_page_that_holds_a_key_twice_is_refused(
    tmp_path: Path, page: bytes, key: str, gap: bytes, form: bytes
) -> None:
    """As two pages that were joined as text: a reader of JSON keeps the last list alone, and says nothing."""
    page = page.replace(b"~", gap)
    assert f"`{key}` twice" in broken(tmp_path, form.replace(b"%s", page)).reason


@pytest.mark.parametrize("gap", [b" ", b"\n"], ids=["on one line", "on lines"])
def test_a_records_own_keys_may_stand_twice(tmp_path: Path, gap: bytes) -> None:
    """The last one counts (semantics 3.1)."""
    record = b'{"id": "a",~"images": [1], "images": [2], "next": 1,~"next": 2}'.replace(b"~", gap)
    for content in (
        record,
        b'{"images": [%s]}' % record,
        b'{"x": {"images": 1, "images": 2}, "images": [%s]}' % record,
    ):
        assert read(written(tmp_path, content)) == [{"id": "a", "images": [2], "next": 2}]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", None, "empty"),
        (b"\n \n", None, "empty"),
        (b"<!doctype html><html>", 1, "listing"),
        (b"id,name\na,b\n", 1, "listing"),
        (b"null", 1, "listing"),
        (b'{"images": null}', 1, "not a list"),
        (b'{"error": {"code": "IMG.0001"}}', 1, "neither an image nor a page"),
        (b'[{"ID": "a", "Name": "as the openstack client prints it"}]', 1, "neither an image nor a page"),
        (dumped(*PAGES, {"message": "busy"}, end="\n"), 3, "neither an image nor a page"),
        (dumped(A, B, end="\n") + b'{"id": "c", "na', 3, "ends in the middle"),
        (dumped(A, B, end="\n") + b'{"id": "c" "name"}\n', 3, "JSON"),
        (dumped(A, end="\n") + b'{"id": "b"},\n', 2, "','"),
        (b'{"images": [\n{"id": "a"},\n{"id": "b"}\n', 3, "ends in the middle"),
        (b'{"images": [\n{"id": "a"},\n{"id": nope}\n]}', 3, "JSON"),
        (b'[\n{"id": "a"}\n{"id": "b"}\n]', 3, "','"),
        (b'[\n{"id": "a"},\n]', 3, "']'"),
        (b'{"images": []}]', 1, "']'"),
        (b'{"a": "r", "projectimagesid": "a"}]=\x00\x00\x00[{', 1, "JSON"),
        (b'[\n{"id": "a",\n"n": ' + b"1" * 5000 + b"}]", 3, "number"),
        (b'[\n{"id": "a",\n"n": 1e' + b"9" * 30 + b"}]", 3, "number"),
        (b'[\n{"id": "a",\n"n": "\xff"}]', 3, "JSON"),
        (b'[\n{"id": "a",\n"n": ' + b"[" * 20_000 + b"]" * 20_000 + b"}]", 3, "deep"),
        (b'{"images": [{"id": "a"}],\n"id": "b"}', 1, "after it"),
        (gzip.compress(dumped(LISTING))[:-12], 1, "ends before its end"),
        (b"\x1f\x8bnonsense", 1, "damaged"),
        ("\ufeff[".encode("utf-16-le") + b"\x00", 1, "byte order mark"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_listing_is_named_with_line_and_reason(
    tmp_path: Path, content: bytes, line: int | None, reason: str
) -> None:
    error = broken(tmp_path, content)
    assert error.line == line
    assert reason in error.reason


def test_a_record_without_an_id_among_others_is_a_record(tmp_path: Path) -> None:
    """It will be rejected and kept, as a sweep does; the file is whole."""
    assert read(written(tmp_path, dumped(A, {"name": "no id"}, end="\n"))) == [A, {"name": "no id"}]
    assert read(written(tmp_path, dumped({"images": [A, "text", None]}))) == [A, "text", None]


@pytest.mark.parametrize("key", ["first", "next", "links"])
@pytest.mark.parametrize("value", [b"1e999", b"1" * 5_000, b'{"a": 1e999}'])
@pytest.mark.parametrize("form", [b"[%s]", b"%s\n%s\n"], ids=["a list", "lines"])
def test_a_records_own_keys_are_not_links(tmp_path: Path, form: bytes, value: bytes, key: str) -> None:
    """Whatever they hold is handed on as it stands."""
    record = b'{"id": "a", "%s": %s}' % (key.encode(), value)
    content = form % ((record,) * form.count(b"%s"))
    found = [bytes(one) for batch in written(tmp_path, content).read() for one in batch]
    assert found == [record] * form.count(b"%s")


def test_half_a_surrogate_pair_does_not_spoil_a_file(tmp_path: Path) -> None:
    content = b'{"images": [{"id": "a", "name": "\\ud83d"}]}'
    assert len(read(written(tmp_path, content))) == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_values_stay_what_they_are_in_every_form(tmp_path: Path, indent: int | None) -> None:
    """Numbers keep their decimals and size, half a surrogate pair and a NUL become what they become elsewhere."""
    record = (
        '{"id": "a", "os_version": 6.10, "one": 1.0, "int": 1, "large": 18446744073709551616, "tiny": 1e-9,'
        ' "half": "x \\ud83d y", "turned": "\\ude00\\ud83d", "pair": "\\ud83d\\ude00", "nul": "\\u0000", "exp": 1.50e3}'
    )
    content = record if indent is None else '{"images":\n[' + record.replace(",", ",\n") + "\n]}"
    (raw,) = [bytes(raw) for batch in written(tmp_path, content.encode()).read() for raw in batch]
    mapped = map_record(raw, MappingRules())
    assert mapped == map_record(record.encode(), MappingRules())


def test_half_a_pair_is_mended_wherever_the_stream_is_cut(tmp_path: Path) -> None:
    record = {"id": "a", "x": "\ud83d" * 7 + "\U0001f600" * 7 + "\\ud83d, \\", "y": ["\ude00,"]}
    (tmp_path / "dump").write_text(json.dumps([record]))
    expected = json.loads(
        json.dumps(record).replace('"' + "\\ud83d" * 7, '"' + "\ufffd" * 7).replace("\\ude00,", "\ufffd,")
    )
    for piece in range(1, 40):
        assert streamed(tmp_path / "dump", largest_line=piece, piece=piece) == [expected]


def test_an_empty_listing_is_a_listing(tmp_path: Path) -> None:
    assert read(written(tmp_path, b'{"images": []}')) == []
    assert read(written(tmp_path, b"[]")) == []


@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(
        st.dictionaries(
            TEXT, st.recursive(st.none() | TEXT | st.integers(), st.lists, max_leaves=6), max_size=3
        ),
        min_size=1,
        max_size=4,
    ),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    chunk=st.integers(1, 40),
    form=st.sampled_from(["page", "list", "list of pages"]),
)
def test_values_larger_than_the_window_are_split_where_they_end(
    tmp_path_factory: pytest.TempPathFactory,
    records: Any,
    indent: Any,
    ascii_only: bool,
    chunk: int,
    form: str,
) -> None:
    """However small the stretches that a stream is read in, and however large a page is against its bound."""
    records = [{**record, "id": f"i{n}"} for n, record in enumerate(records)]
    values = {
        "page": {"first": "x", "images": records, "next": None},
        "list": records,
        "list of pages": [{"images": records}],
    }
    path = tmp_path_factory.mktemp("split") / "dump"
    path.write_text(json.dumps(values[form], indent=indent, ensure_ascii=ascii_only))
    found = streamed(path, largest_line=chunk, piece=chunk)
    # a line that is split as a whole keeps the escape of a NUL, which the mapping mends (semantics 3.2)
    assert [mended(record) for record in found] == [mended(record) for record in records]


def mended(record: Any) -> Any:
    return json.loads(without_unstorable_escapes(json.dumps(record).encode()))


def streamed(path: Path, **bounds: int) -> list[Any]:
    with Lines(path) as lines:
        return [json.loads(record) for record in read_records(lines, Counts(), **bounds)]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Four times the records, the same memory: in lines, and in one body on one line."""
    peaks: dict[str, list[int]] = {"lines": [], "body": []}
    for count in (2_000, 8_000):
        for form, ends in peaks.items():
            path = tmp_path / form
            with path.open("w") as file:
                file.write("" if form == "lines" else '{"images": [')
                for n in range(count):
                    file.write("," if n and form == "body" else "")
                    file.write(json.dumps({"id": str(n), "filler": "x" * 900}))
                    file.write("\n" if form == "lines" else "")
                file.write("" if form == "lines" else "]}")
            tracemalloc.start()
            with Lines(path) as lines:
                records = read_records(lines, Counts(), largest_line=2**18)
                assert sum(len(batch) for _, batch in in_batches(lines, records)) == count
            ends.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    for small, large in peaks.values():
        assert large < small * 1.2


# ---- archives --------------------------------------------------------------------------------------

HEADER = archive_format.Header(
    1, "s", "glance", "r", "p", "http://x", str(uuid.uuid4()), datetime(2026, 3, 1, tzinfo=UTC)
)


def archive(records: list[Any], *, trailer: bool = True) -> bytes:
    body = archive_format.write_header(HEADER) + dumped(*records, end="\n")
    if not trailer:
        return body
    end = archive_format.write_trailer(
        archive_format.Trailer(True, "complete", len(records), [], {"z": "not_found"}, {}, [], {}, [], [], {})
    )
    return sealed(body + end)


def sealed(content: bytes) -> bytes:
    return content + archive_format.write_checksum(hashlib.sha256(content).hexdigest())


def test_an_archive_is_told_by_its_header_and_trusted_by_its_checksum(tmp_path: Path) -> None:
    dump = written(tmp_path, gzip.compress(archive([A, B])))
    assert dump.header == HEADER
    assert read(dump) == [A, B]
    assert dump.trailer is not None
    assert dump.trailer.absent == {"z": "not_found"}


def test_an_archive_without_a_trailer_was_cut(tmp_path: Path) -> None:
    """What it holds is read; nothing vouches for its end."""
    dump = written(tmp_path, archive([A, B], trailer=False))
    assert read(dump) == [A, B]
    assert dump.trailer is None


@pytest.mark.parametrize(
    ("old", "new"), [(b"u00c4", b"u00d4"), (b'"not_found"', b'"no_access"'), (b'"records":2', b'"records":3')]
)
def test_a_changed_archive_is_broken(tmp_path: Path, old: bytes, new: bytes) -> None:
    """The checksum covers records and trailer."""
    content = archive([A, B])
    assert old in content
    assert "checksum" in broken(tmp_path, content.replace(old, new)).reason


def test_a_line_missing_from_an_archive_is_noticed(tmp_path: Path) -> None:
    lines = archive([A, B, C]).splitlines(keepends=True)
    assert broken(tmp_path, b"".join(lines[:2] + lines[3:])).line == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"glance"', b'"glance\xf5"'),
        (b'"glance"', b'"kvm"'),
        (b'"glance"', b'"glance","more":' + b"[" * 100_000),
        (b"00:00:00Z", b"00:00:00"),
        (b"}", b""),
    ],
)
def test_a_header_that_cannot_be_read_names_the_file(tmp_path: Path, old: bytes, new: bytes) -> None:
    """Not UTF-8, another kind, nested too deeply, a time without a zone, cut."""
    header, rest = archive([A]).split(b"\n", 1)
    assert old in header
    error = broken(tmp_path, header.replace(old, new) + b"\n" + rest)
    assert (error.line, error.reason.split(" (")[0]) == (1, "the archive's header cannot be read")


@pytest.mark.parametrize("new", [b'"\xf5"', b'"gone"', b'"not_found"},"more":' + b"[" * 100_000])
def test_a_trailer_that_cannot_be_read_names_the_line(tmp_path: Path, new: bytes) -> None:
    """Though its checksum holds."""
    content = archive([A])
    unsealed = content[: content.rindex(b',"sha256"')]
    assert b'"not_found"' in unsealed
    error = broken(tmp_path, sealed(unsealed.replace(b'"not_found"', new)))
    assert (error.line, error.reason.split(" (")[0]) == (3, "the archive's trailer cannot be read")


def test_an_archive_of_a_later_release_says_so(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(archive([A]).replace(b'{"catalog_archive":1', b'{"catalog_archive":9'))
    with pytest.raises(BrokenDump, match="later release"):
        open_dump(tmp_path / "dump")


# ---- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("2026-03-01.json", "2026-03-01T00:00Z"),
        ("listing-20260301.json.gz", "2026-03-01T00:00Z"),
        ("20260301T101112Z", "2026-03-01T10:11:12Z"),
        ("otc_2026-03-01T10:11:12.json", "2026-03-01T10:11:12Z"),
        ("2026-03-01T10:11:12.250+02:00.jsonl", "2026-03-01T08:11:12.250Z"),
        ("20260301T1000-0330.json", "2026-03-01T13:30Z"),
        ("2026-03-01T10Z", "2026-03-01T10:00Z"),
        ("2026-03-01T10-11-12Z.json", "2026-03-01T10:11:12Z"),
        ("2026-03-01_10.11.12.json", "2026-03-01T10:11:12Z"),
        ("20260301-101112.json", "2026-03-01T10:11:12Z"),
        ("20260301T101112.123456Z-1f2e3d4c.jsonl.gz", "2026-03-01T10:11:12.123456Z"),
        ("page-0001-2026-03-01T10:00Z-0002.json", "2026-03-01T10:00Z"),
        ("images.json", None),
        ("2026-13-01.json", None),
        ("2026-02-30.json", None),
        ("20260301T250000Z.json", None),
        ("1234567890123.json", None),
        ("2026-03-01T10-05.json", None),
        ("2026-03-01-to-2026-04-01.json", None),
        ("2026-03-01_20h15.json", "2026-03-01T20:15Z"),
        ("2026-03-01 20:15", "2026-03-01T20:15Z"),
        ("2026-03-01_20:15+01:00.json", "2026-03-01T19:15Z"),
        ("20260301_081500_02.json", "2026-03-01T08:15Z"),
        ("20260301T081500+02.json", "2026-03-01T06:15Z"),
        ("20260301T081500-0100", "2026-03-01T09:15Z"),
        ("20260301T081500Z-02.json", "2026-03-01T08:15Z"),
        ("2026-03-01 (2).json", "2026-03-01T00:00Z"),
        ("images_2026-03-01_v2.json", "2026-03-01T00:00Z"),
        ("2026-03-01-2.json.gz", "2026-03-01T00:00Z"),
        ("2026-03-01_part12.json", "2026-03-01T00:00Z"),
        ("20260301-2015.json", None),
        ("2026-03-01_2015", None),
        ("2026-03-01-20-15.json", None),
        ("2026-03-01_20-15", None),
        ("2026-03-01 20.15", None),
        ("20260301.2015", None),
        ("2026-03-01T20.15", None),
        ("2026-03-01 at 8.15.00 PM", None),
        ("2026-03-01 08.15.00 PM", None),
        ("2026-03-01 at 20.15.00", None),
        ("2026-03-01_08h", None),
        ("20260301T081500CET", None),
        ("2026-03-01T08-15-00 EST.json", None),
        ("20260301T081500-01.json", None),
        ("20260301-081500-02.json", None),
        ("2026-03-01-02.json", None),
        ("20260301T0815-01", None),
        ("20260301T8", None),
        ("20260301T081500+2.json", None),
        ("2026-03-01T08:15:00:12", None),
        ("2026-03-01 08:15:00 +0200.json", None),
        ("2026-03-01T08-15-00_+02:00", None),
        ("2026-03-01_08:15 -0500.json", None),
        ("2026-03-01T08:15:00[Europe-Berlin]", None),
        ("2026-03-01-8am", None),
        ("2026-03-01 8 p.m.", None),
        ("2026-03-01h08", None),
        ("2026-03-01 08:15:00 - copy.json", "2026-03-01T08:15Z"),
        ("20260301T08,5", None),
        ("2026-03-01T25_20260401", None),
    ],
)
def test_a_date_in_a_files_name(name: str, moment: str | None) -> None:
    """ISO 8601, basic or extended, with the signs that file names allow; never a guess."""
    assert date_in_name(name) == (datetime.fromisoformat(moment) if moment else None)


def test_folders_are_walked_sorted_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.json", "a/.hidden", ".git/x.json", "a/b/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    found = find_files([tmp_path, tmp_path / "b.json", tmp_path / "a" / ".hidden"])
    names = [str(path.relative_to(tmp_path)) for path in found]
    assert names == ["b.json", "a/z.json", "a/b/c", "a/.hidden"]
    with pytest.raises(UsageError, match="nothing: No such file"):
        find_files([tmp_path / "nothing"])
    with pytest.raises(UsageError, match="too long"):
        find_files([tmp_path / ("x" * 300)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files"):
        find_files([tmp_path / "empty"])


def test_linked_folders_are_walked_and_lead_round_in_no_circle(tmp_path: Path) -> None:
    for name in ("here/a.json", "there/b.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("[]")
    for link, target in (("linked", "../there"), ("up", ".."), ("self", "."), (".hidden", "../there")):
        (tmp_path / "here" / link).symlink_to(target)
    assert [path.name for path in find_files([tmp_path / "here"])] == ["a.json", "b.json"]


def test_links_to_one_file_are_as_many_listings_as_they_name_dates(tmp_path: Path) -> None:
    """A store that keeps equal listings once; and a link to the latest one."""
    (tmp_path / ".store").write_text("[]")
    names = ["2026-03-01.json", "2026-03-02.json", "a/2026-03-02.json", "a/latest.json", "latest.json"]
    (tmp_path / "a").mkdir()
    for name in names:
        (tmp_path / name).symlink_to(tmp_path / ".store")
    found = find_files([tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in found] == names[:2]
    (tmp_path / names[0]).unlink()
    assert [path.name for path in find_files([tmp_path / "latest.json", tmp_path / "a"])] == [names[1]]
    assert find_files([tmp_path / "latest.json"]) == [tmp_path / "latest.json"]


def test_a_folder_that_cannot_be_read_refuses_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which moments it holds files, nobody can say."""
    scan = os.scandir

    def locked(path: str) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)  # root is never told
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UsageError, match="locked: Permission denied"):
        find_files([tmp_path])


@pytest.mark.parametrize(
    "number", ["1e400", "-1.50E400", "1e-400", "1E+0200000", "0." + "1" * 1001, "7" * 310]
)
def test_a_number_that_is_too_large_is_the_same_in_every_form(tmp_path: Path, number: str) -> None:
    """The parser of indented bodies writes numbers anew."""
    image = f'{{"id": "a", "x": {number}, "name": {number}}}'
    forms = {"line": image, "indented": f"[\n{image}\n]"}
    dumps = [written(tmp_path, content.encode(), name) for name, content in forms.items()]
    one, other = (map_record(bytes(record), MappingRules()) for dump in dumps for [record] in dump.read())
    assert one.content_hash == other.content_hash
    assert one.document == other.document
