"""Keys that no two rows may share, found out in bounded memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from datafusion import DataFrame, SessionContext, col, lit
from datafusion import functions as f

from dagster_dfsession.errors import BrokenRule
from dagster_dfsession.plan.quoting import quoted_identifier

Held: TypeAlias = Callable[[tuple[str, ...]], DataFrame | None]
"""The rows of a table, key columns given, that stand beside those written, if any."""

_FEW_ROWS = 1_000_000
"""Keys of so few rows fit in memory, whatever else does."""
_COUNT, _OURS = "__rows", "__ours"


class UniqueKeys:
    """Sets the keys of a stream aside on disk, and has the engine group them later.

    The engine compares the keys themselves and spills: 10 million keys of one integer
    take a second, and no more memory than its pool has.
    """

    def __init__(
        self,
        columns: Sequence[str],
        schema: pa.Schema,
        path: Path,
        *,
        held: Held,
    ) -> None:
        """Prepare for one stream.

        Args:
            columns: Of the key.
            schema: Columns of the stream.
            path: A file to write; whoever gives it removes it.
            held: The rows that others must not share their key with either.
        """
        self.rule = f"unique {', '.join(columns)}"
        self._columns = list(columns)
        self._path = path
        self._held = held
        self._rows = 0
        self._schema = pa.schema([schema.field(name) for name in columns])
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(
            self._sink, self._schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
        )

    def add(self, batch: pa.RecordBatch) -> None:
        """Set the keys of a batch aside."""
        self._rows += batch.num_rows
        self._writer.write_batch(batch.select(self._columns))

    def close(self) -> None:
        """Finish the file; closing twice is fine."""
        if not self._sink.closed:
            self._writer.close()
            self._sink.close()

    def broken(self, ctx: SessionContext, examples: int) -> BrokenRule | None:
        """Return how many of the rows share their key with another row, if any do."""
        self.close()
        if not self._rows:
            return None
        shared = self._shared(ctx)
        [total] = _plain(shared.aggregate([], [f.sum(col(_OURS)).alias(_OURS)]))
        if not total[_OURS]:
            return None
        keys = [_column(name) for name in self._columns]
        first = shared.sort(*(key.sort() for key in keys)).limit(examples)
        shown = first.select(*keys, _column(_COUNT).alias("rows"))
        return BrokenRule(self.rule, total[_OURS], tuple(_plain(shown)))

    def _shared(self, ctx: SessionContext) -> DataFrame:
        """Return the keys of several rows, of which at least one is ours."""
        keys = [_column(name) for name in self._columns]
        written = self._known(ctx.read_arrow(str(self._path)))
        rows = written.select(*keys, lit(1).alias(_OURS))
        held = self._held(tuple(self._columns))
        if held is not None:
            beside = self._known(held)
            if self._rows <= _FEW_ROWS:
                # Of a long table few rows are left. A join of many keys cannot spill.
                beside = beside.join(written, on=self._columns, how="semi")
            rows = rows.union(beside.select(*keys, lit(0).alias(_OURS)))
        return rows.aggregate(
            keys,
            [f.count(lit(1)).alias(_COUNT), f.sum(col(_OURS)).alias(_OURS)],
        ).filter(col(_COUNT) > lit(1), col(_OURS) > lit(0))

    def _known(self, frame: DataFrame) -> DataFrame:
        keys = frame.select(
            *(
                _column(field.name).cast(field.type).alias(field.name)
                for field in self._schema
            )
        )
        return keys.filter(*(_column(name).is_not_null() for name in self._columns))


def _column(name: str) -> Any:
    """Return a column as it is spelt: `col` reads a name as SQL would."""
    return col(quoted_identifier(name))


def _plain(frame: DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.to_pylist()
    return rows
