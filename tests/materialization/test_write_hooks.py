"""Hooks around writes: told what is written, able to refuse, never in the way."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

import dagster_dfsession as dfs
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.replay.again import replay

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2]})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the hooks of the module `shop_writes` were told."""
    module, told = ModuleType("shop_writes"), list[tuple[str, Any]]()

    def named(name: str) -> Callable[[Any], None]:
        return lambda given: told.append((name, given))

    def refuses(given: Any) -> None:
        raise PermissionError(f"no {type(given).__name__} today")

    vars(module).update(
        before=named("before"),
        after=named("after"),
        error=named("error"),
        refuses=refuses,
    )
    monkeypatch.setitem(sys.modules, "shop_writes", module)
    return told


def hooks(**events: Any) -> dict[str, Any]:
    return {"profile": {"hooks": events}}


def test_hooks_are_told_of_target_and_materialization(
    run: Run, rows: Rows, calls: list[tuple[str, Any]]
) -> None:
    run(
        numbers,
        session=hooks(
            before_write=["shop_writes:before"],
            after_write=["shop_writes:after"],
            on_error=["shop_writes:error"],
        ),
    )

    (before, target), (after, written) = calls
    assert (before, after) == ("before", "after")
    assert isinstance(target, Target)
    assert isinstance(written, Materialization)
    assert written.target is target
    assert target.key == ("numbers",)
    assert written.written.version == 0
    assert {each.event for each in written.session.hooks} == {"before_write", "after_write", "on_error"}  # fmt: skip
    assert rows("numbers") == [{"n": 1}, {"n": 2}]


def test_a_hook_that_refuses_leaves_nothing_written(
    run: Run, lake: Any, calls: list[tuple[str, Any]]
) -> None:
    refusing = hooks(
        before_write=["shop_writes:refuses"], on_error=["shop_writes:error"]
    )
    with pytest.raises(DeltaError) as refused:
        run(numbers, session=refusing)

    assert str(refused.value) == (
        "hook 'shop_writes:refuses' (before_write) raised PermissionError: no Target "
        "today; nothing was written"
    )
    assert [name for name, _ in calls] == ["error"]
    assert not (lake / "numbers").exists()


def test_a_hook_that_fails_after_the_commit_says_that_it_is_written(
    run: Run, rows: Rows, calls: list[tuple[str, Any]]
) -> None:
    with pytest.raises(DeltaError, match="the table is written"):
        run(numbers, session=hooks(after_write=["shop_writes:refuses"]))

    assert rows("numbers") == [{"n": 1}, {"n": 2}]
    assert calls == []


def test_a_query_is_told_once_though_it_is_planned_again_to_be_run(
    run: Run, rows: Rows, calls: list[tuple[str, Any]]
) -> None:
    @dg.asset(deps=[numbers], required_resource_keys={"dfsession"})
    def doubled(context: dg.AssetExecutionContext) -> DataFrame:
        frame: DataFrame = context.resources.dfsession.sql("SELECT 2 * n AS n FROM numbers WHERE n > 1")  # fmt: skip
        return frame

    run(numbers, doubled, session=hooks(before_query=["shop_writes:before"]))

    assert calls == [("before", "SELECT 2 * n AS n FROM numbers WHERE n > 1")]
    assert rows("doubled") == [{"n": 4}]


def test_a_replay_writes_nothing_that_hooks_could_be_told_of(
    run: Run, lake: Path, calls: list[tuple[str, Any]]
) -> None:
    @dg.asset
    def one(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT 1 AS n")

    with dg.DagsterInstance.ephemeral() as instance:
        told = hooks(
            before_write=["shop_writes:before"], after_write=["shop_writes:after"]
        )
        run(one, session=told, instance=instance)
        calls.clear()
        made = find_materialized(instance, dg.AssetKey("one"))
        replayed = replay(made, [Lake(str(lake))])

    assert replayed.rows.outcome == "equal"
    assert calls == []
