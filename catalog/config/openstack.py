"""clouds.yaml, secure.yaml and `OS_*` by openstacksdk's loader, and what is known of clouds with IMS."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.address import split_address
from catalog.errors import ConfigurationError
from catalog.files import check_owner
from catalog.model import SourceKind
from catalog.text import first_line

if TYPE_CHECKING:
    from openstack.config.loader import OpenStackConfig

ENVIRONMENT_CLOUD = "envvars"
"""openstacksdk's name of the cloud that `OS_*` describe."""

HUAWEI_DOMAIN = "myhuaweicloud.com"
IMS_DOMAINS = (
    "sc.otc.t-systems.com",
    "otc.t-systems.com",
    HUAWEI_DOMAIN,
    "myhuaweicloud.eu",
    "prod-cloud-ocb.orange-business.com",
)
"""Clouds with an Image Management Service: it lives at https://ims.{region}.{domain}. Longest first."""

ADDRESSES = (
    "auth_url", "endpoint", "image_endpoint_override", "imsv2_endpoint_override", "ims_endpoint_override",
)  # fmt: skip
"""Keys of clouds.yaml that hold the address of a service that we ask."""
UNFORESEEN = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""Errors of openstacksdk's loader for odd values."""

_HUAWEI_REGIONS = """
    ae-ad-1 af-north-1 af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
    cn-east-2 cn-east-3 cn-east-4 cn-east-5 cn-north-1 cn-north-11 cn-north-12 cn-north-2 cn-north-4 cn-north-9
    cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 la-north-2 la-south-2 me-east-1
    my-kualalumpur-1 na-mexico-1 ru-moscow-1 sa-brazil-1 tr-west-1
"""
REGION_DOMAINS = {
    "eu-de": "otc.t-systems.com",
    "eu-nl": "otc.t-systems.com",
    "eu-ch2": "sc.otc.t-systems.com",
    "eu-west-101": "myhuaweicloud.eu",
    "eu-west-0": "prod-cloud-ocb.orange-business.com",
    **dict.fromkeys(_HUAWEI_REGIONS.split(), HUAWEI_DOMAIN),
}
"""Regions by their clouds' own SDKs and sites (November 2026); only used where no URL says more."""


def ims_domain(url: str | None) -> str | None:
    """The domain of IMS_DOMAINS that `url` belongs to."""
    parts = split_address(url or "")
    host = (parts.hostname if parts else None) or ""
    return next((domain for domain in IMS_DOMAINS if host.endswith("." + domain)), None)


def guess_kind(url: str | None) -> SourceKind:
    """Guesses the service behind an identity or image endpoint when the configuration does not say."""
    return "ims" if ims_domain(url) else "glance"


def ims_endpoint(region: str, auth_url: str | None = None) -> str | None:
    """The Image Management Service of a region by its cloud's known pattern; None where none is known."""
    domain = ims_domain(auth_url)
    if auth_url is None or domain == HUAWEI_DOMAIN:  # one login for regions of several domains
        domain = REGION_DOMAINS.get(region, domain)
    return f"https://ims.{region}.{domain}" if domain else None


def knows_enterprise_projects(endpoint: str) -> bool:
    """True where a listing without `enterprise_project_id=all_granted_eps` may lack images."""
    return (ims_domain(endpoint) or "").startswith("myhuaweicloud.")


def open_clouds() -> OpenStackConfig:
    """openstacksdk's view of clouds.yaml, secure.yaml and the process's `OS_*`, read again.

    Raises ConfigurationError: one of the files can't be read.
    """
    from openstack import exceptions
    from openstack.config import loader

    # What openstacksdk will drop one day is its business, not that of who runs us.
    warnings.filterwarnings("ignore", category=PendingDeprecationWarning, module=r"openstack\.")
    # The loader froze the working directory when it was imported; people mean the one of now.
    folders = [str(Path.cwd()), *loader.CONFIG_SEARCH_PATH[1:]]
    clouds, secure, vendors = (
        [f"{folder}/{stem}{ending}" for folder in folders for ending in endings]
        for stem in ("clouds", "secure", "clouds-public")
        for endings in [loader.YAML_SUFFIXES + loader.JSON_SUFFIXES]
    )
    _check_file(clouds, "OS_CLIENT_CONFIG_FILE")
    _check_file(secure, "OS_CLIENT_SECURE_FILE")
    _check_file(vendors, None)
    try:
        found = loader.OpenStackConfig(config_files=clouds, secure_files=secure, vendor_files=vendors)
    except (exceptions.ConfigException, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"clouds.yaml: {first_line(error)}") from None
    if not isinstance(found.cloud_config["clouds"], dict):
        raise ConfigurationError("clouds.yaml: clouds: expected a table of clouds")
    for entry in found.cloud_config["clouds"].values():
        _complete_profile(entry)
    return found


def _complete_profile(entry: Any) -> None:
    """openstacksdk 4 ships a profile, otc-swiss, whose address has no scheme."""
    if not isinstance(entry, dict) or "auth_url" in entry:
        return
    address = str(_vendor_profile(entry.get("profile")).get("auth", {}).get("auth_url", ""))
    auth = entry.setdefault("auth", {})
    if address and "://" not in address and isinstance(auth, dict):
        auth.setdefault("auth_url", f"https://{address}")


