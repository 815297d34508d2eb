"""A cloud's entry in clouds.yaml, made ready for one source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.config.openstack import UNFORESEEN, check_entry, open_clouds, unknown_cloud
from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError
from catalog.text import first_line

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

PROJECT_KEYS = ("project_id", "project_name", "tenant_id", "tenant_name")
APPLICATION_CREDENTIAL = "v3applicationcredential"


def read_entry(source: SourceSettings) -> CloudRegion:
    """The cloud's entry for the source's region, project and interface, its secrets read again."""
    from keystoneauth1 import exceptions as login_exceptions
    from openstack import exceptions, warnings

    clouds = open_clouds()
    cloud = source.cloud or ""
    if cloud not in clouds.cloud_config["clouds"]:
        raise ConfigurationError(f"expected {unknown_cloud(cloud, clouds.get_cloud_names())}")
    entry = clouds.cloud_config["clouds"][cloud]
    check_entry(cloud, entry)
    _set_project(entry, source)
    wanted: dict[str, Any] = {}
    if source.region is not None:
        # Its one region is the entry's default, not all there are; a list of `regions` stays the bound.
        entry["region_name"] = wanted["region_name"] = source.region
    if source.interface is not None:
        wanted["interface"] = source.interface
    try:
        ready = clouds.get_one(cloud, **wanted)
    except (
        exceptions.ConfigException,
        login_exceptions.OptionError,
        login_exceptions.NoMatchingPlugin,
        warnings.ConfigurationWarning,
    ) as error:
        raise ConfigurationError(f"cloud {cloud!r} in clouds.yaml: {first_line(error)}") from None
    except UNFORESEEN as error:
        raise ConfigurationError(
            f"cloud {cloud!r} in clouds.yaml: a value is missing or of the wrong type ({first_line(error)})"
        ) from None
    check_entry(cloud, ready.config)
    return ready


def _set_project(entry: dict[str, Any], source: SourceSettings) -> None:
    """Another project than the entry's own: its id and name must go, or they would win."""
    project = source.project_id or source.project
    if project is None:
        return
    if entry.get("auth_type") == APPLICATION_CREDENTIAL:
        raise ConfigurationError(bound_to_project(source.cloud or ""))
    auth: dict[str, Any] = entry.setdefault("auth", {})
    for key in PROJECT_KEYS:
        for table in (auth, entry):
            table.pop(key, None)
            table.pop(key.replace("_", "-"), None)
    if source.project_id is not None or _is_id(project):
        auth["project_id"] = project
        return
    auth["project_name"] = project
    if not any(
        key in table for table in (auth, entry) for key in ("project_domain_id", "project_domain_name")
    ):
        for key in ("domain_id", "domain_name"):
            value = auth.get(f"user_{key}") or entry.get(f"user_{key}")
            if value:
                auth[f"project_{key}"] = value


def bound_to_project(cloud: str) -> str:
    return (
        f"cloud {cloud!r}: an application credential belongs to one project; leave out project and projects"
    )


def _is_id(text: str) -> bool:
    """Ids of projects are 32 hexadecimal digits (Keystone: uuid4().hex)."""
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)
