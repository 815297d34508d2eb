"""Whatever an identity service answers, and however odd its catalogue: one line, and no fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openstack.config import vendors

from catalog.config.openstack import auth_url_of
from catalog.errors import ConfigurationError, LoginError
from catalog.fetch.auth import login
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect, refused

Grant = dict[str, Any]


def endpoint(**keys: Any) -> Grant:
    return {"interface": "public", "region": "north", "url": "https://image.test", **keys}


def image_service(*endpoints: Any) -> list[Any]:
    return [{"type": "image", "endpoints": list(endpoints)}]


@pytest.mark.parametrize(
    "catalogue",
    [
        None,
        "odd",
        [None],
        [{"type": "image", "endpoints": None}],
        image_service(None),
        image_service({"region": "north", "url": "https://image.test"}),
        image_service(endpoint(url=None)),
        image_service(endpoint(url=5)),
        image_service(endpoint(url="http://10.0.0.300:9292")),
        image_service(endpoint(url="http://[::1/v2")),
        image_service(endpoint(url="http://h\n/v2")),
        image_service(endpoint(url="http://xn--/")),
        image_service(endpoint(url="javascript:x")),
    ],
)
def test_an_odd_catalogue_is_a_login_error(
    identity: IdentityService, cloud: CloudsYaml, catalogue: Any
) -> None:
    identity.catalogue = catalogue
    assert refused(cloud(), LoginError).startswith("cloud 'meadow' (identity service at http://localhost")


def test_an_odd_service_beside_the_image_service_is_in_nobodys_way(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.catalogue = [
        {"type": None, "endpoints": [{}]},
        {"name": "untyped"},
        *image_service(endpoint(url=None), endpoint(url="https://image.test/v2\n")),
    ]
    assert connect(cloud()).endpoint == "https://image.test/v2"


def test_a_catalogues_address_is_not_shown(identity: IdentityService, cloud: CloudsYaml) -> None:
    """It may hold a password, and be as long as it likes."""
    identity.catalogue = image_service(endpoint(url="http://svc:hush@10.0.0.300:9292/" + "x" * 100_000))
    message = refused(cloud(), LoginError)
    assert "invalid image endpoint in the catalogue; set image_endpoint_override" in message
    assert "hush" not in message
    assert len(message) < 300


def test_types_and_regions_that_are_not_names_are_not_shown(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    odd = [{"type": text, "endpoints": [endpoint()]} for text in ("T" * 2_000_000, "0f" * 16, "compute", 5)]
    identity.catalogue = odd
    assert "(it offers compute)" in refused(cloud(), LoginError)
    regions = [endpoint(region=text) for text in ("R" * 2_000_000, "0f" * 16, "north", "a\x1b[0m")]
    identity.catalogue = image_service(*regions)
    message = refused(cloud(region="west"), ConfigurationError)
    assert message.endswith("known: north")


@pytest.mark.parametrize("odd", [5, [], "", "p" * 256], ids=["number", "list", "empty", "long"])
@pytest.mark.parametrize("key", ["id", "name"])
def test_an_odd_project_is_a_login_error(
    identity: IdentityService, cloud: CloudsYaml, key: str, odd: Any
) -> None:
    project = {"id": "1" * 32, "name": "hay", "domain": {"id": "default", "name": "Default"}, key: odd}
    identity.bend = lambda answer: {"token": {**answer["token"], "project": project}}
    with pytest.raises(LoginError, match="unexpected login response; check auth_url"):
        login.describe_credential(connect(cloud()))


def test_a_grant_without_its_token_is_told(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.token_header = "X-Other"
    assert "granted without a token (header X-Subject-Token)" in refused(cloud(), LoginError)


def with_project(project: Any) -> Callable[[Grant], Any]:
    return lambda answer: {"token": {**answer["token"], "project": project}}


@pytest.mark.parametrize(
    "bend",
    [
        lambda answer: None,
        lambda answer: [1],
        lambda answer: {"token": None},
        lambda answer: {"token": "text"},
        with_project("p"),
    ],
)
def test_an_odd_grant_is_a_login_error(
    identity: IdentityService, cloud: CloudsYaml, bend: Callable[[Grant], Any]
) -> None:
    identity.bend = bend
    assert "check auth_url" in refused(cloud(), LoginError)


@pytest.mark.parametrize("expiry", [None, "soon", 5])
def test_an_odd_expiry_is_a_login_error_when_it_is_asked_for(
    identity: IdentityService, cloud: CloudsYaml, expiry: Any
) -> None:
    identity.bend = lambda answer: {"token": {**answer["token"], "expires_at": expiry}}
    connection = connect(cloud())
    with pytest.raises(LoginError, match="check auth_url"):
        login.describe_credential(connection)


@pytest.mark.parametrize("key", ["profile", "cloud"])
@pytest.mark.parametrize("named", [False, True], ids=["address", "name of an address"])
def test_a_profile_at_an_address_is_refused(
    cloud: CloudsYaml, identity: IdentityService, monkeypatch: pytest.MonkeyPatch, key: str, named: bool
) -> None:
    """Nobody is asked: openstacksdk, which knows some clouds by an address alone, reads whatever answers there."""
    monkeypatch.setitem(vendors._get_vendor_defaults(), "near", {"profile": identity.url})
    asked: list[str] = []
    identity.when_asked = asked.append
    source = cloud({key: "near" if named else identity.url})
    assert "profile: expected one that comes with" in refused(source, ConfigurationError)
    with pytest.raises(ConfigurationError, match="profile: expected one that comes with"):
        auth_url_of("meadow")
    assert (asked, identity.logins) == ([], [])


@pytest.mark.parametrize("name", ["ovh", "vexxhost", "//host", "http://host", "http:///x", 7, ["x"]])
def test_profiles_that_are_addresses_or_known_by_one_are_refused(cloud: CloudsYaml, name: Any) -> None:
    assert "auth_url" in refused(cloud({"profile": name}), ConfigurationError)
