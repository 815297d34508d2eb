"""The sources that a command's SOURCE means: the one matcher of names and globs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from catalog.config.settings import SourceSettings
from catalog.errors import ConfigurationError, UsageError
from catalog.text import listed

SHOWN_NAMES = 20
"""How many known names an error lists."""


NO_SOURCE = "no source is configured; add [[sources]] to catalog.toml, set OS_CLOUD, or try `catalog demo`"


def fitting(names: Iterable[str], pattern: str) -> list[str]:
    """The names that the pattern means: the one that it is, even if it holds glob characters; else by glob."""
    names = list(names)
    return [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]


def fits(values: Iterable[str], patterns: Iterable[str]) -> bool:
    """True if any value is, or fits, any of the patterns, or if there is no pattern."""
    patterns = list(patterns)
    return not patterns or any(fitting([value], pattern) for value in values for pattern in patterns)


def select_names(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that any of the patterns means, in the order of `names`; all without a pattern.

    Raises UsageError: a pattern means none; the known names are listed.
    """
    selected: set[str] = set()
    for pattern in patterns:
        if not (found := fitting(names, pattern)):
            known = listed(names, SHOWN_NAMES) or "none yet"
            raise UsageError(f"no source is called {pattern!r}; known: {known}")
        selected.update(found)
    return [name for name in names if not patterns or name in selected]


def select_sources(
    sources: Sequence[SourceSettings], patterns: Sequence[str] = ()
) -> tuple[SourceSettings, ...]:
    """The configured sources that the patterns mean, in the order of the configuration, each once; all for none.

    Raises UsageError as `select_names`, and ConfigurationError where no source is configured at all.
    """
    if not sources:
        raise ConfigurationError(NO_SOURCE)
    selected = set(select_names([source.name for source in sources], patterns))
    return tuple(source for source in sources if source.name in selected)
