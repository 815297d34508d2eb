"""Folders that hold what is nobody else's business: the embedded database, the archive."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, open to their owner alone (mode 0700).

    `Path.mkdir` makes the ones above open to all. Those that are there stay as they are. Raises OSError.
    """
    for one in [*reversed(folder.parents), folder]:
        if not one.is_dir():
            one.mkdir(mode=0o700, exist_ok=True)
