"""A catalog of two sources with history, and ways to export it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from catalog.demo.images import example_images
from catalog.export.export import Exported, export
from catalog.export.target import open_target
from catalog.store.db.connection import Database
from tests.support.rows import rows
from tests.support.world import Site, Sites

AWKWARD = "it's [a] 100% test/eu-de é"
"""A name with characters that stand for something in paths, globs and SQL."""


@pytest.fixture
def sites(database: Database) -> Iterator[Sites]:
    sites = Sites(database)
    yield sites
    sites.close()


@dataclass
class Catalog:
    """Two sources, and moments between which something happened."""

    database: Database
    sites: Sites
    moments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.one = self._open("glance", "one")
        self.two = self._open("ims", AWKWARD)
        self._note()
        self._change(self.one, 1)
        self._change(self.two, 2)
        self._note()
        self._change(self.one, 3)
        self.two.sweep()

    def _open(self, kind: str, name: str) -> Site:
        site = self.sites.open(kind, example_images(kind, 24), name)  # type: ignore[arg-type]
        site.sweep(changed={"page_size": 100})
        return site

    def _change(self, site: Site, turn: int) -> None:
        """A new image, a new name, a new tag, a removal, and a deletion that the cloud reports and changes later."""
        ids = [record["id"] for record in site.cloud.records]
        new = {**example_images(site.cloud.kind, 24 + turn)[-1], "id": f"new-{turn}"}
        site.cloud.add(new)
        site.cloud.change(ids[turn], name=f'renamed "{turn}"', tags=["x,y", 'quo"ted', ""])
        site.cloud.change(ids[10], status="deleted", name=f"gone {turn}")
        site.cloud.delete(ids[-turn])
        site.sweep(changed={"page_size": 100})

    def _note(self) -> None:
        self.moments.append(self.ask("SELECT now()::text AS now")[0]["now"])

    def ask(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return rows(self.database, query, *values)

    def export(self, target: Path | str, file_format: str = "parquet", **options: Any) -> Exported:
        with self.database.transaction(read_only=True) as connection, open_target(str(target)) as place:
            return export(connection, place, file_format, **options)  # type: ignore[arg-type]


@pytest.fixture
def catalog(sites: Sites) -> Catalog:
    return Catalog(sites.database, sites)


def manifest(target: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return loaded


def files(target: Path, table: str, read: Callable[[Path], dict[str, Any]] = manifest) -> list[str]:
    """The files of a table that the manifest names."""
    return [
        str(target / file["path"])
        for source in read(target)["sources"]
        for file in source["tables"][table]["files"]
    ]
