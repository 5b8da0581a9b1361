"""Which tables there are below a root, for messages that say so."""

from collections import deque

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake

LOG = "_delta_log"
MOST_LISTINGS = 200
"""Directories looked into; a lake can be large, and a message is short."""
HIDDEN = ("_", ".")


def tables_below(lake: Lake) -> tuple[tuple[str, ...], ...]:
    """Return the asset keys of the Delta tables of a lake, nearest to the root first.

    One request for each directory, `MOST_LISTINGS` of them at most; nothing inside of
    a table is looked at.

    Raises:
        DeltaError: The storage refused.

    Examples:
        >>> import tempfile
        >>> tables_below(Lake(tempfile.mkdtemp()))
        ()
    """
    files = LakeFiles(lake.root)
    found: list[tuple[str, ...]] = []
    asked: deque[tuple[str, ...]] = deque([()])
    for _ in range(MOST_LISTINGS):
        if not asked:
            break
        key = asked.popleft()
        names = files.directories("/".join(key))
        if LOG in names:
            found.append(key)
        else:
            asked.extend((*key, n) for n in names if not n.startswith(HIDDEN))
    return tuple(found)
