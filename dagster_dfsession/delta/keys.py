"""The keys of a merge: one row each, and never NULL."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession.errors import (
    CommitError,
    SchemaMismatchError,
    did_you_mean,
    listing,
)

_EXAMPLES = 5


def check_key_columns(on: Sequence[str], schema: pa.Schema) -> None:
    """Refuse keys that the frame lacks, or whose values cannot be compared exactly.

    Raises:
        SchemaMismatchError: A column is missing, or is a float or nested.
    """
    for name in on:
        if name not in schema.names:
            raise SchemaMismatchError(
                f"the merge is on {name!r}, which is no column of the frame; it has "
                f"{listing(schema.names)}.{did_you_mean(name, schema.names)}"
            )
        found = schema.field(name).type
        if pa.types.is_floating(found) or pa.types.is_nested(found):
            raise SchemaMismatchError(
                f"the merge is on {name!r} of type {found}, whose values cannot be "
                "compared exactly; cast it to an integer, a decimal or text"
            )


class Keys:
    """The keys of a frame, gathered while its rows pass; nothing else of them is kept.

    Examples:
        >>> keys = Keys(["id"])
        >>> list(keys.passing([pa.record_batch({"id": [7, 7]})]))
        Traceback (most recent call last):
        dagster_dfsession.errors.CommitError: 1 key of the merge on id is in several
        rows of the frame, and nothing was written; for example {'id': 7} 2 times. ...
    """

    def __init__(self, on: Sequence[str]) -> None:
        """Gather the values of these columns."""
        self._on = list(on)
        self._seen: list[pa.Table] = []

    def passing(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches, and refuse them after the last if a key came twice.

        Raises:
            CommitError: A key is NULL, or two rows have the same.
        """
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            for name in self._on:
                if rows.column(name).null_count:
                    raise _without_key(rows, name)
            self._seen.append(rows.select(self._on))
            yield batch
        if self._seen:
            self._check_once(pa.concat_tables(self._seen))

    def missing(self, standing: pa.Table) -> pa.Table:
        """Return those of other keys that have not passed, each once."""
        every = standing.group_by(self._on).aggregate([])
        if not self._seen:
            return every
        seen = pa.concat_tables(self._seen)
        return every.join(seen, keys=self._on, join_type="left anti")

    def _check_once(self, keys: pa.Table) -> None:
        counted = keys.group_by(self._on).aggregate([([], "count_all")])
        twice = counted.filter(pc.field("count_all") > 1)
        if not twice.num_rows:
            return
        worst = twice.sort_by([("count_all", "descending")]).slice(0, _EXAMPLES)
        examples = ", ".join(
            f"{ ({name: row[name] for name in self._on}) } {row['count_all']} times"
            for row in worst.to_pylist()
        )
        one = twice.num_rows == 1
        several = "1 key" if one else f"{twice.num_rows} keys"
        raise CommitError(
            f"{several} of the merge on {', '.join(self._on)} {'is' if one else 'are'} "
            f"in several rows of the frame, and nothing was written; for example "
            f"{examples}. Which row is meant, only the query can say: make it return "
            "one row a key."
        )


def _without_key(rows: pa.Table, name: str) -> CommitError:
    without = rows.filter(pc.field(name).is_null())
    return CommitError(
        f"{without.num_rows} of {rows.num_rows} rows of a batch are NULL in {name!r}, "
        "a key of the merge, and nothing was written: NULL is equal to nothing, so "
        "such rows would be inserted again by every run. For example "
        f"{without.slice(0, _EXAMPLES).to_pylist()}. Filter them, or give them a key."
    )
