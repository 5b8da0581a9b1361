"""Of several runs that read the same changes, one commits what it made of them.

Whoever reads changes takes note of whose turn it was: a number that each commit made
of changes raises by one. It commits only if it still is. The numbers are transaction
ids of the table, which Delta Lake itself compares where two commits meet. Rows after a
watermark are changes too.
"""

from collections.abc import Iterable, Mapping

from deltalake import DeltaTable, Transaction

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import CommitError
from dagster_dfsession.plan.hashing import content_hash

_KEY_DIGITS = 16


def turn_of(asset: str, source: str, key: str = "") -> str:
    """Return what the commits are counted by that are made of a table's changes.

    Args:
        asset: The asset key of the reader, its parts joined by `/`.
        source: The asset key of the table that is read, likewise.
        key: The partition that reads for itself; empty: there are none.

    Examples:
        >>> turn_of("late_flights", "raw/flights")
        'dfsession/cursor/late_flights/raw/flights'
    """
    name = f"dfsession/cursor/{asset}/{source}"
    if not key:
        return name
    return f"{name}/{content_hash('partition_keys', 1, (key,))[:_KEY_DIGITS]}"


def watermark_turn(asset: str) -> str:
    """Return what the commits are counted by that are made of rows after a watermark.

    Args:
        asset: The asset key, its parts joined by `/`.

    Examples:
        >>> watermark_turn("mart/new_flights")
        'dfsession/watermark/mart/new_flights'
    """
    return f"dfsession/watermark/{asset}"


def turns_taken(
    table: DeltaTable | None, location: Location, turns: Iterable[str]
) -> dict[str, int]:
    """Return how often each turn was taken; 0 where there is no table.

    Raises:
        DeltaError: The log cannot be read.
    """
    if table is None:
        return dict.fromkeys(turns, 0)
    with delta_errors(location.uri, location.secrets):
        return {turn: table.transaction_version(turn) or 0 for turn in turns}


def check_turns(
    turns: Mapping[str, int], table: DeltaTable | None, location: Location
) -> None:
    """Refuse to write what was made of changes that another run has committed since.

    Args:
        turns: How often each was taken when the changes were read.
        table: As it is now.
        location: Where it is.

    Raises:
        CommitError: One was taken again.
    """
    now = turns_taken(table, location, turns)
    if moved := [turn for turn, taken in turns.items() if now[turn] != taken]:
        raise CommitError(
            f"{location}: another run has committed the same changes since this one "
            f"read them ({moved[0]} is {now[moved[0]]}, and was {turns[moved[0]]}); "
            "nothing of this run was committed. Run again: it reads what came after."
        )


def next_turns(turns: Mapping[str, int]) -> list[Transaction]:
    """Return the transactions of the commit that takes these turns."""
    return [Transaction(turn, taken + 1) for turn, taken in turns.items()]
