"""The text of user functions: for people who compare, not for hashes."""

import inspect
import linecache
import textwrap
from collections.abc import Collection

from dagster_dfsession.session.functions.declare import UserFunction
from dagster_dfsession.session.functions.library import Library
from dagster_dfsession.session.functions.requirements import definition


def function_sources(library: Library, names: Collection[str]) -> dict[str, str]:
    """Return function -> its text, of those for which Python has one, sorted.

    Compiled functions have none, nor have those typed into a shell.

    Args:
        library: The functions that were loaded.
        names: Those of them that count.

    Examples:
        >>> function_sources(Library(), ())
        {}
    """
    found = {}
    for declared in library.declarations:
        if isinstance(declared, UserFunction) and {*declared.names} & {*names}:
            text = _source(definition(declared.implementation))
            if text is not None:
                found[declared.name] = text
    return found


def _source(implementation: object) -> str | None:
    try:
        file = inspect.getsourcefile(implementation)  # type: ignore[arg-type]  # whatever a user declared
        linecache.checkcache(file)
        return textwrap.dedent(inspect.getsource(implementation))  # type: ignore[arg-type]  # as above
    except (OSError, TypeError):
        return None
