"""Moved to tests/support."""

from tests.support.records import *  # noqa: F403
from tests.support.rows import *  # noqa: F403
from tests.support.rows import contents_of as told  # noqa: F401
from tests.support.world import *  # noqa: F403
