"""What the documentation says is so: generated parts, links, SQL, commands and configurations."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest

from catalog.cli import program
from catalog.config.load import load_settings
from catalog.demo.walkthrough import let_change, simulated_clouds, sweep_all
from catalog.store.db.connection import Database
from tools import generate

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.relative_to(ROOT).as_posix()
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[Any]:
    """Every fenced block of a language, named by page and number."""
    fenced = re.compile(rf"^```{language}\n(.*?)^```\n(?:\n→ `([^`]+)`)?", re.DOTALL | re.MULTILINE)
    return [
        pytest.param(found[1], found[2], id=f"{name_of(page)}-{number}")
        for page in PAGES
        for number, found in enumerate(fenced.finditer(page.read_text(encoding="utf-8")), 1)
    ]


# ---- pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", generate.PAGES, ids=name_of)
def test_generated_parts_are_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == generate.with_parts(text), "run `python tools/generate.py`"


def test_every_part_that_can_be_generated_stands_in_a_page() -> None:
    used = [part for page in generate.PAGES for part in generate.parts_of(page.read_text(encoding="utf-8"))]
    assert sorted(used) == sorted(generate.PARTS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and its like give to headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---- SQL ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog_with_images(module_database: Database) -> Database:
    """What `catalog demo` leaves: two sources, some seventy images, a few changes."""
    with simulated_clouds() as clouds:
        sweep_all(module_database, clouds, lambda result: None)
        let_change(clouds)
        sweep_all(module_database, clouds, lambda result: None)
    return module_database


@pytest.mark.parametrize(("statement", "columns"), blocks("sql"))
def test_sql_runs_and_answers_with_the_columns_that_stand_below_it(
    catalog_with_images: Database, statement: str, columns: str | None
) -> None:
    with psycopg.connect(catalog_with_images.libpq_url) as connection:
        cursor = connection.execute(statement.encode())
        if columns is not None:
            assert [column.name for column in cursor.description or ()] == columns.split(", ")
        connection.rollback()


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        block
        for block in blocks("sql")
        if block.id.startswith("README") and "images_as_of" not in block.values[0]
    ],
)
def test_the_questions_of_the_readme_have_answers_in_the_demo(
    catalog_with_images: Database, statement: str, columns: str
) -> None:
    with psycopg.connect(catalog_with_images.libpq_url) as connection:
        assert connection.execute(statement.encode()).fetchall()


# ---- commands -------------------------------------------------------------------------------------------


def commands() -> list[Any]:
    """Every `catalog ...` in shell blocks (whole ones) and in running text (which may leave arguments out)."""
    found: dict[tuple[str, bool], str] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks_of = re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE).replace("\n", " ")
        for block in blocks_of:
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|", line):
                    found.setdefault((part, True), name_of(page))
        for mention in re.findall(r"`(catalog [^`]+)`", prose):
            found.setdefault((mention, False), name_of(page))
    return [
        pytest.param(words, whole, id=f"{page}: {shlex.join(words)}")
        for (line, whole), page in found.items()
        if (words := arguments(line)) is not None
    ]


def arguments(line: str) -> list[str] | None:
    """The arguments of `catalog` without what the shell takes for itself; None for other programs."""
    words = shlex.split(re.sub(r"\s\d?>.*|…", "", line.strip().removeprefix("$ ")), comments=True)
    while words and re.match(r"\w+=|export$|exec$", words[0]):
        words.pop(0)
    return words[1:] if words and words[0] in ("catalog", ".venv/bin/catalog") else None


@pytest.mark.parametrize(("words", "whole"), commands())
def test_commands_are_ones_that_the_command_line_understands(words: list[str], whole: bool) -> None:
    parse(program, "catalog", words, whole=whole)


def parse(
    command: click.Command, name: str, words: list[str], *, whole: bool, parent: click.Context | None = None
) -> None:
    """Parses as the program would, and calls nothing. Files need not exist; `whole`: arguments must be there."""
    if not words and isinstance(command, click.Group):
        return
    try:
        context = command.make_context(name, list(words), parent=parent)
    except click.exceptions.Exit:
        return  # --help, --version
    except click.MissingParameter:
        if whole:
            raise
        return
    except click.BadParameter as error:
        if error.param is not None and isinstance(error.param.type, click.Path):
            return
        raise
    if isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(list(words))[1]
        if rest:
            found, subcommand, rest = command.resolve_command(context, rest)
            assert subcommand is not None
            parse(subcommand, found or "", rest, whole=whole, parent=context)


# ---- configurations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "columns"), blocks("toml"))
def test_configurations_are_ones_that_the_product_reads(
    text: str, columns: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = set(re.findall(r'^cloud = "([^"]+)"', text, flags=re.MULTILINE))
    entries = [f"  {cloud}: {{auth: {{auth_url: 'https://{cloud}.example.com/v3'}}}}\n" for cloud in clouds]
    (tmp_path / "clouds.yaml").write_text("clouds:\n" + "".join(entries))
    for secret in re.findall(r"/run/secrets/(\w+)", text):
        (tmp_path / secret).write_text("s3cret\n")
    file = tmp_path / "catalog.toml"
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    settings = load_settings(file, {}, None)
    assert settings.path == file
