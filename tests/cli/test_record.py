"""`dfsession record` and `dfsession explain`: how an asset was made."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Cli = Callable[..., Result]


def test_the_record_of_an_asset_is_told_to_people(cli: Cli, run_id: str) -> None:
    said = cli("record", "spending").stdout

    assert said.startswith(f"asset    spending of run {run_id[:8]}\n")
    for line in (
        "rows     2",
        "SELECT customer, sum(price) AS total FROM raw.orders GROUP BY 1",
        "    TableScan: raw.orders projection=[customer, price]",
    ):
        assert f"{line}\n" in said
    (read,) = (line for line in said.splitlines() if line.startswith("raw.orders"))
    assert read.split()[:6] == ["raw.orders", "0", "1", "native", "scan", "all"]
    (changed,) = (line for line in said.splitlines() if "default_catalog " in line)
    assert changed.split()[1:] == ["lake", "datafusion", "yes"]


def test_the_record_is_there_as_a_whole(cli: Cli, run_id: str) -> None:
    told = json.loads(cli("record", "spending", "--run", run_id, "--json").stdout)

    assert told["materialized"]["run_id"] == run_id
    assert told["record"]["version"] == 2
    assert told["record"]["inputs"][0]["table"] == "raw.orders"
    assert "datafusion.execution.batch_size" in told["record"]["session"]["settings"]


@pytest.mark.usefixtures("run_id")
def test_rows_of_no_query_have_a_record_without_one(cli: Cli) -> None:
    said = cli("record", "raw.orders")

    assert said.exit_code == 0
    assert said.stdout.endswith(
        "\nIt cannot be replayed: its rows did not come from a query.\n"
    )
    assert "input" not in said.stdout


@pytest.mark.usefixtures("run_id")
@pytest.mark.parametrize("command", ["record", "explain --asset", "replay"])
def test_a_run_that_is_not_there_is_refused(command: str, cli: Cli) -> None:
    said = cli(*command.split(), "spending", "--run", "none")

    assert (said.exit_code, said.stdout) == (2, "")
    assert "no materialization of spending by run none" in said.stderr


@pytest.mark.usefixtures("run_id")
def test_explain_shows_what_a_query_reads(cli: Cli) -> None:
    said = cli("explain", "SELECT customer FROM raw.orders WHERE price > 9").stdout

    optimized, _, physical = said.partition("\n\n")
    assert optimized.startswith("optimized plan\n")
    assert physical.startswith("physical plan\n")
    assert "rows]" not in physical


@pytest.mark.usefixtures("run_id")
def test_explain_runs_the_query_where_asked(cli: Cli) -> None:
    query = "SELECT customer FROM raw.orders WHERE price > 3"
    told = json.loads(cli("explain", query, "--level", "analyze", "--json").stdout)

    assert told["query"] == query
    assert ", 2 rows\n" in told["plan"]


def test_explain_shows_the_recorded_plan_of_an_asset(cli: Cli, run_id: str) -> None:
    said = cli("explain", "--asset", "spending").stdout
    again = cli("explain", "--asset", "spending", "--level", "analyze").stdout

    title, _, plan = said.partition("\n")
    assert title == f"recorded plan of spending of run {run_id[:8]}"
    assert plan.strip() in again
    assert ", 2 rows\n" in again


@pytest.mark.usefixtures("run_id")
def test_explain_refuses_an_asset_without_a_plan(cli: Cli) -> None:
    said = cli("explain", "--asset", "raw/orders")

    assert said.exit_code == 2
    assert "has no plan: its rows did not come from a query" in said.stderr


def test_explain_plans_the_query_of_a_sql_asset_that_never_ran(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    path = project / "definitions.py"
    added = "assets=[orders, spending, sql_asset(name='one', sql='SELECT $n AS n', params={'n': 1})]"
    text = path.read_text().replace("assets=[orders, spending]", added)
    path.write_text(f"from dagster_dfsession import sql_asset\n{text}")

    said = cli("explain", "--asset", "one")
    without_a_home = cli("explain", "--asset", "spending")

    assert "Projection: Int64(1) AS n" in said.stdout
    assert without_a_home.exit_code == 2
    assert "Set DAGSTER_HOME" in without_a_home.stderr


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "options", [(), ("SELECT 1", "--asset", "x"), ("SELECT 1", "--run", "x")]
)
def test_explain_is_about_a_query_or_an_asset(
    options: tuple[str, ...], cli: Cli
) -> None:
    assert cli("explain", *options).exit_code == 2
