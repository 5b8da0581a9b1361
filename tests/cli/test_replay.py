"""`dfsession replay` and `dfsession diff` on a project with a Dagster home."""

import json
from collections.abc import Callable

from click.testing import Result
from inline_snapshot import snapshot

Cli = Callable[..., Result]


def test_what_is_equal_ends_with_0(cli: Cli, run_id: str) -> None:
    done = cli("replay", "spending", "--run", run_id[:8])

    assert (
        done.output
        == f"""\
spending of run {run_id[:8]}, version 0 of the table
equal: 2 rows
"""
    )
    assert done.exit_code == 0


def test_what_cannot_be_replayed_ends_with_2(cli: Cli, run_id: str) -> None:
    done = cli("replay", "raw/orders")

    assert done.stderr.replace(run_id[:8], "RUN") == snapshot(
        "RecordError: raw/orders of run RUN cannot be replayed: its rows did not come from a query\n"
    )
    assert done.exit_code == 2


def test_a_run_that_is_not_there_ends_with_2(cli: Cli, run_id: str) -> None:
    done = cli("replay", "spending", "--run", "none")

    assert done.stderr.replace(run_id, "RUN") == snapshot(
        "RecordError: there is no materialization of spending by run none in this Dagster instance; the last ones are of RUN\n"
    )
    assert done.exit_code == 2


def test_the_report_is_there_as_json(cli: Cli, run_id: str) -> None:
    del run_id
    told = json.loads(cli("replay", "spending", "--json").output)

    assert told["rows"]["outcome"] == "equal"
    assert told["plan_is_same"]


def test_two_runs_are_told_apart(cli: Cli, run_id: str) -> None:
    done = cli("diff", run_id, run_id[:8])

    assert (
        done.output
        == f"""\
run {run_id} against run {run_id}
raw/orders: no difference
spending: no difference
"""
    )
    assert done.exit_code == 0
