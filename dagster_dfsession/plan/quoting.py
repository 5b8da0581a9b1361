"""Quoting for SQL text: the one place where a value becomes part of a statement."""


def quoted_literal(text: str) -> str:
    """Return a SQL string literal.

    Examples:
        >>> quoted_literal("it's")
        "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quoted_identifier(name: str) -> str:
    """Return a SQL identifier that is read exactly as written.

    Examples:
        >>> quoted_identifier("raw/us")
        '"raw/us"'
    """
    return '"' + name.replace('"', '""') + '"'
