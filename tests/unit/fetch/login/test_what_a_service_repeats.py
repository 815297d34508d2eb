"""A service that repeats the request in its refusal does not get a secret into our words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from catalog.errors import LoginError
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, refused

HIDDEN = "pl\\an'te\"d \u00e9/+"
BARE = ('te"d', 'te\\"d', "pl\\", "pl%", "an'te", "an%27te")
"""Pieces of HIDDEN that would show in one spelling or another."""
DOMAIN = {"user_domain_name": "Default", "project_domain_name": "Default", "project_name": "hay"}
LOGINS: dict[str, dict[str, Any]] = {
    "v3password": {"username": "ann", "password": HIDDEN, **DOMAIN},
    "v3token": {"token": HIDDEN, "project_name": "hay", "project_domain_name": "Default"},
    "v3totp": {"username": "ann", "passcode": HIDDEN, **DOMAIN},
    "v3applicationcredential": {"application_credential_id": "i", "application_credential_secret": HIDDEN},
}


def given(auth: Any) -> str:
    """The secret as it was sent."""
    found = [value for value in leaves(auth) if value == HIDDEN]
    return str(found[0])


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [value]


@pytest.mark.parametrize(
    "words",
    [
        lambda auth: f"{given(auth)} is wrong",
        lambda auth: f"Invalid input for field 'identity': {auth['identity']!r}",
        lambda auth: json.dumps(given(auth)),
        lambda auth: json.dumps(given(auth), ensure_ascii=False),
        lambda auth: quote(given(auth), safe=""),
        lambda auth: quote_plus(given(auth)),
    ],
)
@pytest.mark.parametrize("auth_type", LOGINS)
def test_a_secret_is_struck_out_however_it_is_spelled(
    identity: IdentityService, cloud: CloudsYaml, auth_type: str, words: Callable[[Any], str]
) -> None:
    identity.status, identity.echo = 400, words
    entry = {"auth_type": auth_type, "auth": {"auth_url": identity.url, **LOGINS[auth_type]}}
    message = refused(cloud(entry), LoginError)
    assert "***" in message
    assert not [piece for piece in BARE if piece in message]


def test_a_password_in_the_address_is_struck_out_too(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.status, identity.echo = 400, lambda auth: "no svc:hu%sh nor svc:hu%25sh"
    address = identity.url.replace("//", "//svc:hu%25sh@")
    entry = {"auth_type": "v3token", "auth": {"auth_url": address, "token": "t"}}
    assert "hu%" not in refused(cloud(entry), LoginError)
