"""What happened: image_revisions, image_changes, status_durations, deleted_images."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.views.conftest import RUN, T0, Shelf, days


def test_revisions_come_with_their_documents_and_absence_has_none(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.revision(source, "a", T0, days(1), "created")
    shelf.revision(source, "a", days(1), change="deleted", absence_reason="not_found", deleted_at=days(1))
    document = {"id": "a", "name": "first"}
    shelf.insert(
        "revision_documents",
        {"source_id": source, "image_id": "a", "observed_at": T0, "document": document},
    )
    first, last = shelf.ask("SELECT * FROM image_revisions ORDER BY valid_from")
    assert first["document"] == document
    assert (first["change"], first["valid_to"], str(first["run_id"])) == ("created", days(1), RUN)
    assert last["document"] is None


def test_each_changed_key_is_a_row_and_each_birth_death_and_return_one_without_a_key(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.revision(source, "a", T0, days(1), "created", name="n1")
    shelf.revision(
        source,
        "a",
        days(1),
        days(1.5),
        name="n2",
        valid_from=days(0.5),
        recorded_at=days(1.1),
        changed={"name": ["n1", "n2"], "tags": [["x"], ["x", "y"]], "min_ram": [None, 512]},
    )
    made = {"created_at": ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]}
    shelf.revision(source, "a", days(1.5), days(2), "replaced", changed=made)
    shelf.revision(source, "a", days(2), days(3), "deleted")
    shelf.revision(source, "a", days(3), change="restored", changed={"os_hidden": [False, True]})
    rows = shelf.ask("SELECT * FROM image_changes ORDER BY changed_at, field NULLS FIRST")
    assert [(row["change"], row["field"], row["old_value"], row["new_value"]) for row in rows] == [
        ("created", None, None, None),
        ("updated", "min_ram", None, 512),
        ("updated", "name", "n1", "n2"),
        ("updated", "tags", ["x"], ["x", "y"]),
        ("replaced", "created_at", *made["created_at"]),
        ("deleted", None, None, None),
        ("restored", None, None, None),
        ("restored", "os_hidden", False, True),
    ]
    renamed = rows[2]
    assert (renamed["changed_at"], renamed["recorded_at"]) == (days(0.5), days(1.1))
    assert (renamed["source"], renamed["image_id"], renamed["name"]) == ("one", "a", "n2")
    assert (renamed["old_text"], renamed["new_text"]) == ("n1", "n2")
    assert str(renamed["run_id"]) == RUN
    assert [(row["old_text"], row["new_text"]) for row in (rows[1], rows[3], rows[7])] == [
        (None, "512"),
        ("x", "x, y"),
        ("false", "true"),
    ]
    missing = shelf.one("SELECT count(*) FILTER (WHERE old_value IS NULL) AS n FROM image_changes")
    assert missing["n"] == 4, "a JSON null is no value in SQL either"


def test_spells_are_measured_in_seconds_and_the_last_one_up_to_now(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", name="web")
    shelf.spell(source, "a", "queued", T0, days(0.5))
    shelf.spell(source, "a", "active", days(0.5))
    queued, active = shelf.ask("SELECT * FROM status_durations ORDER BY entered_at")
    assert (queued["name"], queued["status"], queued["seconds"]) == ("web", "queued", 43_200)
    assert (queued["entered_at"], queued["left_at"]) == (T0, days(0.5))
    assert active["left_at"] is None
    now = shelf.one("SELECT now()")["now"]
    assert abs(float(active["seconds"]) - (now - days(0.5)).total_seconds()) < 60


def gone(shelf: Shelf, source: str, image_id: str = "a", **columns: Any) -> None:
    """An image seen from day 0, changed on day 2, gone on day 6."""
    row: dict[str, Any] = {"deleted_at": days(6), "deletion_reason": "not_found", "owner": "p"} | columns
    shelf.image(source, image_id, **row)
    shelf.revision(source, image_id, T0, days(2), "created")
    shelf.revision(source, image_id, days(2), days(6))
    shelf.revision(source, image_id, days(6), change="deleted", deleted_at=days(6))


def ids(shelf: Shelf, source: str, kind: str, image_ids: list[str], key: bytes = b"k") -> bytes:
    shelf.insert(
        "id_sets", {"source_id": source, "set_id": key, "kind": kind, "image_ids": sorted(image_ids)}
    )
    return key


def test_deleted_images_tell_when_how_and_how_long_they_lived(shelf: Shelf) -> None:
    source = shelf.source()
    gone(shelf, source, visibility="private", created_at=days(-4.5))
    shelf.image(source, "alive")
    for day in range(8):
        shelf.observation(source, days(day))
    shelf.insert("projects", {"source_id": source, "project_id": "p", "name": "Shop", "seen_at": days(0)})
    row = shelf.one("SELECT * FROM deleted_images")
    assert row["owner_name"] == "Shop"
    assert (row["source"], row["image_id"], row["visibility"], row["owner"]) == ("one", "a", "private", "p")
    assert (row["deleted_at"], row["deletion_reason"]) == (days(6), "not_found")
    assert row["lived_days"] == 10.5
    assert row["last_observed_at"] == days(5)


def test_last_observed_skips_observations_that_say_nothing_of_the_image(shelf: Shelf) -> None:
    source = shelf.source()
    gone(shelf, source)
    for day in range(4):
        shelf.observation(source, days(day))
    shelf.observation(
        source, days(4), complete=False, contained_set=ids(shelf, source, "listed", ["b"], b"without")
    )
    shelf.observation(source, days(5), inconclusive_set=ids(shelf, source, "unanswered", ["a"], b"silent"))
    shelf.observation(source, days(6))
    assert shelf.one("SELECT last_observed_at AS x FROM deleted_images")["x"] == days(3)


@pytest.mark.parametrize(("complete", "kind"), [(False, "listed"), (True, "found")])
def test_last_observed_counts_partial_listings_that_held_it_and_look_ups_that_found_it(
    shelf: Shelf, complete: bool, kind: str
) -> None:
    source = shelf.source()
    gone(shelf, source)
    shelf.observation(source, days(3))
    key = ids(shelf, source, kind, ["a", "b"])
    column = "inconclusive_set" if complete else "contained_set"
    shelf.observation(source, days(5), complete=complete, **{column: key})
    shelf.observation(source, days(6))
    assert shelf.one("SELECT last_observed_at AS x FROM deleted_images")["x"] == days(5)


def test_an_image_first_known_as_deleted_was_never_observed_alive(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", status="deleted", deleted_at=T0, deletion_reason="reported")
    shelf.revision(source, "a", T0, change="deleted", deleted_at=T0, reported=True)
    shelf.observation(source, T0)
    assert shelf.one("SELECT last_observed_at AS x FROM deleted_images")["x"] is None
