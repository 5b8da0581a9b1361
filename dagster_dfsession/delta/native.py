"""A Delta table as the engine's own scan of its data files.

The files lack the partition columns. Each of them becomes an expression over the
whole scan, or the scan is split; `scan_shapes` says which costs least:

* one scan: one value among the files, so it is a literal;
* split: a scan for each value, and a filter is folded into each of them;
* join: of the engine's `input_file_name()` with a list of the files.

Only a scan knows the name of its file, and there are plans from which the optimizer
does not bring the question down to the scan. Such a plan fails when it runs; it is
told beforehand by `names_files_late`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
from datafusion import DataFrame, Expr, SessionContext, col, lit
from datafusion import functions as f

from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.scan_format import ScanTemplate
from dagster_dfsession.delta.scan_shapes import Work, cheapest
from dagster_dfsession.errors import DeltaError, EngineVersionError
from dagster_dfsession.plan.quoting import quoted_identifier

FILE_NAME = "input_file_name"
_OWN = "__dfsession_file"


class FileChoice(msgspec.Struct, frozen=True):
    """Which files of a table a query reads, and what it makes of their partitions.

    Attributes:
        indices: Of the files, ascending.
        used: Partition columns that the query uses at all.
        filtered: Those of them that it filters by.
        guarded: Columns of floats that may decide which rows there are. The statistics
            of a Parquet file leave NaN out, and the engine would prune by them.
    """

    indices: tuple[int, ...]
    used: frozenset[str]
    filtered: frozenset[str]
    guarded: frozenset[str] = frozenset()


class NativeScans:
    """Makes scans of one table; what does not change is made once.

    Args:
        ctx: In which they will run.
        files: Of the table at the version that is read.
        schema: The table's columns, typed as the engine's queries see them.

    Attributes:
        ctx: The same.
    """

    def __init__(
        self, ctx: SessionContext, files: DataFiles, schema: pa.Schema
    ) -> None:
        self.ctx = ctx
        self._files = files
        self._schema = schema
        self._file_name = ctx.udf(FILE_NAME)

    @functools.cached_property
    def _template(self) -> ScanTemplate:
        divided = self._files.partition_columns
        own = [field for field in self._schema if field.name not in divided]
        return ScanTemplate(self.ctx, pa.schema(own))

    def frame(self, choice: FileChoice, *, by_name: bool = True) -> DataFrame | None:
        """Return the rows of the chosen files, with all columns of the table.

        A partition column that is not in `choice.used` fails where it is used.

        Args:
            choice: The files.
            by_name: Whether rows may be told apart by the names of their files.

        Returns:
            None: deltalake's provider costs less.

        Raises:
            DeltaError: A file is gone.
            EngineVersionError: The engine's plans have another form than expected.
        """
        if gone := self._files.missing(choice.indices):
            raise DeltaError(
                f"{self._files.location}: {len(gone)} of {len(choice.indices)} data "
                f"files of this version are gone, such as {gone[0]}; the table was "
                "vacuumed since. Read a newer version, or keep files for longer."
            )
        groups = self._groups(choice)
        shape = cheapest(self._work(choice, len(groups), by_name=by_name))
        if shape == "provider":
            return None
        if shape == "join":
            return self._checked(self._joined(choice))
        scans = [self._scan(choice, indices, values) for values, indices in groups]
        every = functools.reduce(lambda left, right: left.union(right), scans)
        return self._checked(every)

    def _checked(self, frame: DataFrame) -> DataFrame:
        """Return a frame that has the table's columns: queries rely on their types."""
        found = frame.schema()
        if found.names != self._schema.names or found.types != self._schema.types:
            raise EngineVersionError(
                f"{self._files.location}: a scan of its files has the columns {found}, "
                f"and the table has {self._schema}"
            )
        return frame

    def _work(self, choice: FileChoice, groups: int, *, by_name: bool) -> Work:
        rows = self._files.row_estimates
        return Work(
            files=len(choice.indices),
            rows=sum(map(rows.__getitem__, choice.indices)),
            groups=groups,
            every_file=self._files.count,
            every_row=sum(rows),
            filtered=bool(choice.filtered),
            named=by_name,
        )

    def _groups(
        self, choice: FileChoice
    ) -> list[tuple[dict[str, "pa.Scalar[Any]"], list[int]]]:
        """Return the files by their values of the partition columns in use.

        Without files there is one group, whose values no row will have.
        """
        used = sorted(choice.used)
        columns = [self._values(column, choice) for column in used]
        texts = [column.to_pylist() for column in columns]
        found: dict[tuple[Any, ...], list[int]] = {}
        for place, _ in enumerate(choice.indices):
            found.setdefault(tuple(text[place] for text in texts), []).append(place)
        return [
            (
                {
                    name: column[places[0]] if places else pa.scalar(None, column.type)
                    for name, column in zip(used, columns, strict=True)
                },
                [choice.indices[place] for place in places],
            )
            for places in found.values() or [[]]
        ]

    def _values(self, column: str, choice: FileChoice) -> "pa.Array[Any]":
        """Return a partition column's value in each chosen file, as queries see it."""
        chosen = pa.array(choice.indices, pa.int64())
        # Taken before they are cast: of views, Arrow takes none.
        values = self._files.partition_values(column).take(chosen)
        return values.cast(self._schema.field(column).type)

    def _scan(
        self,
        choice: FileChoice,
        indices: Sequence[int],
        values: "dict[str, pa.Scalar[Any]]",
    ) -> DataFrame:
        scan = self._template.scan([self._files.url(index) for index in indices])
        known = {name: lit(value) for name, value in values.items()}
        return self._shaped(scan, choice, known)

    def _shaped(
        self, scan: DataFrame, choice: FileChoice, known: "dict[str, Expr]"
    ) -> DataFrame:
        def column(field: "pa.Field[Any]") -> Expr:
            if field.name in self._files.partition_columns:
                value = known.get(field.name)
                return self._unknown(field.type) if value is None else value
            own = col(quoted_identifier(field.name))
            # The same value, but none that statistics tell anything of.
            return f.nanvl(own, own) if field.name in choice.guarded else own

        return scan.select(*(column(field).alias(field.name) for field in self._schema))

    def _unknown(self, wanted: pa.DataType) -> Expr:
        """Return what fails if it is ever computed, naming the file."""
        return _failing(self._file_name(), wanted)

    def _joined(self, choice: FileChoice) -> DataFrame:
        scan = self._template.scan([self._files.url(i) for i in choice.indices])
        used = sorted(choice.used)
        names = [self._files.name(index) for index in choice.indices]
        values = [self._values(column, choice) for column in used]
        listed = f"{_OWN}_listed"
        own = [f"{_OWN}_{number}" for number, _ in enumerate(used)]
        listing = pa.RecordBatch.from_arrays(
            [pa.array(names, pa.string_view()), *values], names=[listed, *own]
        )
        rows = self.ctx.read_batch(listing).join(
            scan.with_column(_OWN, self._file_name()),
            left_on=[listed],
            right_on=[_OWN],
            how="right",
        )
        known = {
            name: f.when(
                col(listed).is_null(),
                _failing(col(_OWN), self._schema.field(name).type),
            ).otherwise(col(column))
            for name, column in zip(used, own, strict=True)
        }
        return self._shaped(rows, choice, known)


def names_files_late(frame: DataFrame, optimized: str) -> bool:
    """Whether a plan asks for the name of a file where only rows are left of it.

    Args:
        frame: Over native scans.
        optimized: The text of its optimized plan.
    """
    if FILE_NAME not in optimized:
        return False
    lines = frame.execution_plan().display_indent().splitlines()
    asking = (line.strip() for line in lines if FILE_NAME in line)
    return any(not line.startswith("DataSourceExec") for line in asking)


def _failing(name: Expr, wanted: pa.DataType) -> Expr:
    """Return a cast of a file's name, which is no value of the type."""
    # By way of a number, which it is not: as a text or as bytes it would be a value.
    return name.cast(pa.int64()).cast(pa.string()).cast(wanted)
