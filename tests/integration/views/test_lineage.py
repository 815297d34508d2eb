"""What was made from what: image_lineage."""

from __future__ import annotations

from tests.integration.views.conftest import T0, Shelf


def line(shelf: Shelf, image_id: str) -> list[tuple[object, ...]]:
    rows = shelf.ask(
        "SELECT ancestor_id, depth, ancestor_state FROM image_lineage WHERE image_id = %s ORDER BY depth",
        image_id,
    )
    return [tuple(row.values()) for row in rows]


def test_ancestors_are_followed_through_deleted_ones_to_one_never_seen(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "c", parent_image_id="b")
    shelf.image(source, "b", parent_image_id="a", deleted_at=T0)
    shelf.image(source, "a", parent_image_id="unseen")
    shelf.image(source, "orphan")
    assert line(shelf, "c") == [("b", 1, "deleted"), ("a", 2, "live"), ("unseen", 3, "missing")]
    assert line(shelf, "a") == [("unseen", 1, "missing")]
    assert line(shelf, "orphan") == []


def test_an_image_that_is_its_own_parent_is_a_loop_of_one(shelf: Shelf) -> None:
    shelf.image(shelf.source(), "a", parent_image_id="a")
    assert line(shelf, "a") == [("a", 1, "loop")]


def test_a_circle_ends_where_it_closes(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", parent_image_id="b")
    shelf.image(source, "b", parent_image_id="c")
    shelf.image(source, "c", parent_image_id="b")
    assert line(shelf, "a") == [("b", 1, "live"), ("c", 2, "live"), ("b", 3, "loop")]
    assert line(shelf, "b") == [("c", 1, "live"), ("b", 2, "loop")]


def test_the_same_id_in_another_source_is_another_image(shelf: Shelf) -> None:
    shelf.image(shelf.source("one"), "child", parent_image_id="base")
    shelf.image(shelf.source("two"), "base", parent_image_id="deeper")
    assert line(shelf, "child") == [("base", 1, "missing")]


def test_a_line_without_end_stops_after_a_hundred_generations(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.connection.execute(
        "INSERT INTO images (source_id, image_id, parent_image_id, first_seen_at, last_changed_at)"
        " SELECT %s, n::text, (n + 1)::text, now(), now() FROM generate_series(1, 300) AS n",
        (source,),
    )
    assert len(line(shelf, "1")) == 100
