"""Which of its inputs' files a query opened."""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from dagster_dfsession.materialization.records import InputRecord
from dagster_dfsession.query.stream import Execution


def files_by_input(
    execution: Execution, inputs: Sequence[InputRecord]
) -> dict[str, int]:
    """Return input table -> how many of its files were opened, if that is known."""
    opened = execution.files
    if not execution.metrics.counted:
        return {}
    if opened is None:
        every = execution.metrics.files_read
        return {inputs[0].table: every} if len(inputs) == 1 else {}
    if len({each.uri for each in inputs}) < len(inputs):
        return {}  # versions of one table share files
    found = {each.table: 0 for each in inputs}
    # One table may lie in the directory of another: the longest path is the right one.
    places = sorted(
        ((_store_path(each.uri), each.table) for each in inputs), reverse=True
    )
    for path in map(unquote, opened):
        table = next((name for place, name in places if path.startswith(place)), None)
        if table is None:
            return {}
        found[table] += 1
    return found


def _store_path(uri: str) -> str:
    path = urlsplit(uri).path if "://" in uri else uri
    return f"{unquote(path).strip('/')}/"
