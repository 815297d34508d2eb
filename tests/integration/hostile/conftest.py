"""Sites as the sweeps' own tests have them."""

from __future__ import annotations

from tests.integration.run.conftest import _no_proxy as _no_proxy
from tests.integration.run.conftest import entry as entry
from tests.integration.run.conftest import sites as sites
