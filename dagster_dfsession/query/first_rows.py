"""The first rows of a result, for those who look at it."""

from collections.abc import Iterator

import pyarrow as pa

from dagster_dfsession.query.result import Result


class FirstRows:
    """The first rows of a result; once they are read, the engine rests.

    Attributes:
        more: Whether there were others; known when these are read.

    Examples:
        >>> from datafusion import SessionContext
        >>> frame = SessionContext().sql("SELECT * FROM (VALUES (1), (2), (3)) AS t(n)")
        >>> first = FirstRows(Result(frame, "counting"), 2)
        >>> sum(batch.num_rows for batch in first), first.more
        (2, True)
    """

    def __init__(self, result: Result, limit: int | None) -> None:
        """Ask for rows.

        Args:
            result: Whose rows.
            limit: How many at most; None: all.
        """
        self.schema = result.schema
        self.more = False
        self._result = result
        self._limit = limit

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return the rows batch by batch.

        Raises:
            QueryError: As iterating over the result.
        """
        left = self._limit
        with self._result as batches:
            for batch in batches:
                if left is not None and batch.num_rows > left:
                    self.more = True
                    yield batch.slice(0, left)
                    return
                left = None if left is None else left - batch.num_rows
                yield batch
