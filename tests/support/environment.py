"""The environment of tests: nothing of the person or the machine that runs them."""

from __future__ import annotations

import os
from collections.abc import Mapping

ORIGINAL = dict(os.environ)
"""As the tests were started: for pip, which may need proxies and certificates."""


def is_foreign(variable: str) -> bool:
    """Whether the variable would change what `catalog`, its login or its database connection does."""
    name = variable.upper()
    if name.startswith(("CATALOG_TEST_", "CATALOG_REAL_CLOUD_")):
        return False
    return name.startswith(("OS_", "CATALOG_", "PG", "XDG_", "SSL_CERT_")) or name.endswith(
        ("_PROXY", "_CA_BUNDLE")
    )


def bare(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what is foreign: for commands in processes of their own."""
    return {name: value for name, value in environ.items() if not is_foreign(name)}


def scrub() -> None:
    """Takes what is foreign out of this process's environment."""
    for variable in ORIGINAL.keys() - bare(ORIGINAL).keys():
        os.environ.pop(variable, None)
