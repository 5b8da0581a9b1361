"""What came of a case: a table of these is what the suite is for."""

import enum
from collections import Counter
from typing import Any, NoReturn

import pyarrow as pa

Rows = Counter[tuple[Any, ...]]
"""Rows without an order, each as often as it is there."""


class Outcome(str, enum.Enum):
    """What an IO manager did with a case; the order is that of the harm."""

    OK = "ok"
    NOT_OFFERED = "not offered"
    NOT_REACHED = "not reached"  # what the case starts from could not be written
    BROKEN = "broken case"  # a fault of the suite
    REFUSED = "refused"  # a failed run; the table is as it was
    UNREADABLE = "read fails"  # a failed run that wrote nothing anyway
    WRONG_COUNT = "wrong row count"  # the rows are right, what is said of them is not
    CHANGED = "error, data changed"  # a failed run; the table is not as it was
    WRONG_ROWS = "WRONG ROWS"  # a run that succeeds with other rows than it should
    DATA_LOST = "DATA LOST"  # the same, and rows that were not its own are gone


class Fallen(AssertionError):  # noqa: N818 - it is an outcome, not a failure of the suite
    """A case went otherwise than it should.

    Attributes:
        outcome: How it went.
    """

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(f"{outcome.value}: {why}")
        self.outcome = outcome


def rows_of(table: pa.Table) -> Rows:
    """Return the rows of a table.

    Examples:
        >>> rows_of(pa.table({"x": [1, 2, 1]}))
        Counter({(1,): 2, (2,): 1})
    """
    return Counter(tuple(row.values()) for row in table.to_pylist())


def judge_success(*, kept: Rows, due: Rows, found: Rows) -> None:
    """Compare what a successful run left with what is due.

    Args:
        kept: Those of the rows due that the run had to leave alone.
        due: All rows that should be there.
        found: All rows that are there.

    Raises:
        Fallen: They differ.
    """
    if found == due:
        return
    gone, surplus = due - found, found - due
    outcome = Outcome.DATA_LOST if kept - found else Outcome.WRONG_ROWS
    raise Fallen(
        outcome, f"the run succeeded; missing {_some(gone)}; too much {_some(surplus)}"
    )


def judge_failure(error: Exception, *, before: Rows, found: Rows) -> NoReturn:
    """Tell a failed run that left all as it was from one that did not.

    Raises:
        Fallen: Always.
    """
    said = f"{type(error).__name__}: {str(error)[:400]}"
    if found == before:
        raise Fallen(Outcome.REFUSED, said) from error
    gone, surplus = before - found, found - before
    raise Fallen(
        Outcome.CHANGED, f"missing {_some(gone)}; too much {_some(surplus)}; {said}"
    ) from error


def _some(rows: Rows) -> str:
    shown = ", ".join(map(repr, list(rows.elements())[:2]))
    return f"{rows.total()} ({shown})" if rows else "none"
