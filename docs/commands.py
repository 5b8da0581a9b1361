"""Write what `--help` says into docs/cli.md.

Run it after a change to a command. With `--check` it writes nothing, and its exit code
is 1 if the page is stale.
"""

import argparse
import sys
from pathlib import Path

import click

from dagster_dfsession.cli.main import main as group

PATH = Path(__file__).with_name("cli.md")
BEGIN, END = "<!-- begin: docs/commands.py -->\n", "<!-- end -->"
WIDTH = 80


def command_help() -> str:
    """Return what `--help` says, of the group and of every command."""
    whole = _context(group, "dfsession")
    parts = [_block(group.get_help(whole))]
    for name in group.list_commands(whole):
        command = group.get_command(whole, name)
        if command is not None:
            said = command.get_help(_context(command, name, whole))
            parts.append(f"### {name}\n\n{_block(said)}")
    return "\n".join(parts)


def document() -> str:
    """Return the page with the text that it should have."""
    before, _, rest = PATH.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{command_help()}{END}{rest.partition(END)[2]}"


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )


def _block(text: str) -> str:
    return f"```text\n{text}\n```\n"


def main() -> int:
    """Write the page, or say that it is stale; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    text = document()
    if PATH.read_text(encoding="utf-8") == text:
        return 0
    sys.stdout.write(f"{'stale' if check else 'written'}: {PATH.name}\n")
    if not check:
        PATH.write_text(text, encoding="utf-8")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
