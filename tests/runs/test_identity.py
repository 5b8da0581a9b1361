"""The same query over the same rows is the same, wherever and whenever it runs."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from tests.runs.conftest import Runs

pytestmark = pytest.mark.slow

HASHES = ("session_hash", "udf_snapshot_hash", "plan_hash")


def hashes(made: Mapping[str, dg.AssetMaterialization]) -> dict[str, list[object]]:
    return {
        asset: [
            event.metadata[f"dfsession/{name}"].value
            for name in HASHES
            if f"dfsession/{name}" in event.metadata
        ]
        for asset, event in made.items()
    }


def data_versions(made: Mapping[str, dg.AssetMaterialization]) -> dict[str, str]:
    return {
        asset: (event.tags or {})["dagster/data_version"]
        for asset, event in made.items()
    }


def changes(made: Mapping[str, dg.AssetMaterialization]) -> set[object]:
    return {event.metadata["dfsession/changes"].value for event in made.values()}


def test_one_process_or_many_make_the_same_hashes_and_data_versions(
    tmp_path: Path,
) -> None:
    alone, many = Runs(tmp_path / "alone"), Runs(tmp_path / "many")
    alone.run("graph", "in_process")
    many.run("graph", "multi")

    assert hashes(alone.materialized()) == hashes(many.materialized())
    assert data_versions(alone.materialized()) == data_versions(many.materialized())
    assert many.spill_directories() == []


def test_siblings_that_register_one_name_at_once_do_not_meet(runs: Runs) -> None:
    ran, _ = runs.run("siblings", "multi")

    assert ran.endswith("True")
    assert runs.rows("left") == {"n": [10]}
    assert runs.rows("right") == {"n": [20]}


def test_only_what_could_change_rows_changes_data_versions(runs: Runs) -> None:
    runs.run("graph", "in_process")
    first = runs.materialized()
    runs.run("graph", "in_process")
    again = runs.materialized()
    runs.run("graph", "in_process", RUNS_BATCH_SIZE="4096")
    batches = runs.materialized()
    runs.define_twice("2 + 0")
    runs.run("graph", "in_process")
    body = runs.materialized()

    assert changes(again) == {"none"}
    assert data_versions(again) == data_versions(first)
    assert all("batch_size = 4096" in str(each) for each in changes(batches))
    assert data_versions(batches) == data_versions(first)
    assert hashes(batches) != hashes(first)
    assert all("function twice" in str(each) for each in changes(body))
    before, after = data_versions(first), data_versions(body)
    assert [key for key in after if after[key] != before[key]] == ["doubled"]
