"""Finds the files that a path names: one listing each."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from catalog.errors import UsageError
from catalog.fetch.files.moment import date_in_name


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files that these paths name, each once, or once for each date by which links name it: folders with all
    below, sorted, hidden ones left out.

    What stands in a folder and can't be opened as a file is among them, so that whoever opens it says so. Raises
    UsageError for a path or a folder that can't be read, and if they name no file at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            _refuse(error)
        if stat.S_ISDIR(mode):
            found.update(dict.fromkeys(_below(path)))
        elif stat.S_ISREG(mode):
            found[path] = None
        else:
            raise UsageError(f"{path}: neither a file nor a folder; save the listing to a file first")
    if not found:
        raise UsageError("no files in " + ", ".join(map(str, paths)))
    files: dict[str, dict[datetime | None, Path]] = {}
    for path in found:
        files.setdefault(os.path.realpath(path), {}).setdefault(date_in_name(path.name), path)
    # a link without a date ("latest") is not a listing of its own
    return [path for names in files.values() for at, path in names.items() if at or len(names) == 1]


def _below(folder: Path) -> Iterable[Path]:
    """Links are followed: a folder that leads back to one above it ends there."""
    met: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in met:
            folders.clear()
            continue
        met.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)


def _refuse(error: OSError) -> NoReturn:
    """Nobody knows of which moments a folder holds files, so no other one could count as complete."""
    raise UsageError(f"{error.filename}: {error.strerror}; nothing was written") from error
