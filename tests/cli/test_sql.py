"""`dfsession sql` reads the tables of the location, and changes none."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dagster_dfsession.cli.main import main

Cli = Callable[..., Result]
ODD = """
SELECT NULL AS nothing, true AS yes, x'00ff' AS bytes, [1, 2] AS list,
       to_timestamp_nanos(1) AS at, 'a,"b' AS text, '[red]' AS mark
"""

pytestmark = pytest.mark.usefixtures("run_id")


def test_people_see_a_table(cli: Cli) -> None:
    said = cli("sql", "SELECT * FROM spending ORDER BY customer")

    assert said.stdout.splitlines() == [
        "customer   total",
        "────────────────",
        "ann          7.0",
        "bob          5.0",
    ]
    assert (said.stderr, said.exit_code) == ("", 0)


def test_more_rows_than_the_limit_are_told_of_beside_the_output(cli: Cli) -> None:
    query = "SELECT customer FROM raw.orders ORDER BY 1"
    said = {n: cli("sql", query, "--json", "--limit", n) for n in ("0", "2", "3")}

    assert {n: len(json.loads(each.stdout)) for n, each in said.items()} == {
        "0": 3,
        "2": 2,
        "3": 3,
    }
    assert said["2"].stderr == "The first 2 rows; --limit 0 prints all.\n"
    assert said["0"].stderr == said["3"].stderr == ""


def test_every_kind_of_value_has_a_text(cli: Cli) -> None:
    rows = list(csv.reader(io.StringIO(cli("sql", ODD, "--csv").stdout)))

    assert dict(zip(*rows, strict=True)) == {
        "nothing": "",
        "yes": "true",
        "bytes": "00ff",
        "list": "[1, 2]",
        "at": "1970-01-01 00:00:00.000000001Z",
        "text": 'a,"b',
        "mark": "[red]",
    }
    assert "NULL" in (people := cli("sql", ODD).stdout)
    assert "[red]" in people


def test_json_has_values_by_column(cli: Cli) -> None:
    (row,) = json.loads(cli("sql", ODD, "--json").stdout)

    assert row["nothing"] is None
    assert (row["yes"], row["list"]) == (True, [1, 2])
    assert list(row) == sorted(row)


def test_columns_of_one_name_are_refused_in_json_alone(cli: Cli) -> None:
    query = "SELECT * FROM spending JOIN raw.orders USING (customer)"
    both = "SELECT * FROM spending, raw.orders"

    assert cli("sql", query, "--json").exit_code == 0
    assert cli("sql", both).exit_code == 0
    refused = cli("sql", both, "--json")
    assert refused.exit_code == 2
    assert "several columns are called customer" in refused.stderr
    assert refused.stdout == ""


def test_no_rows_leave_the_columns(cli: Cli) -> None:
    query = "SELECT customer FROM spending WHERE false"

    assert cli("sql", query).stdout.startswith("customer\n")
    assert cli("sql", query, "--csv").stdout == "customer\n"
    assert json.loads(cli("sql", query, "--json").stdout) == []


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM spending",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "CREATE TABLE x AS SELECT 1",
        "SET datafusion.execution.batch_size = 1",
    ],
)
def test_what_changes_something_is_refused_whatever_the_profile_allows(
    query: str, cli: Cli, tmp_path: Path
) -> None:
    text = Path("definitions.py").read_text().replace("__file__", "'definitions.py'")
    admin = '{"sql": {"policy": {"preset": "admin"}}}'
    widened = text.replace('"dev"', f'"dev", profile={admin}')
    assert widened != text
    (tmp_path / "widened.py").write_text(widened)

    said = cli("sql", query, "-f", str(tmp_path / "widened.py"))

    assert said.exit_code == 2
    assert said.stderr.startswith("SqlPolicyError: ")
    assert not Path("stolen.csv").exists()


def test_a_query_may_come_from_standard_input() -> None:
    said = CliRunner().invoke(main, ["sql", "-", "--csv"], input="SELECT 1 AS one")

    assert said.stdout == "one\n1\n"


def test_a_table_that_is_not_there_is_told_with_those_that_are(cli: Cli) -> None:
    said = cli("sql", "SELECT * FROM spendin")

    assert said.exit_code == 2
    assert "there is raw.orders, spending. Did you mean 'spending'?" in said.stderr


def test_one_form_is_printed(cli: Cli) -> None:
    said = cli("sql", "SELECT 1", "--json", "--csv")

    assert said.exit_code == 2
    assert "one of --csv and --json" in said.stderr
