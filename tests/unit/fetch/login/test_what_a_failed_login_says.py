"""A login that fails says in one line what to change, and no secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from catalog.errors import (
    CatalogError,
    ConfigurationError,
    LoginError,
    NetworkError,
    ThrottledError,
    UpstreamError,
)
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect, refused


def test_a_wrong_password_is_a_login_error_that_names_cloud_and_files(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.password = "another"
    message = refused(cloud(), LoginError)
    assert "cloud 'meadow'" in message
    assert "login refused" in message
    assert message.endswith("check clouds.yaml and secure.yaml (HTTP 401)")


def test_an_unscoped_token_is_told_as_such(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.scoped = False
    assert "not tied to a project; set project_name" in refused(cloud(), LoginError)


def test_a_catalogue_without_images_is_told_with_what_it_offers(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.catalogue = identity.catalogue[1:]
    assert "no image service in the project's catalogue (it offers compute)" in refused(cloud(), LoginError)


def test_an_unknown_region_is_told_with_the_known_ones(cloud: CloudsYaml) -> None:
    assert "not 'west'; known: north, south" in refused(cloud(region="west"), ConfigurationError)
    message = refused(cloud({"regions": ["north", "south"]}, region="west"), ConfigurationError)
    assert "north" in message
    assert "south" in message


def test_no_region_where_there_are_two_asks_for_one(cloud: CloudsYaml) -> None:
    assert "one of north, south" in refused(cloud({"region_name": None}), ConfigurationError)


def test_an_unknown_cloud_is_told_with_the_known_ones(cloud: CloudsYaml) -> None:
    assert "not 'medow'; known: meadow" in refused(cloud(cloud="medow"), ConfigurationError)


def test_an_unknown_vendor_profile_is_told(cloud: CloudsYaml) -> None:
    assert "vendor profile nowhere" in refused(cloud({"profile": "nowhere"}), ConfigurationError)


def test_an_incomplete_login_names_what_is_missing(cloud: CloudsYaml) -> None:
    assert "auth_url" in refused(cloud({"auth": {"username": "ann"}}), ConfigurationError)


def test_a_password_that_nobody_wrote_down_is_asked_for(cloud: CloudsYaml, tmp_path: Path) -> None:
    """keystoneauth1 raises a bare Exception for it, which is no fault of ours."""
    source = cloud()
    (tmp_path / "secure.yaml").unlink()
    assert "password is a required attribute; set it in" in refused(source, ConfigurationError)


def test_an_application_credential_has_its_own_project(cloud: CloudsYaml) -> None:
    entry = {
        "auth_type": "v3applicationcredential",
        "auth": {
            "auth_url": "http://x",
            "application_credential_id": "i",
            "application_credential_secret": "s",
        },
    }
    assert "belongs to one project" in refused(cloud(entry, project="straw"), ConfigurationError)


def test_an_identity_service_that_fails_is_asked_again_and_then_told(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.status = 503
    assert "HTTP 503" in refused(cloud(), UpstreamError)
    assert len(identity.logins) == 4


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_an_identity_service_is_not_asked_before_the_time_that_it_names(
    identity: IdentityService, cloud: CloudsYaml, code: int, form: str
) -> None:
    """In either form; where that is beyond the deadline, it is not asked again at all."""
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    identity.status, identity.retry_after = code, "3600" if form == "seconds" else in_an_hour
    assert f"keeps asking to slow down (HTTP {code}" in refused(cloud(), ThrottledError)
    assert len(identity.logins) == 1


@pytest.mark.parametrize("code", [429, 503])
def test_an_identity_service_that_names_a_time_is_obeyed_however_often(
    identity: IdentityService, cloud: CloudsYaml, code: int
) -> None:
    identity.status, identity.retry_after, identity.refusals = code, "0", 12
    connect(cloud())
    assert len(identity.logins) == 13


def test_an_identity_service_that_is_not_there_is_a_network_error(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    source = cloud()
    identity.server_close()
    identity.shutdown()
    assert "cannot be reached: Connection refused" in refused(source, NetworkError)


def test_an_identity_service_that_hangs_costs_no_more_than_the_deadline(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.hangs = True
    message = refused(cloud(), CatalogError, seconds=0.5)
    assert "deadline" in message or "no answer in time" in message


def test_a_password_follows_no_redirect(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.redirect = identity.url + "/elsewhere"
    assert "no identity service answers; check auth_url" in refused(cloud(), LoginError)
    assert len(identity.logins) == 1


def test_a_path_without_identity_service_points_at_auth_url(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.status = 404
    assert "no identity service at this path; check clouds.yaml" in refused(cloud(), LoginError)
