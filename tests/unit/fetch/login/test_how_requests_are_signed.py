"""Requests are signed for one origin only, by one login, and anew with a secret that was changed."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError, LoginError
from catalog.fetch.auth import login
from catalog.fetch.http.connection import Connection
from tests.identity import PASSWORD, IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect, headers_for, refused, renewed


@pytest.mark.parametrize(
    "url",
    [
        "http://image.north.test/",
        "https://image.north.test:444/",
        "https://elsewhere.test/",
        "https://north.test",
    ],
)
def test_the_token_goes_to_no_other_origin(cloud: CloudsYaml, url: str) -> None:
    connection = connect(cloud())
    assert "X-Auth-Token" not in headers_for(connection, url)
    assert "X-Auth-Token" in headers_for(connection, "https://image.north.test:443/v2/images?limit=1")


def test_many_requests_are_one_login(identity: IdentityService, cloud: CloudsYaml) -> None:
    connection = connect(cloud())
    for _ in range(3):
        headers_for(connection, connection.endpoint)
    login.describe_credential(connection)
    assert len(identity.logins) == 1


@pytest.mark.parametrize("life", [timedelta(seconds=60), timedelta(days=-60)])
def test_a_short_life_or_a_clock_that_is_off_is_no_login_a_request(
    identity: IdentityService, cloud: CloudsYaml, life: timedelta
) -> None:
    identity.life = life
    connection = connect(cloud())
    for _ in range(3):
        headers_for(connection, connection.endpoint)
    assert len(identity.logins) == 1


def test_renewing_brings_another_token(identity: IdentityService, cloud: CloudsYaml) -> None:
    connection = connect(cloud())
    assert renewed(connection) is True
    assert headers_for(connection, connection.endpoint)["X-Auth-Token"] == "token-2"


def test_renewing_reads_the_password_again(
    identity: IdentityService, cloud: CloudsYaml, tmp_path: Path
) -> None:
    connection = connect(cloud())
    identity.password = "rotated"
    with pytest.raises(LoginError, match="login refused"):
        renewed(connection)
    secure = tmp_path / "secure.yaml"
    secure.write_text(secure.read_text().replace(json.dumps(PASSWORD), '"rotated"'))
    assert renewed(connection) is True


def test_no_login_is_no_auth() -> None:
    source = SourceSettings(name="s", kind="glance", endpoint="http://x/image", auth="none", region="r")
    assert connect(source) == Connection(endpoint="http://x/image", region="r")


def test_a_token_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    connection = connect(
        SourceSettings(name="s", kind="glance", endpoint="http://x", auth="token", token_file=file)
    )
    assert headers_for(connection, "http://x/v2")["X-Auth-Token"] == "first"
    assert renewed(connection) is False
    file.write_text("second")
    assert renewed(connection) is True
    assert headers_for(connection, "http://x/v2")["X-Auth-Token"] == "second"
    assert "X-Auth-Token" not in headers_for(connection, "http://y/v2")


def test_a_secret_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceSettings(name="s", kind="glance", endpoint="http://x", auth="token", token_env="NO_TOKEN")
    assert "token_env: environment variable NO_TOKEN: expected a secret" in refused(
        source, ConfigurationError
    )
    monkeypatch.setenv("NO_TOKEN", "two\nlines")
    assert "printable ASCII on one line" in refused(source, ConfigurationError)
    source = dataclasses.replace(source, token_env=None, token_file=tmp_path / "gone")
    assert "gone: No such file" in refused(source, ConfigurationError)


def test_an_access_key_needs_no_endpoint_in_a_known_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AK", "ak")
    monkeypatch.setenv("SK", "sk")
    source = SourceSettings(
        name="s",
        kind="ims",
        auth="aksk",
        region="eu-de",
        access_key_env="AK",
        secret_key_env="SK",
        project_id="p",
    )
    connection = connect(source)
    assert connection.endpoint == "https://ims.eu-de.otc.t-systems.com"
    assert "Access=ak," in headers_for(connection, connection.endpoint)["Authorization"]
    message = refused(dataclasses.replace(source, region="mars"), ConfigurationError)
    assert "a region of a known IMS (eu-de, eu-nl, " in message
