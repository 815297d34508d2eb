"""A database that lives with its server: what a daemon sees when the embedded server dies under it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from catalog.config.settings import DatabaseSettings
from catalog.store.db.connection import Database
from catalog.store.db.embedded.server import EmbeddedServer


def test_a_server_that_was_killed_is_started_again_by_the_next_transaction(tmp_path: Path) -> None:
    """In the middle of a daemon's life, and more than once."""
    settings = DatabaseSettings(url=None, data_dir=tmp_path)
    with EmbeddedServer(tmp_path, settings={"fsync": "off"}) as _, Database(settings) as database:
        for _ in range(2):
            before = database.now()
            pid = EmbeddedServer(tmp_path).pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.01)
            assert database.now() > before
