"""A choice given by name or as an object: one field, one meaning."""

from collections.abc import Mapping
from typing import TypeVar

from dagster_dfsession.errors import ProfileError

T = TypeVar("T")


def resolved(what: str, choice: T | str, known: Mapping[str, T]) -> T:
    """Return the object itself, or the one that the name stands for.

    Raises:
        ProfileError: Nothing has this name; the message lists what does.

    Examples:
        >>> resolved("number", "one", {"one": 1}), resolved("number", 2, {"one": 1})
        (1, 2)
    """
    if not isinstance(choice, str):
        return choice
    if choice not in known:
        raise ProfileError.unknown_name(what, choice, known)
    return known[choice]
