"""Logging in: where the image service is found, how requests are signed, and what a failed login says."""

from __future__ import annotations

import dataclasses
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.errors import (
    CatalogError,
    ConfigurationError,
    LoginError,
    NetworkError,
    UpstreamError,
)
from catalog.fetch import login
from catalog.fetch.connection import Connection, RenewableAuth
from catalog.model import Budget
from catalog.settings import SourceSettings
from tests.identity import PASSWORD, IdentityService, service_entry


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person who runs the tests, and no wait between two tries."""
    endings = ("_PROXY", "_CA_BUNDLE")
    for variable in os.environ:
        upper = variable.upper()
        if upper.startswith(("OS_", "SSL_CERT_")) or upper.endswith(endings):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("catalog.fetch.retries.Patience.wait", lambda self, failures: 0.0)


def _served(service: IdentityService) -> Iterator[IdentityService]:
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield service
    service.hold.set()
    service.shutdown()
    service.server_close()
    thread.join()


@pytest.fixture
def identity() -> Iterator[IdentityService]:
    yield from _served(IdentityService())


CloudsYaml = Callable[..., SourceSettings]


@pytest.fixture
def cloud(identity: IdentityService, tmp_path: Path) -> CloudsYaml:
    """Writes clouds.yaml with one cloud, changed as asked, and secure.yaml with its password."""

    def write(entry: dict[str, Any] | None = None, **source: Any) -> SourceSettings:
        auth = {
            "auth_url": identity.url,
            "username": "ann",
            "project_name": "hay",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        whole: dict[str, Any] = {"auth": auth, "region_name": "north", **(entry or {})}
        whole = {key: value for key, value in whole.items() if value is not None}
        # JSON is YAML.
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": whole}}))
        if "auth_type" not in whole:
            secure = {"clouds": {"meadow": {"auth": {"password": PASSWORD}}}}
            (tmp_path / "secure.yaml").write_text(json.dumps(secure))
        return SourceSettings(**({"name": "s", "kind": "glance", "cloud": "meadow"} | source))

    return write


def connect(source: SourceSettings, seconds: float = 30.0) -> Connection:
    return login.connect(source, Budget(seconds))


def renewed(connection: Connection) -> bool:
    auth: object = connection.auth
    assert isinstance(auth, RenewableAuth)
    return auth.renew()


def refused(source: SourceSettings, kind: type[CatalogError], seconds: float = 30.0) -> str:
    with pytest.raises(kind) as caught:
        connect(source, seconds)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def headers_for(connection: Connection, url: str) -> httpx.Headers:
    """The headers that the connection's auth puts on a request to `url`."""
    assert connection.auth is not None
    return next(connection.auth.sync_auth_flow(httpx.Request("GET", url))).headers


def test_clouds_yaml_and_secure_yaml_log_in_together(identity: IdentityService, cloud: CloudsYaml) -> None:
    connection = connect(cloud())
    assert connection.endpoint == "https://image.north.test/image/v2"
    assert (connection.region, connection.project_id) == ("north", "1" * 32)
    (sent,) = identity.logins
    assert sent["identity"]["password"]["user"]["password"] == PASSWORD
    assert sent["scope"]["project"] == {"name": "hay", "domain": {"name": "Default"}}
    assert headers_for(connection, connection.endpoint)["X-Auth-Token"] == "token-1"


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
    assert connect(cloud(kind="ims", filters={"enterprise_project_id": "0"})).extra_params == {}


def test_the_credential_is_described(cloud: CloudsYaml) -> None:
    credential = login.describe_credential(connect(cloud()))
    assert (credential.project_name, credential.region) == ("hay", "north")
    left = credential.seconds_left(datetime.now(UTC))
    assert left is not None
    assert 3000 < left <= 3600


