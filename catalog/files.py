"""Files and folders: written whole or not at all, opened only if regular, private, of an owner who is trusted."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from catalog.errors import ConfigurationError


@contextmanager
def written_whole(target: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A new file beside `target` that takes its place when the block ends well, and vanishes otherwise.

    A symbolic link is replaced, never followed. Mode 0600 if `private`, else as the umask allows. Raises OSError.
    """
    with replaced_whole(target, private=private) as file, file.open("wb") as stream:
        yield stream


@contextmanager
def replaced_whole(target: Path, *, private: bool = False) -> Iterator[Path]:
    """The same for what is written by its name: yields the path of the new file, which is empty."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    file = Path(name)
    try:
        yield file
        os.fsync(descriptor)
        if not private:
            os.fchmod(descriptor, 0o666 & ~_umask())
        file.replace(target)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int) -> IO[bytes] | None:
    """The file, opened without buffer; None for what is not a regular file. A FIFO is not waited for.

    A symbolic link as its last part is not followed. Raises OSError. A file that is made has mode 0600.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "ab", buffering=0)


def shipped_folder(installed: str, in_checkout: str) -> Path:
    """A folder that comes with the product: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    found = package / installed
    return found if found.is_dir() else package.parent / in_checkout


def read_secret(path: Path) -> str:
    """The text of a file, without blanks around it. Raises OSError with the reason, also where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "not valid UTF-8") from None


def configured_secret(owner: str, key: str, variable: str | None, path: Path | None) -> tuple[str, str]:
    """The secret in an environment variable, else in a file, read now: it may have been changed; and where it stands,
    for errors about it. Raises ConfigurationError for a file that can't be read."""
    if variable is not None:
        return os.environ.get(variable, "").strip(), f"{owner}: {key}_env: environment variable {variable}"
    assert path is not None
    place = f"{owner}: {key}_file: {path}"
    try:
        return read_secret(path), place
    except OSError as error:
        raise ConfigurationError(f"{place}: {error.strerror}") from None


def check_owner(path: Path, way_out: str) -> None:
    """Raises ConfigurationError for a file, or a link to one, of another user than oneself and root.

    Git's rule for what it merely finds: in a folder that others may write to, the file would otherwise decide
    where passwords are sent. Under sudo, who called it counts as oneself.
    """
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    if not {path.lstat().st_uid, path.stat().st_uid} <= trusted:
        raise ConfigurationError(f"{path} belongs to another user; if you trust it, {way_out}")


def make_private(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, open to their owner alone (mode 0700).

    `Path.mkdir` makes the ones above open to all. Those that are there stay as they are. Raises OSError.
    """
    for one in [*reversed(folder.parents), folder]:
        if not one.is_dir():
            one.mkdir(mode=0o700, exist_ok=True)


def _umask() -> int:
    """Of this process; setting it is the only way to ask, and other threads make files meanwhile: a tight one."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
