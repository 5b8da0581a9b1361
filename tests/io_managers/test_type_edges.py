"""What can be returned and what cannot, at the edges."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.errors import (
    FunctionFailedError,
    SchemaMismatchError,
    TableNotFoundError,
    UnsupportedTypeError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]


def returning(value: Any, name: str = "up") -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def asset() -> Any:
        return value

    return asset


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

    @dg.asset
    def content(up: pa.Table | None) -> None:
        seen.append(up)

    @dg.asset
    def demanding(up: pa.Table) -> None:
        seen.append(up)

    there = dg.AssetSpec("up")
    run(there, content, selection=["content"])
    with pytest.raises(TableNotFoundError, match="table 'up' was not found"):
        run(there, demanding, selection=["demanding"])
    assert seen == [None]


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
