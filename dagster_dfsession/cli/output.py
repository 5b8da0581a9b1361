"""What commands print: for people, or as JSON."""

from typing import Any

import click
import msgspec
from rich.console import Console, RenderableType

WIDTH = 160
"""Columns where the output is no terminal: lines of a file are not cut."""


def show(result: Any, renderable: RenderableType, *, as_json: bool) -> None:
    """Print a result.

    Args:
        result: Structs and plain data, for JSON.
        renderable: The same for people.
        as_json: Which of the two.
    """
    if as_json:
        plain = msgspec.json.encode(result, order="sorted")
        click.echo(msgspec.json.format(plain, indent=2).decode())
        return
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    console.print(renderable)
