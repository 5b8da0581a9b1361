from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from inline_snapshot import snapshot

from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    LocationError,
    SchemaMismatchError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

ONE, TWO = pa.table({"x": [1]}), pa.table({"x": [2]})
WIDE = pa.table({"x": [3], "y": ["new"]})


def returning(*values: Any, **options: Any) -> dg.AssetsDefinition:
    """An asset that returns one value after the other, run by run."""
    left = list(values)

    def asset() -> Any:
        return left.pop(0)

    return dg.asset(asset, name="up", **options)


def test_overwrite_is_the_default_and_append_adds(run: Run, rows: Rows) -> None:
    run(returning(ONE))
    run(returning(TWO))
    assert rows("up") == [{"x": 2}]

    run(returning(ONE, metadata={"mode": "append"}))
    assert rows("up") == [{"x": 1}, {"x": 2}]


def test_the_mode_of_the_io_manager_holds_where_the_asset_has_none(
    run: Run, rows: Rows
) -> None:
    for value in (ONE, TWO):
        run(returning(value), io={"mode": "append"})
    assert rows("up") == [{"x": 1}, {"x": 2}]

    run(returning(TWO, metadata={"mode": "overwrite"}), io={"mode": "append"})
    assert rows("up") == [{"x": 2}]


def by_output() -> dg.AssetsDefinition:
    @dg.asset(name="up", metadata={"mode": "error"})
    def asset() -> dg.Output[Any]:
        return dg.Output(ONE, metadata={"mode": "append"})

    return asset


def by_result() -> dg.AssetsDefinition:
    @dg.asset(name="up", metadata={"mode": "error"})
    def asset() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(value=ONE, metadata={"mode": "append"})

    return asset


def by_context() -> dg.AssetsDefinition:
    @dg.asset(name="up", metadata={"mode": "error"})
    def asset(context: dg.AssetExecutionContext) -> Any:
        context.add_output_metadata({"mode": "append"})
        return ONE

    return asset


@pytest.mark.parametrize("asset", [by_output, by_result, by_context])
def test_the_metadata_of_an_output_overrides_that_of_its_asset(
    run: Run, rows: Rows, asset: Callable[[], dg.AssetsDefinition]
) -> None:
    run(returning(TWO))
    run(asset())
    assert rows("up") == [{"x": 1}, {"x": 2}]


def test_mode_error_writes_once(run: Run, rows: Rows) -> None:
    asset = returning(ONE, TWO, metadata={"mode": "error"})
    run(asset)
    with pytest.raises(CommitError, match="the table has rows already, and mode 'err"):
        run(asset)
    assert rows("up") == [{"x": 1}]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"mode": "overwite"},
            "asset 'up' has the mode 'overwite' in its metadata; it is one of append, error, ignore, merge, overwrite. Did you mean 'overwrite'?",
        ),
        (
            {"schema_mode": "loose"},
            "asset 'up' has the schema_mode 'loose' in its metadata; it is one of merge, overwrite, strict.",
        ),
    ],
)
def test_an_unknown_mode_is_refused_with_those_there_are(
    run: Run, lake: Path, metadata: dict[str, str], message: str
) -> None:
    with pytest.raises(DeltaError) as refused:
        run(returning(ONE, metadata=metadata))
    assert str(refused.value) == message
    assert not lake.exists()


@pytest.mark.parametrize("mode", ["append", "overwrite", "error", "ignore"])
def test_a_retried_step_leaves_the_rows_of_the_attempt_that_committed(
    run: Run, rows: Rows, lake: Path, mode: str
) -> None:
    """The first attempt fails after its table was written."""
    attempts: list[int] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def up() -> Iterator[dg.Output[Any]]:
        attempts.append(len(attempts) + 1)
        yield dg.Output(pa.table({"x": attempts[-1:]}), metadata={"mode": mode})
        if len(attempts) == 1:
            raise RuntimeError("too late")

    assert run(up).success
    assert attempts == [1, 2]
    assert rows("up") == [{"x": 1}]
    # An append creates the table empty, and then adds to it.
    assert DeltaTable(str(lake / "up")).version() == (1 if mode == "append" else 0)


