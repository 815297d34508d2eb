"""Where `catalog web` listens, and for whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.config.web import DEFAULT_BIND, web_settings
from catalog.errors import ConfigurationError

TOKEN = "0123456789abcdef"


def test_it_listens_for_this_machine_alone_unless_told_otherwise() -> None:
    settings = web_settings({}, no_token=False)
    assert (settings.bind, settings.token, settings.is_loopback) == (DEFAULT_BIND, None, True)


@pytest.mark.parametrize("bind", ["127.0.0.9:1", "[::1]:80", "localhost:80"])
def test_loopback_needs_no_token(bind: str) -> None:
    assert web_settings({"CATALOG_WEB_BIND": bind}, no_token=False).token is None


@pytest.mark.parametrize("bind", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "catalog.example:80"])
def test_an_address_that_others_reach_needs_a_token_or_a_word(bind: str) -> None:
    environ = {"CATALOG_WEB_BIND": bind}
    with pytest.raises(ConfigurationError, match=r"CATALOG_WEB_TOKEN_FILE.*--no-token"):
        web_settings(environ, no_token=False)
    assert web_settings(environ, no_token=True).token is None
    assert web_settings(environ | {"CATALOG_WEB_TOKEN": TOKEN}, no_token=False).token == TOKEN


def test_the_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    settings = web_settings({"CATALOG_WEB_TOKEN_FILE": str(tmp_path / "token")}, no_token=False)
    assert settings.token == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"CATALOG_WEB_TOKEN": "short"}, "CATALOG_WEB_TOKEN: expected 16 or more"),
        ({"CATALOG_WEB_TOKEN": TOKEN + " x"}, "without blanks"),
        ({"CATALOG_WEB_TOKEN_FILE": "/nowhere/token"}, "CATALOG_WEB_TOKEN_FILE: expected a readable file"),
        ({"CATALOG_WEB_BIND": "8477"}, 'CATALOG_WEB_BIND: expected "address:port"'),
        ({"CATALOG_WEB_BIND": "localhost:99999"}, "CATALOG_WEB_BIND: expected"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_token_is_not(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as raised:
        web_settings(environ, no_token=False)
    assert TOKEN not in str(raised.value)


def test_a_token_and_no_token_contradict_each_other() -> None:
    with pytest.raises(ConfigurationError, match="--no-token contradicts"):
        web_settings({"CATALOG_WEB_TOKEN": TOKEN}, no_token=True)