def test_each_project_that_the_user_may_enter_becomes_a_source(cloud: CloudsYaml) -> None:
    marked = cloud(name="meadow/north/{project}", region="north", all_projects=True)
    other = SourceSettings(name="other", kind="glance", endpoint="http://x", auth="none")
    expansion = login.expand_projects([marked, other])
    assert [(s.name, s.project_id, s.all_projects) for s in expansion.sources] == [
        ("meadow/north/hay", "1" * 32, False),
        ("meadow/north/straw", "2" * 32, False),
        ("other", None, False),
    ]
    assert expansion.failures == {}


def test_projects_of_one_name_are_told_apart_by_id(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.projects[1]["name"] = "hay"
    expansion = login.expand_projects([cloud(name="{project}", all_projects=True)])
    assert [source.name for source in expansion.sources] == ["1" * 32, "2" * 32]


def test_a_cloud_that_refuses_leaves_the_other_sources_alone(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.password = "another"
    other = SourceSettings(name="other", kind="glance", endpoint="http://x", auth="none")
    expansion = login.expand_projects([cloud(name="m/{project}", all_projects=True), other])
    assert expansion.sources == (other,)
    assert isinstance(expansion.failures["m/{project}"], LoginError)


def test_project_names_are_those_of_all_projects_or_of_the_users_own(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    connection = connect(cloud())
    assert connection.names is not None
    own = [("1" * 32, "hay", "Default"), ("2" * 32, "straw", None)]
    assert connection.names() == own
    identity.may_list_all = True
    identity.projects.reverse()
    identity.projects[0]["enabled"] = True
    assert [name for _, name, _ in connection.names()] == ["mud", "straw"]


def test_a_wrong_password_is_a_login_error_that_names_cloud_and_files(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.password = "another"
    message = refused(cloud(), LoginError)
    assert "cloud 'meadow'" in message
    assert "login refused" in message
    assert "clouds.yaml and secure.yaml (*** is wrong. Go away. (HTTP 401))" in message


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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for localhost, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "ca.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.fixture
def secure_identity(identity: IdentityService, certificate: Path) -> IdentityService:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    identity.socket = context.wrap_socket(identity.socket, server_side=True)
    identity.scheme = "https"
    return identity


def test_a_certificate_that_is_not_trusted_names_what_it_was_checked_against(
    secure_identity: IdentityService, cloud: CloudsYaml
) -> None:
    message = refused(cloud(), NetworkError)
    assert (
        "certificate not trusted: self-signed certificate (checked against the built-in CA bundle)" in message
    )


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "OS_CACERT"])
def test_a_bundle_of_the_environment_serves_login_and_listing(
    secure_identity: IdentityService,
    cloud: CloudsYaml,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    assert connect(cloud()).verify == str(certificate)


def test_cacert_of_clouds_yaml_beats_the_environments(
    secure_identity: IdentityService, cloud: CloudsYaml, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    assert connect(cloud({"cacert": str(certificate)})).verify == str(certificate)


def test_verify_false_of_clouds_yaml_holds_for_both(
    secure_identity: IdentityService, cloud: CloudsYaml
) -> None:
    assert connect(cloud({"verify": False})).verify is False


def test_a_bundle_that_is_missing_is_named(cloud: CloudsYaml) -> None:
    assert "cacert: expected a file of trusted certificates" in refused(
        cloud({"cacert": "/no/such/bundle.pem"}), ConfigurationError
    )


@pytest.mark.parametrize("value", ["http://user:hush@[oops", "gopher://proxy:1", "http://proxy:port"])
def test_proxies_that_cannot_be_parsed_are_named_without_their_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    source = SourceSettings(name="s", kind="glance", endpoint="http://x", auth="none")
    message = refused(source, ConfigurationError)
    assert message.startswith("HTTPS_PROXY: expected addresses such as")
    assert value not in message


def test_proxies_of_the_environment_that_make_sense_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.test:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pw@proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,::1,.test,10.0.0.0/8")
    connect(SourceSettings(name="s", kind="glance", endpoint="http://x", auth="none"))


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
