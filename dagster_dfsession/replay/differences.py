"""Texts and functions then and now."""

import difflib
from collections.abc import Iterable, Mapping

from dagster_dfsession.materialization.records import Change
from dagster_dfsession.profile.base import Frozen

FUNCTION = "function "
UNKNOWN_SOURCE = "its text was not recorded"
ELSEWHERE = "its own text is the same: something that it uses was changed"


class FunctionChange(Frozen, frozen=True):
    """A user function that is not what it was.

    Attributes:
        before: Declaration and digest; None: it was not there.
        after: Likewise; None: it is not there any more.
        source: What changed in its text, as a unified diff, or why none is shown.
    """

    name: str
    before: str | None
    after: str | None
    source: str


def text_difference(before: str, after: str) -> str:
    r"""Return a unified diff, without a head; empty where the texts are equal.

    Examples:
        >>> print(text_difference("a\nb", "a\nc"))
        @@ -1,2 +1,2 @@
         a
        -b
        +c
    """
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return "\n".join(list(lines)[2:])


def split_changes(
    changes: Iterable[Change], before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[tuple[Change, ...], tuple[FunctionChange, ...]]:
    """Return the changes of a session apart from those of its functions.

    Args:
        changes: From `session_changes`.
        before: Function -> its text, as it was.
        after: As it is.
    """
    rest, functions = [], []
    for change in changes:
        if change.what.startswith(FUNCTION):
            name = change.what.removeprefix(FUNCTION)
            functions.append(
                FunctionChange(
                    name=name,
                    before=change.before,
                    after=change.after,
                    source=_source(change, before.get(name), after.get(name)),
                )
            )
        else:
            rest.append(change)
    return tuple(rest), tuple(functions)


def _source(change: Change, before: str | None, after: str | None) -> str:
    if change.before is None or change.after is None:
        return text_difference(before or "", after or "")
    if before is None or after is None:
        return UNKNOWN_SOURCE
    return text_difference(before, after) or ELSEWHERE
