"""What is wrong in clouds.yaml or in an endpoint is told before anything is done: file and key, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog.config.load import load_settings
from catalog.config.openstack import auth_url_of, ims_endpoint
from catalog.config.settings import Settings
from catalog.errors import ConfigurationError
from catalog.fetch.auth.clouds_entry import read_entry

AUTH = {"auth_url": "https://iam.test/v3", "username": "ann", "password": "hush", "project_name": "hay"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds nothing of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def load(home: Path, toml: str = '[[sources]]\nname = "a"\nkind = "glance"\ncloud = "lab"') -> Settings:
    (home / "catalog.toml").write_text(toml)
    return load_settings(None, {"HOME": str(home)}, None)


def refusal(home: Path, *toml: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(home, *toml)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert "hush" not in message
    return message


@pytest.mark.parametrize(
    "written",
    ["*hush", "!hush", "!hush!x", "&hush *hush", "{hush: {{ x }}}", "{{ hush }}: 1", "2026-99-99", "0x_"],
)
def test_a_password_that_is_no_plain_yaml_is_not_repeated(home: Path, written: str) -> None:
    (home / "clouds.yaml").write_text(f"clouds:\n  lab:\n    auth:\n      password: {written}\n")
    message = refusal(home)
    assert "clouds.yaml: " in message
    assert "expected YAML; " in message
    assert "2026" not in message


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("text", "expected a table"),
        ({"auth": "x"}, "auth: expected a table"),
        ({"auth": None}, "auth: expected a table"),
        ({"auth": AUTH | {"auth_url": "http://[::1/v3"}}, "auth_url: expected an address"),
        ({"auth": AUTH | {"auth_url": "http://u:hush@h:port/v3"}}, "auth_url: expected an address"),
        ({"auth": AUTH | {"auth_url": 5}}, "auth_url: expected an address"),
        ({"auth": AUTH | {"auth_url": "https://iam.test/v3?token=hush"}}, "auth_url: expected an address"),
        ({"auth_url": "iam.test", "auth": {}}, "auth_url: expected an address"),
        ({"auth": AUTH, "api_timeout": "30s"}, "api_timeout: expected seconds"),
        ({"auth": AUTH, "api_timeout": -5}, "api_timeout: expected seconds"),
        ({"auth": AUTH, "api_timeout": [1]}, "api_timeout: expected seconds"),
        (
            {"auth": AUTH, "image_endpoint_override": "http://10.0.0.300:9292"},
            "image_endpoint_override: expected",
        ),
        ({"auth": AUTH, "ims_endpoint_override": "10.0.0.3/v2"}, "ims_endpoint_override: expected"),
        ({"auth_type": "http_basic", "auth": {"endpoint": "http://a..b"}}, "endpoint: expected an address"),
    ],
)
def test_an_odd_value_is_told_with_cloud_and_key(
    home: Path, monkeypatch: pytest.MonkeyPatch, entry: Any, key: str
) -> None:
    (home / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": entry}}))
    assert f"cloud 'lab' in clouds.yaml: {key}" in refusal(home)
    with pytest.raises(ConfigurationError, match=key):
        load_settings(None, {"HOME": str(home), "OS_CLOUD": "lab"}, None)


@pytest.mark.parametrize("written", ["clouds: text", "clouds: [lab]", "clouds:", "text", "[lab]"])
def test_a_clouds_yaml_without_a_table_of_clouds_is_told(home: Path, written: str) -> None:
    (home / "clouds.yaml").write_text(written)
    assert "clouds.yaml" in refusal(home)


def test_a_profile_whose_address_has_no_scheme_is_asked_by_https(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openstacksdk ships otc-swiss like that; its kind is known by its address, too."""
    auth = {key: value for key, value in AUTH.items() if key != "auth_url"}
    (home / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": {"profile": "otc-swiss", "auth": auth}}}))
    assert auth_url_of("lab") == "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3"
    (only,) = load_settings(None, {"HOME": str(home), "OS_CLOUD": "lab"}, None).sources
    assert only.kind == "ims"
    assert read_entry(only).config["auth"]["auth_url"].startswith("https://iam-pub.")


@pytest.mark.parametrize(
    ("region", "auth_url", "expected"),
    [
        ("eu-de", None, "https://ims.eu-de.otc.t-systems.com"),
        ("eu-ch2", None, "https://ims.eu-ch2.sc.otc.t-systems.com"),
        ("cn-north-4", None, "https://ims.cn-north-4.myhuaweicloud.com"),
        ("eu-west-101", None, "https://ims.eu-west-101.myhuaweicloud.eu"),
        ("eu-west-0", None, "https://ims.eu-west-0.prod-cloud-ocb.orange-business.com"),
        ("eu-west-101", "https://iam.myhuaweicloud.com/v3", "https://ims.eu-west-101.myhuaweicloud.eu"),
        ("new-1", "https://iam.myhuaweicloud.com/v3", "https://ims.new-1.myhuaweicloud.com"),
        ("eu-nl", "https://iam.eu-de.otc.t-systems.com/v3", "https://ims.eu-nl.otc.t-systems.com"),
        ("eu-de", "https://iam.test/v3", None),
        ("nowhere", None, None),
    ],
)
def test_where_the_image_management_service_of_a_region_lives(
    region: str, auth_url: str | None, expected: str | None
) -> None:
    assert ims_endpoint(region, auth_url) == expected


def test_what_the_loader_fills_in_or_may_be_missing_is_no_fault(home: Path) -> None:
    auth = AUTH | {"auth_url": "https://{region_name}.test/v3"}
    entry = {"auth": auth, "api_timeout": "2.5", "image_endpoint_override": "https://image.test\n"}
    (home / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": entry, "other": {"auth": "odd"}}}))
    assert [source.cloud for source in load(home).sources] == ["lab"]


@pytest.mark.parametrize(
    "endpoint", ["http://10.0.0.300:9292", "http://h\\n", "http://[::1/", "http://a..b", "http://h:0"]
)
def test_an_endpoint_that_no_connection_can_be_made_to_is_told(home: Path, endpoint: str) -> None:
    toml = f'[[sources]]\nname = "a"\nkind = "glance"\nendpoint = "{endpoint}"\nauth = "none"'
    assert "catalog.toml: sources[0].endpoint (source 'a'): expected an address" in refusal(home, toml)
