"""Commands that are imported when they are called, so that `catalog --help` stays quick."""

from __future__ import annotations

from importlib import import_module

import click


class LazyGroup(click.Group):
    """Those of its `commands` that do nothing only list themselves, in their order; the one that is called is loaded
    from the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name and command and command.callback is None:
            command = getattr(import_module(f"catalog.cli.{name}"), name)
        return name, command, rest
