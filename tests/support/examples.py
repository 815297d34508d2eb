"""How many examples each property is tried on."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("CATALOG_TEST_EXAMPLES", "1"))


def examples(count: int) -> int:
    """As many as a change shall wait for; a long job tries CATALOG_TEST_EXAMPLES times as many."""
    return count * TIMES
