"""Database URLs: what libpq takes we take, and what may hold a piece of a password is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.config.database_url import database_url, parse_database_url, with_password
from catalog.config.load import load_settings
from catalog.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@db:5433/name", "postgresql://me@db:5433/name"),
        ("postgres://db/name", "postgresql://db/name"),
        ("postgresql+psycopg://me@db", "postgresql://me@db/"),
        ("postgresql://", "postgresql:///"),
        ("postgresql://me@%2Frun%2Fpg/name", "postgresql://me@/name?host=%2Frun%2Fpg"),
        ("postgresql:///x?host=/run/x&port=5", "postgresql:///x?host=%2Frun%2Fx&port=5"),
        ("postgresql:///x?host=@abstract", "postgresql:///x?host=%40abstract"),
        ("postgresql://me@[::1]:5433/x", "postgresql://me@[::1]:5433/x"),
        ("postgresql://m%40e:p%40w%2F@db/a%40b%25", "postgresql://m%40e@db/a%40b%25"),
        (
            "postgresql://u@a:5432,b:5433/c?target_session_attrs=read-write",
            "postgresql://u@a:5432,b:5433/c?target_session_attrs=read-write",
        ),
        ("postgresql://u@a,b/c?port=5433", "postgresql://u@a:5433,b:5433/c"),
        ("postgresql://u@/c?host=a,b&port=1,2", "postgresql://u@a:1,b:2/c"),
        ("postgresql://u@db/c?password=hush&sslpassword=hush&sslmode=require", "postgresql://u@db/c?sslmode=require"),
        ("postgresql://u@db/c?application_name=a%20b", "postgresql://u@db/c?application_name=a%20b"),
        ("postgresql://u:hush hush@db/c d", "postgresql://u@db/c%20d"),
    ],
)  # fmt: skip
def test_a_url_is_read_and_shown_as_libpq_takes_it(url: str, shown: str) -> None:
    parameters = parse_database_url(url)
    assert database_url(parameters) == shown
    whole = database_url(parameters, secrets=True)
    assert database_url(parse_database_url(whole), secrets=True) == whole
    assert ("hush" in whole) == ("hush" in url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://catalog:corr3ct@horse-battery@host/x",
        "postgresql://catalog:corr3ct@@host/x",
        "postgresql://catalog:corr3ct/horse-battery@host/x",
        "postgresql://catalog:7788/horse-battery@host/x",
        "postgresql://catalog:5/horse-battery?corr3ct=1@host/x",
        "postgresql://catalog:corr3ct%horse-battery@host/x",
        "postgresql://catalog:corr3ct:horse-battery/x",
        "postgresql://catalog@horse-battery@host,other/x",
        "postgresql:///x?host=horse-battery@host",
        "postgresql://horse-battery:99999/x",
        "postgresql://horse-battery:-5/x",
        "postgresql://horse\nbattery/x",
        "mysql://catalog:corr3ct@horse-battery/x",
        "horse-battery",
        "host=horse-battery password=corr3ct",
        "postgresql://[horse-battery/x",
    ],
)
def test_a_url_that_is_not_one_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, {"HOME": str(tmp_path), "CATALOG_DATABASE_URL": url}, None)
    message = str(caught.value)
    assert message.startswith("CATALOG_DATABASE_URL: expected ")
    assert not [piece for piece in ("corr3ct", "horse", "battery", "host/", "7788") if piece in message]
    if "@" in url.partition("@")[2]:
        assert "@ as %40" in message


def test_a_parameter_that_libpq_does_not_know_is_named() -> None:
    with pytest.raises(ConfigurationError, match='knows no parameter "sslmod"'):
        parse_database_url("postgresql://u:hush@db/x?sslmod=require")


def test_a_password_is_added_for_its_user_alone() -> None:
    url = "postgresql://ann@a:1,b:2/x"
    assert with_password(url, "p@/:", "ann") == "postgresql://ann:p%40%2F%3A@a:1,b:2/x"
    assert with_password(url, "p", "ben") == url
    assert with_password("postgresql://ann:own@db/x", "p", "ann") == "postgresql://ann:own@db/x"
