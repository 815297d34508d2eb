"""Which entry of the configuration a source's name means, and what can be a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import (
    DatabaseSettings,
    Settings,
    SourceSettings,
    check_new_name,
    configured_source,
    source_settings,
)
from catalog.errors import UsageError

DEFAULTS: dict[str, Any] = {"redact": ("owner_*",), "deletion_limit_count": 3}


def starred(name: str, region: str) -> SourceSettings:
    return SourceSettings(name, "ims", cloud="meadow", region=region, all_projects=True)


SETTINGS = Settings(
    DatabaseSettings(url=None, data_dir=Path()),
    (
        starred("otc/{project}", "wide"),
        starred("otc/north/{project}", "north"),
        starred("otc/{project}/south", "south"),
        SourceSettings("otc/north/web", "glance", region="own"),
        SourceSettings("lab*", "glance", region="odd"),
        starred("[x].{project}", "brackets"),
    ),
    defaults=DEFAULTS,
)


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("otc/web", "wide"),
        ("otc/a/b", "wide"),
        ("otc/north/a", "north"),
        ("otc/north/web", "own"),
        ("otc/north/south", "north"),
        ("otc/a/south", "south"),
        ("lab*", "odd"),
        ("[x].a", "brackets"),
    ],
)
def test_the_very_name_comes_first_then_the_longest_pattern_then_the_first(name: str, region: str) -> None:
    found = configured_source(SETTINGS, name)
    assert found is not None
    assert (found.name, found.region, found.all_projects) == (name, region, False)


@pytest.mark.parametrize("name", ["otc", "otc/", "otc/{project}", "lab1", "x.a", "[x]-a", "OTC/web"])
def test_any_other_source_is_not_configured_and_has_the_defaults(name: str) -> None:
    """Names are no globs, and a pattern is no name."""
    assert configured_source(SETTINGS, name) is None
    assert source_settings(SETTINGS, name, "ims") == SourceSettings(name, "ims", **DEFAULTS)


def test_a_new_name_is_what_the_configuration_takes_and_no_glob_of_its_own() -> None:
    for name in ("lab*", "otc/p[1]", "otc/{x}", "new", "a/b c"):
        check_new_name(SETTINGS, name)
    for name in ("", " a", "a ", "x*", "x?", "[x]", "{project}", "{x", "\udc80", "otc/\udc80"):
        with pytest.raises(UsageError, match="expected"):
            check_new_name(SETTINGS, name)
