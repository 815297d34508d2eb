"""Moved to tests/support."""

from tests.support.observations import *  # noqa: F403
