"""`[[sources]]` and `[defaults]` of the file become `SourceSettings`, one per region and project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from catalog.address import split_address
from catalog.config.crontab import Crontab
from catalog.config.openstack import check_entry, cloud_entries, regions_of, unknown_cloud
from catalog.config.settings import PLACEHOLDER, REGION, SourceSettings, name_fault
from catalog.config.toml import Duration, Place
from catalog.errors import ConfigurationError
from catalog.model import DEFAULT_PASSES, SourceKind

Auth = Literal["cloud", "none", "token", "aksk"]

PASSES: dict[SourceKind, tuple[str, ...]] = {
    "glance": ("listed", "hidden"),
    "ims": ("listed", "pending", "market"),
}
PAGING_PARAMETERS = ("limit", "marker", "sort", "sort_dir", "sort_key")
"""Parameters that a sweep sets itself; as a filter they would cut a listing short."""
REACH_KEYS = ("os_hidden", "visibility", "owner", "__imagetype")
"""Keys that tell who is shown an image, and so what its absence from a listing proves: kept up to date."""
DECIDING_KEYS = ("status", "deleted_at", "updated_at", "created_at", *REACH_KEYS)
"""Those, and keys that tell whether an image lives, and since when: redacted, each deletion would be missed."""
SECRET_KEYS = (
    "token_env", "token_file", "access_key_env", "access_key_file", "secret_key_env", "secret_key_file",
    "security_token_env", "security_token_file",
)  # fmt: skip


LIMITS: tuple[tuple[str, float, float], ...] = (
    ("page_size", 1, 10_000),
    ("max_pages", 1, 10_000_000),
    ("spool_limit", 1, 10**15),
    ("lookup_limit", 0, 10_000_000),
    ("deletion_limit_percent", 0, 100),
    ("deletion_limit_count", 0, 1_000_000_000),
)
"""Least and greatest value of each."""


class DefaultsTable(msgspec.Struct):
    interval: Duration | None = None
    changes_interval: Duration | None = None
    changes_overlap: Duration | None = None
    cron: str | None = None
    timezone: str | None = None
    deadline: Duration | None = None
    page_size: int | None = None
    max_pages: int | None = None
    spool_limit: int | None = None
    lookup_limit: int | None = None
    deletion_limit_percent: float | None = None
    deletion_limit_count: int | None = None
    archive: str | None = None
    events_keep: Duration | None = None
    ignore: list[str] | None = None
    redact: list[str] | None = None


class SourceTable(DefaultsTable):
    name: str | None = None
    kind: str | None = None
    cloud: str | None = None
    endpoint: str | None = None
    auth: str | None = None
    token_env: str | None = None
    token_file: str | None = None
    access_key_env: str | None = None
    access_key_file: str | None = None
    secret_key_env: str | None = None
    secret_key_file: str | None = None
    security_token_env: str | None = None
    security_token_file: str | None = None
    project_id: str | None = None
    project_id_file: str | None = None
    project: str | None = None
    projects: list[str] | str | None = None
    region: str | None = None
    regions: list[str] | None = None
    interface: str | None = None
    passes: list[str] | None = None
    filters: dict[str, str | int | bool] | None = None
    project_names: bool = False


def read_sources(
    entries: Sequence[tuple[Place, SourceTable]], shared: dict[str, Any]
) -> tuple[SourceSettings, ...]:
    """Each entry with the shared defaults, once per region and project. Raises ConfigurationError."""
    known = _check_clouds(entries)
    sources: list[SourceSettings] = []
    places: dict[str, Place] = {}
    for place, entry in entries:
        for source in _read_entry(place, entry, shared, known):
            if source.name in places:
                other = places[source.name].table
                raise place.error("name", f"a unique name; {source.name!r} stands at {other} already")
            places[source.name] = place
            sources.append(source)
    return tuple(sources)


def read_defaults(place: Place, table: DefaultsTable) -> dict[str, Any]:
    """Checks and converts what the table sets, to keyword arguments of SourceSettings."""
    named = {key: getattr(table, key) for key in DefaultsTable.__struct_fields__}
    values: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    if "interval" in values and "cron" in values:
        raise place.error("cron", "either interval or cron, not both")
    if values.get("changes_interval") == "":
        values["changes_interval"] = None
    for key in ("interval", "changes_interval", "changes_overlap", "deadline", "events_keep"):
        if values.get(key) is not None:
            values[key] = place.seconds(key, values[key])
    if table.cron is not None:
        try:
            Crontab.parse(table.cron)
        except ConfigurationError as error:
            raise place.error("cron", str(error).removeprefix("cron: expected ")) from None
    elif table.interval is not None:
        values["cron"] = None
    if table.timezone is not None:
        _check_timezone(place, table.timezone)
    for key, low, high in LIMITS:
        if key in values:
            place.within(key, values[key], low, high)
    if table.archive is not None:
        values["archive"] = place.path(table.archive) if table.archive else None
    for option, needed in (("ignore", REACH_KEYS), ("redact", DECIDING_KEYS)):
        for glob in values.get(option, ()):
            if fits := [key for key in needed if fnmatchcase(key, glob)]:
                raise place.error(
                    option,
                    f"no pattern that fits {fits[0]}, which deletions and dates are told by; found {glob!r};"
                    " name the keys that you mean",
                )
        if option in values:
            values[option] = tuple(values[option])
    return values


def _read_entry(
    place: Place, entry: SourceTable, shared: dict[str, Any], clouds: dict[str, Any]
) -> list[SourceSettings]:
    values = shared | read_defaults(place, entry)
    if entry.cloud is None and entry.endpoint is None and not (entry.auth == "aksk" and entry.region):
        raise place.error(
            "cloud", 'a cloud of clouds.yaml, or `endpoint` with auth = "none", "token" or "aksk"'
        )
    if entry.cloud is not None and entry.endpoint is not None:
        raise place.error("endpoint", "either cloud or endpoint; clouds.yaml knows image_endpoint_override")
    auth = _auth(place, entry)
    kind = _kind(place, entry)
    if entry.interface not in (None, "public", "internal", "admin"):
        raise place.error("interface", f'"public", "internal" or "admin"; found {entry.interface!r}')
    values |= {
        "kind": kind,
        "cloud": entry.cloud,
        "auth": auth,
        "project_id": entry.project_id,
        "interface": entry.interface,
        "passes": _passes(place, kind, entry.passes),
        "filters": _filters(place, entry.filters or {}),
        "project_names": entry.project_names,
    }
    if entry.project_id_file is not None:
        values["project_id"] = place.read_secret("project_id_file", entry.project_id_file)
    for key in SECRET_KEYS:
        text = getattr(entry, key)
        values[key] = place.path(text) if text is not None and key.endswith("_file") else text
    if values.get("changes_interval") and "updated_at" in values["filters"]:
        raise place.error(
            "filters.updated_at", "another filter; with changes_interval the sweep sets this one"
        )
    _check_credentials(place, auth, values, entry)
    regions = _regions(place, entry, clouds)
    several = len(regions) > 1 or entry.regions is not None
    return [
        SourceSettings(
            name=_expanded_name(place, entry, region, project, several_regions=several),
            endpoint=_endpoint(place, entry.endpoint, region),
            region=region,
            all_regions=entry.cloud is not None and region is None,
            **_project_values(auth, project, values),
        )
        for region in regions
        for project in _projects(place, entry, auth)
    ]


def _check_clouds(entries: Sequence[tuple[Place, SourceTable]]) -> dict[str, Any]:
    """The clouds' entries in clouds.yaml."""
    named = [(place, entry.cloud) for place, entry in entries if entry.cloud is not None]
    known = cloud_entries() if named else {}
    for place, cloud in named:
        if cloud not in known:
            raise place.error("cloud", unknown_cloud(cloud, known))
    for cloud in sorted({cloud for _, cloud in named}):
        check_entry(cloud, known[cloud])
    return known