def test_an_append_of_the_next_run_is_another_one(
    run: Run, rows: Rows, lake: Path
) -> None:
    for _ in range(2):
        run(returning(ONE, metadata={"mode": "append"}))
    assert rows("up") == [{"x": 1}, {"x": 1}]
    assert DeltaTable(str(lake / "up")).version() == 2


def test_another_column_is_refused_with_all_that_differs(
    run: Run, rows: Rows, lake: Path
) -> None:
    run(returning(pa.table({"x": [1], "gone": [1], "z": [1]})))
    odd = pa.table({"x": [3], "y": ["new"], "z": ["1"]})
    with pytest.raises(SchemaMismatchError) as refused:
        run(returning(odd))
    assert str(refused.value).replace(str(lake), "LAKE") == snapshot(
        "LAKE/up: the frame's columns are not the table's. missing: gone (int64); not in the table: y (string); of another type: z (string, the table has int64). Cast or select in the query; schema mode 'merge' adds columns and leaves missing ones NULL, and 'overwrite' replaces all columns."
    )
    assert rows("up") == [{"gone": 1, "x": 1, "z": 1}]


def test_schema_mode_merge_adds_columns_and_leaves_missing_ones_null(
    run: Run, rows: Rows
) -> None:
    merging = {"mode": "append", "schema_mode": "merge"}
    run(returning(ONE))
    result = run(returning(WIDE, metadata=merging))
    run(returning(TWO, metadata=merging))
    assert rows("up") == [
        {"x": 1, "y": None},
        {"x": 2, "y": None},
        {"x": 3, "y": "new"},
    ]
    [event] = result.asset_materializations_for_node("up")
    columns: Any = event.metadata["dagster/column_schema"].value
    assert [column.name for column in columns.columns] == ["x", "y"]


def test_what_is_said_of_the_columns_is_what_the_table_has(run: Run) -> None:
    """Also of those that a merging write does not have itself."""
    run(returning(WIDE))
    result = run(returning(ONE, metadata={"schema_mode": "merge"}))
    [event] = result.asset_materializations_for_node("up")
    columns: Any = event.metadata["dagster/column_schema"].value
    assert [column.name for column in columns.columns] == ["x", "y"]


def test_schema_mode_overwrite_replaces_all_columns(run: Run, rows: Rows) -> None:
    run(returning(WIDE))
    run(returning(ONE, metadata={"schema_mode": "overwrite"}))
    assert rows("up") == [{"x": 1}]


@pytest.mark.parametrize("by", ["k", ["k"]])
def test_an_asset_without_partitions_may_divide_its_files(
    run: Run, lake: Path, rows: Rows, by: Any
) -> None:
    run(
        returning(
            pa.table({"k": ["a", "b"], "x": [1, 2]}), metadata={"partition_by": by}
        )
    )
    assert DeltaTable(str(lake / "up")).metadata().partition_columns == ["k"]
    assert rows("up") == [{"k": "a", "x": 1}, {"k": "b", "x": 2}]


def test_each_output_of_a_multi_asset_is_a_table(run: Run, rows: Rows) -> None:
    @dg.multi_asset(
        outs={"a": dg.AssetOut(key=["raw", "a"]), "b": dg.AssetOut(is_required=False)}
    )
    def both() -> Iterator[dg.Output[Any]]:
        yield dg.Output(ONE, "a")
        yield dg.Output(TWO, "b")

    run(both)
    assert rows("raw", "a") == [{"x": 1}]
    assert rows("b") == [{"x": 2}]


def test_an_output_of_no_asset_is_refused_by_its_step(run: Run, lake: Path) -> None:
    @dg.op
    def inner() -> Any:
        return ONE

    @dg.op
    def outer(inner: Any) -> Any:
        return inner

    @dg.graph_asset
    def up() -> Any:
        return outer(inner())

    with pytest.raises(LocationError, match=r"output 'result' of step 'up\.inner' bel"):
        run(up)
    assert not lake.exists()
