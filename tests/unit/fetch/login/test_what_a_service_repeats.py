"""A service that repeats what it was sent, in whatever spelling, gets nothing of it into our words."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from catalog.errors import LoginError
from catalog.fetch.auth import login
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect, refused

HIDDEN = "pl\\an'te\"d \u00e9/+<planted>"
PIECES = (
    "pl\\",
    "pl%",
    "pl&",
    "an'te",
    "te\\",
    "te%22",
    "planted",
    "PLANTED",
    "token-1",
    "TOKEN-1",
    "token%2D1",
)
"""Pieces of HIDDEN, and of the token that was granted, that would show in one spelling or another."""
DOMAIN = {"user_domain_name": "Default", "project_domain_name": "Default", "project_name": "hay"}
LOGINS: dict[str, dict[str, Any]] = {
    "v3password": {"username": "ann", "password": HIDDEN, **DOMAIN},
    "v3token": {"token": HIDDEN, "project_name": "hay", "project_domain_name": "Default"},
    "v3totp": {"username": "ann", "passcode": HIDDEN, **DOMAIN},
    "v3applicationcredential": {"application_credential_id": "i", "application_credential_secret": HIDDEN},
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "words": lambda secret: f"Invalid input: {secret!r}",
    "json": json.dumps,
    "json_in_json": lambda secret: json.dumps(json.dumps(secret)),
    "percent": lambda secret: quote(secret, safe=""),
    "percent_but_slash": quote,
    "plus": quote_plus,
    "html": html.escape,
    "upper": str.upper,
    "cut": lambda secret: secret[: len(secret) - 3],
    "spaced": " ".join,
}


def given(auth: Any) -> str:
    """The secret as it was sent."""
    return next(str(value) for value in leaves(auth) if value == HIDDEN)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [value]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("auth_type", LOGINS)
def test_a_refusal_tells_its_status_and_nothing_else(
    identity: IdentityService, cloud: CloudsYaml, auth_type: str, spelling: str
) -> None:
    identity.status, identity.echo = 400, lambda auth: SPELLINGS[spelling](given(auth))
    entry = {"auth_type": auth_type, "auth": {"auth_url": identity.url, **LOGINS[auth_type]}}
    message = refused(cloud(entry), LoginError)
    assert "login refused (HTTP 400); check the entry in clouds.yaml" in message


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_refused_list_of_projects_tells_no_token_to_output_or_log(
    identity: IdentityService, cloud: CloudsYaml, spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)  # the most that any -v shows of a library
    identity.refuse_projects = lambda token: SPELLINGS[spelling](token)
    with pytest.raises(LoginError, match=r"login refused \(HTTP 403\)") as caught:
        login.expand(cloud(all_projects=True, name="s/{project}"))
    written = str(caught.value) + caplog.text
    assert not [piece for piece in PIECES if piece in written]


def test_a_vendors_code_is_told(identity: IdentityService, cloud: CloudsYaml) -> None:
    """What one can look up, and no more of the answer."""
    identity.status, identity.words = 403, 'x", "error_code": "IAM.0002", "y": "'
    identity.raw_refusal = b'{"error_msg": "hush", "error_code": "IAM.0002"}'
    assert "login refused (HTTP 403, IAM.0002)" in refused(cloud(), LoginError)


def test_a_password_in_the_address_is_not_repeated(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.status, identity.echo = 400, lambda auth: "no svc:hu%sh nor svc:hu%25sh"
    address = identity.url.replace("//", "//svc:hu%25sh@")
    entry = {"auth_type": "v3token", "auth": {"auth_url": address, "token": "t"}}
    assert "hu%" not in refused(cloud(entry), LoginError)


def test_a_login_that_works_is_not_disturbed(cloud: CloudsYaml) -> None:
    assert connect(cloud()).endpoint == "https://image.north.test/image/v2"
