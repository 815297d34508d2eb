"""The made-up images: the same each time, and of the shape that is claimed."""

from __future__ import annotations

import json
from statistics import mean
from typing import Any

import pytest

from benchmarks.prepared import benchmark_images
from catalog.demo.images import example_images
from catalog.fields import CAPABILITY_PREFIX, FIELDS

COLUMN_KEYS = {key for field in FIELDS for key in field.keys} | {"id", "tags"}


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_the_same_arguments_give_the_same_records(kind: Any) -> None:
    records = example_images(kind, 30, seed=7)
    assert records == example_images(kind, 30, seed=7)
    assert records[:10] == example_images(kind, 10, seed=7)
    assert records != example_images(kind, 30, seed=8)
    assert len({record["id"] for record in records}) == 30
    created = [record["created_at"] for record in records]
    assert created == sorted(created)


def test_benchmark_records_have_the_shape_that_the_goals_are_stated_for() -> None:
    records = list(benchmark_images(1000))
    assert 1250 < mean(len(json.dumps(record)) for record in records) < 1350
    assert round(mean(len(record) for record in records)) == 42
    assert round(mean(len(record["tags"]) for record in records), 1) == 2.5
    flags = [[key for key in record if key.startswith(CAPABILITY_PREFIX)] for record in records]
    assert round(mean(len(keys) for keys in flags), 1) == 5.5
    rest = [record.keys() - COLUMN_KEYS - set(keys) for record, keys in zip(records, flags, strict=True)]
    assert round(mean(len(keys) for keys in rest), 1) == 3.0


def test_glance_examples_show_each_kind_of_image() -> None:
    records = example_images("glance", 16)
    assert {record["visibility"] for record in records} == {"public", "private", "shared", "community"}
    assert {"active", "queued"} <= {record["status"] for record in records}
    assert any(record["os_hidden"] for record in records)
    assert any(record.get("image_type") == "snapshot" for record in records)


def test_ims_examples_show_each_kind_of_image_and_every_documented_key() -> None:
    records = example_images("ims", 64)
    assert {record["__imagetype"] for record in records} == {"gold", "private", "shared", "market"}
    documented = {key for field in FIELDS for key in field.keys if key.startswith("__")}
    assert documented <= {key for record in records for key in record}
