"""Commands that are imported when they are called, so that `catalog --help` stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not loaded yet: its place, as `module:name`, and the line that lists it."""

    where: str
    summary: str

    def load(self) -> click.Command:
        module, _, name = self.where.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """Lists its commands from `later` alone; the order there is the order in the help."""

    def __init__(self, *arguments: Any, later: Mapping[str, Later] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.later = dict(later or {})
        for name, entry in self.later.items():
            # stands in until the command is called; also lets click guess at misspelt names
            self.commands[name] = click.Command(name, short_help=entry.summary)
        self._loaded: set[str] = set()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.later and cmd_name not in self._loaded:
            self.commands[cmd_name] = self.later[cmd_name].load()
            self._loaded.add(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self._summary(name, command)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, name: str, command: click.Command) -> str:
        return self.later[name].summary if name in self.later else command.get_short_help_str(200)
