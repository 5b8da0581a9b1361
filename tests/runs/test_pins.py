"""All steps of a run read one version of a table, in whichever process they run."""

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.pool.pins import stale_pins
from tests.runs.conftest import Runs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("executor", ["in_process", "multi"])
def test_what_others_write_between_two_steps_is_seen_by_the_next_run(
    runs: Runs, executor: str
) -> None:
    write_deltalake(runs.home / "lake" / "outside", pa.table({"x": [1]}))

    ran, _ = runs.run("pins", executor)
    first = [runs.rows(asset) for asset in ("early", "late")]
    again, _ = runs.run("pins", "in_process")
    second = [runs.rows(asset) for asset in ("early", "late")]

    assert [ran.endswith("True"), again.endswith("True")] == [True, True]
    assert first == [{"outside": [1], "n": [10]}] * 2
    assert second == [{"outside": [2], "n": [10]}] * 2
    over = stale_pins(LakeFiles(Lake(str(runs.home / "lake")).root), lambda _: True)
    assert len(over) == (1 if executor == "multi" else 0)
