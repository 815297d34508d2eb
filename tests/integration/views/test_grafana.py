"""The dashboard docs/grafana.json: each query as Grafana would send it, on a catalog with known contents."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.views.conftest import T0, Shelf, ago, days
from tests.integration.views.readers import reader

BOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "grafana.json").read_text(encoding="utf-8")
)
PANELS: dict[str, dict[str, Any]] = {panel["title"]: panel for panel in BOARD["panels"]}
VARIABLES: dict[str, dict[str, Any]] = {row["name"]: row for row in BOARD["templating"]["list"]}
DATA_SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
SECONDS = {"1h": 3600, "1d": 86400}


def sent(query: str, start: datetime, end: datetime, sources: Sequence[str], interval: str = "1h") -> str:
    """The SQL that reaches PostgreSQL.

    Replaces variables, then macros, by the rules of Grafana's PostgreSQL data source: a macro's arguments end at the
    first closing bracket and are parted at every comma, so that nested calls in them break here as they do there.
    Raises ValueError for a macro or a variable that Grafana does not know.
    """
    quoted = ",".join("'" + name.replace("'", "''") + "'" for name in sources)
    query = query.replace("${source:sqlstring}", quoted).replace("$__interval", interval)
    first, last = (f"'{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'" for moment in (start, end))

    def value(macro: re.Match[str]) -> str:
        name, arguments = macro[1], [argument.strip() for argument in macro[2].split(",")]
        match name, arguments:
            case "__time", [column]:
                return f'{column} AS "time"'
            case "__timeFilter", [column]:
                return f"{column} BETWEEN {first} AND {last}"
            case "__timeFrom", [""]:
                return first
            case "__timeTo", [""]:
                return last
            case "__timeGroupAlias", [column, width]:
                return f'floor(extract(epoch from {column})/{SECONDS[width]})*{SECONDS[width]} AS "time"'
        raise ValueError(f"Grafana does not know {macro[0]}")

    query = re.sub(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)", value, query)
    if "$" in query:
        raise ValueError(f"something is left to replace in {query}")
    return query


def shown(
    shelf: Shelf, title: str, *sources: str, start: datetime = T0, end: datetime | None = None
) -> list[tuple[Any, ...]]:
    """What a panel gets for these sources, default `one`; without an end up to ten days after T0."""
    (target,) = PANELS[title]["targets"]
    interval = PANELS[title].get("interval", "1h")
    query = sent(target["rawSql"], start, end or days(10), sources or ("one",), interval)
    return [tuple(row.values()) for row in shelf.ask(query)]


# ---- the file -------------------------------------------------------------------------------------------


def test_every_query_runs_with_the_rights_of_a_reader(shelf: Shelf, database_url: str) -> None:
    shelf.source("it's one")
    with reader(database_url) as connection:
        connection.execute(VARIABLES["source"]["query"].encode())
        for panel in PANELS.values():
            for target in panel["targets"]:
                cursor = connection.execute(
                    sent(target["rawSql"], days(-1), days(1), ["it's one", "b"]).encode()
                )
                columns = [column.name for column in cursor.description or ()]
                if target["format"] == "time_series":
                    assert columns[0] == "time", panel["title"]


def test_every_query_runs_where_there_is_no_source_to_choose(shelf: Shelf, database_url: str) -> None:
    with reader(database_url) as connection:
        for panel in PANELS.values():
            for target in panel["targets"]:
                connection.execute(sent(target["rawSql"], days(-1), days(1), []).encode())


@pytest.mark.parametrize(
    "broken", ["$__timeFilter(coalesce(a, b))", "$__unknown(a)", "$source", "$__timeFrom"]
)
def test_what_grafana_would_not_replace_is_noticed(broken: str) -> None:
    with pytest.raises(ValueError, match=r"Grafana does not know|something is left"):
        sent(f"SELECT {broken}", T0, T0, ["one"])


def test_the_board_can_be_imported_anywhere(shelf: Shelf) -> None:
    """Its data source is chosen at import, ids are unique, and it names no place of its own."""
    assert len(PANELS) == len(BOARD["panels"]) == len({panel["id"] for panel in PANELS.values()})
    for panel in PANELS.values():
        assert panel["datasource"] == DATA_SOURCE
        assert all(target["datasource"] == DATA_SOURCE and target["rawQuery"] for target in panel["targets"])
        assert panel["description"]
    assert VARIABLES["datasource"]["query"] == DATA_SOURCE["type"]
    assert VARIABLES["source"]["datasource"] == DATA_SOURCE
    assert "id" not in BOARD
    assert "http" not in json.dumps(BOARD)


def test_panels_fill_the_width_and_none_covers_another() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in PANELS.values():
        place = panel["gridPos"]
        covered = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not covered & cells, panel["title"]
        cells |= covered
    height = max(y for _, y in cells) + 1
    assert cells == {(x, y) for x in range(24) for y in range(height)}


def test_sources_to_pick_are_those_in_use(shelf: Shelf) -> None:
    shelf.source("b")
    shelf.source("a")
    shelf.source("retired", retired_at=T0)
    assert shelf.column(VARIABLES["source"]["query"]) == ["a", "b"]


def test_the_answer_of_each_panel_is_checked_below() -> None:
    below = Path(__file__).read_text(encoding="utf-8")
    assert [title for title in PANELS if f'shown(shelf, "{title}"' not in below] == []


# ---- the panels -----------------------------------------------------------------------------------------


def test_figures_count_each_image_once_and_only_sources_that_are_picked(shelf: Shelf) -> None:
    one, two, third = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two", "third"))
    for source in (one, two, third):
        shelf.image(source, "shared", created_at=days(1))
    shelf.image(one, "hid", hidden=True, created_at=days(-1))
    shelf.image(one, "gone", created_at=days(2), deleted_at=days(3))
    shelf.image(two, "gone", created_at=days(2), deleted_at=days(4))
    shelf.image(one, "left", created_at=days(-2), deleted_at=days(3))
    shelf.image(two, "left", created_at=days(-2))
    shelf.image(third, "else", created_at=days(1))
    picked = ("one", "two")
    assert shown(shelf, "Live images", *picked) == [(3,)]
    assert shown(shelf, "Offered", *picked) == [(2,)]
    assert shown(shelf, "Came", *picked) == [(2,)]
    assert shown(shelf, "Gone", *picked) == [(1,)]
    assert shown(shelf, "Gone", "one") == [(2,)]
    assert shown(shelf, "Gone", *picked, end=days(3.5)) == [(0,)]


def test_figures_of_trouble(shelf: Shelf) -> None:
    source = shelf.source("one", last_complete_at=ago(2), expected_seconds=900.0)
    shelf.source("two", last_complete_at=ago(0))
    for image_id, decision in (("a", "open"), ("b", "open"), ("c", "kept")):
        key = {"source_id": source, "image_id": image_id, "run_id": "00000000-0000-4000-8000-000000000001"}
        shelf.insert("held_deletions", key | {"observed_at": T0, "decision": decision})
    assert shown(shelf, "Deletions held", "one", "two") == [(2,)]
    assert shown(shelf, "Deletions held", "none") == [(0,)]
    assert shown(shelf, "Sources out of date", "one", "two") == [(1,)]
    assert shown(shelf, "Sources out of date", "two") == [(0,)]


def test_live_images_over_time_begin_with_those_that_lived_before(shelf: Shelf) -> None:
    source, quiet, other = shelf.source("one"), shelf.source("quiet"), shelf.source("other")
    shelf.spell(source, "old", "active", days(-5))
    shelf.spell(source, "left", "active", days(-5), days(2))
    shelf.spell(source, "left", "deleted", days(2))
    shelf.spell(source, "turns", "queued", days(1), days(1) + timedelta(minutes=5))
    shelf.spell(source, "turns", "active", days(1) + timedelta(minutes=5))
    shelf.spell(source, "before", "active", days(-5), days(-4))
    shelf.spell(source, "before", "deleted", days(-4))
    shelf.spell(source, "first known as gone", "deleted", days(1))
    shelf.spell(source, "back", "active", days(-5), days(-4))
    shelf.spell(source, "back", "deleted", days(-4), days(3))
    shelf.spell(source, "back", "active", days(3))
    shelf.spell(source, "after", "active", days(11))
    shelf.spell(quiet, "still", "active", days(-9))
    shelf.spell(other, "unpicked", "active", days(1))
    rows = shown(shelf, "Live images over time", "one", "quiet")
    assert [(datetime.fromtimestamp(int(time), UTC), metric, images) for time, metric, images in rows] == [
        (T0, "one", 2),
        (T0, "quiet", 1),
        (days(1), "one", 3),
        (days(2), "one", 2),
        (days(3), "one", 3),
        (days(10), "one", 3),
        (days(10), "quiet", 1),
    ]


def test_live_images_by_platform(shelf: Shelf) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    shelf.image(one, "a", platform="Debian", updated_at=days(1))
    shelf.image(two, "a", platform="Ubuntu", updated_at=days(2))
    shelf.image(one, "b", platform="ubuntu", os_version="22.04")
    shelf.image(one, "c")
    shelf.image(one, "gone", platform="Ubuntu", deleted_at=days(1))
    assert shown(shelf, "Live images by platform", "one", "two") == [("ubuntu", 2), ("(none)", 1)]


def test_arrivals_and_departures_by_day(shelf: Shelf) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    for source, left in ((one, days(3)), (two, days(5))):
        shelf.image(source, "a", created_at=days(1), deleted_at=left)
    shelf.image(one, "b", created_at=days(1.4))
    shelf.image(one, "early", created_at=days(-1))
    rows = shown(shelf, "Arrivals and departures", "one", "two")
    midnight = T0 - timedelta(hours=12)
    assert [(datetime.fromtimestamp(int(time), UTC), came, gone) for time, came, gone in rows] == [
        (midnight + timedelta(1), 2, 0),
        (midnight + timedelta(5), 0, -1),
    ]


def run(shelf: Shelf, source_id: str, number: int, at: datetime, **columns: Any) -> None:
    row: dict[str, Any] = {
        "run_id": f"00000000-0000-4000-8000-{number:012}",
        "kind": "sync",
        "started_at": at,
    }
    shelf.insert("runs", row | {"source_id": source_id} | columns)


def test_sweeps_how_long_they_took_and_which_were_not_complete(shelf: Shelf) -> None:
    source, other = shelf.source("one"), shelf.source("other")
    run(shelf, source, 1, days(1), finished_at=days(1) + timedelta(seconds=90), outcome="complete")
    run(shelf, source, 2, days(2), finished_at=days(2), outcome="failed", error_kind="login", error="401")
    run(shelf, source, 3, days(3))
    run(shelf, source, 4, days(4), kind="backfill", finished_at=days(5), outcome="partial", error="line 7")
    run(shelf, source, 5, days(-1), finished_at=days(-1), outcome="failed")
    run(shelf, other, 6, days(2), finished_at=days(2), outcome="failed")
    assert shown(shelf, "Duration of sweeps") == [
        (days(1).timestamp(), "one", Decimal(90)),
        (days(2).timestamp(), "one", Decimal(0)),
    ]
    assert shown(shelf, "Sweeps that were not complete") == [
        (days(4), "one", "partial", None, "line 7"),
        (days(2), "one", "failed", "login", "401"),
    ]


def test_latest_changes_are_counted_once(shelf: Shelf) -> None:
    one, two = (
        shelf.source(name, cloud="otc", region="r", project_id=f"p-{name}") for name in ("one", "two")
    )
    for source, seen in ((one, days(-9)), (two, days(-8))):
        shelf.image(source, "a", owner="p-two", first_seen_at=seen)
        shelf.revision(source, "a", days(1), days(2), changed={"tags": [["x"], ["x", "y"]]})
        shelf.revision(source, "a", days(2), days(11), changed={"updated_at": ["x", "y"]})
        shelf.revision(source, "a", days(11), changed={"min_ram": [1, 2]})
    change = (days(1), "two", "a", "updated", "tags", "x", "x, y", "a")
    assert shown(shelf, "Latest changes", "one", "two") == [change]
    assert shown(shelf, "Latest changes", "one") == [(days(1), "one", *change[2:])]


def test_images_to_move_away_from(shelf: Shelf) -> None:
    source = shelf.source("one")
    today = datetime.now(UTC).date()
    shelf.image(source, "new", name="Debian 12", created_at=days(9))
    shelf.image(source, "old", name="Debian 12 (old20260101)", created_at=days(1))
    shelf.image(source, "gone", name="Debian 12 (20251101)", deleted_at=days(2))
    for image_id, in_days in (("soon", 30), ("later", 200)):
        until = (today + timedelta(in_days)).isoformat()
        shelf.image(source, image_id, properties={"provided_until": until})
    shelf.image(shelf.source("other"), "stopped", status="deactivated")
    shelf.image(source, "announced", created_at=days(1))
    row = {"source_id": source, "scope": "image", "subject": "announced", "announced_at": days(1)}
    shelf.insert("image_announcements", row | {"deprecated_at": days(2)})
    assert shown(shelf, "Move away in time") == [
        ("one", "soon", "current", T0, (today + timedelta(30)).isoformat(), None, "soon", None),
        ("one", "Debian 12 (old20260101)", "superseded", days(9), None, "Debian 12", "old", "new"),
        ("one", "announced", "deprecated", days(2), None, None, "announced", None),
    ]


def test_capabilities(shelf: Shelf) -> None:
    source = shelf.source("one")
    shelf.image(source, "a", platform="Ubuntu", flags={"kvm": True, "xen_hana": False})
    shelf.image(source, "b", platform="Debian", flags={"kvm": True})
    shelf.image(shelf.source("other"), "c", flags={"kvm": True})
    assert shown(shelf, "Capabilities") == [("hana", "xen_hana", 0, 1), ("hypervisor", "kvm", 2, 0)]


def test_freshness(shelf: Shelf) -> None:
    shelf.source("one", last_complete_at=ago(0), expected_seconds=900.0)
    failing = {"failing_since": ago(1), "error_kind": "login"}
    shelf.source("two", last_complete_at=ago(2), expected_seconds=900.0, **failing)
    shelf.source("other")
    rows = shown(shelf, "Freshness of sources", "one", "two")
    assert [row[:2] + row[3:] for row in rows] == [
        ("two", ago(2), 900.0, True, ago(1), "login", 0),
        ("one", ago(0), 900.0, False, None, None, 0),
    ]
