"""The command line as a whole: help, errors, exit statuses, JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from deltalake import DeltaTable

from dagster_dfsession.cli.main import COMMANDS

Cli = Callable[..., Result]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str, cli: Cli) -> None:
    said = cli(name, "--help")

    assert said.exit_code == 0
    assert f"dfsession {name}" in said.output.partition("Examples:")[2]
    assert "--json" in said.output


def test_an_error_is_one_paragraph_and_status_2(project: Path, cli: Cli) -> None:
    said = cli("fingerprint", "spendin")

    assert said.exit_code == 2
    assert said.stderr == (
        f"CodeLocationError: {project / 'definitions.py'} has no asset 'spendin'; "
        "there is raw/orders, spending. Did you mean 'spending'?\n"
    )


def test_an_error_shows_its_traceback_where_asked(project: Path, cli: Cli) -> None:
    del project

    assert type(cli("--debug", "fingerprint", "x").exception).__name__ == (
        "CodeLocationError"
    )


def test_fingerprint_is_what_a_run_records(
    project: Path, materialized: str, cli: Cli
) -> None:
    del materialized
    commit = DeltaTable(str(project / "lake" / "spending")).history(1)[0]

    hashes = json.loads(cli("fingerprint", "--json").stdout)

    assert commit["dfsession.session_hash"] == hashes["session_hash"]


def test_fingerprint_shows_the_plan_where_asked(project: Path, cli: Cli) -> None:
    del project
    said = cli("fingerprint", "raw.orders", "--plan").output

    assert "session_hash" in said
    assert "datafusion.execution.batch_size" in said


def test_maintain_without_write_changes_nothing(
    project: Path, materialized: str, cli: Cli
) -> None:
    del materialized
    before = sorted(map(str, project.joinpath("lake").rglob("*")))

    said = cli("maintain", "raw/orders", "spending")

    assert said.exit_code == 0
    assert "--write does it" in said.output
    assert sorted(map(str, project.joinpath("lake").rglob("*"))) == before


def test_maintain_with_write_does_the_steps(
    project: Path, materialized: str, cli: Cli
) -> None:
    del materialized
    said = cli("maintain", "spending", "--step", "checkpoint", "--write", "--json")

    assert [each["step"] for each in json.loads(said.stdout)["spending"]] == [
        "checkpoint"
    ]
    log = project / "lake" / "spending" / "_delta_log"
    assert (log / "_last_checkpoint").exists() == ("note" not in said.stdout)
