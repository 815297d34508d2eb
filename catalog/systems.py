"""Tells an image's operating system, architecture and purpose from its keys, else from its name: one vocabulary.
And its family, from its name.

Clouds spell the same system in many ways ("Ubuntu 22.04 server 64bit", os_distro = "ubuntu", win2k22). The rules are
rows of `image_os_rules`: regular expressions as Python reads them, on a plain text (see `plain`). Of each kind the
first that matches decides, by rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

GENERIC = "generic"
PROPERTIES = frozenset(
    ("os_purpose", "os_architecture", "org.openstack__1__os_version", "org.openstack__1__architecture")
)
"""Keys without a column of their own that are read."""
_SAYS_NOTHING = frozenset(("", "other", "others", "linux", "unknown", "none", "custom", "generic"))
"""Words for a platform that nobody named."""
_LONGEST = 300
"""Characters of a text that are looked at."""
_SEPARATORS = str.maketrans("_/()[],+-", " " * 9)
_VERSION = re.compile(r"\b\d+(?:\.\d+)*\b")

Kind = Literal["system", "arch", "purpose"]


class System(NamedTuple):
    """The columns of `image_os` that rules tell. None: nothing tells; of `family`: no name."""

    distro: str | None
    release: str | None
    arch: str | None
    purpose: str
    family: str | None


class Keys(NamedTuple):
    """Keys by which an image tells its system, beside its name. `arm`: the capability of that name is supported."""

    platform: str | None
    os_version: str | None
    os_type: str | None
    os_bit: int | None
    architecture: str | None
    arm: bool = False
    os_purpose: str | None = None

    @classmethod
    def of(
        cls,
        platform: str | None,
        os_version: str | None,
        os_type: str | None,
        os_bit: int | None,
        architecture: str | None,
        arm: bool,
        properties: Mapping[str, str],
    ) -> Keys:
        """Keys from columns, and from `properties`, of which at least PROPERTIES are there, as text."""
        if not properties:
            return cls(platform, os_version, os_type, os_bit, architecture, arm)
        told = properties.get
        return cls(
            platform,
            os_version or told("org.openstack__1__os_version"),
            os_type,
            os_bit,
            architecture or told("os_architecture") or told("org.openstack__1__architecture"),
            arm,
            told("os_purpose"),
        )


class Rule(NamedTuple):
    """A row of `image_os_rules`. `value` and `release` may use the pattern's groups (`\\1`); a `release` such as
    `noble=24.04 jammy=22.04` is a list in which all groups together are looked up."""

    rank: int
    tells: str
    pattern: str
    value: str
    release: str | None


class FamilyRule(NamedTuple):
    """A row of `image_family_rules`: the family of a name that matches is the replacement `family`."""

    rank: int
    pattern: str
    family: str


def plain(text: str) -> str:
    """A text as rules see it: lower case, and one blank for each run of blanks, `_`, `-`, `/`, `,`, `+`, brackets."""
    return " ".join(text[:_LONGEST].lower().translate(_SEPARATORS).split())


class Systems:
    """Applies the rules. `warnings`: one line for each rule that Python can't read; such a rule is left out."""

    def __init__(self, rules: Iterable[Rule], families: Iterable[FamilyRule] = ()) -> None:
        self.warnings: list[str] = []
        self._rules: dict[str, list[tuple[re.Pattern[str], Rule]]] = {"system": [], "arch": [], "purpose": []}
        for rule in sorted(rules):
            if pattern := self._compiled("image_os_rules", rule):
                self._rules[rule.tells].append((pattern, rule))
        self._families = [
            (pattern, rule.family)
            for rule in sorted(families)
            if (pattern := self._compiled("image_family_rules", rule))
        ]
        # most names match no rule at all, and images share their keys: both are told at one go
        self._any = {kind: _any_of(rules) for kind, rules in self._rules.items()}
        self._by_keys = lru_cache(maxsize=8192)(self._tell_by_keys)

    def _compiled(self, table: str, rule: Rule | FamilyRule) -> re.Pattern[str] | None:
        try:
            return re.compile(rule.pattern)
        except re.error as error:
            self.warnings.append(f"{table}: rule {rule.rank} is left out: {error}")
            return None

    def family(self, name: str) -> str:
        """The name without dates and marks, by the first rule that matches; without one, the name itself."""
        for pattern, family in self._families:
            if pattern.search(name):
                return pattern.sub(family, name, count=1)
        return name

    def tell(self, name: str | None, keys: Keys) -> System:
        """The system of one image: by its keys, and what they leave open by its name."""
        distro, release, arch, purpose = self._by_keys(keys)
        if name and (release is None or arch is None or purpose is None):
            called = plain(name)
            if release is None and (told := self._first("system", called)) and distro in (None, told[0]):
                distro, release = told
            if arch is None and (told := self._first("arch", called)):
                arch = told[0]
            if purpose is None and (told := self._first("purpose", called)):
                purpose = told[0]
        if distro is None and keys.platform:
            distro, release = _as_delivered(keys.platform, keys.os_version)
        if arch is None:
            arch = {64: "x86_64", 32: "i686"}.get(keys.os_bit or 0)  # what is made for ARM says so
        family = None if name is None else self.family(name)
        return System(distro, release, arch, purpose or GENERIC, family)

    def _tell_by_keys(self, keys: Keys) -> tuple[str | None, str | None, str | None, str | None]:
        platform, version = plain(keys.platform or ""), plain(keys.os_version or "")
        if version.startswith(platform):
            platform = ""  # "Ubuntu", "Ubuntu 22.04 server 64bit"
        windows = "windows" if plain(keys.os_type or "").startswith("win") else ""
        distro, release = self._first("system", f"{platform} {version} {windows}".strip()) or (None, None)
        arch = "aarch64" if keys.arm else self._word("arch", keys.architecture)
        return distro, release, arch, self._word("purpose", keys.os_purpose)

    def _word(self, kind: Kind, key: str | None) -> str | None:
        """The word for a key's value; one that no rule knows is its own word, in lower case."""
        if not key or not key.strip():
            return None
        told = self._first(kind, plain(key))
        return told[0] if told else key.strip().lower()

    def _first(self, kind: Kind, text: str) -> tuple[str, str | None] | None:
        """Value and release by the first rule that matches."""
        within = self._any[kind]
        if not text or within is None or not within.search(text):
            return None
        for pattern, rule in self._rules[kind]:
            if match := pattern.search(text):
                return _filled(rule.value, match) or "", _release(rule.release, match)
        return None


def _any_of(rules: list[tuple[re.Pattern[str], Rule]]) -> re.Pattern[str] | None:
    """One pattern that matches where any rule does."""
    if not rules:
        return None
    return re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in rules))


def _filled(template: str, match: re.Match[str]) -> str | None:
    """A template with the match's groups in it, without what is left of absent ones."""
    groups = match.groups(default="")
    return re.sub(r"\\(\d)", lambda m: groups[int(m[1]) - 1], template).strip(" .-") or None


def _release(template: str | None, match: re.Match[str]) -> str | None:
    if template is None:
        return None
    if "=" in template:
        return dict(pair.split("=", 1) for pair in template.split()).get("".join(match.groups(default="")))
    return _filled(template, match)


def _as_delivered(platform: str, version: str | None) -> tuple[str | None, str | None]:
    """A platform that no rule knows, in lower case; nothing where it only says that it is unknown."""
    distro = plain(platform).replace(" ", "-")
    if distro.split("-")[0] in _SAYS_NOTHING:
        return None, None
    found = _VERSION.search(version or "")
    return distro, found[0] if found else None
