"""The help: quick, complete, with examples, and the same as docs/commands.md."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import click.testing
import pytest

from catalog.cli import COMMANDS, program

CHECKOUT = Path(__file__).parents[3]
PROMISED = {
    "demo", "sync", "daemon", "backfill", "deletions", "deletions list", "deletions approve", "deletions keep",
    "remap", "images", "latest", "announce", "support", "support load", "show", "compare", "export", "files",
    "report", "runs", "sources", "sources rename", "sources retire",
    "sources adopt", "sources remove", "db",
    "db upgrade", "db check", "db url", "db shell", "db prune", "db dump",
    "db restore", "db grant", "db distribute", "events", "web", "webhooks",
    "webhooks test", "webhooks retry",
}  # fmt: skip
"""The commands that users rely on."""
OPTIONS = {
    "": {"--config", "--database-url", "-v"},
    "sync": {"--plan", "--accept-deletions", "--wait", "--format"},
    "backfill": {"--observed-at", "--complete", "--accept-deletions", "--forget", "--format"},
    "deletions list": {"--all", "--image", "--plan", "--format"},
    "deletions approve": {"--all", "--image", "--plan", "--format"},
    "deletions keep": {"--all", "--image", "--plan", "--format"},
    "remap": {"--format"},
    "export": {"--format", "--source", "--table"},
    "report": {"--html", "--source", "--since", "--as-of", "--exit-code", "--format"},
    "runs": {"--format"},
    "sources": {"--check", "--failed", "--format"},
    "sources remove": {"--plan", "--yes", "--format"},
    "events": {"--after", "--type", "--follow", "--format"},
    "web": {"--no-token"},
    "webhooks": {"--format"},
    "db upgrade": {"--sql"},
    "db prune": {"--older-than", "--deleted-images-older-than", "--plan", "--yes", "--format"},
    "db grant": {"--as", "--views-only"},
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        assert command is not None
        inner = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner, command


ALL = dict(commands(program))


def test_every_promised_command_is_there() -> None:
    assert set(ALL) - {""} == PROMISED


@pytest.mark.parametrize("path", sorted(OPTIONS))
def test_every_promised_option_is_there(path: str) -> None:
    known = {name for parameter in ALL[path].params for name in parameter.opts}
    assert OPTIONS[path] <= known


@pytest.mark.parametrize("path", sorted(ALL))
def test_every_command_explains_itself_with_an_example(path: str) -> None:
    command = ALL[path]
    assert command.help
    assert "Example:\n  " in (command.epilog or "")
    assert f"catalog {path}".strip() in (command.epilog or "")
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help


def test_the_documentation_is_what_the_help_says() -> None:
    """If this fails: python -m tools.commands > docs/commands.md

    In a process of its own: click keeps the help option of whoever asked first.
    """
    command = [sys.executable, "-m", "tools.commands"]
    told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert (CHECKOUT / "docs" / "commands.md").read_text() == told


@pytest.mark.parametrize("path", ["", "sync", "deletions list"])
def test_the_documentation_is_what_a_terminal_shows(path: str) -> None:
    shown = click.testing.CliRunner().invoke(program, [*path.split(), "--help"], prog_name="catalog").output
    told = (CHECKOUT / "docs" / "commands.md").read_text()
    assert " ".join(shown.split()) in " ".join(told.split())


def test_the_manual_page_is_what_the_help_says() -> None:
    """If this fails: python -m tools.manpage > docs/catalog.1"""
    command = [sys.executable, "-m", "tools.manpage"]
    told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert (CHECKOUT / "docs" / "catalog.1").read_text() == told
    assert all(f'.SH "CATALOG {path.upper()}"\n' in told for path in set(ALL) - {""})


def test_each_listed_command_can_be_loaded() -> None:
    context = click.Context(program)
    assert list(COMMANDS) == program.list_commands(context)
    for name in COMMANDS:
        _, command, _ = program.resolve_command(context, [name])
        assert command is not None
        assert (command.name, command.callback is not None) == (name, True)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_list_of_commands_imports_nothing_heavy(argument: str) -> None:
    """So it comes at once: a command's module, and what takes time, is imported when the command is called."""
    heavy = ("sqlalchemy", "psycopg", "httpx", "rich", "structlog", "alembic", "openstack", "keystoneauth1")
    script = (
        "import sys\nfrom catalog.cli import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        f"    sys.stderr.write(' '.join(set(sys.modules) & set({heavy!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, argument], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(("Usage: ", "catalog, version"))
    assert done.stderr == ""
