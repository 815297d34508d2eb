"""What keeps an embedded server from starting is told in one line, and nobody's data are touched."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from catalog.errors import CatalogError, ConfigurationError, DatabaseError, DatabaseUnavailable, SchemaError
from catalog.store.db.embedded.binaries import runnable_binaries
from catalog.store.db.embedded.server import LOG_BYTES, EmbeddedServer
from tests.integration.embedded.users import FAST, as_root, server_alive, wait_until


def test_data_of_another_major_version_are_not_touched(data_dir: Path) -> None:
    """One line says how to carry them over; exit 2; not a byte or a time changes."""
    cluster = data_dir / "postgresql" / "cluster"
    cluster.mkdir(parents=True, mode=0o700)
    (cluster / "PG_VERSION").write_text("17\n")
    before = [(path, path.stat()) for path in (cluster, cluster / "PG_VERSION")]
    with pytest.raises(SchemaError, match=r"PostgreSQL 17's.*18.*db dump FILE.*db restore FILE") as caught:
        EmbeddedServer(data_dir).acquire()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert [(path, path.stat()) for path in (cluster, cluster / "PG_VERSION")] == before


def test_what_a_killed_setup_left_is_cleared(data_dir: Path) -> None:
    """A half-made data folder never becomes the real one."""
    half = data_dir / "postgresql" / "cluster.new-half"
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(data_dir, settings=FAST)
    with server:
        assert not list(server.home.glob("cluster.new-*"))


def test_a_setup_that_fails_leaves_nothing(data_dir: Path) -> None:
    """Its reason is told in one line, and the next attempt is free to succeed."""
    server = EmbeddedServer(data_dir, settings=FAST)
    server.cluster.mkdir(parents=True, mode=0o700)
    (server.cluster / "letters.txt").write_text("mine")
    with pytest.raises(DatabaseError, match="holds no PostgreSQL data"):
        server.acquire()
    assert (server.cluster / "letters.txt").read_text() == "mine"
    (server.cluster / "letters.txt").unlink()
    with server:
        assert not list(server.home.glob("cluster.new-*"))


def test_a_server_that_does_not_start_is_explained(data_dir: Path) -> None:
    """PostgreSQL's own reason, in one line; no server, and no use, stays behind."""
    server = EmbeddedServer(data_dir, settings={**FAST, "shared_buffers": "nonsense"})
    with pytest.raises(DatabaseError, match=r'did not start.*"shared_buffers"') as caught:
        server.acquire()
    assert "\n" not in str(caught.value)
    assert not server_alive(server)
    with EmbeddedServer(data_dir, settings=FAST):
        pass
    assert not server_alive(server)


def test_a_cluster_that_is_open_to_others_is_explained(data_dir: Path) -> None:
    """PostgreSQL's own advice, with the path that it takes, though the server itself knows none."""
    with EmbeddedServer(data_dir):
        pass
    cluster = data_dir / "postgresql" / "cluster"
    cluster.chmod(0o755)
    with (
        pytest.raises(DatabaseError, match=r"Permissions should be .*0700") as caught,
        EmbeddedServer(data_dir),
    ):
        pass
    assert str(cluster) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_waiting_for_another_process_has_an_end(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that starts or stops the server and hangs there; one line, exit 1."""
    monkeypatch.setattr("catalog.store.db.embedded.server.PATIENCE", 0.1)
    server = EmbeddedServer(data_dir)
    server.home.mkdir(parents=True)
    with (server.home / "turn.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DatabaseUnavailable, match="another process"):
            server.acquire()


def test_a_server_started_by_hand_is_left_alone(data_dir: Path) -> None:
    """Somebody who looks after the data with PostgreSQL's own tools is told of, not interfered with."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server:
        pass
    owner = server.cluster.stat().st_uid
    postgres = runnable_binaries(owner if os.geteuid() == 0 else None) / "postgres"
    by_hand = subprocess.Popen(
        [postgres, "-D", "/proc/self/cwd", "-c", "listen_addresses=", "-k", "/proc/self/cwd"],
        cwd=server.cluster, user=owner, stderr=subprocess.DEVNULL, env={"LC_ALL": "C"},
    )  # fmt: skip
    try:
        wait_until(lambda: server.pid == by_hand.pid)
        with pytest.raises(DatabaseError, match=f"PostgreSQL process {by_hand.pid}, which catalog did not"):
            server.acquire()
        assert by_hand.poll() is None
        assert server.pid == by_hand.pid
    finally:
        by_hand.terminate()
        by_hand.wait()


def test_a_log_that_has_grown_is_begun_anew(data_dir: Path) -> None:
    """The old one is kept once, so that the two never take more than a few megabytes."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server:
        pass
    server.log.write_bytes(b"x" * (LOG_BYTES + 1))
    with server:
        pass
    assert server.log.stat().st_size < LOG_BYTES
    assert server.log.with_name("server.log.1").stat().st_size > LOG_BYTES


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way; the line names CATALOG_DATA_DIR; exit 2."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(ConfigurationError, match=r"file.*CATALOG_DATA_DIR"):
            EmbeddedServer(folder).acquire()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    """Exit 2, the line names CATALOG_DATA_DIR."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match=r"Permission denied.*CATALOG_DATA_DIR"):
        EmbeddedServer(tmp_path / "data").acquire()


@as_root
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    """At the first set-up and at a later start; once there is room again, so is the database."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", tmp_path], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk to try: {mounted.stderr.strip()}")
    try:
        server = EmbeddedServer(tmp_path / "data", settings={**FAST, "min_wal_size": "32MB"})
        with pytest.raises(CatalogError, match=r"disk .* is full: make room") as caught:
            server.acquire()
        assert "\n" not in str(caught.value)
        assert not server.cluster.exists()
        subprocess.run(["mount", "-o", "remount,size=200m", tmp_path], check=True)
        with server:
            pass
        ballast = tmp_path / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(200 << 20))
        with pytest.raises(CatalogError, match=r"disk .* is full: make room"):
            server.acquire()
        ballast.unlink()
        with server:
            pass
        assert not server_alive(server)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
