"""`dfsession sql`: a query over the tables of the assets."""

import contextlib
import sys

import click

from dagster_dfsession.cli.options import json_option, location_options
from dagster_dfsession.cli.output import show, show_text, working
from dagster_dfsession.cli.rows import json_rows, print_csv, shown_rows
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.pool.asking import read_query
from dagster_dfsession.query.first_rows import FirstRows


@click.command
@click.argument("query")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Print so many rows at most; 0: all.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@location_options
@json_option
def command(
    *, location: CodeLocation, query: str, limit: int, as_csv: bool, as_json: bool
) -> None:
    """Run QUERY over the tables of the location's assets; `-` reads it from stdin.

    A table is called as in assets: `raw.flights` is the key raw/flights. Queries read
    and change nothing, whatever the profile allows: there is no DDL, DML, COPY or SET.
    Whether there are more rows than the limit is said on stderr.

    \b
    Examples:
        dfsession sql "SELECT carrier, count(*) FROM flights GROUP BY carrier"
        dfsession sql "SHOW TABLES"
        dfsession sql "SELECT * FROM raw.flights" --limit 0 --csv > flights.csv
        dfsession sql - --json < query.sql | jq '.[].carrier'
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    text = sys.stdin.read() if query == "-" else query
    with contextlib.closing(location.queries()) as sessions:
        lease = sessions.common_lease()
        result = read_query(text, sessions.current, lease, params=None, tables={})
        rows = FirstRows(result, limit or None)
        if as_csv:
            print_csv(rows)
        elif as_json:
            show(json_rows(rows), "", as_json=True)
        else:
            with working("running the query"):
                shown = shown_rows(rows)
            show_text(shown)
    if rows.more:
        click.echo(f"The first {limit:,} rows; --limit 0 prints all.", err=True)
