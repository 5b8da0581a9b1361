"""Data versions as Dagster stores them: they change where rows could, and only there."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame, col

from dagster_dfsession import DataFusionSessionResource

Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"x": list(range(100))})


@dg.asset
def evens(numbers: DataFrame) -> DataFrame:
    return numbers.filter(col("x") % 2 == 0)


@dg.asset(deps=[evens])
def total(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT sum(x) AS x FROM evens")


GRAPH = (numbers, evens, total)


class Made:
    """The materializations of a run, by asset."""

    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.run_id = result.run_id
        self.events = {
            event.asset_key.to_user_string(): event.materialization
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None
        }

    def tags(self, name: str) -> dict[str, str | None]:
        return {key: (each.tags or {}).get(name) for key, each in self.events.items()}

    @property
    def versions(self) -> dict[str, str | None]:
        return self.tags("dagster/data_version")

    @property
    def changes(self) -> set[Any]:
        return {e.metadata["dfsession/changes"].value for e in self.events.values()}


@pytest.fixture
def first(run: Run) -> Made:
    return Made(run(*GRAPH))


def test_the_first_run_has_nothing_to_compare_with(first: Made) -> None:
    assert first.changes == {"first materialization"}
    assert set(first.versions) == {"numbers", "evens", "total"}


def test_a_second_run_changes_nothing(run: Run, first: Made) -> None:
    again = Made(run(*GRAPH))

    assert again.changes == {"none"}
    assert again.versions == first.versions


def test_a_child_is_told_the_version_that_its_parent_has_after_either_run(
    run: Run, first: Made
) -> None:
    again = Made(run(*GRAPH))

    for made in (first, again):
        read = made.tags("dagster/input_data_version/numbers")["evens"]
        assert read == first.versions["numbers"]
        read = made.tags("dagster/input_data_version/evens")["total"]
        assert read == first.versions["evens"]


def test_a_changed_batch_size_is_told_and_changes_no_version(
    run: Run, first: Made
) -> None:
    again = Made(run(*GRAPH, session={"profile": {"execution": {"batch_size": 1000}}}))

    (told,) = again.changes
    assert str(told).startswith(
        "```diff\n"
        "- datafusion.execution.batch_size = 8192\n"
        "+ datafusion.execution.batch_size = 1000\n"
    )
    assert again.versions == first.versions


def test_a_changed_time_zone_changes_the_versions_of_queries(
    run: Run, first: Made
) -> None:
    zone = {"profile": {"hardening": {"time_zone": "Europe/Vienna"}}}
    again = Made(run(*GRAPH, session=zone))

    changed = {
        key for key in first.versions if again.versions[key] != first.versions[key]
    }
    assert changed == {"evens", "total"}  # rows that were made in Python are the same


def test_the_run_is_tagged_with_its_session(
    run: Run, instance: dg.DagsterInstance
) -> None:
    made = Made(run(*GRAPH, instance=instance))

    stored = instance.get_run_by_id(made.run_id)
    session_hash = made.events["total"].metadata["dfsession/session_hash"].value
    assert stored is not None
    assert stored.tags["dfsession/session"] == str(session_hash)[:16]
