"""Where an export goes: a folder, or a bucket of S3 (by pyarrow's own client)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from catalog.errors import CatalogError, UsageError
from catalog.export.formats import WITHOUT_PYARROW
from catalog.files import written_whole

S3: Final = "s3://"
LOCK: Final = ".lock"
CONNECT_SECONDS: Final = 10
REQUEST_SECONDS: Final = 60
ABANDONED: Final = timedelta(days=1)
"""Files in a bucket that no manifest names are removed when they are so old: a younger one may be another's."""
_OPTIONS = ("region", "scheme", "endpoint_override")


class Listed(NamedTuple):
    """A file that is there. `abandoned`: nobody can be writing it."""

    size: int
    abandoned: bool


class Target(Protocol):
    """A place for files, by paths with slashes. Its methods raise OSError."""

    name: str

    def read(self, path: str) -> bytes | None: ...

    def create(self, path: str) -> Any:
        """A context with a stream; the file is there, whole, once the block ends well."""

    def files(self, folders: list[str]) -> dict[str, Listed]:
        """All files in these folders and below."""

    def remove(self, path: str) -> None: ...


@contextmanager
def open_target(address: str) -> Iterator[Target]:
    """Raises UsageError for an address that can't be one; CatalogError where another export is at work in it, and for
    what can't be written there inside the block."""
    if address.startswith(S3):
        yield Bucket(address)
        return
    if "://" in address:
        raise UsageError(
            f"TARGET: expected a folder or an s3:// address; found {address.partition('://')[0]}://"
        )
    folder = Path(address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; name a folder that may be written") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CatalogError(f"{folder}: another export is at work there; run this one after it") from None
        with _explained(folder):
            yield Folder(folder)
    finally:
        os.close(descriptor)


class Folder:
    """A folder of this machine, which nobody else exports to meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as stream:
            yield stream

    def files(self, folders: list[str]) -> dict[str, Listed]:
        return {
            str(file.relative_to(self._folder)): Listed(file.stat().st_size, abandoned=True)
            for folder in folders
            for file in (self._folder / folder).glob("*/*")
            if file.is_file()
        }

    def remove(self, path: str) -> None:
        file = self._folder / path
        file.unlink(missing_ok=True)
        with suppress(OSError):
            file.parent.rmdir()  # a partition without files


class Bucket:
    """A folder of a bucket. Who may write there is told by the environment, as AWS's own tools take it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        options = dict(parse_qsl(parts.query))
        self.name = f"{S3}{parts.netloc}{parts.path}".rstrip("/")
        if parts.username or parts.password or not parts.netloc or "@" in parts.netloc:
            raise UsageError(
                "TARGET: expected s3://BUCKET/FOLDER without keys; give them in AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY, or in a profile"
            )
        if unknown := options.keys() - set(_OPTIONS):
            raise UsageError(
                f"TARGET: expected {', '.join(_OPTIONS)} after the `?`; found {sorted(unknown)[0]!r}"
            )
        try:
            from pyarrow import fs
        except ImportError:
            raise UsageError(f"an s3:// address {WITHOUT_PYARROW}; or name a folder") from None
        self._fs = fs
        self._prefix = f"{parts.netloc}{parts.path}".rstrip("/")
        with _one_line(self.name):
            self._client = fs.S3FileSystem(
                connect_timeout=CONNECT_SECONDS,
                request_timeout=REQUEST_SECONDS,
                background_writes=False,  # else parts wait in memory for the network, however many
                **options,
            )

    def _path(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def read(self, path: str) -> bytes | None:
        try:
            with _one_line(self.name), self._client.open_input_stream(self._path(path)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    @contextmanager
    def create(self, path: str) -> Iterator[Any]:
        with _one_line(self.name):
            stream = self._client.open_output_stream(self._path(path))
            try:
                yield stream
                stream.close()
            except BaseException:
                with suppress(OSError):
                    stream.close()
                    self.remove(path)
                raise

    def files(self, folders: list[str]) -> dict[str, Listed]:
        now = datetime.now(UTC)
        found: dict[str, Listed] = {}
        for folder in folders:
            selector = self._fs.FileSelector(self._path(folder), allow_not_found=True, recursive=True)
            with _one_line(self.name):
                for info in self._client.get_file_info(selector):
                    if info.type == self._fs.FileType.File:
                        old = info.mtime is not None and now - info.mtime > ABANDONED
                        found[info.path.removeprefix(f"{self._prefix}/")] = Listed(info.size, abandoned=old)
        return found

    def remove(self, path: str) -> None:
        with _one_line(self.name), suppress(FileNotFoundError):
            self._client.delete_file(self._path(path))


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Errors of writing become one line; what is there already stays, with its manifest."""
    try:
        yield
    except OSError as error:
        raise CatalogError(
            f"{folder}: {error.strerror or error}; what was exported before is as it was"
        ) from error


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        what = " ".join(str(error).split())
        raise CatalogError(f"{where}: {what}; check address, region and keys") from error
