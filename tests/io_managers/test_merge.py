"""Assets that merge: what they write, and what Dagster is told of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import CommitError, DeltaError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

BY_ID = {"mode": "merge", "merge": {"on": ["id"]}}
STATIC = dg.StaticPartitionsDefinition(["a", "b"])
BY_K = {"partition_expr": "k"}
COUNTS = ("rows_inserted", "rows_updated", "rows_deleted", "rows_copied")


def returning(*values: Any, **options: Any) -> dg.AssetsDefinition:
    """An asset that returns one value after the other, run by run."""
    left = [pa.table(value) for value in values]

    def asset() -> Any:
        return left.pop(0)

    return dg.asset(asset, name="up", **{"metadata": BY_ID, **options})


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    event = result.asset_materializations_for_node("up")[-1]
    return {key: value.value for key, value in event.metadata.items()}


def counts(result: dg.ExecuteInProcessResult) -> list[int]:
    return [told(result)[f"dfsession/{name}"] for name in COUNTS]


def version(result: dg.ExecuteInProcessResult) -> str:
    event = result.asset_materializations_for_node("up")[-1]
    return (event.tags or {})["dagster/data_version"]


def test_what_a_merge_did_is_in_the_metadata(run: Run, rows: Rows) -> None:
    asset = returning(
        {"id": [1, 2, 3], "x": ["a", "b", "c"]}, {"id": [3, 4], "x": ["C", "d"]}
    )
    assert counts(run(asset)) == [3, 0, 0, 0]
    second = run(asset)
    assert counts(second) == [1, 1, 0, 2]
    assert told(second)["dagster/row_count"] == 4
    assert told(second)["dfsession/table_version"] == 2
    assert [row["x"] for row in rows("up")] == ["a", "b", "C", "d"]


def test_a_table_that_is_overwritten_has_no_counts_of_a_merge(run: Run) -> None:
    result = run(returning({"id": [1]}, metadata={}))
    assert not {f"dfsession/{name}" for name in COUNTS} & set(told(result))


def test_a_merge_that_changes_nothing_leaves_version_and_data_version(
    run: Run,
) -> None:
    rows = {"id": [1, 2], "x": ["a", "b"]}
    asset = returning(rows, rows, {"id": [1], "x": ["A"]})
    first, same, other = run(asset), run(asset), run(asset)
    assert counts(same) == [0, 0, 0, 0]
    assert told(same)["dfsession/table_version"] == 1
    assert version(first) == version(same) != version(other)
    assert not version(other).startswith("delta:")


def test_who_says_how_to_merge_need_not_say_that(run: Run, rows: Rows) -> None:
    """Without it, a forgotten mode would overwrite the table."""
    metadata = {"merge": {"on": "id"}}
    asset = returning({"id": [1]}, {"id": [2]}, metadata=metadata)
    run(asset)
    run(asset)
    assert rows("up") == [{"id": 1}, {"id": 2}]


def test_an_output_may_say_otherwise_than_its_asset(run: Run, rows: Rows) -> None:
    run(returning({"id": [1, 2], "x": ["a", "b"]}))

    @dg.asset(name="up", metadata=BY_ID)
    def deleting() -> dg.Output[Any]:
        gone: Any = {"merge": {"on": ["id"], "kind": "delete_matched"}}
        return dg.Output(pa.table({"id": [1]}), metadata=gone)

    assert counts(run(deleting)) == [0, 0, 1, 1]

    @dg.asset(name="up", metadata=BY_ID)
    def anew() -> dg.Output[Any]:
        rows = pa.table({"id": [9], "x": ["z"]})
        return dg.Output(rows, metadata={"mode": "overwrite"})

    run(anew)
    assert rows("up") == [{"id": 9, "x": "z"}]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"mode": "merge"}, "asset 'up' is in mode 'merge', but its 'merge' metadata"),
        ({"merge": {"on": "id", "kynd": 1}}, "'up'.*field `kynd`. Did you mean 'kind'"),
        ({"merge": {"on": "idd"}}, "on 'idd', which is no column.*Did you mean 'id'"),
    ],
    ids=["none", "field", "column"],
)
def test_a_merge_that_cannot_be_is_refused_and_writes_nothing(
    run: Run, lake: Path, metadata: Any, message: str
) -> None:
    with pytest.raises(DeltaError, match=message):
        run(returning({"id": [1]}, metadata=metadata))
    assert not DeltaTable.is_deltatable(str(lake / "up"))


def test_a_history_begins_with_the_start_of_the_run(run: Run, rows: Rows) -> None:
    metadata = {"merge": {"on": "id", "kind": "scd2"}}
    values = [{"id": [1], "x": [n]} for n in (1, 2)]
    asset = returning(*values, metadata=metadata)
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(2):
            result = run(asset, instance=instance)
            record = instance.get_run_record_by_id(result.run_id)
            assert record is not None
            [current] = [row for row in rows("up") if row["is_current"]]
            assert current["x"] == number + 1
            assert current["valid_from"].timestamp() == pytest.approx(record.start_time)
    [old] = [row for row in rows("up") if not row["is_current"]]
    assert old["valid_to"] == current["valid_from"]


def partitioned(*values: Any, **metadata: Any) -> dg.AssetsDefinition:
    return returning(*values, partitions_def=STATIC, metadata=BY_K | metadata)


def test_a_merge_of_a_partition_is_counted_for_that_partition(
    run: Run, rows: Rows
) -> None:
    merge = {"merge": {"on": "id", "kind": "full_sync"}}
    asset = partitioned(
        {"k": ["a", "a"], "id": [1, 2]},
        {"k": ["b"], "id": [1]},
        {"k": ["a"], "id": [2]},
        **merge,
    )
    run(asset, key="a")
    run(asset, key="b")
    result = run(asset, key="a")
    assert counts(result)[:3] == [0, 0, 1]
    assert told(result)["dagster/row_count"] == 1
    assert rows("up") == [{"id": 1, "k": "b"}, {"id": 2, "k": "a"}]


def test_a_retried_step_merges_once_and_a_re_execution_again(
    run: Run, rows: Rows, lake: Path
) -> None:
    """The first attempt of each run fails after its table was written."""
    attempts: list[int] = []

    @dg.asset(metadata=BY_ID, retry_policy=dg.RetryPolicy(max_retries=1))
    def up() -> Iterator[dg.Output[Any]]:
        attempts.append(len(attempts))
        yield dg.Output(pa.table({"id": attempts[-1:]}))
        if len(attempts) % 2:
            raise RuntimeError("too late")

    for _ in range(2):
        assert run(up).success
    assert rows("up") == [{"id": 0}, {"id": 2}]
    assert DeltaTable(str(lake / "up")).version() == 2


def test_two_materializations_by_one_step_are_two_writes(
    run: Run, rows: Rows, lake: Path
) -> None:
    @dg.asset(name="up", metadata={"mode": "append"})
    def up(dfsession: DataFusionSessionResource) -> Any:
        dfsession.materialize(pa.table({"id": [1]}))
        return dfsession.materialize(pa.table({"id": [2]}))

    run(up, session={"root_uri": str(lake)})
    assert rows("up") == [{"id": 1}, {"id": 2}]


def counting(calls: list[int]) -> dg.AssetsDefinition:
    """A stream that notes when its rows are asked for."""

    @dg.asset(name="up", metadata={"mode": "ignore"})
    def up() -> Any:
        def batches() -> Iterator[pa.RecordBatch]:
            calls.append(1)
            yield pa.record_batch({"id": [len(calls)]})

        schema = pa.schema({"id": pa.int64()})
        return pa.RecordBatchReader.from_batches(schema, batches())

    return up


def test_mode_ignore_computes_nothing_where_there_are_rows(
    run: Run, rows: Rows
) -> None:
    calls: list[int] = []
    asset = counting(calls)
    first, second = run(asset), run(asset)
    assert (rows("up"), calls) == ([{"id": 1}], [1])
    assert told(second)["dfsession/table_version"] == 0
    assert told(second)["dagster/row_count"] == 1
    assert version(second) == version(first)


def test_a_query_that_mode_ignore_does_not_run_has_no_measures(run: Run) -> None:
    @dg.asset(name="up", metadata={"mode": "ignore"})
    def up(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT 1 AS id")

    measured = ["dfsession/rows_read" in told(run(up)) for _ in range(2)]
    assert measured == [True, False]


def test_mode_ignore_writes_a_partition_that_has_no_rows(run: Run, rows: Rows) -> None:
    frames = [{"k": [k], "id": [n]} for k, n in (("a", 1), ("b", 2), ("a", 3))]
    asset = partitioned(*frames, mode="ignore")
    for key in "ab":
        run(asset, key=key)
    result = run(asset, key="a")
    assert rows("up") == [{"id": 1, "k": "a"}, {"id": 2, "k": "b"}]
    assert told(result)["dagster/row_count"] == 1
    assert told(result)["dfsession/table_version"] == 2


def test_mode_ignore_does_not_pass_over_a_partition_without_rows(
    run: Run, rows: Rows
) -> None:
    both = {"k": ["a", "b"], "id": [3, 4]}
    asset = partitioned({"k": ["a"], "id": [1]}, both, both, mode="ignore")
    run(asset, key="a")
    with pytest.raises(CommitError, match="of the partitions of this run, b have no r"):
        run(asset, keys=("a", "b"))
    assert rows("up") == [{"id": 1, "k": "a"}]


def test_a_definition_with_a_merge_and_another_mode_is_refused(run: Run) -> None:
    metadata = {"mode": "append", "merge": {"on": ["x"]}}
    up = dg.asset(lambda: pa.table({"x": [1]}), name="up", metadata=metadata)

    with pytest.raises(DeltaError, match="and the mode 'append', which would leave it"):
        run(up)
