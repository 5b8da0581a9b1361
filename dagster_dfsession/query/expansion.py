"""Queries that are no tables become part of the queries that name them."""

from collections.abc import Mapping, Sequence

from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.session.sql_text import tokens


def with_queries(sql: str, named: Mapping[str, str]) -> str:
    """Return a query with others in its WITH, under the names that it calls them.

    Args:
        sql: One statement.
        named: Name in SQL -> query; each may name those before it. The engine takes
            `"mart.late"` in WITH for what `FROM mart.late` means.

    Examples:
        >>> print(with_queries("SELECT * FROM late", {"late": "SELECT 1;"}))
        WITH "late" AS (
        SELECT 1
        )
        SELECT * FROM late
    """
    if not named:
        return sql
    parts = [
        f"{quoted_identifier(name)} AS (\n{without_end(query)}\n)"
        for name, query in named.items()
    ]
    words = list(tokens(sql))[:2]
    own = [each for each in words if each.kind == "word"]
    if not own or own[0].value.lower() != "with":
        return f"WITH {', '.join(parts)}\n{sql.lstrip()}"
    recursive = len(own) > 1 and own[1].value.lower() == "recursive"
    after = own[1] if recursive else own[0]
    body = sql[after.start + len(after.value) :]
    opening = "WITH RECURSIVE" if recursive else "WITH"
    return f"{opening} {', '.join(parts)},{body}"


def without_end(query: str) -> str:
    """Return a statement without the semicolon at its end, and what is around it.

    Examples:
        >>> without_end("SELECT ';' ; -- done")
        "SELECT ';'"
    """
    # Most statements have none, and to take one apart takes a while.
    found = list(tokens(query)) if ";" in query else []
    while found and (found[-1].kind, found[-1].value) == ("other", ";"):
        query = query[: found.pop().start]
    return query.strip()


def in_order(asked: Sequence[str], names: Mapping[str, frozenset[str]]) -> list[str]:
    """Return queries and those that they name, each after what it names.

    Args:
        asked: Where to begin.
        names: Query -> the queries that it names.

    Raises:
        ValueError: One names itself, also by way of others; they are its arguments.

    Examples:
        >>> in_order(["b"], {"a": frozenset(), "b": frozenset("a")})
        ['a', 'b']
    """
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(*above[above.index(name) :], name)
        if name not in done:
            for each in sorted(names[name]):
                visit(each, (*above, name))
            done[name] = None

    for name in sorted(asked):
        visit(name, ())
    return list(done)
