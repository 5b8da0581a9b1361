"""The two sides of a merge in SQL: the rows of the frame, the rows of the table."""

from collections.abc import Collection, Iterable

from dagster_dfsession.plan.quoting import quoted_identifier

SOURCE, TARGET = "source", "target"


def source(column: str) -> str:
    """Return a column of the frame.

    Examples:
        >>> source("Id")
        'source."Id"'
    """
    return f"{SOURCE}.{quoted_identifier(column)}"


def target(column: str) -> str:
    """Return a column of the table."""
    return f"{TARGET}.{quoted_identifier(column)}"


def differing(columns: Iterable[str], held: Collection[str]) -> str:
    """Return whether a row of the frame differs from its match.

    NULL equals NULL, NaN equals NaN, and the two zeros of a float are one.

    Args:
        columns: Which columns count.
        held: Those that the table has; in others all its rows are NULL.

    Examples:
        >>> differing(["a", "new"], held=["a"])
        '(source."a" IS DISTINCT FROM target."a") OR (source."new" IS NOT NULL)'
    """
    # In parentheses: the engine's parser takes the OR for part of what follows FROM.
    return " OR ".join(
        f"({source(name)} IS DISTINCT FROM {target(name)})"
        if name in held
        else f"({source(name)} IS NOT NULL)"
        for name in columns
    )
