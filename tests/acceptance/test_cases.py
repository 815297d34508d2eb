"""The case files of public fault reports, played by a real loopback server, end as each of them says.

They are in cases/; the README there describes their form.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from catalog.fields import FIELDS
from catalog.mapping.values import timestamp
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.acceptance.casework import CASES, Stage, load
from tests.support.rows import rows, snapshot
from tests.support.world import LEDGER, hasty

LOGINS = {"B47", "B54", "B55"}
SPECIAL = {"B51", "B58"}
TOKEN = "a-token-of-the-case"
COLUMNS = {key: field.column for field in FIELDS for key in field.keys} | {"deleted_at": "deleted_at"}


def cases() -> list[Any]:
    names = sorted(path.stem for path in CASES.glob("B*.json"))
    return [name for name in names if name.split("-")[0] not in LOGINS | SPECIAL]


@pytest.fixture
def staged(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CASE_TOKEN", TOKEN)
    opened: list[Stage] = []

    def open_stage(case: dict[str, Any]) -> Stage:
        opened.append(Stage(database, case))
        return opened[-1]

    yield open_stage
    for stage in opened:
        stage.close()


@dataclasses.dataclass
class Played:
    """What came of a case: runs, images after each step, requests and rows written in each."""

    runs: list[RunResult] = dataclasses.field(default_factory=list)
    images: list[dict[str, dict[str, Any]]] = dataclasses.field(default_factory=list)
    requests: list[int] = dataclasses.field(default_factory=list)
    written: list[int] = dataclasses.field(default_factory=list)


def play(stage: Stage) -> Played:
    played = Played()
    for n, step in enumerate(stage.case["steps"], 1):
        before = snapshot(stage.database, LEDGER)
        played.runs.append(stage.play(step))
        after = snapshot(stage.database, LEDGER)
        played.images.append(stage.images())
        played.requests.append(played.runs[-1].requests)
        played.written.append(sum(len(after[table] ^ before[table]) for table in after))
        between = stage.case.get(f"expect_after_step{n}")
        if between:
            check(stage, played, between)
    return played


def check(stage: Stage, played: Played, expect: dict[str, Any]) -> None:
    """Each thing that a case expects; one that is not known here is an error."""
    images = stage.images()
    alternatives = [*expect.get("any_of", []), *([expect["or"]] if "or" in expect else [])]
    for what, wanted in expect.items():
        match what:
            case "runs":
                ends = ["ok" if run.outcome == "complete" else "failed" for run in played.runs]
                assert ends == wanted or any(a.get("runs") == ends for a in alternatives), played.runs
            case "images":
                for image_id, fields in wanted.items():
                    for key, value in fields.items():
                        check_field(stage, played, image_id, key, value)
            case "image_count":
                assert len(images) == wanted
            case "tags":
                for image_id, tags in wanted.items():
                    assert stage.column("image_tags", "tag", image_id) == sorted(tags)
            case "properties":
                for image_id, properties in wanted.items():
                    check_properties(stage, images, image_id, properties)
            case "absent_properties":
                for image_id, names in wanted.items():
                    assert not set(names) & set(stage.column("image_properties", "name", image_id))
            case "flags":
                for image_id, flags in wanted.items():
                    query = "SELECT capability, supported FROM image_capabilities WHERE image_id = %s"
                    held = {r["capability"]: r["supported"] for r in rows(stage.database, query, image_id)}
                    assert {k.removeprefix("__support_"): v for k, v in flags.items()}.items() <= held.items()
            case "history":
                for image_id, statuses in wanted.items():
                    query = "SELECT status FROM status_history WHERE image_id = %s ORDER BY valid_from"
                    assert [r["status"] for r in rows(stage.database, query, image_id)] == statuses
            case "parent":
                assert {i: images[i]["parent_image_id"] for i in wanted} == wanted
            case "lengths":
                for image_id, lengths in wanted.items():
                    check_lengths(stage, images[image_id], lengths)
            case "skipped":
                assert played.runs[-1].rejected == wanted
                assert len(rows(stage.database, "SELECT FROM rejected_records")) == wanted
            case "changed_rows_step2":
                assert played.written[1] == wanted
            case "max_requests_step2":
                assert played.requests[1] <= wanted
            case "token_sent_only_to":
                # Nothing but these origins was asked at all, and each request there carried the token.
                assert wanted == [s["endpoint"] for s in stage.case["sources"].values()]
                asked = [r for server in stage.servers.values() for r in server.requests]
                assert len(asked) == sum(played.requests)
                assert all(r.headers.get("x-auth-token") == TOKEN for r in asked)
            case "row_updated_time":
                assert wanted == "step 2 > step 1"
                first, second = ([row["last_changed_at"] for row in one.values()] for one in played.images)
                assert second > first
            case "first_seen":
                assert {row["first_seen_at"] for row in images.values()} == {played.runs[0].observed_at}
            case "any_of":
                assert any(holds(stage, played, one) for one in wanted)
            case "or" | "note":
                pass
            case _:
                pytest.fail(f"the case expects {what!r}, which nothing here checks")


def holds(stage: Stage, played: Played, expect: dict[str, Any]) -> bool:
    try:
        check(stage, played, expect)
    except AssertionError:
        return False
    return True


def check_field(stage: Stage, played: Played, image_id: str, key: str, wanted: Any) -> None:
    row = stage.images()[image_id]
    got = row[COLUMNS[key]]
    if isinstance(wanted, str) and wanted.startswith("NOT NULL"):
        # without a time of the cloud's own: the status period's valid_from (semantics 3.6)
        assert got is not None
        assert {one[image_id]["deleted_at"] for one in played.images[1:]} == {got}
    elif isinstance(got, datetime):
        steps = zip(stage.case["steps"], played.runs, strict=False)
        observed = [run.observed_at for step, run in steps if step["at"] == wanted]
        assert got in (observed or [timestamp(wanted)]), f"{image_id} {key}"
    else:
        assert got == wanted, f"{image_id} {key}"


def check_properties(
    stage: Stage, images: dict[str, dict[str, Any]], image_id: str, wanted: dict[str, Any]
) -> None:
    query = "SELECT name, value FROM image_properties WHERE image_id = %s"
    held = {row["name"]: row["value"] for row in rows(stage.database, query, image_id)}
    for key, value in wanted.items():
        assert (images[image_id][COLUMNS[key]] if key in COLUMNS else held.get(key)) == value


def check_lengths(stage: Stage, row: dict[str, Any], wanted: dict[str, int]) -> None:
    for key, length in wanted.items():
        if key == "tag":
            assert length in {len(tag) for tag in stage.column("image_tags", "tag", row["image_id"])}
        else:
            assert len(row[COLUMNS[key]]) == length


def test_every_case_is_played_or_has_a_test_of_its_own() -> None:
    """With the case files at hand every one of them is played by a test of this module."""
    assert len(cases()) + len(LOGINS | SPECIAL) == len(list(CASES.glob("B*.json")))


@pytest.mark.parametrize("name", cases() or ["none"])
def test_case(staged: Any, name: str) -> None:
    """The end state of a scripted exchange is the one that the case expects."""
    case = load(name)
    bodies = case.get("variants_of_step2_body", [])
    stage = staged(case)
    played = play(stage)
    check(stage, played, case["expect"])
    assert [one for script in stage.scripts.values() for one in script.unanswered] == []
    for body in bodies:
        step = json.loads(json.dumps(case["steps"][1]))
        step["exchange"][0]["body"] = body
        played.runs[1] = stage.play(step)
        check(stage, played, case["expect"])


def test_b51_an_endpoint_names_a_service_with_or_without_version(staged: Any) -> None:
    """Whatever the form of the endpoint, the listing is asked for where the case says, on that origin."""
    case = load("B51")
    stage = staged(case)
    answer = case["root_answer"]
    listing = {"request": "GET *", "status": 200, "body": {"images": []}, "repeat": True}
    root = {"request": "GET /", "status": answer["status"], "body": answer["body"], "repeat": True}
    server = stage.servers["S1"]
    for n, (endpoint, url) in enumerate(case["table"]):
        stage.scripts["S1"].begin([root, listing])
        del server.requests[:]
        source = dataclasses.replace(
            stage.sources["S1"], name=f"S{n}", endpoint=server.origin + urlsplit(endpoint).path
        )
        assert sweep(stage.database, source, opener=hasty).outcome == "complete"
        assert {request.path for request in server.requests} == {urlsplit(url).path}


def test_b58_thousands_of_images_come_and_go(staged: Any) -> None:
    """No limit of bound parameters is met, neither by many new images nor by many that are gone."""
    case = load("B58")
    stage = staged(case)
    asked = case["generate"]
    count, pages = asked["count"], asked["pages"]
    size = count // pages
    created = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    records = [
        {
            "id": f"{n:08d}-0000-4000-8000-000000000000",
            "name": f"image {n}",
            "status": "active",
            "created_at": created,
            "updated_at": created,
            **{f"property_{p}": str(n + p) for p in range(asked["extra_properties_each"])},
        }
        for n in range(count)
    ]

    def listing(page: int) -> dict[str, Any]:
        part = records[page * size : (page + 1) * size]
        marker = f"?marker={records[page * size - 1]['id']}" if page else ""
        onward = {"next": f"/v2/images?marker={part[-1]['id']}"} if page < pages - 1 else {}
        return {"request": f"GET /v2/images{marker}", "status": 200, "body": {"images": part, **onward}}

    first = {"source": "S1", "exchange": [listing(page) for page in range(pages)]}
    only = {"request": "GET /v2/images", "status": 200, "body": {"images": records[:1]}}
    for n, step in enumerate((first, {"source": "S1", "exchange": [only]}), 1):
        assert stage.play(step, accept=True).outcome == "complete"
        images = stage.images()
        live = [row for row in images.values() if row["deleted_at"] is None]
        expect = case["expect"][f"after_{n}"]
        assert (len(images), len(live)) == (expect["image_count"], expect["live"])
