"""What is generated is fresh, and what the README shows of an error is that error."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

import dagster_dfsession as dfs

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "generate.py"


def generate(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, root / "docs" / "generate.py", *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_reference_and_the_readme_are_fresh() -> None:
    checked = generate(ROOT, "--check")

    assert checked.stdout == ""
    assert checked.stderr == ""
    assert checked.returncode == 0, "run `make docs`"


def test_the_readme_shows_a_real_error(tmp_path: Path) -> None:
    @dg.asset
    def orders() -> pa.Table:
        return pa.table({"customer": ["ann"], "price": [3.0]})

    @dg.asset(deps=[orders])
    def spending(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(
            "SELECT customer, sum(price) AS total FROM oders GROUP BY 1"
        )

    session = dfs.DataFusionSessionResource(preset="dev")
    lake = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(tmp_path))

    with pytest.raises(dfs.TableNotFoundError) as refused:
        dg.materialize(
            [orders, spending], resources={"dfsession": session, "io_manager": lake}
        )

    shown = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"TableNotFoundError: {refused.value}" in shown
