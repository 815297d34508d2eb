"""Moved to tests/support."""

from tests.support.records import *  # noqa: F403
from tests.support.rows import *  # noqa: F403
