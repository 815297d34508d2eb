"""docs/datacontract.yaml: the real datacontract-cli holds it against a catalog (`-m soak`)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from catalog.store.db.connection import Database
from tests.tools.conftest import installed

CONTRACT = Path(__file__).parents[2] / "docs" / "datacontract.yaml"
pytestmark = pytest.mark.soak


@pytest.fixture(scope="session")
def datacontract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory, "datacontract", "datacontract-cli[postgres]>=1")


def test_the_catalog_keeps_the_contract_and_what_breaks_it_is_seen(
    datacontract: Path, filled: Database, tmp_path: Path
) -> None:
    address = conninfo_to_dict(filled.libpq_url)
    host, port, name = address["host"], address.get("port", 5432), address["dbname"]
    server = f"host: {host}, port: {port}, database: {name}, schema: catalog"
    contract = CONTRACT.read_text(encoding="utf-8")
    placeholder = "host: db.example.com, port: 5432, database: catalog, schema: catalog"
    assert placeholder in contract
    (tmp_path / "datacontract.yaml").write_text(contract.replace(placeholder, server), encoding="utf-8")

    def check() -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "200",
            "DATACONTRACT_POSTGRES_USERNAME": str(address["user"]),
            "DATACONTRACT_POSTGRES_PASSWORD": str(address.get("password", "none")),
        }  # fmt: skip
        return subprocess.run(
            [datacontract, "test", "datacontract.yaml"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    kept = check()
    assert kept.returncode == 0, kept.stdout
    assert "Data contract is valid" in kept.stdout
    with psycopg.connect(filled.libpq_url, autocommit=True) as connection:
        connection.execute("UPDATE catalog.sources SET error_kind = 'weather'")
    broken = check()
    assert broken.returncode == 1
    failed = [line for line in broken.stdout.splitlines() if "│ failed │" in line]
    assert len(failed) == 2
    assert "source_freshness.error_kind" in failed[0]
    assert "sources.error_kind" in failed[1]