def _check_file(candidates: list[str], variable: str | None) -> None:
    """Raises ConfigurationError for a file of another user that is only found here, and for one that is not YAML.

    The loader goes on without the latter; people then look for the fault everywhere else.
    """
    import yaml

    first = os.environ.get(variable) if variable else None
    path = next((path for path in ([first] if first else []) + candidates if Path(path).exists()), None)
    if path is None:
        return
    if path != first and Path(path).parent == Path.cwd():
        check_owner(Path(path), f"name it: {variable}={path}" if variable else "move it to a folder of yours")
    try:
        yaml.safe_load(Path(path).read_bytes())
    except OSError:
        return  # the loader's rule: one that may not be read does not count
    except (yaml.YAMLError, ValueError) as error:
        # The problem and its line only: the text around it may be a password, and so may a name or a value in it.
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "something else was found"
        naming = (yaml.composer.ComposerError, yaml.constructor.ConstructorError, ValueError)
        if isinstance(error, naming) or "tag handle" in problem:
            problem = "put values that begin with *, &, ! or {, or look like a date, in quotes"
        raise ConfigurationError(f"{path}: {line}expected YAML; {problem}") from None


def cloud_entries() -> dict[str, Any]:
    """The entry in clouds.yaml, or of OS_*, of each cloud that a source may name, in the order of clouds.yaml."""
    clouds = open_clouds()
    entries = clouds.cloud_config["clouds"]
    return {name: entries.get(name) for name in clouds.get_cloud_names() if name != "defaults"}


def check_entry(cloud: str, entry: Any) -> None:
    """Raises ConfigurationError for values that openstacksdk takes, and that then break in other places."""
    where = f"cloud {cloud!r} in {'OS_*' if cloud == ENVIRONMENT_CLOUD else 'clouds.yaml'}"
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: expected a table of settings")
    auth = entry.get("auth", {})
    if not isinstance(auth, dict):
        raise ConfigurationError(f"{where}: auth: expected a table with auth_url, username and so on")
    if any(_is_remote(entry.get(key)) for key in ("profile", "cloud")):
        # the loader would read whatever answers there, of any size
        raise ConfigurationError(
            f"{where}: profile: expected one that comes with openstacksdk; of one at an address, as ovh and vexxhost"
            " are, write down here what it says: auth_url and so on"
        )
    for table, key in product((auth, entry), ADDRESSES):
        if (value := table.get(key)) and not _is_address(value):
            # It is not repeated: it may hold a password.
            raise ConfigurationError(f'{where}: {key}: expected an address such as "https://example.com/v3"')
    if (timeout := entry.get("api_timeout")) and not _is_duration(timeout):
        raise ConfigurationError(f"{where}: api_timeout: expected seconds, such as 30; found {timeout!r}")


def _is_remote(profile: object) -> bool:
    """True for a profile that openstacksdk knows by an address alone, or that is one."""
    return profile is not None and (
        not isinstance(profile, str) or "//" in profile or "profile" in _vendor_profile(profile)
    )


def _vendor_profile(profile: object) -> dict[str, Any]:
    """Settings of a profile that openstacksdk knows by name; none of one that is an address, as it would ask there."""
    from openstack.config import vendors

    return (vendors.get_profile(profile) or {}) if isinstance(profile, str) and "//" not in profile else {}


def _is_address(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = split_address(value.strip())  # a query might be a secret, and nothing is asked with it
    return "{" in value or (parts is not None and not parts.query)  # what is in braces the loader fills in


def _is_duration(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def auth_url_of(cloud: str) -> str | None:
    """Where the cloud's identity service lives; None where its login needs none.

    Raises ConfigurationError: the cloud's entry is not usable.
    """
    from openstack import exceptions

    clouds = open_clouds()
    check_entry(cloud, clouds.cloud_config["clouds"].get(cloud))
    try:
        entry = clouds.get_one(cloud, validate=False)
    except (exceptions.ConfigException, *UNFORESEEN) as error:
        raise ConfigurationError(f"clouds.yaml: {cloud}: {first_line(error)}") from None
    url = entry.config.get("auth", {}).get("auth_url") or entry.config.get("auth_url")
    return url if isinstance(url, str) else None


def regions_of(entry: dict[str, Any]) -> list[str]:
    """The regions that a cloud's entry, or the profile that it names, gives it; its region_name is the only one."""
    for told in (entry, _vendor_profile(entry.get("profile"))):
        if regions := told.get("regions") or told.get("region_name"):
            several = regions if isinstance(regions, list) else str(regions).split(",")
            return [str(one.get("name") if isinstance(one, dict) else one) for one in several]
    return []


def unknown_cloud(cloud: str, known: Collection[str]) -> str:
    """Tells that clouds.yaml doesn't know this cloud, and what it knows."""
    if not known:
        return f"a cloud of clouds.yaml, not {cloud!r}; no clouds.yaml was found and no OS_* is set"
    return f"a cloud of clouds.yaml, not {cloud!r}; known: {', '.join(known)}"
