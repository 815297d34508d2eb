"""Sweeps of a real cloud into a real database."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from catalog.config.settings import SourceSettings
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.sync.changes_only import sweep_changes
from catalog.sync.sweep import sweep
from tests.real_cloud.services import Glance
from tests.real_cloud.test_real_glance import KINDS, token_of

pytestmark = pytest.mark.real_cloud


@pytest.fixture
def project() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def source(real_glance: Glance, project: str, tmp_path: Path) -> SourceSettings:
    file = tmp_path / "token"
    file.write_text(token_of(project))
    return SourceSettings(
        name="real", kind="glance", endpoint=real_glance.url, auth="token", token_file=file, page_size=4
    )


def swept(database: Database, source: SourceSettings) -> RunResult:
    run = sweep(database, source)
    assert (run.outcome, run.error) == ("complete", None)
    assert run.rejected == 0
    return run


def test_what_happens_to_real_images_happens_to_their_rows(
    real_glance: Glance, database: Database, source: SourceSettings, project: str
) -> None:
    token = token_of(project)
    made = [real_glance.create(token, **kind) for kind in KINDS]
    first = swept(database, source)
    assert first.inserted == first.listed >= len(made)
    second = swept(database, source)
    assert (second.unchanged, second.inserted, second.updated, second.deleted) == (first.listed, 0, 0, 0)

    renamed, gone, concealed = made[0], made[1], made[2]
    change = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    patch = b'[{"op": "replace", "path": "/name", "value": "renamed"}]'
    real_glance.request("PATCH", f"/v2/images/{renamed}", token, patch, **change)
    hide = b'[{"op": "replace", "path": "/os_hidden", "value": true}]'
    real_glance.request("PATCH", f"/v2/images/{concealed}", token, hide, **change)
    real_glance.delete(token, gone)
    third = swept(database, source)
    assert (third.updated, third.deleted, third.looked_up) == (2, 1, 1)

    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT image_id, name, hidden, deletion_reason FROM images WHERE image_id = ANY(%s)",
            ([renamed, gone, concealed],),
        ).fetchall()
    assert set(rows) == {
        (renamed, "renamed", False, None),
        (gone, None, False, "not_found"),
        (concealed, "x" * 255, True, None),
    }


def test_whatever_changes_an_image_is_among_the_changes_alone(
    real_glance: Glance, database: Database, source: SourceSettings, project: str
) -> None:
    """Of a share only its image's own changes: members move no time. What is gone waits for a complete sweep."""
    token = token_of(project, "admin,member,reader")
    create = partial(real_glance.create, token, b"x", visibility="private")
    made = [create(name=f"image {n}") for n in range(6)]
    time.sleep(2.1)  # out of the overlap: what is among the changes is so by its own time
    made.append(create(name="image 6"))
    source = dataclasses.replace(source, page_size=1000, changes_overlap=1.0)
    swept(database, source)
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}

    def patched(image_id: str, path: str, value: object, how: str = "replace") -> None:
        body = json.dumps([{"op": how, "path": path, "value": value}]).encode()
        real_glance.request("PATCH", f"/v2/images/{image_id}", token, body, **patch)

    changes: list[Callable[[str], object]] = [
        lambda image_id: real_glance.request("PUT", f"/v2/images/{image_id}/tags/golden", token),
        lambda image_id: patched(image_id, "/purpose", "test", "add"),
        lambda image_id: real_glance.request("POST", f"/v2/images/{image_id}/actions/deactivate", token),
        lambda image_id: patched(image_id, "/visibility", "shared"),
        lambda image_id: patched(image_id, "/os_hidden", True),
    ]
    for image_id, change in zip(made, changes, strict=False):
        time.sleep(2.1)
        change(image_id)
        run = sweep_changes(database, source)
        assert (run.outcome, run.supported, run.updated, run.inserted) == ("complete", True, 1, 0)
        assert run.listed < len(made)
        assert run.requests == 2
    time.sleep(2.1)
    real_glance.request("POST", f"/v2/images/{made[3]}/members", token, {"member": uuid.uuid4().hex})
    real_glance.delete(token, made[5])
    new = real_glance.create(token, name="new")
    run = sweep_changes(database, source)
    assert (run.outcome, run.updated, run.inserted, run.deleted) == ("complete", 0, 1, 0)
    real_glance.delete(token, new)
    run = sweep_changes(database, source)
    assert (run.outcome, run.supported, run.deleted) == ("complete", True, 0)
    assert swept(database, source).deleted == 2
