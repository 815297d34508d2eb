"""Logging in finds the image service that clouds.yaml, the catalogue and the source agree on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from catalog.errors import ConfigurationError, LoginError
from catalog.fetch.auth import login
from tests.identity import PASSWORD, IdentityService, service_entry
from tests.unit.fetch.login.connecting import CloudsYaml, connect, headers_for, refused


def test_clouds_yaml_and_secure_yaml_log_in_together(identity: IdentityService, cloud: CloudsYaml) -> None:
    connection = connect(cloud())
    assert connection.endpoint == "https://image.north.test/image/v2"
    assert (connection.region, connection.project_id) == ("north", "1" * 32)
    (sent,) = identity.logins
    assert sent["identity"]["password"]["user"]["password"] == PASSWORD
    assert sent["scope"]["project"] == {"name": "hay", "domain": {"name": "Default"}}
    assert headers_for(connection, connection.endpoint)["X-Auth-Token"] == "token-1"


def test_a_source_chooses_region_interface_and_project(identity: IdentityService, cloud: CloudsYaml) -> None:
    connection = connect(cloud(region="south", interface="internal", project="straw"))
    assert connection.endpoint == "http://in-image.south.test"
    assert connection.region == "south"
    assert identity.logins[0]["scope"]["project"] == {"name": "straw", "domain": {"name": "Default"}}


def test_a_project_of_the_source_beats_every_way_to_name_one_in_clouds_yaml(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    auth = {
        "auth_url": identity.url,
        "username": "ann",
        "user_domain_name": "Default",
        "project_id": "9" * 32,
    }
    connect(cloud({"auth": auth, "project_name": "hay"}, project="straw"))
    assert identity.logins[0]["scope"]["project"] == {"name": "straw", "domain": {"name": "Default"}}


def test_an_id_in_place_of_a_projects_name_is_taken_as_one(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    connect(cloud(project="2" * 32))
    assert identity.logins[0]["scope"]["project"] == {"id": "2" * 32}


def test_a_regions_own_endpoint_beats_one_without_a_region(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    entry = service_entry("image", anywhere="https://anywhere.test", north="https://north.test")
    for endpoint in entry["endpoints"]:
        if endpoint["region"] == "anywhere":
            endpoint["region"] = endpoint["region_id"] = None
    identity.catalogue = [entry]
    assert connect(cloud()).endpoint == "https://north.test"
    assert connect(cloud(interface="internal")).endpoint == "http://in-north.test"
    elsewhere = connect(cloud(region="south"))
    assert (elsewhere.endpoint, elsewhere.region) == ("https://anywhere.test", "south")


def test_the_interface_of_clouds_yaml_holds_where_the_source_has_none(cloud: CloudsYaml) -> None:
    assert connect(cloud({"interface": "internal"})).endpoint == "http://in-image.north.test/image/v2"


def test_an_override_in_clouds_yaml_beats_the_catalogue(cloud: CloudsYaml) -> None:
    entry = {"image_endpoint_override": "https://other.test/glance"}
    assert connect(cloud(entry)).endpoint == "https://other.test/glance"


def test_a_service_without_login_is_only_an_address(identity: IdentityService, cloud: CloudsYaml) -> None:
    entry = {"auth_type": "none", "auth": {"endpoint": "https://alone.test"}}
    connection = connect(cloud(entry))
    assert connection.endpoint == "https://alone.test"
    assert identity.logins == []


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({"auth_type": "http_basic", "auth": {"username": "ann", "password": "p"}}, "Authorization"),
        ({"auth_type": "admin_token", "auth": {"token": "t"}}, "X-Auth-Token"),
    ],
)
def test_a_login_that_knows_its_endpoint_needs_no_other(
    cloud: CloudsYaml, login: dict[str, Any], header: str
) -> None:
    login["auth"]["endpoint"] = "https://alone.test "
    connection = connect(cloud(login))
    assert connection.endpoint == "https://alone.test"
    assert header in headers_for(connection, connection.endpoint)


def test_a_login_without_catalogue_and_endpoint_asks_for_one(cloud: CloudsYaml) -> None:
    entry = {"auth_type": "http_basic", "auth": {"username": "ann", "password": "p"}}
    assert "expected image_endpoint_override" in refused(cloud(entry), ConfigurationError)


def test_user_and_password_of_an_endpoint_are_not_described(cloud: CloudsYaml) -> None:
    connection = connect(cloud({"image_endpoint_override": "https://svc:hush@other.test:9292/v2"}))
    assert login.describe_credential(connection).endpoint == "https://other.test:9292"


def test_ims_is_found_under_its_own_names(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.catalogue.append(service_entry("ims", north="https://ims.north.test"))
    assert connect(cloud(kind="ims")).endpoint == "https://ims.north.test"
    assert connect(cloud(kind="glance")).endpoint == "https://image.north.test/image/v2"


def test_huaweis_enterprise_projects_are_asked_for_and_otcs_are_not(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    for address, expected in (
        ("https://ims.cn-north-4.myhuaweicloud.com", {"enterprise_project_id": "all_granted_eps"}),
        ("https://ims.eu-de.otc.t-systems.com", {}),
    ):
        identity.catalogue = [service_entry("ims", north=address)]
        assert connect(cloud(kind="ims")).extra_params == expected
    identity.catalogue = [service_entry("ims", north="https://ims.cn-north-4.myhuaweicloud.com")]
    filtered = connect(cloud(kind="ims", filters={"enterprise_project_id": "0"}))
    assert filtered.extra_params == {"enterprise_project_id": "all_granted_eps"}, "look-ups ask for all"


def test_the_credential_is_described(cloud: CloudsYaml) -> None:
    credential = login.describe_credential(connect(cloud()))
    assert (credential.project_name, credential.region) == ("hay", "north")
    left = credential.seconds_left(datetime.now(UTC))
    assert left is not None
    assert 3000 < left <= 3600


def test_of_two_image_services_one_must_be_named(identity: IdentityService, cloud: CloudsYaml) -> None:
    """None is taken in silence; the name in clouds.yaml chooses."""
    other = service_entry("image", north="https://other.north.test") | {"name": "glance-other"}
    identity.catalogue = [service_entry("image", north="https://image.north.test"), other]
    message = refused(cloud(), ConfigurationError)
    assert "has several image services here (glance-other, image); set image_service_name" in message
    assert connect(cloud({"image_service_name": "glance-other"})).endpoint == "https://other.north.test"
    assert connect(cloud({"image_service_name": "image"})).endpoint == "https://image.north.test"
    assert "no image service called 'glans'" in refused(cloud({"image_service_name": "glans"}), LoginError)


def test_two_services_in_two_regions_are_no_question(identity: IdentityService, cloud: CloudsYaml) -> None:
    south = service_entry("image", south="https://south.test") | {"name": "other"}
    identity.catalogue = [service_entry("image", north="https://north.test"), south]
    assert connect(cloud()).endpoint == "https://north.test"
    assert connect(cloud(region="south")).endpoint == "https://south.test"


def test_the_services_type_in_clouds_yaml_is_the_one(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.catalogue.append(service_entry("image-archive", north="https://archive.test"))
    assert connect(cloud({"image_service_type": "image-archive"})).endpoint == "https://archive.test"
    assert connect(cloud()).endpoint == "https://image.north.test/image/v2"
