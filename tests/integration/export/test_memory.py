"""An export stays within 300 MiB, however large the documents and however many the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.store.db.connection import Database
from tests.integration.export.conftest import manifest
from tests.support.measured import run_measured

BOUND_MIB = 300
ROWS = Path(__file__).with_name("many_rows.sql")


def fill(database: Database, images: int, revisions: int, document: str) -> None:
    statements = ROWS.read_text(encoding="utf-8")
    for word, value in (("images", str(images)), ("revisions", str(revisions)), ("document", document)):
        statements = statements.replace("{" + word + "}", value)
    with database.transaction() as connection:
        connection.execute(statements.encode())
    with database.session() as connection:
        connection.autocommit = True
        connection.execute("ANALYZE")
        connection.autocommit = False


def check(database: Database, folder: Path, rows: int, seconds: float) -> None:
    environment = {"CATALOG_DATABASE_URL": database.libpq_url, "HOME": str(folder)}
    target = folder / "lake"
    ended = run_measured(
        ["export", str(target), "--format", "parquet"], folder, environment, give_up_seconds=seconds
    )
    assert ended.exit_code == 0, ended.stderr
    assert ended.peak_mib < BOUND_MIB
    (source,) = manifest(target)["sources"]
    assert source["tables"]["image_revisions"]["rows"] == rows


def test_large_documents(database: Database, tmp_path: Path) -> None:
    """Half a GiB of them: 128 of 4 MiB each."""
    fill(database, 8, 16, "jsonb_build_object('k', repeat(md5(r::text), 131072))")
    check(database, tmp_path, 128, 300)


@pytest.mark.soak
def test_100_000_images_and_a_million_revisions(database: Database, tmp_path: Path) -> None:
    document = (
        "(SELECT jsonb_object_agg('key_' || k, md5(n::text || r || k)) FROM generate_series(1, 30) AS k)"
    )
    fill(database, 100_000, 10, document)
    check(database, tmp_path, 1_000_000, 3600)
