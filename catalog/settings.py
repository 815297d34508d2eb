"""Configuration as frozen values, and how a SOURCE on the command line picks some of them.

The file and the environment are read by `catalog.configuration.load_settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from catalog.errors import ConfigurationError
from catalog.model import SourceKind


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """`url` None = the embedded server in `data_dir`.

    `url` and `migration_url` already carry the password of `password_file`: never print them whole.
    """

    url: str | None
    data_dir: Path
    migration_url: str | None = None
    password_file: Path | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One source, all defaults filled in. Durations in seconds; paths absolute.

    `project` is a project's name or id as written, `project_id` an id that is known to be one.
    `all_projects`: `projects = "*"`, still to be turned into one source a project by
    `catalog.fetch.login.expand_projects`; until then `name` ends with the placeholder `{project}`.
    """

    name: str
    kind: SourceKind
    cloud: str | None = None
    endpoint: str | None = None
    auth: Literal["cloud", "none", "token", "aksk"] = "cloud"
    token_env: str | None = None
    token_file: Path | None = None
    access_key_env: str | None = None
    access_key_file: Path | None = None
    secret_key_env: str | None = None
    secret_key_file: Path | None = None
    security_token_env: str | None = None
    security_token_file: Path | None = None
    project_id: str | None = None
    project: str | None = None
    all_projects: bool = False
    region: str | None = None
    interface: str | None = None
    """None = what clouds.yaml says, else "public"."""
    passes: tuple[str, ...] = ()
    filters: dict[str, str] = field(default_factory=dict)
    project_names: bool = False
    interval: float = 900.0
    cron: str | None = None
    timezone: str = "UTC"
    deadline: float = 600.0
    page_size: int = 1000
    max_pages: int = 10_000
    lookup_limit: int = 200
    deletion_limit_percent: float = 25.0
    deletion_limit_count: int = 10
    archive: Path | None = None
    ignore: tuple[str, ...] = ("os_glance_*",)
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    database: DatabaseSettings
    sources: tuple[SourceSettings, ...]
    path: Path | None = None
    parallel_sources: int = 4
    http_bind: str = "127.0.0.1:9477"


def select_sources(
    sources: Sequence[SourceSettings], patterns: Sequence[str] = ()
) -> tuple[SourceSettings, ...]:
    """The sources whose names match any of the globs, in the order of the configuration, each once.

    No pattern: all. A name that is written out in full counts even if it holds glob characters.

    Raises ConfigurationError: a pattern matches none (the known names are listed), or there are none at all.
    """
    if not sources:
        raise ConfigurationError(
            "no source is configured; add [[sources]] to catalog.toml, set OS_CLOUD, or try `catalog demo`"
        )
    for pattern in patterns:
        if not any(_matches(source.name, pattern) for source in sources):
            names = ", ".join(source.name for source in sources)
            raise ConfigurationError(f"no source is called {pattern!r}; known: {names}")
    return tuple(
        source
        for source in sources
        if not patterns or any(_matches(source.name, pattern) for pattern in patterns)
    )


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
