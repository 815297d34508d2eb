"""Reports are asked of the same hand-made catalogs as the views."""

from tests.integration.views.conftest import shelf

__all__ = ["shelf"]
