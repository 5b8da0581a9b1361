import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import dagster as dg
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import (
    FunctionFailedError,
    SchemaMismatchError,
    TableNotFoundError,
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


def taking(annotation: Any, seen: list[Any]) -> dg.AssetsDefinition:
    """An asset that keeps its input, and returns nothing."""

    def down(up: Any) -> None:
        seen.append(up.read_all() if isinstance(up, pa.RecordBatchReader) else up)

    down.__annotations__["up"] = annotation
    if annotation is None:
        del down.__annotations__["up"]
    return dg.asset(down)


class Stream:
    """Nothing but an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return ROWS.__arrow_c_stream__(requested_schema)


OUTPUTS: dict[str, Callable[[], Any]] = {
    "pa.Table": lambda: ROWS,
    "pa.RecordBatch": lambda: ROWS.to_batches()[0],
    "pa.RecordBatchReader": ROWS.to_reader,
    "pl.DataFrame": lambda: pl.from_arrow(ROWS.drop_columns("pairs")),
    "pl.LazyFrame": lambda: pl.LazyFrame(pl.from_arrow(ROWS.drop_columns("pairs"))),
    "pd.DataFrame": lambda: FOR_PANDAS.to_pandas(),
    "an Arrow stream": Stream,
}


@pytest.mark.parametrize("kind", sorted(OUTPUTS))
def test_what_an_asset_returns_comes_back_as_it_was(
    run: Run, rows: Rows, kind: str
) -> None:
    run(returning(OUTPUTS[kind]()))

    stored = set(rows("up")[0])
    assert stored == set(ROWS.column_names) - (
        {"pairs"} if kind.startswith("pl.") else set()
    ) or stored == set(FOR_PANDAS.column_names)
    expected = ROWS.select(sorted(stored)).to_pylist()
    assert rows("up") == sorted(expected, key=str)


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


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        pytest.param(DataFrame, DataFrame, id="datafusion"),
        pytest.param(None, DataFrame, id="none"),
        pytest.param(Any, DataFrame, id="Any"),
        pytest.param("DataFrame", DataFrame, id="text"),
        pytest.param(pa.Table, pa.Table, id="Table"),
        pytest.param(pa.RecordBatchReader, pa.Table, id="Reader"),
        pytest.param(pl.DataFrame, pl.DataFrame, id="polars"),
        pytest.param(pl.LazyFrame, pl.LazyFrame, id="lazy"),
        pytest.param(pd.DataFrame, pd.DataFrame, id="pandas"),
        pytest.param(DeltaTable, DeltaTable, id="DeltaTable"),
        pytest.param(pa.Table | None, pa.Table, id="union"),
        pytest.param(Optional[pa.Table], pa.Table, id="Optional"),  # noqa: UP045
        pytest.param("pa.Table | None", pa.Table, id="text-union"),
    ],
)
def test_a_parameter_is_loaded_as_it_is_annotated(
    run: Run, annotation: Any, kind: type
) -> None:
    seen: list[Any] = []
    run(returning(FOR_PANDAS), taking(annotation, seen))

    assert type(seen[0]) is kind
    if kind is pa.Table:
        assert seen[0].equals(FOR_PANDAS)


@pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame])
def test_polars_gets_every_value(run: Run, kind: Any) -> None:
    seen: list[Any] = []
    data = ROWS.drop_columns("pairs")
    run(returning(data), taking(kind, seen))

    assert seen[0].lazy().collect().to_dicts() == data.to_pylist()


def test_a_polars_lazy_frame_reads_only_what_it_is_asked_for(run: Run) -> None:
    """The second column cannot be computed; nobody asks for it."""
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
        run(returning(ROWS), taking(annotation, []))

    text = str(refused.value)
    assert text.startswith("up cannot be loaded as ")
    assert text.endswith(
        "annotate the parameter with one of datafusion.DataFrame, "
        "deltalake.DeltaTable, pandas.DataFrame, polars.DataFrame, polars.LazyFrame, "
        "pyarrow.RecordBatchReader, pyarrow.Table"
    )


def test_none_is_refused_with_what_to_do(run: Run, lake: Path) -> None:
    with pytest.raises(
        UnsupportedTypeError, match="asset 'up' returned None: annotate"
    ):
        run(returning(None))
    assert not lake.exists()


@pytest.mark.parametrize("value", ["rows", {"a": [1]}, [{"a": 1}], 7])
def test_what_is_no_table_is_refused(run: Run, lake: Path, value: Any) -> None:
    with pytest.raises(UnsupportedTypeError, match=r"up returned a \w+, which is no"):
        run(returning(value))
    assert not lake.exists()


def test_an_asset_that_says_it_returns_nothing_writes_nothing(
    run: Run, lake: Path
) -> None:
    @dg.asset
    def quiet() -> None:
        pass

    assert run(quiet).success
    assert not lake.exists()


def test_a_parameter_that_may_be_none_is_none_where_there_is_no_table(
    run: Run,
) -> None:
    seen: list[Any] = []
    there = dg.AssetSpec("up")

    run(there, taking(pa.Table | None, seen), selection=["down"])
    assert seen == [None]

    with pytest.raises(TableNotFoundError, match="table 'up' was not found"):
        run(there, taking(pa.Table, seen), selection=["down"])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(pd.DataFrame({"a": [1, 2, 3]}).query("a != 2"), id="gaps"),
        pytest.param(pd.DataFrame({"a": [1, 3]}), id="range"),
    ],
)
def test_a_pandas_index_without_a_name_is_no_column(
    run: Run, rows: Rows, frame: Any
) -> None:
    run(returning(frame))
    assert rows("up") == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize("index", [[1, 2], [1, 3]])
def test_a_pandas_index_with_a_name_is_a_column(
    run: Run, rows: Rows, index: list[int]
) -> None:
    """Also when it happens to be a range, which pandas itself leaves out."""
    run(returning(pd.DataFrame({"k": index, "a": ["x", "y"]}).set_index("k")))
    assert [row["k"] for row in rows("up")] == index


def test_categories_and_numpy_columns_are_stored_as_their_values(
    run: Run, rows: Rows
) -> None:
    colours = pl.DataFrame(
        {"e": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), "c": ["x", None]},
        schema_overrides={"c": pl.Categorical},
    )
    run(returning(colours), returning(colours.lazy(), "lazy"))
    assert rows("up") == rows("lazy") == [{"c": "x", "e": "a"}, {"c": None, "e": "b"}]

    run(returning(pd.DataFrame({"n": np.array([1, 2], "uint8")}), "numbers"))
    assert rows("numbers") == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("lazy", [True, False])
def test_a_frame_without_rows_creates_its_table(
    run: Run, rows: Rows, lake: Path, *, lazy: bool
) -> None:
    frame = pl.DataFrame(schema={"x": pl.Int32, "s": pl.String})
    run(returning(frame.lazy() if lazy else frame))
    assert rows("up") == []
    assert [f.name for f in DeltaTable(str(lake / "up")).schema().fields] == ["x", "s"]


def test_what_delta_cannot_hold_is_refused_before_anything_is_written(
    run: Run, lake: Path
) -> None:
    with pytest.raises(SchemaMismatchError, match="'t' is of type time64"):
        run(returning(pl.DataFrame({"t": [dt.time(1)]})))
    with pytest.raises(SchemaMismatchError, match="'n' is of type null"):
        run(returning(pa.table({"n": pa.nulls(2)})))
    assert not lake.joinpath("up").exists()


def test_a_column_of_nulls_takes_the_type_that_the_table_has(
    run: Run, rows: Rows
) -> None:
    run(returning(pa.table({"n": [1]})))
    run(returning(pa.table({"n": pa.nulls(2)})))
    assert rows("up") == [{"n": None}, {"n": None}]


def test_an_error_of_a_query_reaches_the_step_through_an_arrow_stream(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("boom_udfs.py").write_text(
        "import pyarrow as pa\n"
        "from dagster_dfsession import scalar_udf\n"
        "INT = pa.int64()\n"
        "@scalar_udf(inputs=[INT], returns=INT, volatility='immutable')\n"
        "def boom(x):\n"
        "    raise ValueError('no such number')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    @dg.asset(ins={"up": dg.AssetIn(metadata={"predicate": "boom(x) > 0"})})
    def down(up: pa.Table) -> None:
        raise AssertionError(up)

    with pytest.raises(FunctionFailedError, match="no such number"):
        run(returning(pa.table({"x": [1]})), down, session={"udfs": ["boom_udfs"]})
