"""A table that is not there: which asset keys a message tells of, and when they are asked."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource, TableNotFoundError
from dagster_dfsession.pool.tables import RunTables

Run = Callable[..., dg.ExecuteInProcessResult]

LOCATION = Path(__file__).parent / "locations" / "names.py"


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"x": [1]})


@dg.asset
def right(dfsession: DataFusionSessionResource) -> DataFrame:
    dfsession.register("part", pa.table({"x": [1]}))
    return dfsession.sql("SELECT x FROM part")


@dg.asset
def wrong(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT * FROM raw.flight")


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of Dagster, to name it."""
    asked: list[Any] = []
    before = RunTables.add_known

    def add_known(self: RunTables, keys: Any) -> None:
        asked.extend(keys)
        before(self, keys)

    monkeypatch.setattr(RunTables, "add_known", add_known)
    return asked


@pytest.mark.slow
def test_all_keys_of_the_code_location_are_told_and_the_nearest_is_meant(
    tmp_path: Path,
) -> None:
    (tmp_path / "dagster.yaml").touch()
    home = {
        "DAGSTER_HOME": str(tmp_path),
        "DFSESSION_TEST_LAKE": str(tmp_path / "lake"),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dagster",
            "job",
            "execute",
            "-f",
            LOCATION,
            "-j",
            "wrong",
        ],
        env=os.environ | home,
        check=False,
        capture_output=True,
        text=True,
    )

    found = [line for line in done.stderr.splitlines() if "TableNotFoundError" in line]
    assert done.returncode != 0
    assert found[0].partition(": ")[2] == snapshot(
        "table 'raw.flight' was not found; there is raw.flights, right, unrelated, wrong. Did you mean 'raw.flights'? A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame)."
    )
    assert not (tmp_path / "lake" / "wrong").exists()


def test_a_run_without_a_code_location_tells_the_keys_of_its_job(run: Run) -> None:
    with pytest.raises(TableNotFoundError, match=r"Did you mean 'raw\.flights'\?"):
        run(flights, wrong)


def test_keys_are_asked_for_only_where_a_message_needs_them(
    run: Run, announced: list[Any]
) -> None:
    run(flights, right)
    assert announced == []

    with pytest.raises(TableNotFoundError):
        run(flights, wrong)
    assert ["raw", "flights"] in announced


def test_the_information_schema_lists_the_keys_that_have_a_table(run: Run) -> None:
    seen: list[Any] = []

    @dg.asset(deps=[flights])
    def lists(dfsession: DataFusionSessionResource) -> None:
        rows = dfsession.sql(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('information_schema', 'dfsession')"
        ).to_pydict()
        seen.extend(zip(rows["table_schema"], rows["table_name"], strict=True))

    run(flights, lists)

    assert seen == [("raw", "flights")]
