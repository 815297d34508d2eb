"""Folders that hold what is nobody else's business, and files of the working folder that must be one's own."""

from __future__ import annotations

import os
from pathlib import Path

from catalog.errors import ConfigurationError


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
