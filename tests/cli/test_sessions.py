"""`dfsession sessions`."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from dagster_dfsession.pool.holders import HolderFile, holders_directory, this_process
from dagster_dfsession.pool.scope import Scope

Cli = Callable[..., Result]


@pytest.fixture
def two_holders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that this process holds, and one that a killed process held."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    since = dt.datetime.now(dt.timezone.utc)
    scope = Scope(run_id="1a2b3c4d-5e6f", step="load")
    alive = this_process(scope, profile="dev", plan="f" * 64, since=since)
    dead = msgspec.structs.replace(
        alive, scope=Scope(run_id="dead"), started=alive.started - 100
    )
    for each in (alive, dead):
        HolderFile(holders_directory(), each)


@pytest.mark.usefixtures("two_holders")
def test_sessions_lists_who_holds_which(cli: Cli) -> None:
    told = json.loads(cli("sessions", "--json").stdout)

    assert {each["run_id"]: each["state"] for each in told} == {
        "dead": "dead",
        "1a2b3c4d-5e6f": "alive",
    }
    assert "load" in cli("sessions").output


@pytest.mark.usefixtures("two_holders")
def test_sessions_prune_removes_the_dead_alone(cli: Cli) -> None:
    removed = json.loads(cli("sessions", "--prune", "--json").stdout)
    left = json.loads(cli("sessions", "--json").stdout)

    assert [each["run_id"] for each in removed] == ["dead"]
    assert [each["run_id"] for each in left] == ["1a2b3c4d-5e6f"]
