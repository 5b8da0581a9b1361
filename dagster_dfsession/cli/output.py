"""What commands print: for people, or as JSON; and what is seen until they do."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.progress import track
from rich.table import Column, Table

T = TypeVar("T")

WIDTH = 10_000
"""Columns where the output is no terminal: a row is a line, for `grep`."""


def table(*columns: str) -> Table:
    """Return a table for people, without rows; a narrow terminal wraps its cells."""
    return Table(
        *(Column(name, overflow="fold") for name in columns),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
    )


def pairs(named: Mapping[str, str]) -> Table:
    """Return names and their values, a line each."""
    shown = Table.grid(padding=(0, 2))
    for name, value in named.items():
        shown.add_row(name, value)
    return shown


def spaced(*parts: RenderableType) -> Group:
    """Return parts with an empty line between them."""
    return Group(*[each for part in parts for each in ("", part)][1:])


def show(result: Any, renderable: RenderableType, *, as_json: bool) -> None:
    """Print a result.

    Args:
        result: Structs and plain data, for JSON.
        renderable: The same for people.
        as_json: Which of the two.
    """
    if as_json:
        plain = msgspec.json.encode(result, order="sorted", enc_hook=str)
        click.echo(msgspec.json.format(plain, indent=2).decode())
    else:
        show_text(renderable)


def show_text(renderable: RenderableType) -> None:
    """Print for people: in colour and as wide as the terminal, if it is one."""
    # Brackets in a cell are the cell's own.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    # Printed by rich, output that nobody reads on would end with the status 1.
    with console.capture() as printed:
        console.print(renderable)
    lines = printed.get().split("\n")
    click.echo("\n".join(line.rstrip() for line in lines), nl=False)


@contextlib.contextmanager
def working(doing: str) -> Iterator[None]:
    """Show on a terminal that a block is at work, and nothing once it is over."""
    with Console(stderr=True).status(doing):
        yield


def one_by_one(items: Sequence[T], doing: str) -> Iterable[T]:
    """Return the items; a terminal shows how many of them are done."""
    console = Console(stderr=True)
    quiet = not console.is_terminal
    return track(items, doing, console=console, transient=True, disable=quiet)
