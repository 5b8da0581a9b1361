"""Who holds which session: for other processes, and when a process was killed."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pyarrow as pa
import pytest

from dagster_dfsession.errors import PoolError
from dagster_dfsession.pool.holders import (
    HolderFile,
    holders_directory,
    read_holders,
    remove_dead_holders,
    this_process,
)
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from tests.pool.conftest import Planned

SCOPE = Scope(run_id="1a2b3c4d-5e6f", step="load")
ROWS = pa.table({"a": [1]})


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return holders_directory()


def test_a_step_is_listed_with_its_names_for_as_long_as_it_has_the_session(
    planned: Planned,
) -> None:
    run = RunSession(planned(), SCOPE.run_id)
    assert read_holders() == ()
    run.lease(SCOPE).register("limits", ROWS)
    run.names_changed()
    (holder,) = read_holders()
    run.lease(Scope(run_id=SCOPE.run_id, step="next"))
    (following,) = read_holders()
    run.close()

    assert holder.scope == SCOPE
    assert holder.names == ("limits",)
    assert holder.profile == "test"
    assert holder.plan == run.plan.fingerprint
    assert holder.state == "alive"
    assert (following.scope.step, following.names) == ("next", ())
    assert read_holders() == ()


def test_a_dead_process_is_told_from_one_that_got_its_number(directory: Path) -> None:
    holder = this_process(
        SCOPE, profile="p", plan="f", since=dt.datetime.now(dt.timezone.utc)
    )
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    gone = msgspec.structs.replace(holder, pid=process.pid)
    reused = msgspec.structs.replace(
        holder, started=psutil.Process().create_time() - 100
    )
    away = msgspec.structs.replace(holder, host="elsewhere")

    states = [each.state for each in (holder, gone, reused, away)]
    assert states == ["alive", "dead", "dead", "elsewhere"]

    for each in (gone, away, msgspec.structs.replace(holder, scope=Scope(run_id="x"))):
        HolderFile(directory, each)
    assert remove_dead_holders() == (gone,)
    assert len(read_holders()) == 2


def test_an_entry_that_says_something_new_is_one_file_still(directory: Path) -> None:
    holder = this_process(
        SCOPE, profile="p", plan="f", since=dt.datetime.now(dt.timezone.utc)
    )
    file = HolderFile(directory, holder)
    named = msgspec.structs.replace(holder, names=("limits",))
    file.replace(named)

    assert read_holders() == (named,)
    assert len([*directory.iterdir()]) == 1
    file.remove()
    assert [*directory.iterdir()] == []


def test_a_file_of_something_else_is_named(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "1-x.json").write_text("{}")

    with pytest.raises(PoolError, match=r"1-x.json says of no session.*remove it"):
        read_holders()


def test_a_registry_that_cannot_be_written_fails_no_step(
    directory: Path, planned: Planned, caplog: pytest.LogCaptureFixture
) -> None:
    directory.parent.mkdir(parents=True)
    directory.write_text("a file where the directory should be")
    run = RunSession(planned(), SCOPE.run_id)
    lease = run.lease(SCOPE)
    lease.register("limits", ROWS)
    run.names_changed()

    assert lease.sql("SELECT a FROM limits").to_pydict() == {"a": [1]}
    (warned,) = [each for each in caplog.records if "sessions" in each.getMessage()]
    assert "`dfsession sessions` will not show this session" in warned.getMessage()
    run.close()
