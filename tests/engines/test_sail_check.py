"""`dfsession check` tells what Sail would read otherwise, before any run."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

import dagster_dfsession as dfs
from dagster_dfsession.bootstrap.check import bootstrap_session
from dagster_dfsession.bootstrap.report import BootstrapItem
from dagster_dfsession.bootstrap.request import BootstrapAsset, BootstrapRequest, Query
from dagster_dfsession.cli.main import main
from dagster_dfsession.errors import Place
from dagster_dfsession.profile.bootstrap import BootstrapMode, BootstrapProfile
from dagster_dfsession.profile.cache import CacheProfile, PlansOnDisk
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.profile.sql import SqlProfile

COLUMNS: "list[pa.Field[Any]]" = [
    pa.field("n", pa.int64()),
    pa.field("i", pa.int32()),
    pa.field("x", pa.float64()),
]
TABLE = BootstrapAsset(key="t", columns=pa.schema(COLUMNS))
DIVIDED = "SELECT n,\n  n / i AS share FROM t"
DEFINITIONS = """
import dagster as dg
import dagster_dfsession as dfs

t = dg.AssetSpec("t", metadata={"contract": {"schema": {"a": "int64", "b": "int64"}}})
made = dfs.sql_asset(name="made", sql="SELECT a / b AS share FROM t", engine="ENGINE")
session = dfs.DataFusionSessionResource(preset="dev")
defs = dg.Definitions(
    assets=[t, made],
    resources={
        "dfsession": session,
        "io_manager": dfs.DataFusionDeltaIOManager(session=session, root_uri="lake"),
    },
)
"""


def checked(
    query: str, engine: EngineName = "sail", **profile: Any
) -> dict[str, BootstrapItem]:
    made = BootstrapAsset(key="made", made=Query(query, engine=engine))
    behind = BootstrapAsset(key="behind", made=Query("SELECT shar FROM made"))
    asked = dfs.SessionProfile(name="check", **profile)
    report = bootstrap_session(asked, BootstrapRequest((TABLE, made, behind)))
    return {item.asset: item for item in report.items}


@pytest.mark.parametrize("mode", ["plan", "zero_rows", "one_row"])
def test_integers_divided_by_one_another_are_told_with_their_place(
    mode: BootstrapMode,
) -> None:
    found = checked(DIVIDED, bootstrap=BootstrapProfile(mode=mode))["made"]

    assert found.status == "failed"
    assert "refuses a / b of integers" in found.message
    assert "write CAST(a AS DOUBLE) / b" in found.message
    assert found.faults[0].places == (Place(2, 5),)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT i + 2147483647 AS share FROM t", "refuses t.i + 1"),
        ("SELECT 65536 * (32767 + 1) AS share", "stated numbers"),
        ("SELECT x * 1.5 AS share FROM t", "set sql.float_as_decimal"),
        ("SELECT n AS share FROM t ORDER BY n LIMIT 1", "NULLS FIRST or NULLS LAST"),
        ("SELECT without_null(n) AS share FROM t", "without_null, which Sail does not"),
    ],
)
def test_what_needs_types_or_settings_is_told(sql: str, message: str) -> None:
    functions = FunctionsProfile(modules=("tests.assets.udfs",))
    found = checked(sql, functions=functions)
    here = checked(sql, "datafusion", functions=functions)

    assert found["made"].status == "failed"
    assert message in found["made"].message
    assert here["made"].status == "ok"


def test_what_reads_an_asset_that_sail_would_not_run_is_checked_as_well() -> None:
    found = checked(DIVIDED)["behind"]

    assert found.status == "failed"
    assert found.faults[0].suggestion == "made.share"


def test_a_query_that_both_read_alike_fits() -> None:
    spark = SqlProfile(float_as_decimal=True, null_ordering="nulls_min")
    query = "SELECT x * 1.5 AS shar FROM t ORDER BY x LIMIT 1"
    found = checked(query, sql=spark)

    assert [each.status for each in found.values()] == ["assumed", "ok", "ok"]


def test_columns_kept_of_another_engine_hide_nothing(tmp_path: Path) -> None:
    kept = CacheProfile(plans=PlansOnDisk(directory=str(tmp_path)))
    here = checked(DIVIDED, "datafusion", cache=kept)["made"]
    there = checked(DIVIDED, cache=kept)["made"]

    assert (here.status, there.status) == ("ok", "failed")


@pytest.mark.parametrize(("engine", "status"), [("sail", 1), ("datafusion", 0)])
def test_the_command_tells_it_of_a_code_location(
    engine: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("definitions.py").write_text(DEFINITIONS.replace("ENGINE", engine))

    said = CliRunner().invoke(main, ["check", "--json"])

    assert said.exit_code == status
    items = {each["asset"]: each for each in json.loads(said.stdout)["items"]}
    assert ("a / b of integers" in items["made"]["message"]) == (engine == "sail")
