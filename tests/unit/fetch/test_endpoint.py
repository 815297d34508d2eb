"""Endpoints as catalogues and people write them."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from pathlib import Path

import certifi
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ConfigurationError
from catalog.fetch.http.endpoint import AddressError, parse_address, service_root, trust


@pytest.mark.parametrize(
    ("endpoint", "root"),
    [
        ("https://h:9292", "https://h:9292"),
        ("https://h:9292/", "https://h:9292"),
        ("https://h:9292/v2", "https://h:9292"),
        ("https://h:9292/v2/", "https://h:9292"),
        ("https://h:9292/v1", "https://h:9292"),
        ("https://h/image", "https://h/image"),
        ("https://h/image/v2.16", "https://h/image"),
        ("https://h/vault", "https://h/vault"),
        ("https://[::1]:9292/v2", "https://[::1]:9292"),
        (" https://h/image/v2?x=1#y ", "https://h/image"),
        ("https://h/v2\n", "https://h"),
        ("http://127.1:9292", "http://127.1:9292"),
    ],
)
def test_a_version_at_the_end_is_no_part_of_the_root(endpoint: str, root: str) -> None:
    assert service_root(endpoint) == (root, root)


def test_user_and_password_are_used_and_not_shown() -> None:
    assert service_root("https://u:p@h/image/v2") == ("https://u:p@h/image", "https://h/image")


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "h:9292", "ftp://h", "https://", "https://h:port", "http://[", "http://10.0.0.300:9292",
        "http://a..b", f"http://{'a' * 64}.test", "http://h/\n/v2", "http://\u2603.test",
    ],
)  # fmt: skip
def test_what_is_no_url_is_a_configuration_error(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint"):
        service_root(endpoint)


def test_a_ca_bundle_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"/no/such/bundle\.pem"):
        trust("/no/such/bundle.pem")


def test_certificates_are_read_once_and_again_when_their_file_changed(tmp_path: Path) -> None:
    found = re.findall(
        r"-----BEGIN.*?-----END CERTIFICATE-----\n", Path(certifi.where()).read_text(), re.DOTALL
    )
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(found[0])
    os.utime(bundle, (1, 1))
    first = trust(str(bundle))
    assert isinstance(first, ssl.SSLContext)
    assert trust(str(bundle)) is first
    assert trust(True) is trust(True) is not first
    bundle.write_text(found[0] + found[1])
    later = trust(str(bundle))
    assert isinstance(later, ssl.SSLContext)
    assert (len(first.get_ca_certs()), len(later.get_ca_certs())) == (1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:x", "data:x", "mailto:x", "urn:x:y", "https:", "ftp://127.0.0.1/", "//[", "http://[::1",
        "http://xn--/", "http://h:99999/", "http://1.2.3.999/", "/x\n", "http://a\0b/", "\ud800", "http://\u2603.test/",
        "x" * 70_000, "http://" + "a." * 200, "http://" + "9" * 5000, None, 5, b"http://h/", {},
    ],
)  # fmt: skip
@pytest.mark.parametrize("base", ["", "http://h:1/v2/images?limit=3"])
def test_an_address_from_outside_is_refused_in_one_way(text: str, base: str) -> None:
    with pytest.raises(AddressError, match=r"^an address that can't be used"):
        parse_address(text, base)


@given(st.text(max_size=40), st.sampled_from(["", "http://h:1/v2/images"]))
def test_any_text_is_an_address_or_refused(text: str, base: str) -> None:
    with contextlib.suppress(AddressError):
        assert parse_address(text, base).host


def test_a_relative_address_keeps_what_is_asked_for() -> None:
    asked = httpx.QueryParams({"limit": "3"})
    assert (
        str(parse_address("?a=1", "http://h:1/v2/images?limit=2", asked))
        == "http://h:1/v2/images?a=1&limit=3"
    )
