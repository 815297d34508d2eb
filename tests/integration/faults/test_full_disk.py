"""The disk of the embedded server is full: said in one line, nothing lost, and it goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.errors import CatalogError
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.support.records import image
from tests.support.world import Sites

MEGABYTES = 180


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, so small that it can be filled."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts file systems")
    folder = Path(tempfile.mkdtemp(prefix="catalog-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        folder.rmdir()
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def filler(disk: Path, leave: int) -> Path:
    """A file that takes all the room but so many bytes."""
    path = disk / "filler"
    room = shutil.disk_usage(disk).free - leave
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room)
    return path


def test_a_disk_that_fills_during_a_merge(small_disk: Path) -> None:
    settings = {"max_wal_size": "32MB", "min_wal_size": "32MB", "shared_buffers": "16MB", "fsync": "off"}
    with EmbeddedServer(small_disk / "data", settings=settings) as url:
        with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
            schema.upgrade(database)
            sites = Sites(database)
            try:
                site = changed_site(sites)
                before = site.images()
                for number in range(200):
                    site.cloud.add(image(300 + number, description=os.urandom(20_000).hex()))
                path = filler(small_disk, 1_000_000)
                try:
                    run = site.sweep(changed={"page_size": 50})
                    assert (run.outcome, run.error_kind) == ("failed", "database")
                    told = str(run.error)
                except CatalogError as error:
                    told = str(error)
                assert "\n" not in told
                assert "No space left" in told or "cannot be reached" in told
                path.unlink()
                make_room(small_disk)
                recovered(database)
                assert site.images() == before
                check_as_undisturbed(site)
                assert len(site.live()) == 206
            finally:
                sites.close()


def make_room(disk: Path) -> None:
    """What comes after is written beside the log of all before, and a server under load clears that late."""
    subprocess.run(["mount", "-o", f"remount,size={3 * MEGABYTES}m", str(disk)], check=True)


def recovered(database: Database) -> None:
    """A server that found no room for its log restarts by itself, or the next use starts it."""
    for _ in range(600):
        try:
            database.now()
        except CatalogError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not come back")


def test_a_disk_without_room_for_a_server(small_disk: Path) -> None:
    path = filler(small_disk, 5_000_000)
    server = EmbeddedServer(small_disk / "data")
    with pytest.raises(CatalogError, match="full: make room") as raised:
        server.acquire()
    assert "\n" not in str(raised.value)
    path.unlink()
    with server as url, Database(DatabaseSettings(url=url, data_dir=Path())) as database:
        schema.upgrade(database)
