"""The janitor's eye: what is left behind, and what somebody may still use."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import PoolError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.holders import HolderFile, read_holders, this_process
from dagster_dfsession.pool.janitor import (
    Fate,
    Leftover,
    held_leftovers,
    pinned_leftovers,
    remove_leftover,
    spilled_leftovers,
)
from dagster_dfsession.pool.pins import RunPins
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.session.factory import open_session
from tests.delta.writing import write

RUN = "0f6e7a30-1b1c-4d55-9a05-7a6f0c2f7a11"
OTHER = "1f6e7a30-1b1c-4d55-9a05-7a6f0c2f7a11"
NOW, HOUR = dt.timedelta(0), dt.timedelta(hours=1)


def always(fate: Fate) -> Callable[[str], Fate]:
    return lambda _: fate


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def spill(directory: Path, label: str, process: int, size: int = 3) -> Path:
    path = directory / f"dfsession_{label}_{process}_abcd_123"
    path.joinpath("inner").mkdir(parents=True)
    path.joinpath("inner", "batch").write_bytes(b"x" * size)
    return path


def test_entries_of_sessions_go_with_their_process(tmp_path: Path, dead: int) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    here = this_process(Scope(run_id=RUN, step="s"), profile="p", plan="f", since=now)
    killed = msgspec.structs.replace(here, pid=dead, since=now - 2 * HOUR)
    recent = msgspec.structs.replace(
        killed, scope=Scope(run_id=OTHER, step="s"), since=now
    )
    away = msgspec.structs.replace(killed, host="elsewhere")
    for each in (here, killed, recent):
        HolderFile(tmp_path, each)
    HolderFile(tmp_path / "away", away)

    (found,) = held_leftovers(tmp_path, older_than=HOUR)
    both = held_leftovers(tmp_path, older_than=NOW)
    remove_leftover(found)

    assert (found.kind, found.run, found.modified) == ("session", RUN, killed.since)
    assert len(both) == 2
    assert set(read_holders(tmp_path)) == {here, recent}
    assert held_leftovers(tmp_path / "away", older_than=NOW) == ()


@pytest.mark.parametrize(
    ("fate", "alive", "found"),
    [
        ("over", False, True),
        ("over", True, True),
        ("running", False, False),
        ("running", True, False),
        ("unknown", False, True),
        ("unknown", True, False),
    ],
)
def test_a_spill_directory_is_nobodys_when_its_run_is_over_or_its_process_gone(
    fate: Fate, *, alive: bool, found: bool, dead: int, tmp_path: Path
) -> None:
    path = spill(tmp_path, RUN, os.getpid() if alive else dead)

    left = spilled_leftovers(tmp_path, always(fate), older_than=NOW)

    assert [(each.path, each.run, each.bytes) for each in left] == (
        [(str(path), RUN, 3)] if found else []
    )


def test_a_session_without_a_run_goes_by_its_process_alone(
    dead: int, tmp_path: Path
) -> None:
    gone = spill(tmp_path, "alone", dead)
    spill(tmp_path, "alone", os.getpid())

    left = spilled_leftovers(tmp_path, always("over"), older_than=NOW)

    assert [each.path for each in left] == [str(gone)]


def test_what_was_written_to_lately_stays(tmp_path: Path) -> None:
    path = spill(tmp_path, RUN, 1)
    old = (dt.datetime.now() - 2 * HOUR).timestamp()
    os.utime(path, (old, old))

    assert not spilled_leftovers(tmp_path, always("over"), older_than=HOUR)

    for each in (path / "inner" / "batch", path / "inner", path):
        os.utime(each, (old, old))

    assert spilled_leftovers(tmp_path, always("over"), older_than=HOUR)


@pytest.mark.parametrize("name", ["dfsession", "dfsession_x", "other_a_1_abcdefgh"])
def test_what_others_made_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / f"dfsession_{RUN}_1_abcdefgh").write_text("a file")

    assert not spilled_leftovers(tmp_path, always("over"), older_than=NOW)
    assert not spilled_leftovers(tmp_path / "none", always("over"), older_than=NOW)


def test_the_directory_of_a_real_session_is_known(tmp_path: Path) -> None:
    profile = {"runtime": {"spill": {"kind": "disk", "directory": str(tmp_path)}}}
    plan = plan_session(parse_profile(profile, base="dev"))
    with open_session(plan, label=RUN) as session:
        (left,) = spilled_leftovers(tmp_path, always("over"), older_than=NOW)

        assert (left.path, left.run) == (session.spill_dir, RUN)
        remove_leftover(left)
        assert not Path(left.path).exists()
    remove_leftover(left)  # what is gone already is fine


def test_pins_of_runs_that_are_over_are_found_and_removed(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    place = lake.table(["t"])
    write(place, pa.table({"n": [1]}))
    for run in (RUN, OTHER):
        RunPins(run, shared=True).open(lake, place)

    left = pinned_leftovers(
        lake, lambda run: "over" if run == RUN else "unknown", older_than=NOW
    )
    assert [each.run for each in left] == [RUN]
    assert left[0].bytes > 0
    assert not pinned_leftovers(lake, always("over"), older_than=HOUR)

    remove_leftover(left[0], lake)

    kept = pinned_leftovers(lake, always("over"), older_than=NOW)
    assert [each.run for each in kept] == [OTHER]
    assert LakeFiles(lake.root).list("t")


def test_pins_are_not_removed_without_their_lake() -> None:
    pins = Leftover(
        kind="pins",
        path="lake/_dfsession/pins/x",
        run="x",
        bytes=0,
        modified=dt.datetime.now(dt.timezone.utc),
    )

    with pytest.raises(PoolError, match="give it"):
        remove_leftover(pins)
