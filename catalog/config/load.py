"""`catalog.toml` and the environment become `Settings` (docs/configuration.md).

Every fault is a ConfigurationError of one line that names the file, the key and what was expected.
Nothing is contacted and no secret of a cloud is read here; only the names in clouds.yaml are looked
at, so that a misspelt cloud shows before anything is written.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from catalog.config.configured_sources import DefaultsTable, SourceTable, read_defaults, read_sources
from catalog.config.database_url import parse_database_url, with_password
from catalog.config.openstack import (
    ENVIRONMENT_CLOUD,
    auth_url_of,
    cloud_entries,
    guess_kind,
    regions_of,
    unknown_cloud,
)
from catalog.config.settings import DEFAULT_HTTP_BIND, DatabaseSettings, Settings, SourceSettings, of_region
from catalog.config.toml import Place, from_environment
from catalog.config.web import bind_address
from catalog.config.webhooks import read_webhooks
from catalog.errors import ConfigurationError
from catalog.files import check_owner
from catalog.model import DEFAULT_PASSES

FILE_NAME = "catalog.toml"
APPLICATION = "catalog"
"""Our folder below the user's configuration and data folders."""
OPENSTACK_VARIABLES = ("OS_AUTH_URL", "OS_ENDPOINT", "OS_IMAGE_ENDPOINT_OVERRIDE")
"""Any of these makes openstacksdk's cloud "envvars"."""
MAX_PARALLEL_SOURCES = 256


class DatabaseTable(msgspec.Struct):
    url: str | None = None
    password_file: str | None = None
    migration_url: str | None = None
    schema: str | None = None


class DaemonTable(msgspec.Struct):
    parallel_sources: int = 4


class FileTable(msgspec.Struct):
    database: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    daemon: dict[str, Any] = {}
    sources: list[dict[str, Any]] = []
    webhooks: list[dict[str, Any]] = []


def load_settings(path: Path | None, environ: Mapping[str, str], database_url: str | None) -> Settings:
    """Reads the configuration; `path` is `--config`, `database_url` is `--database-url`.

    The file is `path`, else CATALOG_CONFIG, else ./catalog.toml, else the one in the user's configuration
    folder; the last two may be missing. Relative paths in it are relative to its folder.
    `OS_*` that describe a cloud are read by openstacksdk, so from the process's own environment.

    Raises ConfigurationError: a file can't be read, or something in it is not understood.
    """
    found, place, tables = _read_file(path, environ)
    daemon, shared, entries = _read_tables(place, tables)
    notes = []
    cloud = environ.get("OS_CLOUD")
    if cloud and entries and cloud not in {entry.cloud for _, entry in entries}:
        notes.append(f"OS_CLOUD={cloud} does not count: {found} says which sources there are")
    return Settings(
        database=_database(place.into("database"), tables.database, environ, database_url),
        sources=read_sources(entries, shared) if entries else _environment_source(environ, shared),
        path=found,
        parallel_sources=daemon.parallel_sources,
        http_bind=bind_address(environ, "CATALOG_HTTP_BIND", DEFAULT_HTTP_BIND),
        defaults=shared,
        notes=tuple(notes),
        webhooks=read_webhooks(place, tables.webhooks),
    )


def load_database(
    path: Path | None, environ: Mapping[str, str], database_url: str | None
) -> DatabaseSettings:
    """Reads where the database is, for a command that asks nothing else: as `load_settings`, without a look at clouds.

    Their clouds.yaml and their secrets may not be at hand where people only look; and to read it takes longer than
    most of what they ask.
    """
    _, place, tables = _read_file(path, environ)
    _read_tables(place, tables)
    return _database(place.into("database"), tables.database, environ, database_url)


def with_only_cloud(settings: Settings) -> Settings:
    """Where nothing says what to sweep: the cloud of clouds.yaml, if it is the only one there.

    Raises ConfigurationError: it can't be read.
    """
    if settings.sources:
        return settings
    clouds = list(cloud_entries().items())
    if len(clouds) != 1:
        return settings
    sources = _cloud_sources(*clouds[0], os.environ.get("OS_REGION_NAME") or None, settings.defaults)
    return replace(settings, sources=sources)


def _read_file(path: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, Place, FileTable]:
    """The file, its name and folder for what is read from it, and its tables; empty ones without a file."""
    found = _find_file(path, environ)
    place = Place(file=str(found or FILE_NAME), folder=found.parent.absolute() if found else Path.cwd())
    return found, place, place.convert(_read_toml(found), FileTable) if found else FileTable()


def _read_tables(
    place: Place, tables: FileTable
) -> tuple[DaemonTable, dict[str, Any], list[tuple[Place, SourceTable]]]:
    """The tables of the daemon, of defaults and of sources: keys and types, as far as they tell by themselves."""
    daemon_place, defaults_place = place.into("daemon"), place.into("defaults")
    daemon = daemon_place.convert(tables.daemon, DaemonTable)
    daemon_place.within("parallel_sources", daemon.parallel_sources, 1, MAX_PARALLEL_SOURCES)
    entries: list[tuple[Place, SourceTable]] = []
    for index, table in enumerate(tables.sources):
        entry_place = place.into(f"sources[{index}]", table.get("name"))
        entries.append((entry_place, entry_place.convert(table, SourceTable)))
    return (
        daemon,
        read_defaults(defaults_place, defaults_place.convert(tables.defaults, DefaultsTable)),
        entries,
    )


