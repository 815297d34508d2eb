"""`catalog show`: one image whole, and why it is where it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk

Make = Callable[..., Record]
ID = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"


@pytest.fixture
def cloud(record: Make) -> Cloud:
    first = record(1) | {
        "id": ID,
        "tags": ["golden"],
        "os_distro": "ubuntu",
        "own": "x",
        "__support_kvm": "true",
    }
    child = record(2) | {"base_image_ref": ID}
    return Cloud("glance", [first, child, *(record(number) for number in range(3, 20))])


@pytest.fixture
def lab(desk: Desk, cloud: Cloud) -> Desk:
    desk.add_source("lab", cloud)
    assert desk.run("sync").code == 0
    return desk


def explained(desk: Desk, image: str = ID) -> dict[str, Any]:
    (row,) = desk.run("show", image, "--explain", "--format", "json").rows
    explanation = row["explanation"]
    assert isinstance(explanation, dict)
    return explanation


def run_ids(desk: Desk) -> list[str]:
    """Newest first."""
    return [row["run_id"] for row in desk.run("runs", "--format", "json").rows]


def test_an_image_is_shown_whole_in_every_format(lab: Desk, cloud: Cloud) -> None:
    cloud.change(ID, name="other")
    lab.run("sync")
    (row,) = lab.run("show", ID[:8], "--format", "json").rows
    assert (row["source"], row["image_id"], row["name"], row["distro"]) == ("lab", ID, "other", "ubuntu")
    assert (row["tags"], row["properties"]["own"]) == (["golden"], "x")
    assert [(flag["capability"], flag["supported"]) for flag in row["capabilities"]] == [("kvm", True)]
    assert [period["status"] for period in row["status_periods"]] == ["active"]
    assert ("updated", "name", "name 1", "other") in [
        (change["change"], change["field"], change["old_text"], change["new_text"])
        for change in row["changes"]
    ]
    assert [(each["depth"], each["state"]) for each in row["lineage"]] == [(-1, "live")]
    text = lab.run("show", ID, COLUMNS="30").out
    for words in (ID, "golden", "own", "Status periods", "Latest changes", "Lineage", "kvm"):
        assert words in text
    rows = list(csv.DictReader(io.StringIO(lab.run("show", ID, "--format", "csv").out)))
    assert {"source": "lab", "image_id": ID, "section": "properties", "name": "own", "value": "x"} in rows


def test_one_image_in_several_sources_is_shown_for_each(lab: Desk, record: Make) -> None:
    lab.add_source("other", Cloud("glance", [record(1) | {"id": ID, "name": "copy"}]))
    lab.run("sync", "other")
    rows = lab.run("show", ID, "--format", "json").rows
    assert [(row["source"], [each["source"] for each in row["other_sources"]]) for row in rows] == [
        ("lab", ["other"]),
        ("other", ["lab"]),
    ]
    (one,) = lab.run("show", ID, "--source", "oth*", "--format", "jsonl").out.splitlines()
    assert '"copy"' in one
    several = lab.run("show", "image-00", "--format", "json")
    assert (several.code, len(several.rows), "means 8 images" in several.error) == (2, 8, True)
    assert lab.run("show", "nothing").code == 2


def test_a_live_image_is_explained_by_the_sweep_that_listed_it(lab: Desk) -> None:
    lab.run("sync")
    why = explained(lab)
    assert (why["standing"], why["last_listed_run_id"]) == ("live", run_ids(lab)[0])
    assert [row["says"] for row in why["evidence"]] == [["listed"]]


def test_a_deletion_is_explained_by_the_look_up_that_found_nothing(lab: Desk, cloud: Cloud) -> None:
    cloud.delete(ID)
    lab.run("sync")
    lab.run("sync")
    _, missed, listed = run_ids(lab)
    why = explained(lab)
    assert why["standing"] == "deleted"
    assert "(not_found): not listed; the look-up by id found nothing" in why["because"]
    assert missed in why["because"]
    assert [(row["says"], row["run_id"]) for row in why["evidence"]] == [
        (["not_found"], missed),
        (["listed"], listed),
    ]
    assert why["last_listed_run_id"] == listed
    text = lab.run("show", ID, "--explain").out
    assert missed in text
    assert listed in text


def test_a_held_deletion_is_explained_by_the_limit_and_then_by_the_decision(lab: Desk, cloud: Cloud) -> None:
    for number in range(3, 15):
        cloud.delete(f"image-{number:03d}")
    cloud.delete(ID)
    assert lab.run("sync").code == 4
    held, _ = run_ids(lab)
    why = explained(lab)
    assert (why["standing"], why["decisions"][0]["decision"]) == ("held", "open")
    assert "more images were missing than the deletion limit lets go" in why["because"]
    assert held in why["because"]
    assert "held" in why["evidence"][0]["says"]
    lab.run("deletions", "keep", "lab", "--image", ID)
    assert "kept by" in explained(lab)["because"]
    lab.run("deletions", "approve", "lab", "--image", ID)
    why = explained(lab)
    assert why["standing"] == "deleted"
    assert "approved by" in why["because"]
    assert held in why["because"]


def test_an_unlisted_image_is_explained_by_the_look_up_that_found_it(desk: Desk, record: Make) -> None:
    cloud = Cloud("ims", [record(1) | {"id": ID}, record(2)])
    desk.add_source("ims", cloud, kind="ims")
    desk.run("sync")
    cloud.hide(ID)
    desk.run("sync")
    why = explained(desk)
    assert (why["standing"], why["look_up"]["answer"]) == ("unlisted", "found")
    assert [row["says"] for row in why["evidence"]] == [["found"], ["listed"]]


def test_a_reported_deletion_is_explained_by_the_cloud(lab: Desk, cloud: Cloud) -> None:
    cloud.change(ID, status="deleted")
    lab.run("sync")
    why = explained(lab)
    assert why["standing"] == "deleted"
    assert "(reported): listed as deleted: the cloud reports it" in why["because"]
