"""What must hold of the tables at any time, and what they must say of a cloud after a faultless sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from psycopg.rows import dict_row

from catalog.demo.cloud import Cloud, Held
from catalog.fields import FIELDS
from catalog.mapping import MappingRules, map_record
from catalog.store.db.connection import Connection
from catalog.store.history.stage import OWNER_HASH

CONTENT = tuple((n, field.column) for n, field in enumerate(FIELDS) if field.opens_revision)
DATA = (
    "images", "image_state", "image_tags", "image_capabilities", "image_properties", "revisions",
    "revision_documents", "status_history", "observations", "id_sets", "absences", "lookups", "held_deletions",
    "stage",
)  # fmt: skip
RULES = MappingRules()
Row = dict[str, Any]


def fetch(connection: Connection, query: str) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def digest(connection: Connection) -> list[Row]:
    """A fingerprint of every table but the ledger of runs."""
    parts = (
        f"SELECT '{table}' AS name, md5(string_agg(t::text, '|' ORDER BY t::text)) AS rows FROM {table} t"
        for table in DATA
    )
    return fetch(connection, " UNION ALL ".join(parts))


def _by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["image_id"]].append(row)
    return groups


def check_history(connection: Connection, *, remapped: bool = False, cut: bool = False) -> None:
    """History is never contradictory, and the present is what its last revision says.

    `remapped`: keys that revisions differ in are ignored since. `cut`: the first revisions may be pruned.
    """
    revisions = _by_image(fetch(connection, "SELECT * FROM revisions ORDER BY observed_at"))
    spells = _by_image(fetch(connection, "SELECT * FROM status_history ORDER BY valid_from"))
    images = fetch(
        connection,
        "SELECT i.*, f.content_hash, f.live FROM images i JOIN image_state f USING (source_id, image_id)",
    )
    kept = "f.created_at IS DISTINCT FROM s.created_at OR f.owner_hash IS DISTINCT FROM " + OWNER_HASH
    assert not fetch(
        connection, f"SELECT * FROM image_state f JOIN images s USING (source_id, image_id) WHERE {kept}"
    )
    assert (
        len(images)
        == len(fetch(connection, "SELECT FROM images"))
        == len(fetch(connection, "SELECT FROM image_state"))
    )
    assert revisions.keys() == spells.keys() == {row["image_id"] for row in images}
    tags = _by_image(fetch(connection, 'SELECT * FROM image_tags ORDER BY tag COLLATE "C"'))
    flags = _by_image(fetch(connection, 'SELECT * FROM image_capabilities ORDER BY capability COLLATE "C"'))
    properties = _by_image(fetch(connection, "SELECT * FROM image_properties"))
    documents = {
        (r["image_id"], r["observed_at"]) for r in fetch(connection, "SELECT * FROM revision_documents")
    }
    for row in images:
        image_id = row["image_id"]
        line = revisions[image_id]
        check_line(line, remapped=remapped, cut=cut)
        check_spells(line, spells[image_id], cut=cut)
        last = line[-1]
        for column in (
            *(c for _, c in CONTENT),
            "deleted_at",
            "deletion_reason",
            "tags",
            "capabilities",
            "properties",
        ):
            assert row[column] == last[column], (image_id, column)
        assert row["last_changed_at"] == last["observed_at"]
        assert cut or row["first_seen_at"] == line[0]["observed_at"]
        assert (row["content_hash"], row["live"]) == (last["content_hash"], row["deleted_at"] is None)
        assert row["unlisted_since"] is None or row["live"], image_id
        assert [t["tag"] for t in tags[image_id]] == row["tags"]
        assert [f["capability"] for f in flags[image_id] if f["supported"]] == row["capabilities"]
        assert {p["name"]: p["value"] for p in properties[image_id]} == row["properties"]
        with_document = {r["observed_at"] for r in line if r["content_hash"] is not None}
        assert {
            at for i, at in documents if i == image_id and (not cut or at >= line[0]["observed_at"])
        } == with_document
    assert fetch(connection, "SELECT FROM stage") == []


def check_line(line: list[Row], *, remapped: bool, cut: bool) -> None:
    assert [r["valid_to"] for r in line] == [*(r["valid_from"] for r in line[1:]), None]
    assert all(one["valid_from"] < other["valid_from"] for one, other in pairwise(line))
    assert remapped or all(one["content_hash"] != other["content_hash"] for one, other in pairwise(line))
    assert all(r["valid_from"] <= r["observed_at"] for r in line)
    gone = [r["content_hash"] is None or r["reported"] for r in line]
    for n, row in enumerate(line):
        if gone[n]:
            assert row["change"] == "deleted"
            assert row["deleted_at"] is not None
            assert row["deletion_reason"] is not None
        else:
            if n == 0 and cut:
                continue
            made = [r["created_at"] for r in line[max(n - 1, 0) : n + 1]]
            expected = "replaced" if None not in made and made[0] != made[-1] else "updated"
            expected = "created" if n == 0 else "restored" if gone[n - 1] else expected
            assert (row["change"], row["deleted_at"], row["deletion_reason"]) == (expected, None, None)


def check_spells(line: list[Row], spells: list[Row], *, cut: bool) -> None:
    expected: list[tuple[Any, str]] = []
    for row in line:
        status = "deleted" if row["deleted_at"] else row["status"] or "unknown"
        if not expected or expected[-1][1] != status:
            expected.append((row["valid_from"], status))
    if cut and spells:  # it may have begun before
        assert spells[0]["valid_from"] <= expected[0][0]
        expected[0] = spells[0]["valid_from"], expected[0][1]
    assert [(s["valid_from"], s["status"]) for s in spells] == expected
    assert [s["valid_to"] for s in spells] == [*(start for start, _ in expected[1:]), None]


def check_ledger(connection: Connection) -> None:
    """Runs that merged stand in the ledger of observations, others do not; none is left open. What somebody approved is
    an observation beside them."""
    runs = fetch(connection, "SELECT run_id::text, outcome, finished_at FROM runs")
    rows = fetch(
        connection,
        "SELECT run_ids::text[] AS r FROM observations WHERE (source_id, observed_at) NOT IN"
        " (SELECT source_id, decided_at FROM held_deletions WHERE decision = 'approved')",
    )
    observed = {run for row in rows for run in row["r"]}
    assert {run["run_id"] for run in runs if run["outcome"] in ("complete", "partial")} == observed


def is_listed(held: Held) -> bool:
    return not held.forbidden and not held.unlisted


def is_reported(held: Held) -> bool:
    return held.record.get("status") == "deleted" or bool(held.record.get("deleted_at"))


def check_present(connection: Connection, cloud: Cloud, live_before: set[str], kept: set[str]) -> None:
    """The tables say of every image what the cloud does."""
    images = {row["image_id"]: row for row in fetch(connection, "SELECT * FROM images")}
    flags = _by_image(fetch(connection, "SELECT * FROM image_capabilities"))
    for held in cloud.oldest_first():
        image_id = str(held.record["id"])
        if held.forbidden or (held.unlisted and image_id not in live_before):
            continue
        row = images[image_id]
        mapped = map_record(held.body, RULES)
        for position, column in CONTENT:
            assert row[column] == mapped.values[position], (image_id, column)
        assert row["tags"] == sorted(mapped.tags)
        assert {(f["capability"], f["supported"], f["raw_value"]) for f in flags[image_id]} == {
            (f.capability, f.supported, f.raw_value) for f in mapped.capabilities
        }
        assert row["deletion_reason"] == ("reported" if is_reported(held) else None), image_id
        assert (row["deleted_at"] is not None) == is_reported(held)
        marked = held.unlisted and not is_reported(held)
        assert (row["unlisted_since"] is not None) == marked, image_id
    for image_id, row in images.items():
        one = cloud.find(image_id)
        if one is None or one.forbidden:
            assert (row["deleted_at"] is None) == (image_id in kept), image_id
