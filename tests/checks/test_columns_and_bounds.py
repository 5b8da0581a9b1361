"""Checks of what materializations say of themselves under the keys of this package."""

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dagster_dfsession import (
    DfSessionError,
    build_metadata_bounds_checks,
    build_schema_change_checks,
    build_session_drift_checks,
    sql_asset,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[..., dg.AssetCheckEvaluation]


def made(**columns: Any) -> dg.AssetsDefinition:
    @dg.asset(metadata={"schema_mode": "overwrite"})
    def things() -> pa.Table:
        return pa.table(columns)

    return things


def changed(run: Run, check: Check, *versions: dict[str, Any]) -> Any:
    for each in versions:
        run(made(**each))
    asset = made(**versions[-1])
    return check(asset, *build_schema_change_checks([asset]))


def test_columns_that_changed_are_told_in_a_table(run: Run, check: Check) -> None:
    found = changed(run, check, {"a": [1], "b": [1]}, {"b": ["x"], "c": [1.5]})

    assert not found.passed
    assert found.description == "Other columns than before: a, b, c."
    records = found.metadata["dfsession/column_changes"].value.records
    assert [tuple(each.data.values()) for each in records] == [
        ("a", "int64", ""),
        ("b", "int64", "string"),
        ("c", "", "double"),
    ]


def test_columns_in_another_order_are_the_same(run: Run, check: Check) -> None:
    assert changed(run, check, {"a": [1], "b": [1]}, {"b": [2], "a": [3]}).passed


def test_the_first_materialization_has_nothing_to_differ_from(
    run: Run, check: Check
) -> None:
    assert changed(run, check, {"a": [1]}).passed


def test_a_change_in_a_table_too_wide_to_be_shown_is_noticed(
    run: Run, check: Check
) -> None:
    wide = {f"column_with_a_long_name_{n}": [n] for n in range(300)}

    assert changed(run, check, wide, wide).passed
    assert not changed(run, check, wide, wide | {"more": [1]}).passed


def test_what_was_never_materialized_or_not_by_this_package_fails(
    run: Run, check: Check
) -> None:
    spec = dg.AssetSpec("things")
    checks = build_schema_change_checks([spec])

    assert check(spec, *checks).description == "It was never materialized."

    @dg.asset
    def things() -> None:
        """Something that is no table."""

    run(things)
    assert "has no 'dagster/column_schema'" in str(check(spec, *checks).description)


@pytest.mark.parametrize(
    ("bounds", "passed"),
    [
        ({"min_value": 2}, True),
        ({"min_value": 3}, False),
        ({"max_value": 2}, True),
        ({"max_value": 1}, False),
        ({"min_value": 1, "max_value": 3}, True),
    ],
)
def test_a_measure_is_held_between_its_bounds(
    run: Run, check: Check, bounds: dict[str, Any], *, passed: bool
) -> None:
    things = made(a=[1, 2])
    run(things)

    checks = build_metadata_bounds_checks(
        [things], metadata_key="dagster/row_count", **bounds
    )
    found = check(things, *checks)

    assert found.passed == passed
    assert found.check_name == "row_count_bounds"
    assert found.metadata["dagster/row_count"].value == 2


def test_a_measure_of_queries_does_not_fail_where_no_query_ran(run: Run) -> None:
    arrow = made(a=[1])
    query = sql_asset(name="query", sql="SELECT a FROM things")
    checks = build_metadata_bounds_checks(
        [arrow, query], metadata_key="dfsession/rows_read", min_value=2
    )
    result = run(arrow, query, *checks)
    found = {each.asset_key: each for each in result.get_asset_check_evaluations()}

    assert found[arrow.key].passed
    assert "the rows did not come from one" in str(found[arrow.key].description)
    assert not found[query.key].passed


def test_a_measure_that_is_not_there_fails(run: Run, check: Check) -> None:
    run(things := made(a=[1]))
    checks = build_metadata_bounds_checks(
        [things], metadata_key="dfsession/rows_inserted", min_value=0
    )

    assert check(things, *checks).description == (
        "The last materialization has no dfsession/rows_inserted."
    )

    @dg.asset(name="things")
    def others() -> None:
        """Something that this package did not write."""

    run(others)
    checks = build_metadata_bounds_checks(
        [others], metadata_key="dfsession/rows_read", min_value=0
    )
    assert not check(others, *checks).passed


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({}, "was given no bounds, so no number is wrong; give min_value"),
        ({"min_value": 2, "max_value": 1}, "the bounds 2 to 1, so no number is right"),
    ],
)
def test_bounds_that_say_nothing_are_refused(bounds: dict[str, Any], said: str) -> None:
    with pytest.raises(DfSessionError, match=said):
        build_metadata_bounds_checks([], metadata_key="dagster/row_count", **bounds)


def test_a_key_that_is_no_measure_is_refused_with_what_was_meant() -> None:
    with pytest.raises(DfSessionError, match="Did you mean 'dfsession/rows_read'"):
        build_metadata_bounds_checks([], metadata_key="dfsession/row_read", min_value=1)


@pytest.mark.parametrize(
    "build",
    [
        build_schema_change_checks,
        build_session_drift_checks,
        lambda assets: build_metadata_bounds_checks(
            assets, metadata_key="dagster/row_count", min_value=1
        ),
    ],
)
def test_a_view_that_is_never_materialized_has_no_such_check(build: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        view = dg.AssetSpec("view", is_virtual=True)

    assert build([view]) == []
    assert len(build([view, dg.AssetSpec("table")])) == 1
