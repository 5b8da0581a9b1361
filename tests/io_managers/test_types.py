import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Optional

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import (
    UnsupportedTypeError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

DAY, TIME = dt.date(2026, 3, 9), dt.datetime(2026, 3, 9, 23, 59, 59, 999_999)
UTC = pa.timestamp("us", "UTC")
ROWS = pa.table(
    {
        "text": ["a", None, "é\0'\n"],
        "whole": pa.array([2**53 + 1, None, -(2**63)], pa.int64()),
        "small": pa.array([127, None, -128], pa.int8()),
        "real": [0.1, None, float("-inf")],
        "yes": [True, None, False],
        "exact": pa.array([Decimal("9" * 28 + ".99"), None, 0], pa.decimal128(30, 2)),
        "day": pa.array([DAY, None, dt.date(1, 1, 1)], pa.date32()),
        "wall": pa.array([TIME, None, dt.datetime(1969, 1, 1)], pa.timestamp("us")),
        "instant": pa.array([TIME, None, dt.datetime(1969, 1, 1)], UTC),
        "raw": pa.array([b"\0\xff", None, b""], pa.binary()),
        "many": pa.array([[1, None], None, []], pa.list_(pa.int64())),
        "inner": pa.array([{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}]),
        "pairs": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    }
)
# What pandas has no exact place for: whole numbers with NULLs, maps, early days.
FOR_PANDAS = ROWS.select(["text", "real", "wall", "instant", "many"])


def returning(value: Any, name: str = "up") -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def asset() -> Any:
        return value

    return asset


def taking(
    annotation: Any, seen: dict[str, Any], name: str = "down"
) -> dg.AssetsDefinition:
    """An asset that keeps its input by its own name, and returns nothing."""

    def down(up: Any) -> None:
        seen[name] = up.read_all() if isinstance(up, pa.RecordBatchReader) else up

    down.__annotations__["up"] = annotation
    if annotation is None:
        del down.__annotations__["up"]
    return dg.asset(down, name=name)


class Stream:
    """Nothing but an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return ROWS.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]


POLARS = ROWS.drop_columns("pairs")
OUTPUTS: dict[str, tuple[Any, pa.Table]] = {
    "arrow_table": (ROWS, ROWS),
    "arrow_batch": (ROWS.to_batches()[0], ROWS),
    "arrow_reader": (ROWS.to_reader(), ROWS),
    "arrow_stream": (Stream(), ROWS),
    "polars": (pl.from_arrow(POLARS), POLARS),
    "polars_lazy": (pl.LazyFrame(pl.from_arrow(POLARS)), POLARS),
    "pandas": (FOR_PANDAS.to_pandas(), FOR_PANDAS),
}


def test_what_an_asset_returns_comes_back_as_it_was(run: Run, rows: Rows) -> None:
    run(*(returning(value, name) for name, (value, _) in OUTPUTS.items()))

    for name, (_, expected) in OUTPUTS.items():
        in_order = expected.select(sorted(expected.column_names)).to_pylist()
        assert rows(name) == sorted(in_order, key=str), name


def test_a_datafusion_frame_comes_back_as_it_was(run: Run, rows: Rows) -> None:
    @dg.asset
    def copy(dfsession: DataFusionSessionResource, up: DataFrame) -> DataFrame:
        return dfsession.sql("SELECT * FROM up").union(up.limit(0))

    run(returning(ROWS), copy)

    assert rows("copy") == rows("up") != []


def test_a_delta_table_is_copied_to_the_place_of_its_asset(
    run: Run, rows: Rows
) -> None:
    @dg.asset
    def copy(up: DeltaTable) -> DeltaTable:
        return up

    run(returning(ROWS), copy)

    assert rows("copy") == rows("up")


ANNOTATIONS: dict[str, tuple[Any, type]] = {
    "datafusion": (DataFrame, DataFrame),
    "nothing": (None, DataFrame),
    "anything": (Any, DataFrame),
    "text": ("DataFrame", DataFrame),
    "arrow_table": (pa.Table, pa.Table),
    "arrow_reader": (pa.RecordBatchReader, pa.Table),
    "polars": (pl.DataFrame, pl.DataFrame),
    "polars_lazy": (pl.LazyFrame, pl.LazyFrame),
    "pandas": (pd.DataFrame, pd.DataFrame),
    "delta": (DeltaTable, DeltaTable),
    "union": (pa.Table | None, pa.Table),
    "optional": (Optional[pa.Table], pa.Table),  # noqa: UP045
    "text_union": ("pa.Table | None", pa.Table),
}


def test_a_parameter_is_loaded_as_it_is_annotated(run: Run) -> None:
    seen: dict[str, Any] = {}
    downs = (taking(wanted, seen, name) for name, (wanted, _) in ANNOTATIONS.items())
    run(returning(POLARS), *downs)

    assert {name: type(value) for name, value in seen.items()} == {
        name: kind for name, (_, kind) in ANNOTATIONS.items()
    }
    assert all(
        value == POLARS for value in seen.values() if isinstance(value, pa.Table)
    )
    for name in ("polars", "polars_lazy"):
        assert seen[name].lazy().collect().to_dicts() == POLARS.to_pylist()


def test_a_polars_lazy_frame_reads_only_what_it_is_asked_for(run: Run) -> None:
    """Some columns, some rows, the first ones, or no more than the types."""
    seen: list[Any] = []

    @dg.asset(ins={"up": dg.AssetIn(metadata={"predicate": "x > 1"})})
    def down(up: pl.LazyFrame) -> None:
        seen.append(up.filter(pl.col("x") < 5).select("x").collect().to_dicts())
        seen.append(up.select(pl.col("y").sum()).collect().item())
        seen.append(up.head(1).collect().height)
        seen.append(up.collect_schema().names())

    run(returning(pa.table({"x": [1, 2, 3, 9], "y": [1, 1, 1, 1]})), down)

    assert seen == [[{"x": 2}, {"x": 3}], 3, 1, ["x", "y"]]


@pytest.mark.parametrize("annotation", [dict, list[int], str])
def test_an_unknown_annotation_is_refused_with_those_there_are(
    run: Run, annotation: Any
) -> None:
    with pytest.raises(UnsupportedTypeError) as refused:
        run(returning(ROWS), taking(annotation, {}))

    text = str(refused.value)
    assert text.startswith("up cannot be loaded as ")
    assert text.endswith(
        "annotate the parameter with one of datafusion.DataFrame, "
        "deltalake.DeltaTable, pandas.DataFrame, polars.DataFrame, polars.LazyFrame, "
        "pyarrow.RecordBatchReader, pyarrow.Table"
    )
