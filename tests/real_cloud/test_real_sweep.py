"""Sweeps of a real cloud into a real database."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from catalog.config.settings import SourceSettings
from catalog.model import RunResult
from catalog.store.db.connection import Database
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
