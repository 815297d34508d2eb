"""Database URLs: read by libpq's own parser, and shown without their secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import repeat
from urllib.parse import quote, urlencode

from catalog.errors import ConfigurationError

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
SECRET_PARAMETERS = ("password", "sslpassword")
EXPECTED_URL = 'a URL such as "postgresql://user@host:5432/database"'
_ENCODE = (
    "with odd characters of user, password and database percent-encoded: @ as %40, / as %2F, : as %3A, "
    "? as %3F, # as %23, % as %25"
)


def parse_database_url(url: str, origin: str = "database.url") -> dict[str, str]:
    """libpq's connection parameters; several hosts, `?sslmode=...` and sockets' folders as libpq knows them.

    Raises ConfigurationError, which begins with `origin` and repeats nothing of the URL but a parameter's name:
    with an unescaped character anything in it may be a piece of the password.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    scheme, mark, rest = url.partition("://")
    user, at, behind = rest.partition("@")
    behind = behind if at and "/" not in user else rest
    if not mark or scheme not in SCHEMES:
        raise ConfigurationError(f"{origin}: expected {EXPECTED_URL}")
    if "@" in behind.partition("?")[0]:
        raise ConfigurationError(f"{origin}: expected one @, before the host; {_ENCODE}")
    try:
        found = conninfo_to_dict("postgresql://" + rest.replace(" ", "%20"))
    except psycopg.ProgrammingError as error:
        unknown = re.search(r'invalid URI query parameter: "(\w+)"', str(error))
        if unknown and "@" not in behind:
            raise ConfigurationError(f'{origin}: libpq knows no parameter "{unknown[1]}"') from None
        raise ConfigurationError(f"{origin}: expected {EXPECTED_URL}, {_ENCODE}") from None
    parameters = {name: str(value) for name, value in found.items()}
    if not all(_is_host(host) for host in parameters.get("host", "").split(",")):
        raise ConfigurationError(f"{origin}: expected the name or address of a host; {_ENCODE}")
    if not all(_is_port(port) for port in parameters.get("port", "").split(",")):
        raise ConfigurationError(f"{origin}: expected a port from 1 to 65535; {_ENCODE}")
    return parameters


def database_url(parameters: Mapping[str, str], *, secrets: bool = False) -> str:
    """The parameters as a URL that libpq reads alike; without `secrets` to be shown and handed on."""
    rest = {name: value for name, value in parameters.items() if secrets or name not in SECRET_PARAMETERS}
    user, password, name = (quote(rest.pop(key, ""), safe="") for key in ("user", "password", "dbname"))
    hosts, ports = rest.get("host", "").split(","), rest.get("port", "").split(",")
    location = ""
    if not any(host.startswith(("/", "@")) for host in hosts) and len(ports) in (1, len(hosts)):
        several = repeat(ports[0]) if len(ports) == 1 else ports
        location = ",".join(
            (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
            for host, port in zip(hosts, several, strict=False)
        )
        rest = {key: value for key, value in rest.items() if key not in ("host", "port")}
    login = user + (f":{password}" if password else "") + "@" if user or password else ""
    query = f"?{urlencode(rest, quote_via=quote, safe='')}" if rest else ""
    return f"postgresql://{login}{location}/{name}{query}"


def with_password(url: str, password: str, user: str) -> str:
    """The URL with the password, unless it has one of its own or names another user."""
    parameters = parse_database_url(url)
    if "password" in parameters or parameters.get("user") != user:
        return url
    return database_url(parameters | {"password": password}, secrets=True)


def _is_host(host: str) -> bool:
    """A name, an address, or the folder of a socket (`@` begins an abstract one's name)."""
    return host.isprintable() and (host.startswith(("/", "@")) or not re.search(r"[@\s]", host))


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65_535)
