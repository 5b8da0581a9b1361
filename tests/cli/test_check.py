"""`dfsession check` finds what does not fit, and its exit status says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from inline_snapshot import snapshot

DEFINITIONS = """
import dagster as dg
import pyarrow as pa

from dagster_dfsession import (
    DataFusionDeltaIOManager, DataFusionSessionResource, sql_asset
)

COLUMNS = {"customer": "string", "price": "double"}


@dg.asset(key_prefix="raw", metadata={"contract": {"schema": COLUMNS}})
def orders() -> pa.Table:
    ...


spending = sql_asset(
    name="spending",
    sql='''
        SELECT customer,
               sum(PRICE) AS total
        FROM raw.orders
        GROUP BY customer
    ''',
)
best = sql_asset(name="best", sql="SELECT customer FROM spending LIMIT 1")
customers = sql_asset(name="customers", sql="SELECT DISTINCT customer FROM raw.orders")
session = DataFusionSessionResource(preset="dev")
defs = dg.Definitions(
    assets=[orders, spending, best, customers],
    resources={
        "dfsession": session,
        "io_manager": DataFusionDeltaIOManager(session=session, root_uri="lake"),
    },
)
"""


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a definitions.py in which the query of `spending` sums that column."""
    monkeypatch.chdir(tmp_path)

    def write(column: str) -> Path:
        path = tmp_path / "definitions.py"
        path.write_text(DEFINITIONS.replace("PRICE", column))
        return path

    return write


def test_a_sound_location_is_one_line_and_status_0(
    location: Callable[[str], Path], cli: Callable[..., Result]
) -> None:
    location("price")

    said = cli("check")

    assert (said.exit_code, said.output) == (0, "4 assets: 1 assumed, 3 ok\n")


def test_what_does_not_fit_is_told_as_data_and_status_1(
    location: Callable[[str], Path], cli: Callable[..., Result]
) -> None:
    path = location("prize")

    first, second = cli("check", "--json"), cli("check", "--json")

    assert first.exit_code == 1
    assert first.stdout == second.stdout
    assert str(path.parent) not in first.stdout
    report = json.loads(first.stdout)
    assert not report["success"]
    assert [each for each in report["items"] if each["status"] != "ok"] == snapshot(
        [
            {
                "asset": "raw/orders",
                "causes": [],
                "faults": [],
                "message": "",
                "status": "assumed",
            },
            {
                "asset": "spending",
                "causes": [],
                "faults": [
                    {
                        "name": "prize",
                        "places": [[3, 20]],
                        "suggestion": "raw.orders.price",
                    }
                ],
                "message": "planning 'SELECT customer, sum(prize) AS total FROM raw.orders GROUP BY customer', line 3, column 20: No field named prize. Did you mean 'raw.orders.price'? Valid fields are raw.orders.customer, raw.orders.price.",
                "status": "failed",
            },
            {
                "asset": "best",
                "causes": ["spending"],
                "faults": [],
                "message": "reads spending, which failed",
                "status": "blocked",
            },
        ]
    )


def test_what_does_not_fit_is_told_to_people(
    location: Callable[[str], Path], cli: Callable[..., Result]
) -> None:
    location("prize")

    said, everything = cli("check"), cli("check", "--all")

    assert said.exit_code == 1
    assert "3:20 prize -> raw.orders.price" in said.output
    assert "reads spending, which failed" in said.output
    assert "customers" not in said.output
    assert "customers" in everything.output


def test_the_check_leaves_nothing_behind(
    location: Callable[[str], Path], cli: Callable[..., Result]
) -> None:
    path = location("price")

    assert cli("check", "--mode", "one_row").exit_code == 0
    assert {each.name for each in path.parent.iterdir()} <= {
        "definitions.py",
        "__pycache__",
    }
