"""Counting the rows of each partition key while they pass."""

import bisect
import functools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession.delta.literals import exact_scalar
from dagster_dfsession.delta.partitions import Dimension, MultiKeys, PartitionRequest
from dagster_dfsession.delta.predicate import Range
from dagster_dfsession.delta.windows import TimeWindows, Window, window_ranges
from dagster_dfsession.errors import PartitionError

Codes = tuple[Any, ...]


class RowCounter:
    """Counts the rows of each partition key while they pass.

    Rows are grouped by value, or by the widest span of time that all windows are made
    of: what it costs does not grow with the number of keys.
    """

    def __init__(
        self, request: PartitionRequest, keys: Sequence[str], schema: pa.Schema
    ) -> None:
        """Prepare to tell the keys apart.

        Args:
            request: What the keys mean.
            keys: Their names, in the order of `request`.
            schema: The columns of the rows, as a Delta table holds them.

        Raises:
            PartitionError: The windows of the keys cannot be told apart alone.
        """
        parts = _parts(request)
        columns = [part.column for part in parts[0]]
        self._dimensions = [
            _dimension([part[at] for part in parts], schema.field(column).type)
            for at, column in enumerate(columns)
        ]
        self._columns = columns
        self._types = [schema.field(column).type for column in columns]
        self._keys: dict[tuple[str | None, ...], str] = {
            tuple(_name(part) for part in each): key
            for each, key in zip(parts, keys, strict=True)
        }
        self._names = list(keys)
        self._seen: Counter[Codes] = Counter()

    def counted(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the same batches; each is counted when it is read."""

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                self._count(batch)
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def rows(self) -> dict[str, int]:
        """Return key -> rows that have passed; 0 where there were none."""
        found = Counter(dict.fromkeys(self._names, 0))
        for codes, count in self._seen.items():
            key = self._key(codes)
            if key is not None:
                found[key] += count
        return dict(found)

    def key_of(self, values: pa.Table) -> list[str | None]:
        """Return the key of each row of a table that has the partition columns."""
        return [self._key(codes) for codes in zip(*self._codes(values), strict=True)]

    def _count(self, batch: pa.RecordBatch) -> None:
        names = [str(at) for at in range(len(self._columns))]
        codes = pa.table(self._arrays(batch), names=names)
        groups = codes.group_by(names).aggregate([([], "count_all")]).to_pydict()
        for *code, count in zip(
            *(groups[name] for name in names), groups["count_all"], strict=True
        ):
            self._seen[tuple(code)] += count

    def _codes(self, values: pa.Table) -> list[list[Any]]:
        return [array.to_pylist() for array in self._arrays(values)]

    def _arrays(self, values: pa.Table | pa.RecordBatch) -> list[Any]:
        return [
            dimension.codes(values.column(column).cast(kind, safe=False))
            for column, kind, dimension in zip(
                self._columns, self._types, self._dimensions, strict=True
            )
        ]

    def _key(self, codes: Codes) -> str | None:
        names = (
            dimension.name(code)
            for dimension, code in zip(self._dimensions, codes, strict=True)
        )
        return self._keys.get(tuple(names))


class _Values:
    """A column whose values are spelt as the keys are."""

    def codes(self, values: Any) -> Any:
        return values

    def name(self, code: Any) -> str | None:
        if isinstance(code, bool):
            return "true" if code else "false"
        return None if code is None else str(code)


class _Windows:
    """A date or timestamp column, in steps that no bound of a window divides."""

    def __init__(self, spans: Mapping[str, tuple[int, int]], unit: pa.DataType) -> None:
        bounds = sorted({bound for span in spans.values() for bound in span})
        self._unit = unit
        self._start = bounds[0]
        self._step = math.gcd(*(bound - self._start for bound in bounds))
        self._spans = sorted((start, end, name) for name, (start, end) in spans.items())

    def codes(self, values: Any) -> Any:
        since: Any = pc.subtract(values.cast(self._unit).cast(pa.int64()), self._start)
        # Arrow divides towards zero: what lies before would fall into the first step.
        steps = pc.divide(since, self._step)
        return pc.if_else(pc.greater_equal(since, pa.scalar(0)), steps, None)

    def name(self, code: Any) -> str | None:
        if code is None:
            return None
        value = self._start + code * self._step
        at = bisect.bisect_right(self._spans, value, key=lambda span: span[0]) - 1
        start, end, name = self._spans[at]
        return name if start <= value < end else None


def _parts(request: PartitionRequest) -> list[tuple[Dimension, ...]]:
    if isinstance(request, MultiKeys):
        return list(request.keys)
    if isinstance(request, TimeWindows):
        return [(TimeWindows(request.column, (each,)),) for each in request.windows]
    return [(msgspec.structs.replace(request, keys=(key,)),) for key in request.keys]


def _name(part: Dimension) -> str:
    return part.windows[0][2] if isinstance(part, TimeWindows) else part.keys[0]


def _dimension(parts: Sequence[Dimension], found: pa.DataType) -> _Values | _Windows:
    windows = [part.windows[0] for part in parts if isinstance(part, TimeWindows)]
    dated = pa.types.is_date32(found) or pa.types.is_timestamp(found)
    if not windows or not dated:
        return _Values()
    unit = pa.int32() if pa.types.is_date32(found) else pa.int64()
    span = functools.partial(_span, column=parts[0].column, found=found, unit=unit)
    return _Windows({window[2]: span(window) for window in set(windows)}, unit)


def _span(
    window: Window, *, column: str, found: pa.DataType, unit: pa.DataType
) -> tuple[int, int]:
    ranges: list[Range] = window_ranges(TimeWindows(column, (window,)), found)
    bounds = (ranges[0].lower_inclusive, ranges[0].upper_exclusive)
    start, end = (exact_scalar(b, column, found).cast(unit).as_py() for b in bounds)
    if start >= end:
        raise PartitionError(
            f"the partition {window[2]!r} is no span of the clock of column {column!r}"
        )
    return start, end
