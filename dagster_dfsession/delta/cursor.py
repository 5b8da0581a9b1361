"""How far an asset has read the tables whose changes it is given.

The cursor is part of the commit that holds what was made of the changes: either both
are there or none is.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from dagster_dfsession.delta.log import ASSET, CURSOR, PARTITIONS, RUN_ID, Commit
from dagster_dfsession.errors import DeltaError


class Position(msgspec.Struct, frozen=True):
    """A version of one table up to which it was read.

    Attributes:
        table: Its id: a table that was made anew has another one.
        version: The last version whose changes were read.
    """

    table: str
    version: int


Cursor = Mapping[str, Position]
"""Asset key of the table, its parts joined by `/` -> how far it was read."""


def dump_cursor(cursor: Cursor) -> str:
    """Return a cursor as JSON.

    Examples:
        >>> dump_cursor({"raw/flights": Position("5b1c", 12)})
        '{"raw/flights":{"table":"5b1c","version":12}}'
    """
    return msgspec.json.encode(cursor, order="deterministic").decode()


def parse_cursor(text: str) -> Cursor:
    """Read a cursor that `dump_cursor` wrote.

    Raises:
        DeltaError: It is none.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, Position])
    except msgspec.DecodeError as error:
        raise DeltaError(f"{text!r} is no cursor: {error}") from None


def committed_positions(
    commits: Iterable[Commit],
    asset: str,
    source: str,
    *,
    keys: Collection[str],
    but_of_run: str,
) -> dict[str, Position]:
    """Return how far an asset has read a table, from its commits, newest first.

    Commits of the asking run are passed over: an attempt that follows one which had
    committed is to read the same changes again, and then finds its commit there.

    Args:
        commits: Of the asset's table.
        asset: The asset key, its parts joined by `/`.
        source: The asset key of the table that is read.
        keys: Partition keys of the asset; none: it has no partitions.
        but_of_run: The run that asks.

    Returns:
        Partition key -> position; `""` is the key of an asset without partitions. One
        that was never read is left out.
    """
    found: dict[str, Position] = {}
    wanted = set(keys) or {""}
    newest: int | None = None
    for commit in commits:
        if newest is not None and commit.version > newest:
            continue
        newest = _restored(commit)
        info = commit.info
        if (
            info.get(ASSET) == asset
            and info.get(RUN_ID) != but_of_run
            and isinstance(info.get(CURSOR), str)
        ):
            position = parse_cursor(info[CURSOR]).get(source)
            if position is not None:
                for key in wanted & _keys(commit):
                    found[key] = position
                    wanted.discard(key)
        if not wanted:
            break
    return found


def _restored(commit: Commit) -> int | None:
    """Return the version that a commit brought back: those after it do not count."""
    version = commit.parameters.get("version")
    if commit.operation != "RESTORE" or version is None:
        return None
    return int(version)


def _keys(commit: Commit) -> set[str]:
    text = commit.info.get(PARTITIONS)
    return set(msgspec.json.decode(text, type=list[str])) if text else {""}
