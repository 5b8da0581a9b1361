"""Two runs are told apart by what they did, asset by asset."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.history.differences import RunDifference, run_difference
from dagster_dfsession.materialization.records import Change
from dagster_dfsession.replay.differences import split_changes


def things(*sizes: int) -> dg.AssetsDefinition:
    @dg.asset(name="things")
    def made() -> pa.Table:
        return pa.table({"size": sizes})

    return made


def big(least: int) -> dg.AssetsDefinition:
    @dg.asset(name="big", deps=["things"])
    def made(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(f"SELECT size FROM things WHERE size > {least}")

    return made


@dg.asset
def other() -> pa.Table:
    return pa.table({"a": [1]})


@pytest.fixture
def difference(
    run: Callable[..., dg.ExecuteInProcessResult], lake: Path
) -> Callable[..., RunDifference]:
    """Make some assets twice, and hold the second run against the first."""

    def difference(
        first: list[dg.AssetsDefinition],
        second: list[dg.AssetsDefinition],
        keys: tuple[str, str] | None = None,
        **options: object,
    ) -> RunDifference:
        with dg.DagsterInstance.ephemeral() as instance:
            before = run(*first, instance=instance, keys=keys).run_id
            after = run(*second, instance=instance, keys=keys, **options).run_id
            return run_difference(instance, before[:13], after, [Lake(str(lake))])

    return difference


def test_runs_that_did_the_same_have_no_difference(
    difference: Callable[..., RunDifference],
) -> None:
    found = difference([things(1, 2), big(1)], [big(1)])

    assert found.only_before == ("things",)
    (asset,) = found.assets
    assert asset.is_empty
    assert [each.what for each in asset.written] == ["table version"]


def test_what_changed_is_told_asset_by_asset(
    difference: Callable[..., RunDifference],
) -> None:
    found = difference(
        [things(1, 2), big(1)],
        [things(1, 2, 3), big(0), other],
        session={"profile": {"execution": {"batch_size": 77}}},
    )

    assert found.only_after == ("other",)
    asset = {each.asset: each for each in found.assets}["big"]
    assert [(each.what, each.before, each.after) for each in asset.inputs] == [
        ("things", "version 0", "version 1")
    ]
    assert ("rows", "1", "3") in [
        (each.what, each.before, each.after) for each in asset.written
    ]
    assert "datafusion.execution.batch_size" in [each.what for each in asset.session]
    assert "-Filter: things.size > Int64(1)" in asset.plan
    assert "+Filter: things.size > Int64(0)" in asset.plan
    text = str(found)
    assert "other: in the second run alone" in text
    assert "big: different" in text
    assert "    - things = version 0" in text


def test_a_run_that_is_not_there_is_refused(lake: Path) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(RecordError, match="there is no run 'x' in this Dagster"),
    ):
        run_difference(instance, "x", "y", [Lake(str(lake))])


def test_a_function_is_shown_with_what_changed_in_its_text() -> None:
    changes = [
        Change(what=f"function {name}", before=before, after=after)
        for name, before, after in (
            ("half", "one", "other"),
            ("helped", "one", "other"),
            ("new", None, "other"),
            ("unknown", "one", "other"),
        )
    ]
    settings = Change(what="a.setting", before="1", after="2")
    before = {"half": "def half(x):\n    return x / 2", "helped": "same"}
    after = {
        "half": "def half(x):\n    return x / 2.0",
        "helped": "same",
        "new": "def new(): ...",
    }

    rest, functions = split_changes([settings, *changes], before, after)

    assert rest == (settings,)
    sources = {each.name: each.source.splitlines()[-1] for each in functions}
    assert sources == {
        "half": "+    return x / 2.0",
        "helped": "its own text is the same: something that it uses was changed",
        "new": "+def new(): ...",
        "unknown": "its text was not recorded",
    }


def values(last: str) -> dg.AssetsDefinition:
    @dg.asset(name="made")
    def made(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(f"SELECT * FROM (VALUES (1), (2), (3), (4), (5), {last})")

    return made


def test_what_no_plan_shows_is_a_difference(
    difference: Callable[..., RunDifference],
) -> None:
    (asset,) = difference([values("(6)")], [values("(7)")]).assets

    assert "-SELECT * FROM (VALUES (1), (2), (3), (4), (5), (6))" in asset.plan
    assert "+SELECT * FROM (VALUES (1), (2), (3), (4), (5), (7))" in asset.plan
    assert not asset.is_empty


def test_another_comment_is_no_difference(
    difference: Callable[..., RunDifference],
) -> None:
    (asset,) = difference([values("(6)")], [values("(6) /* six */")]).assets

    assert asset.is_empty


def test_other_rows_of_no_query_are_a_difference(
    difference: Callable[..., RunDifference],
) -> None:
    (asset,) = difference([things(1, 2)], [things(1, 3)]).assets

    assert [each.what for each in asset.written] == ["data version", "table version"]
    assert not asset.is_empty


def test_rows_that_nobody_can_tell_apart_are_none(
    difference: Callable[..., RunDifference],
) -> None:
    @dg.asset
    def streamed() -> pa.RecordBatchReader:
        return pa.table({"n": [1]}).to_reader()

    (asset,) = difference([streamed], [streamed]).assets

    assert [each.what for each in asset.written] == ["table version"]
    assert asset.is_empty


def test_each_partition_of_a_run_is_compared(
    difference: Callable[..., RunDifference],
) -> None:
    def parts(*keys: str) -> dg.AssetsDefinition:
        @dg.asset(
            name="parts",
            partitions_def=dg.StaticPartitionsDefinition(["a", "b", "c"]),
            metadata={"partition_expr": "key"},
        )
        def made() -> pa.Table:
            return pa.table({"key": keys})

        return made

    first, second = parts("a", "b", "c"), parts("a", "a", "b", "c")
    (asset,) = difference([first], [second], keys=("a", "c")).assets

    assert ("rows of a", "1", "2") in [
        (each.what, each.before, each.after) for each in asset.written
    ]


def test_an_input_made_anew_is_a_difference(
    run: Callable[..., dg.ExecuteInProcessResult], lake: Path
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(things(1, 2), instance=instance)
        before = run(big(1), instance=instance).run_id
        shutil.rmtree(lake / "things")
        run(things(1, 3), instance=instance)
        after = run(big(1), instance=instance).run_id
        (asset,) = run_difference(instance, before, after, [Lake(str(lake))]).assets

    assert [each.what for each in asset.inputs] == ["content of things"]


def test_another_way_of_writing_is_a_difference(
    difference: Callable[..., RunDifference],
) -> None:
    def appended(mode: str) -> dg.AssetsDefinition:
        @dg.asset(name="appended", metadata={"mode": mode})
        def made() -> pa.Table:
            return pa.table({"n": [1]})

        return made

    (asset,) = difference([appended("overwrite")], [appended("append")]).assets

    assert ("mode", "overwrite", "append") in [
        (each.what, each.before, each.after) for each in asset.written
    ]
