"""Certificates are checked against the bundle that was asked for, and wrong proxies are named."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError, NetworkError
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect, refused


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