def _check_timezone(place: Place, timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones, such as "Europe"
        raise place.error(
            "timezone", f'an IANA time zone such as "Europe/Berlin"; found {timezone!r}'
        ) from None


def _auth(place: Place, entry: SourceTable) -> Auth:
    if entry.cloud is not None:
        if entry.auth not in (None, "cloud"):
            raise place.error("auth", "no auth beside cloud; clouds.yaml says how to log in")
        return "cloud"
    if entry.auth in ("none", "token", "aksk"):
        return entry.auth  # type: ignore[return-value]
    raise place.error("auth", f'"none", "token" or "aksk" with an endpoint; found {entry.auth!r}')


def _kind(place: Place, entry: SourceTable) -> SourceKind:
    if entry.kind is None:
        raise place.error("kind", '"glance" or "ims"; it is missing')
    if entry.kind not in get_args(SourceKind):
        raise place.error("kind", f'"glance" or "ims"; found {entry.kind!r}')
    return entry.kind  # type: ignore[return-value]


def _passes(place: Place, kind: SourceKind, passes: list[str] | None) -> tuple[str, ...]:
    if passes is None:
        return DEFAULT_PASSES[kind]
    if not passes or len(set(passes)) < len(passes) or not set(passes) <= set(PASSES[kind]):
        known = ", ".join(PASSES[kind])
        raise place.error("passes", f"one or more of {known}, each once, for kind {kind!r}; found {passes!r}")
    return tuple(passes)


def _filters(place: Place, filters: dict[str, str | int | bool]) -> dict[str, str]:
    for key in filters:
        if key in PAGING_PARAMETERS:
            raise place.error(f"filters.{key}", "a filter; paging and order are the sweep's own")
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in filters.items()
    }


