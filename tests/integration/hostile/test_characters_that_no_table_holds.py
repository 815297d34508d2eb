"""NUL and half surrogate pairs become U+FFFD wherever a cloud puts them (semantics 3): no sweep fails for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.deadline import Deadline
from catalog.errors import CatalogError
from catalog.fetch.auth import login
from catalog.text import storable
from tests.identity import service_entry
from tests.integration.run.cloud_entry import CloudEntry, later_page
from tests.support.records import image
from tests.support.rows import rows
from tests.support.world import Sites

ODD = {"NUL": "\0", "first half": "\ud83d", "second half": "\udc00"}
with_each = pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())


def test_only_what_no_table_holds_is_replaced() -> None:
    assert storable("a\0b\ud83dc\udfffd") == "a\ufffdb\ufffdc\ufffdd"
    assert storable("\x1b \x7f \u202e \ufffe \U0001f4bf") == "\x1b \x7f \u202e \ufffe \U0001f4bf"
    assert storable(None) is None
    error = CatalogError("a\0b")
    assert str(error) == f"{error}" == "a\ufffdb"


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_an_id_with_nul_is_a_marker_like_any_other(sites: Sites, kind: str, tmp_path: Path) -> None:
    """The cloud gets it as it was; the ledger, and that of whoever loads the archive, shows it mended."""
    images = [image(0), image(1, id="z\0z"), image(2), image(3, id="last\0")]
    site = sites.open(kind, images, archive=tmp_path)
    for _ in range(2):
        run = site.sweep()
        assert (run.outcome, run.listed) == ("complete", 4), run.error
        query = "SELECT last_marker FROM run_passes WHERE source_id = $ AND run_id = %s AND pass = 'listed'"
        assert site.rows(query, run.run_id) == [{"last_marker": "last\ufffd"}]
    assert site.live() == {"image-000", "z\ufffdz", "image-002", "last\ufffd"}
    assert "z\0z" in {request.query["marker"] for request in site.server.requests if later_page(request)}
    other = sites.open(kind, 0, name="other")
    assert backfill(other.database, other.source, [tmp_path], confirmed=True).failures == []
    assert {row["last_marker"] for row in other.rows("SELECT * FROM run_passes WHERE source_id = $")} == {
        "last\ufffd",
        None,
    }


@with_each
def test_an_identity_services_words_do_not_keep_a_run_open(sites: Sites, entry: CloudEntry, odd: str) -> None:
    site = entry.lead_to(sites.open())
    entry.identity.status, entry.identity.words = 400, f"bad{odd}thing"
    run = site.sweep()
    assert (run.outcome, run.error_kind) == ("failed", "login")
    (row,) = site.run_rows()
    assert row["finished_at"] is not None
    assert row["error"] == run.error
    assert "HTTP 400" in row["error"]
    assert "thing" not in row["error"]  # nothing of a login's answer is quoted but its code


@with_each
def test_a_region_is_recorded_and_recognised(
    sites: Sites, entry: CloudEntry, odd: str, tmp_path: Path
) -> None:
    site = entry.lead_to(sites.open(), archive=tmp_path / "archive")
    entry.write(region_name=None)
    entry.identity.catalogue = [service_entry("image", **{f"R{odd}": site.server.endpoint})]
    for _ in range(2):
        run = site.sweep()
        assert run.outcome == "complete", run.error
    assert rows(site.database, "SELECT region FROM sources") == [{"region": "R\ufffd"}]
    assert len(list((tmp_path / "archive").rglob("*.gz"))) == 2


@with_each
def test_an_address_that_is_none_is_told_in_a_line(sites: Sites, entry: CloudEntry, odd: str) -> None:
    site = entry.lead_to(sites.open())
    entry.identity.catalogue = [service_entry("image", north=f"{site.server.endpoint}/{odd}")]
    run = site.sweep()
    assert (run.outcome, run.error_kind) == ("failed", "login")
    assert "invalid image endpoint in the catalogue" in str(run.error)


def test_projects_become_sources_by_names_that_can_be_stored(sites: Sites, entry: CloudEntry) -> None:
    """Names that become equal are told apart by their ids, as equal ones are."""
    names = ["hay", "nul\0", "half\ud83d", "half\udc00"]
    entry.identity.projects = [
        {"id": f"{n}" * 32, "name": name, "enabled": True, "domain_id": "default"}
        for n, name in enumerate(names, 1)
    ]
    site = entry.lead_to(sites.open(), name="m/{project}", all_projects=True)
    sources: Any = login.expand_projects([site.source]).sources
    assert {s.name for s in sources} == {"m/hay", "m/nul\ufffd", "m/" + "3" * 32, "m/" + "4" * 32}
    for source in sources:
        site.source = source
        assert site.sweep().outcome == "complete"
    assert {row["name"] for row in rows(site.database, "SELECT name FROM sources")} == {
        s.name for s in sources
    }


def test_names_of_projects_can_be_stored(sites: Sites, entry: CloudEntry) -> None:
    entry.identity.projects = [{"id": "1" * 32, "name": "a\0b\ud83d", "domain_id": "default"}]
    site = entry.lead_to(sites.open())
    auth = login.connect(site.source, Deadline(20)).auth
    assert auth is not None
    assert auth.project_names() == [("1" * 32, "a\ufffdb\ufffd", "Default")]
