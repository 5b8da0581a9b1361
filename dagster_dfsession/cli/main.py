"""`dfsession`: the group of all commands."""

import importlib
import os
import re
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from dagster_dfsession.errors import DfSessionError, did_you_mean

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "check": "Check that every asset fits the tables before it.",
        "diff": "Show what two runs did differently, asset by asset.",
        "doctor": "Try whatever a run will need.",
        "explain": "Show how a query or an asset is run.",
        "fingerprint": "Print the hashes of the session that is configured.",
        "janitor": "Remove what crashed runs left behind.",
        "maintain": "Compact, vacuum and clean the tables of assets.",
        "record": "Show which session made an asset, and from what.",
        "replay": "Run a materialization again and compare the rows.",
        "sessions": "List the steps that hold a session now.",
        "sql": "Query the tables of the assets.",
    }
)
"""Command, which is a module of this package as well -> what it does.

It is told here once more, so that nothing has to be imported for the list of them.
"""
FAILED = 2
"""Exit status where a command could not do what it was asked; 1 is its own to use."""
INTERRUPTED, UNREAD = 130, 141
"""What shells report of a command that ended by SIGINT, by SIGPIPE."""


class Commands(click.Group):
    """Commands that are imported when they are asked for, and errors for people."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program: with the traceback of an error, the exit status stays."""
        try:
            return super().__call__(*args, **kwargs)
        except Exception:  # noqa: BLE001  # which `--debug` asked to see
            traceback.print_exc()
            sys.exit(FAILED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None: there is none of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dagster_dfsession.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was asked for, or say which one may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"{error.message}{meant}", ctx) from None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands; none is imported."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return the commands that begin so; none is imported."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=said)
            for name, said in sorted(COMMANDS.items())
            if name.startswith(incomplete)
        ] + options

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; whatever ends it early is told in one paragraph."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # What was not written yet would be tried again at the end of Python.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(UNREAD) from None
        except Exception as error:
            if ctx.params["debug"]:
                raise
            click.echo(_paragraph(error), err=True)
            raise click.exceptions.Exit(FAILED) from None


def _paragraph(error: Exception) -> str:
    said = re.sub(r"\s*\n\s*", " ", f"{type(error).__name__}: {error}".strip())
    foreseen = isinstance(error, DfSessionError)
    return said if foreseen else f"{said} (`dfsession --debug ...` shows from where)"


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
    failing asset), 2 the command could not do what it was asked, 130 interrupted,
    141 nobody read what it printed.

    \b
    Examples:
        dfsession check
        dfsession sql "SELECT * FROM flights" --limit 10
        dfsession --debug replay busy_routes
        eval "$(_DFSESSION_COMPLETE=bash_source dfsession)"  # or zsh_source
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    del debug  # `Commands` reads it
