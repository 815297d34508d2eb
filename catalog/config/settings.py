"""Configuration as frozen values, and which of them hold for a source.

The file and the environment are read by `catalog.config.load.load_settings`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from catalog.errors import CatalogError, UsageError
from catalog.model import SourceKind
from catalog.text import storable

PLACEHOLDER = "{project}"
"""Stands in the name of an entry with `projects = "*"` for each project."""
REGION = "{region}"
"""Stands in the name of an entry whose cloud must be asked for its regions, where the region's name shall be."""
DEFAULT_HTTP_BIND = "127.0.0.1:9477"
DEFAULT_SPOOL_LIMIT = 2 * 2**30
"""Bytes; where the temporary folder is memory, so are these."""
_SURROGATES = "\\ud800-\\udfff"
"""Characters of an argument that is not valid UTF-8; no database takes them."""


DEFAULT_REDACT = (
    "*[Pp]assw*", "*PASSW*", "*[Aa]dmin_[Pp]ass*", "*[Aa]dminPass*", "*[Ss]ecret*", "*SECRET*", "*[Tt]oken*", "*TOKEN*",
    "*[Cc]redential*", "*[Pp]rivate_[Kk]ey*", "*[Pp]rivateKey*", "*[Aa]pi_[Kk]ey*", "*[Aa]pi[Kk]ey*",
    "*[Aa]ccess_[Kk]ey*", "*[Aa]ccessKey*", "*[Uu]ser_[Dd]ata*", "*[Uu]serData*",
)  # fmt: skip
"""Globs over keys that usually hold secrets; no documented key is among them."""


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
    `all_projects`: `projects = "*"`, still to be turned into one source per project by
    `catalog.fetch.auth.login.expand`; until then `name` holds the placeholder `{project}`. `all_regions`: nothing
    says which regions its cloud has, so that it is asked, and becomes one source per region (or that of `region`
    alone) if it has several; the region's name stands at `{region}` in its name, else behind it.
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
    all_regions: bool = False
    interface: str | None = None
    """None = what clouds.yaml says, else "public"."""
    passes: tuple[str, ...] = ()
    filters: dict[str, str] = field(default_factory=dict)
    project_names: bool = False
    interval: float = 900.0
    changes_interval: float | None = None
    changes_overlap: float = 300.0
    cron: str | None = None
    timezone: str = "UTC"
    deadline: float = 600.0
    page_size: int = 1000
    max_pages: int = 10_000
    spool_limit: int = DEFAULT_SPOOL_LIMIT
    lookup_limit: int = 200
    deletion_limit_percent: float = 25.0
    deletion_limit_count: int = 10
    archive: Path | None = None
    events_keep: float = 30 * 86_400.0
    ignore: tuple[str, ...] = ("os_glance_*",)
    redact: tuple[str, ...] = DEFAULT_REDACT
    failure: CatalogError | None = field(default=None, compare=False, repr=False)
    """Of the login that was tried just now; a sweep fails by it, instead of trying once more."""

    @property
    def is_template(self) -> bool:
        """True: its cloud must be asked which sources it stands for."""
        return self.all_projects or self.all_regions


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A receiver of events. `deadline` in seconds; the globs of each filter, empty for whatever there is.

    `url` may be a secret itself (a chat room's): never print or log it whole.
    """

    name: str
    url: str = field(repr=False)
    format: Literal["cloudevents", "slack"] = "cloudevents"
    secret_env: str | None = None
    secret_file: Path | None = None
    deadline: float = 10.0
    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """`defaults`: what `[defaults]` sets, as keyword arguments of SourceSettings; `sources` have it already.
    `notes`: what people may have meant otherwise, for commands that sweep or show sources.
    """

    database: DatabaseSettings
    sources: tuple[SourceSettings, ...]
    path: Path | None = None
    parallel_sources: int = 4
    http_bind: str = DEFAULT_HTTP_BIND
    defaults: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()


def configured_source(settings: Settings, name: str) -> SourceSettings | None:
    """The configuration of the source of this name; None if it has none. No cloud is asked.

    An entry of the very name comes first, then `projects = "*"` whose pattern fits: of several the one with
    the longest pattern, of equally long ones the first. Which project it is remains untold.
    """
    for source in settings.sources:
        if source.name == name and not source.all_projects:
            return source
    fitting = [
        (one, found) for one in settings.sources if one.is_template and (found := _may_be_of(one, name))
    ]
    if not fitting:
        return None
    best, found = max(fitting, key=lambda one: len(one[0].name))
    region = found.groupdict().get("region") or best.region
    return replace(best, name=name, region=region, all_projects=False, all_regions=False)


def source_settings(settings: Settings, name: str, kind: SourceKind) -> SourceSettings:
    """Like `configured_source`; a source that is not configured is of this kind, with `[defaults]`."""
    return configured_source(settings, name) or SourceSettings(name, kind, **settings.defaults)


def of_region(source: SourceSettings, region: str) -> SourceSettings:
    """The part of a source with `all_regions` that lies in one of several regions."""
    pattern = source.name if REGION in source.name else f"{source.name}/{REGION}"
    return replace(source, name=pattern.replace(REGION, storable(region)), region=region, all_regions=False)


def as_one_source(source: SourceSettings) -> SourceSettings | None:
    """A template as a source of its own, whose sweeps put on record that its cloud can't be asked for its regions;
    None where its name is not a source's."""
    whole = source.all_regions and not source.all_projects and REGION not in source.name
    return replace(source, all_regions=False) if whole else None


def _may_be_of(source: SourceSettings, name: str) -> re.Match[str] | None:
    """The match of a name that a template may give one of its sources."""
    pattern = re.escape(source.name).replace(re.escape(PLACEHOLDER), f"[^{_SURROGATES}]+")
    region = f"(?P<region>[^{_SURROGATES}]+)"
    if re.escape(REGION) in pattern:
        pattern = pattern.replace(re.escape(REGION), region, 1).replace(re.escape(REGION), "(?P=region)")
    elif source.all_regions:
        pattern += f"(?:/{region})?"
    return None if PLACEHOLDER in name or REGION in name else re.fullmatch(pattern, name)


def name_fault(name: str, placeholders: Sequence[str] = ()) -> str | None:
    """Tells what is expected of a source's name and missing in this one; None if all is well.

    A name of the configuration may hold `placeholders` in braces.
    """
    if not name or name != name.strip() or re.search(f"[{_SURROGATES}]", name):
        return "a name, unique among the sources"
    for placeholder in re.findall(r"\{([^}]*)\}?", name):
        if placeholder not in placeholders:
            allowed = " and ".join(f"{{{key}}}" for key in placeholders) or "nothing"
            return f"{allowed} in braces; found {{{placeholder}}}"
    return None


def check_new_name(settings: Settings, name: str) -> None:
    """Raises UsageError unless a command may give a source this name.

    All that the configuration knows is allowed; else its own rule holds, and no glob, which would mean other
    sources too wherever a SOURCE is given.
    """
    if configured_source(settings, name) is not None:
        return
    expected = name_fault(name)
    if expected is None and any(character in name for character in "*?["):
        expected = "no *, ? or [ in a name that is not configured"
    if expected is not None:
        raise UsageError(f"no source can be called {name!r}: expected {expected}")
