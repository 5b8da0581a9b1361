"""`dfsession`: the group of all commands."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from dagster_dfsession.errors import DfSessionError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "check": "check",
        "diff": "diff",
        "doctor": "doctor",
        "fingerprint": "fingerprint",
        "janitor": "janitor",
        "maintain": "maintain",
        "replay": "replay",
        "sessions": "sessions",
    }
)
"""Command -> the module of this package that has it, as `command`."""
FAILED = 2
"""Exit status where a command could not do what it was asked; 1 is its own to use."""


class Commands(click.Group):
    """Commands that are imported when they are asked for, and errors for people."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None: there is none of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dagster_dfsession.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what this package raises is told in one paragraph."""
        try:
            return super().invoke(ctx)
        except DfSessionError as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"{type(error).__name__}: {error}", err=True)
            raise click.exceptions.Exit(FAILED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dagster-dfsession")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(*, debug: bool) -> None:
    """Look at the sessions and tables of a Dagster code location.

    Commands read the code location of the working directory: its workspace.yaml, the
    project of its pyproject.toml, or its definitions.py. They write nothing, unless
    their help says so.

    \b
    Exit status: 0 all is well, 1 what was looked for was found (a difference, a
    failing asset), 2 the command could not do what it was asked.
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    del debug  # `Commands` reads it
