"""`dfsession check` plans views too, and each asset by its own session."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

DEFINITIONS = """
import dagster as dg
import pyarrow as pa

from dagster_dfsession import (
    DataFusionDeltaIOManager, DataFusionSessionResource, load_sql_assets, sql_asset
)

COLUMNS = {"Carrier": "string", "delay": "double"}


@dg.asset(metadata={"contract": {"schema": COLUMNS}})
def flights() -> pa.Table:
    ...


plain = DataFusionSessionResource(preset="dev")
exact = DataFusionSessionResource(
    preset="dev", profile={"sql": {"ident_normalization": "off"}, MORE}
)
ours = sql_asset(
    name="ours", sql="SELECT Carrier FROM flights", session=exact, session_key="exact"
)
theirs = sql_asset(
    name="theirs", sql="SELECT Carrier FROM flights", session=plain, session_key="plain"
)
defs = dg.Definitions(
    assets=[flights, ours, theirs, *load_sql_assets("sql", external=["flights"])],
    resources={
        "exact": exact,
        "plain": plain,
        "dfsession": plain,
        "io_manager": DataFusionDeltaIOManager(session=plain, root_uri="lake"),
    },
)
"""


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a location of three session resources with a view in a SQL folder."""
    monkeypatch.chdir(tmp_path)

    def write(column: str = "delay", more: str = "") -> None:
        (tmp_path / "definitions.py").write_text(DEFINITIONS.replace("MORE", more))
        (tmp_path / "sql").mkdir()
        (tmp_path / "sql" / "late.sql").write_text(
            "/* ---\nkept: view\nparams: {least: 30}\n--- */\n"
            f"SELECT row_number() OVER () AS n, {column}\n"
            "FROM flights WHERE delay > $least\n"
        )

    return write


def test_each_asset_is_planned_by_its_own_session(
    location: Callable[..., None], cli: Callable[..., Result]
) -> None:
    location()

    said = cli("check")

    assert said.exit_code == 1
    assert "4 assets: 1 assumed, 1 failed, 2 ok" in said.output
    assert "theirs" in said.output
    assert "carrier" in said.output
    assert "ours" not in said.output


def test_the_query_of_a_view_is_planned(
    location: Callable[..., None], cli: Callable[..., Result]
) -> None:
    location(column="dely")

    items = json.loads(cli("check", "--json").stdout)["items"]
    (late,) = (each for each in items if each["asset"] == "late")

    assert late["status"] == "failed"
    assert late["faults"] == [
        {
            "name": "dely",
            "places": [[5, 35]],
            "suggestion": "flights.delay",
        }
    ]


def test_sessions_that_differ_in_how_far_to_go_want_to_be_told(
    location: Callable[..., None], cli: Callable[..., Result]
) -> None:
    location(more='"bootstrap": {"mode": "one_row"}')

    said = cli("check")

    assert said.exit_code == 2
    assert "differ in bootstrap.mode (dfsession: " in " ".join(said.output.split())
    assert cli("check", "--mode", "plan").exit_code == 1
