"""One sweep in a process of its own: `python -m tests.integration.run.sweeper` with settings as JSON on
standard input; prints the result as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from catalog.config.settings import DatabaseSettings, SourceSettings
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.support.world import hasty


def main() -> None:
    asked = json.loads(sys.stdin.read())
    source = SourceSettings("s", asked["kind"], endpoint=asked["endpoint"], auth="none", page_size=2)
    with Database(DatabaseSettings(url=asked["database"], data_dir=Path())) as database:
        run = sweep(database, source, wait_seconds=asked["wait"], opener=hasty)
    told = {"outcome": run.outcome, "error": run.error, "run_id": run.run_id, "inserted": run.inserted}
    sys.__stdout__.write(json.dumps(told) + "\n")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
