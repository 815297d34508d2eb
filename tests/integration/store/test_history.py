"""The writer against the rule: random observations in random order, some twice, against the plain fold."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.store.db.connection import Connection, Database
from catalog.store.history.merge import Merge
from catalog.sync.mapping_adapter import MappingAdapter
from tests.reference import RULES, Seen, evidence, fold, unite
from tests.support import citus
from tests.support.examples import examples
from tests.support.observations import observe

START = datetime(2026, 3, 1, tzinfo=UTC)
IDS = ("a", "b", "c")
SOURCE = "s"
UUID = "00000000-0000-0000-0000-00000000000"
LOGINS = (None, frozenset({"a"}), frozenset({"a"}), frozenset({"a", "b"}), frozenset({"c"}))


def moment(number: int) -> datetime:
    return START + timedelta(hours=number)


@st.composite
def records(draw: st.DrawFn, image_id: str) -> bytes:
    record: dict[str, Any] = {"id": image_id, "name": draw(st.sampled_from(["x", "y"]))}
    record["status"] = draw(st.sampled_from(["active", "queued", None, "deleted"]))
    if draw(st.booleans()):
        record["updated_at"] = moment(draw(st.integers(-3, 14))).isoformat()
    if draw(st.integers(0, 5)) == 0:
        record["deleted_at"] = moment(draw(st.integers(-3, 14))).isoformat()
    record["created_at"] = draw(st.sampled_from([None, moment(-9).isoformat(), moment(-8).isoformat()]))
    if draw(st.integers(0, 6)) == 0:
        record["os_hidden"] = True
    if draw(st.integers(0, 9)) == 0:
        record["__imagetype"] = "market"
    record["tags"] = draw(st.sampled_from([[], ["t"], ["t", "u"]]))
    return json.dumps(record).encode()


@st.composite
def observations(draw: st.DrawFn) -> Seen:
    held = draw(st.sets(st.sampled_from(IDS)))
    rest = [i for i in IDS if i not in held]
    complete = draw(st.booleans())
    looked_up = {i for i in rest if draw(st.integers(0, 3)) == 0}
    inconclusive = {i for i in rest if i not in looked_up and complete and draw(st.integers(0, 2)) == 0}
    at = moment(draw(st.integers(0, 10)))
    seen = Seen(
        at,
        complete,
        {i: draw(records(i)) for i in held},
        {i: draw(st.sampled_from(["not_found", "no_access"])) for i in looked_up},
        {
            i: draw(st.sampled_from(["rejected", "unanswered", "held", "held_for_login"]))
            for i in inconclusive
        },
        unlisted={i for i in held if draw(st.integers(0, 3)) == 0},
        login=draw(st.sampled_from(LOGINS)),
    )
    if not looked_up and draw(st.booleans()):  # a saved listing, which is never of the moment of a sweep
        seen = replace(seen, at=at + timedelta(minutes=30), covers_hidden=not complete or draw(st.booleans()))
    return replace(seen, run_id=str(uuid.uuid5(uuid.NAMESPACE_OID, repr(seen))))


def load(connection: Connection, seen: Seen) -> None:
    observe(
        connection,
        seen.at,
        seen.records,
        complete=seen.complete,
        run_id=seen.run_id,
        rules=RULES,
        absent=seen.absent,
        inconclusive=seen.inconclusive,
        found=seen.unlisted,
        covers_hidden=seen.covers_hidden,
        login=seen.login,
    )


def check(connection: Connection, seen: Sequence[Seen]) -> None:
    """Every table of history and present equals what the fold says."""
    runs = {at: min(one.run_id for one in seen if one.at == at) for at in {one.at for one in seen}}
    named = connection.execute(
        "SELECT observed_at, run_id::text FROM revisions UNION SELECT observed_at, run_id::text FROM status_history"
    )
    assert {(at, run_id) for at, run_id in named} <= set(runs.items())
    for image_id in IDS:
        told = fold(seen, image_id)
        rows = connection.execute(
            "SELECT r.observed_at, r.valid_from, r.valid_to, r.change, r.name, r.tags, d.document::text,"
            " r.deletion_reason, r.status, r.changed FROM revisions r"
            " LEFT JOIN revision_documents d USING (source_id, image_id, observed_at)"
            " WHERE r.source_id = %s AND r.image_id = %s ORDER BY r.valid_from",
            (SOURCE, image_id),
        ).fetchall()
        ends = [*[one.valid_from for one in told[1:]], None]
        expected = [(t.observed_at, t.valid_from, end, t.change) for t, end in zip(told, ends, strict=False)]
        assert [row[:4] for row in rows] == expected, image_id
        shown = None
        for row, one in zip(rows, told, strict=True):
            before = shown
            shown = one.image or shown
            assert shown is not None
            assert row[4] == shown.values[0]
            assert row[8] == shown.values[1]
            assert row[5] == sorted(shown.tags)
            assert (json.loads(row[6]) if row[6] else None) == (
                json.loads(one.image.document) if one.image else None
            )
            if before is not None and one.image is not None:
                old, new = json.loads(before.document), json.loads(one.image.document)
                differing = {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
                assert set(row[9] or {}) == differing
        spells: list[tuple[datetime, str]] = []
        for one in told:
            if not spells or spells[-1][1] != one.status:
                spells.append((one.valid_from, one.status))
        ends = [*[start for start, _ in spells[1:]], None]
        assert connection.execute(
            "SELECT valid_from, status, valid_to FROM status_history"
            " WHERE source_id = %s AND image_id = %s ORDER BY valid_from",
            (SOURCE, image_id),
        ).fetchall() == [(start, status, end) for (start, status), end in zip(spells, ends, strict=False)]
        image = connection.execute(
            "SELECT name, status, deleted_at, deletion_reason, first_seen_at, last_changed_at, tags,"
            " (SELECT array_agg(tag ORDER BY tag) FROM image_tags t WHERE t.source_id = i.source_id AND"
            " t.image_id = i.image_id) FROM images i WHERE source_id = %s AND image_id = %s",
            (SOURCE, image_id),
        ).fetchone()
        if not told:
            assert image is None
            continue
        assert image is not None
        assert shown is not None
        gone = told[-1].status == "deleted"
        assert image[:2] == shown.values[:2]
        assert (image[2] is not None) == gone
        if gone:
            spell_start = next(one for one in told if one.valid_from == spells[-1][0])
            last = told[-1]
            if last.image is not None:
                cloud = last.image.deleted_at
                own = cloud if cloud and cloud <= last.observed_at else spells[-1][0]
                assert image[2:4] == (own, "reported")
            elif spell_start is last:
                assert image[2:4] == (last.valid_from, last.reason)
        assert image[4:6] == (told[0].observed_at, told[-1].observed_at)
        assert image[6] == sorted(shown.tags)
        assert (image[7] or []) == sorted(shown.tags)


def check_as_of(connection: Connection, seen: Sequence[Seen]) -> None:
    """At the moment of each observation the catalog is what the cloud said then, image by image."""
    for one in unite(seen):
        rows = connection.execute(
            "SELECT image_id, name, status, deleted_at IS NULL, tags, observed FROM images_as_of(%s)",
            (one.at,),
        ).fetchall()
        shown = {row[0]: row[1:] for row in rows}
        for image_id in IDS:
            said = [told for told in fold(seen, image_id) if told.observed_at <= one.at]
            if not said or evidence(one, image_id) is None:
                continue  # it was not spoken of: the cloud's own times may tell of it
            image = next(told.image for told in reversed(said) if told.image is not None)
            live = said[-1].status != "deleted"
            assert shown[image_id] == (image.values[0], image.values[1], live, sorted(image.tags), True)


@pytest.fixture(scope="module")
def connection(module_database: Database) -> Iterator[Connection]:
    with module_database.session() as connection:
        yield connection


def reset(connection: Connection) -> None:
    """An empty catalog: nothing here is ever committed."""
    connection.rollback()
    citus.keep_to_one_connection(connection)
    connection.execute(
        "INSERT INTO sources (source_id, name, kind, created_at) VALUES (%s, 's', 'glance', now())", (SOURCE,)
    )


def test_a_new_image_under_an_old_id_and_a_restored_older_one(connection: Connection) -> None:
    """Another `created_at` is another image; the cloud's own time of an older dump can't be right."""
    reset(connection)
    old = {
        "status": "active",
        "name": "old",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
    }
    new = {**old, "name": "new", "created_at": "2026-02-01T00:00:00Z", "updated_at": moment(2).isoformat()}
    for at, record in ((1, old), (3, new), (4, {**old, "created_at": None}), (5, None), (6, new)):
        observe(connection, moment(at), {"a": record} if record else {}, rules=RULES)
    assert connection.execute("SELECT change, valid_from FROM revisions ORDER BY 2").fetchall() == [
        ("created", datetime(2026, 1, 2, tzinfo=UTC)),
        ("replaced", moment(2)),
        ("updated", moment(4)),
        ("deleted", moment(5)),
        ("restored", moment(6)),
    ]


def run_and_forget_first(connection: Connection, seen: list[Seen], order: list[Seen]) -> None:
    run_timeline(connection, seen, order)
    reset(connection)
    for one in order:
        load(connection, one)
    forget(connection, seen[0])
    check(connection, seen[1:])
    connection.rollback()


def forget(connection: Connection, gone: Seen) -> None:
    Merge(connection, SOURCE, gone.run_id, MappingAdapter(RULES), datetime.now(UTC)).forget(gone.at)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_what_a_login_was_shown_counts_past_a_saved_listing(
    connection: Connection, order: tuple[int, ...]
) -> None:
    """A saved listing does not say what its login could see: the one before it does, also once that is forgotten."""
    record = {"a": b'{"id": "a", "name": "x", "status": "active"}'}
    seen = [
        Seen(moment(0), False, record, run_id=f"{UUID}0", login=frozenset({"a", "b"}), unlisted={"a"}),
        Seen(moment(1), False, record, run_id=f"{UUID}1"),
        Seen(moment(2), False, record, run_id=f"{UUID}2"),
        Seen(moment(3), True, {}, run_id=f"{UUID}3", login=frozenset({"a"})),
    ]
    run_and_forget_first(connection, seen, [seen[n] for n in order])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_where_a_first_record_comes_or_goes_absences_behind_a_proved_one_are_judged_again(
    connection: Connection, order: tuple[int, ...]
) -> None:
    """Of an image that lives unlisted an absence says nothing, but for one before its first record."""
    record = {"id": "a", "name": "x", "status": "active", "__imagetype": "market"}
    later = {**record, "deleted_at": (moment(3) - timedelta(minutes=30)).isoformat()}
    seen = [
        Seen(moment(0), False, {"a": json.dumps(record).encode()}, run_id=f"{UUID}0", unlisted={"a"}),
        Seen(moment(1), False, {}, {"a": "not_found"}, run_id=f"{UUID}1"),
        Seen(moment(3), True, {}, run_id=f"{UUID}2"),
        Seen(moment(4), True, {"a": json.dumps(later).encode()}, run_id=f"{UUID}3", unlisted={"a"}),
    ]
    run_and_forget_first(connection, seen, [seen[n] for n in order])


timelines = st.lists(observations(), min_size=1, max_size=7)


def run_timeline(connection: Connection, seen: list[Seen], order: list[Seen]) -> None:
    reset(connection)
    loaded: list[Seen] = []
    for one in order:
        load(connection, one)
        loaded.append(one)
        check(connection, loaded)
    check_as_of(connection, loaded)
    assert len(unite(seen)) == len(
        connection.execute("SELECT FROM observations WHERE source_id = %s", (SOURCE,)).fetchall()
    )
    connection.rollback()


@settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seen=timelines)
def test_tables_equal_the_fold_in_any_order(
    connection: Connection, data: st.DataObject, seen: list[Seen]
) -> None:
    """Whatever the order in which observations arrive, the tables are what the rule says of their set."""
    twice = data.draw(st.lists(st.sampled_from(seen), max_size=2))
    run_timeline(connection, seen, data.draw(st.permutations(seen + twice)))


@settings(max_examples=examples(50), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seen=st.lists(observations(), min_size=2, max_size=6, unique_by=lambda one: one.at))
def test_a_forgotten_observation_leaves_no_trace(
    connection: Connection, data: st.DataObject, seen: list[Seen]
) -> None:
    """After `--forget` the tables are what they would be had the observation never been loaded."""
    reset(connection)
    for one in seen:
        load(connection, one)
    gone = data.draw(st.sampled_from(seen))
    forget(connection, gone)
    check(connection, [one for one in seen if one is not gone])
    connection.rollback()