def _find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    wanted = path or (Path(named) if (named := environ.get("CATALOG_CONFIG")) else None)
    if wanted is not None:
        if not wanted.is_file():
            origin = "--config" if path else "CATALOG_CONFIG"
            raise ConfigurationError(f"{origin}: expected a configuration file; {wanted} is not a file")
        return wanted
    here, own = Path(FILE_NAME), _user_folder(environ, "XDG_CONFIG_HOME", ".config") / FILE_NAME
    if here.is_file():
        check_owner(here, f"name it: --config ./{FILE_NAME}")
        return here
    return own if own.is_file() else None


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where the embedded database lives: CATALOG_DATA_DIR, else the user's data folder by XDG."""
    chosen = environ.get("CATALOG_DATA_DIR")
    if not chosen:
        return _user_folder(environ, "XDG_DATA_HOME", ".local/share")
    try:
        return Path(chosen).expanduser().absolute()
    except RuntimeError:
        raise ConfigurationError(
            f"CATALOG_DATA_DIR: expected a folder; {chosen} names no user's home"
        ) from None


def _user_folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """Our folder by the XDG Base Directory Specification."""
    root = environ.get(variable) or ""
    try:
        home = environ.get("HOME") or Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "this user has no home folder; set CATALOG_DATA_DIR and CATALOG_CONFIG, or HOME"
        ) from None
    return (Path(root) if Path(root).is_absolute() else Path(home, below_home)) / APPLICATION


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a readable file; {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: expected UTF-8; not valid at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: expected TOML; {' '.join(str(error).split())}") from None


def _database(
    place: Place, raw: dict[str, Any], environ: Mapping[str, str], database_url: str | None
) -> DatabaseSettings:
    """The database of --database-url, else of CATALOG_DATABASE_URL (or _FILE), else of the file.

    `password_file` and `migration_url` belong to the file's `url`: another url does without them.
    """
    table = place.convert(raw, DatabaseTable)
    if table.schema is not None and not 0 < len(table.schema.encode()) < 64:
        raise place.error("schema", "the name of a schema, at most 63 bytes")
    if table.schema == "$user":
        raise place.error("schema", "the name of a schema itself; leave the key out to go by the search path")
    data_dir = data_folder(environ)
    outside = _outside_url(environ, database_url)
    if outside is None:
        return _file_database(place, table, data_dir)
    origin, url = outside
    parse_database_url(url, origin)
    return DatabaseSettings(url=url, data_dir=data_dir, schema=table.schema)


def _file_database(place: Place, table: DatabaseTable, data_dir: Path) -> DatabaseSettings:
    url, migration_url = table.url, table.migration_url
    for key, value in (("url", url), ("migration_url", migration_url)):
        if value is not None:
            parse_database_url(value, f"{place.file}: {place.table}.{key}")
    if migration_url is not None and url is None:
        raise place.error("migration_url", "a url beside it")
    if table.password_file is None:
        return DatabaseSettings(url, data_dir, migration_url, schema=table.schema)
    user = parse_database_url(url).get("user") if url else None
    if url is None or not user:
        raise place.error("password_file", "a url beside it that names a user")
    password = place.read_secret("password_file", table.password_file)
    url = with_password(url, password, user)
    if migration_url is not None:
        migration_url = with_password(migration_url, password, user)
    password_file = place.path(table.password_file)
    return DatabaseSettings(url, data_dir, migration_url, password_file, table.schema)


def _outside_url(environ: Mapping[str, str], database_url: str | None) -> tuple[str, str] | None:
    """(where it is set, url) of a database that is named outside the file."""
    if database_url:
        return "--database-url", database_url
    told = from_environment(environ, "CATALOG_DATABASE_URL")
    return None if told is None else (told[0].file, told[1])


def _environment_source(environ: Mapping[str, str], shared: dict[str, Any]) -> tuple[SourceSettings, ...]:
    """The cloud of OS_CLOUD, else the one that OS_* describe, as the only source; none without either."""
    cloud = environ.get("OS_CLOUD")
    if not cloud:
        if not any(environ.get(variable) for variable in OPENSTACK_VARIABLES):
            return ()
        cloud = environ.get("OS_CLOUD_NAME") or ENVIRONMENT_CLOUD
    known = cloud_entries()
    if cloud not in known:
        raise ConfigurationError(f"OS_CLOUD: expected {unknown_cloud(cloud, known)}")
    return _cloud_sources(cloud, known[cloud], environ.get("OS_REGION_NAME") or None, shared)


def _cloud_sources(
    cloud: str, entry: Any, region: str | None, shared: dict[str, Any]
) -> tuple[SourceSettings, ...]:
    """One source, or one per region where clouds.yaml names several; where it names none the catalogue may."""
    kind = guess_kind(auth_url_of(cloud))
    regions = regions_of(entry)
    if len(regions) > 1 and region and region not in regions:
        raise ConfigurationError(
            f"OS_REGION_NAME: expected a region of {cloud}, not {region!r}; known: {', '.join(regions)}"
        )
    source = SourceSettings(
        name=cloud,
        kind=kind,
        cloud=cloud,
        passes=DEFAULT_PASSES[kind],
        region=region,
        all_regions=cloud != ENVIRONMENT_CLOUD and (region not in regions if region else not regions),
        **shared,
    )
    if len(regions) > 1:
        return tuple(of_region(source, name) for name in regions if region in (None, name))
    return (source,)