def _check_credentials(place: Place, auth: Auth, values: dict[str, Any], entry: SourceTable) -> None:
    needed = {"token": ("token",), "aksk": ("access_key", "secret_key")}.get(auth, ())
    for stem in needed:
        given = [key for key in (f"{stem}_env", f"{stem}_file") if values[key] is not None]
        if len(given) != 1:
            raise place.error(f"{stem}_env", f'one of {stem}_env and {stem}_file with auth = "{auth}"')
    optional = ("security_token",) if auth == "aksk" else ()
    for key in SECRET_KEYS:
        if values[key] is not None and key.rsplit("_", 1)[0] not in (*needed, *optional):
            raise place.error(key, f'no {key} with auth = "{auth}"')
    if auth == "aksk" and values["project_id"] is None and entry.projects is None:
        raise place.error("project_id", 'project_id or project_id_file with auth = "aksk"')


def _regions(place: Place, entry: SourceTable, clouds: dict[str, Any]) -> list[str | None]:
    """Of a cloud whose regions nothing tells, [None]: its catalogue knows them."""
    if entry.regions is None:
        known = regions_of(clouds[entry.cloud]) if entry.cloud and not entry.region else []
        return [*known] or [entry.region]
    if entry.region is not None:
        raise place.error("regions", "either region or regions, not both")
    if not entry.regions or not all(entry.regions):
        raise place.error("regions", 'one or more names, such as ["eu-de", "eu-nl"]')
    if entry.endpoint is not None and "{region}" not in entry.endpoint:
        raise place.error("regions", "an endpoint that holds {region}, or a cloud, to tell regions apart")
    return list(entry.regions)


def _projects(place: Place, entry: SourceTable, auth: Auth) -> list[str | None]:
    if entry.projects is None:
        if entry.project is not None and auth != "cloud":
            raise place.error("project", "a cloud beside project; an endpoint takes project_id")
        return [entry.project]
    if entry.project is not None or entry.project_id is not None:
        raise place.error("projects", "only one of project, project_id and projects")
    if isinstance(entry.projects, str):
        if entry.projects != "*":
            raise place.error("projects", f'a list of names, or "*"; found {entry.projects!r}')
        if auth != "cloud":
            raise place.error("projects", '"*" beside a cloud only: its identity service is asked')
        return ["*"]
    if auth in ("none", "token"):
        raise place.error("projects", f'no projects with auth = "{auth}"')
    if not entry.projects or not all(entry.projects):
        raise place.error("projects", 'one or more names, or "*"')
    return list(entry.projects)


def _project_values(auth: Auth, project: str | None, values: dict[str, Any]) -> dict[str, Any]:
    if project == "*":
        return values | {"all_projects": True}
    if project is not None and auth == "aksk":
        return values | {"project_id": project}
    return values | {"project": project}


def _endpoint(place: Place, endpoint: str | None, region: str | None) -> str | None:
    if endpoint is None:
        return None
    endpoint = endpoint.replace("{region}", region or "")
    url = split_address(endpoint)
    # The endpoint is stored and printed; credentials in it would be too. It is not repeated here, either.
    if url is None or url.username or url.password or url.query or url.fragment:
        raise place.error("endpoint", 'an address such as "https://image.example.com", without user or query')
    return endpoint


def _expanded_name(
    place: Place, entry: SourceTable, region: str | None, project: str | None, *, several_regions: bool
) -> str:
    """The name's pattern filled in; what the cloud must be asked for is left standing for `expand`."""
    name = entry.name or entry.cloud or ""
    asked = REGION if entry.cloud else None
    values = {"region": region or asked, "project": PLACEHOLDER if project == "*" else project}
    available = [key for key, value in values.items() if value is not None]
    if (expected := name_fault(name, available)) is not None:
        raise place.error("name", expected)
    each = {"region": several_regions, "project": entry.projects is not None}
    if "{" not in name and any(each.values()):
        name = "/".join([name, *(f"{{{key}}}" for key in available if key != "region" or region)])
    for key, several in each.items():
        if several and f"{{{key}}}" not in name:
            raise place.error("name", f"{{{key}}} in the pattern, to tell the {key}s apart")
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), name)
