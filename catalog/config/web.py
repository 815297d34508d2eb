"""Where `catalog web` listens, and the token that it asks for: from the environment."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.config.toml import from_environment
from catalog.errors import ConfigurationError

DEFAULT_BIND = "127.0.0.1:8477"
SHORTEST_TOKEN = 16
"""Characters: less can be guessed."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`token` None: whoever reaches the address may read."""

    bind: str
    token: str | None = field(repr=False)

    @property
    def is_loopback(self) -> bool:
        """True: only this machine reaches it."""
        host = self.bind.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def web_settings(environ: Mapping[str, str], *, no_token: bool) -> WebSettings:
    """`no_token`: do without one, wherever it listens.

    Raises ConfigurationError for an address or a token that can't be used, and for an address that others reach
    with neither a token nor `no_token`.
    """
    bind = bind_address(environ, "CATALOG_WEB_BIND", DEFAULT_BIND)
    token = _token(environ)
    if token is not None and no_token:
        raise ConfigurationError("--no-token contradicts CATALOG_WEB_TOKEN; leave one of them out")
    settings = WebSettings(bind, token)
    if token is None and not no_token and not settings.is_loopback:
        raise ConfigurationError(
            f"CATALOG_WEB_BIND: others reach {bind}; set CATALOG_WEB_TOKEN (or CATALOG_WEB_TOKEN_FILE), or say"
            " --no-token if they all may read the catalog"
        )
    return settings


def _token(environ: Mapping[str, str]) -> str | None:
    told = from_environment(environ, "CATALOG_WEB_TOKEN")
    if told is None:
        return None
    place, token = told
    if not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", token):
        raise place.error("", f"{SHORTEST_TOKEN} or more letters, digits and signs, without blanks")
    return token


def bind_address(environ: Mapping[str, str], variable: str, default: str) -> str:
    """The address to listen on that a variable names, else the default. Raises ConfigurationError."""
    value = environ.get(variable) or default
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s\[\]]+):(\d{1,5})", value)
    if match is None or int(match[2]) > 65_535:
        expected = f'"address:port" such as "{default}"'
        raise ConfigurationError(f"{variable}: expected {expected}; found {value!r}")
    return value
