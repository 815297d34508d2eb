"""`python -m tools.commands > docs/commands.md`: every command and option, as `--help` shows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from catalog.cli import program

HEAD = """# Commands

Written by `python -m tools.commands > docs/commands.md`; a test keeps it equal to `--help`.
"""
WIDTH = 100


def reference() -> str:
    """The help of every command, in Markdown."""
    return HEAD + "".join(_section(context) for context in contexts(program, None, "catalog"))


def contexts(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    context = click.Context(
        command,
        parent=parent,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=command.context_settings.get("help_option_names"),
    )
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            _, inner, _ = command.resolve_command(context, [each])
            assert inner is not None
            yield from contexts(inner, context, each)


def _section(context: click.Context) -> str:
    return f"\n## {context.command_path}\n\n```\n{context.get_help().rstrip()}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
