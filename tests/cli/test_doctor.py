"""What the doctor tries, finds and exits with."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.doctor import Diagnosis, diagnose
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.profile.runtime import NoSpill, RuntimeProfile, SpillToDisk
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.telemetry.sink import MemorySink

Cli = Callable[..., Result]


def found(diagnosis: Diagnosis) -> dict[str, tuple[str, str]]:
    return {each.subject: (each.verdict, each.said) for each in diagnosis.findings}


def test_a_project_that_has_all_is_healthy(project: Path, cli: Cli) -> None:
    (project / "lake").mkdir()

    said = cli("doctor", "--json")

    told = json.loads(said.stdout)
    subjects = {each["subject"]: each["verdict"] for each in told["findings"]}
    assert said.exit_code == 0
    assert told["healthy"] is True
    assert subjects == {
        "session": "ok",
        "spill": "ok",
        f"lake {project / 'lake'}": "ok",
        "dagster home": "ok",
        "janitor": "ok",
    }
    assert {each["name"]: each["missing"] for each in told["capabilities"]}["spill"] is None  # fmt: skip
    assert all(each["wanted"] == each["in_effect"] for each in told["features"])
    assert [path.name for path in (project / "lake").rglob("*")] in ([], ["_dfsession"])


def test_the_tables_are_for_people(project: Path, cli: Cli) -> None:
    del project
    said = cli("doctor", "--read-only").output

    for word in ("not there yet", "features.dynamic_filters", "function_factory", "in effect"):  # fmt: skip
        assert word in said


def test_what_makes_runs_fail_is_exit_status_1(project: Path, cli: Cli) -> None:
    said = cli("doctor", "--dagster-home", str(project / "no_home"))

    assert said.exit_code == 1
    assert "there is no directory" in said.output


def test_a_session_that_cannot_be_had_is_a_finding() -> None:
    profile = SessionProfile(name="x", extensions=(Extension(path="absent:it"),))

    diagnosis = diagnose(plan_session(profile))

    verdict, said = found(diagnosis)["session"]
    assert verdict == "error"
    assert "there is no module 'absent'" in said
    assert not diagnosis.healthy
    assert diagnosis.features == ()


def test_an_optional_extension_that_is_not_there_is_a_warning() -> None:
    absent = Extension(path="absent:it", optional=True)

    diagnosis = diagnose(plan_session(SessionProfile(name="x", extensions=(absent,))))

    verdict, said = found(diagnosis)["session"]
    assert (verdict, diagnosis.healthy) == ("warning", True)
    assert said.endswith("not as the profile wants: extension absent:it")


@pytest.mark.parametrize(
    ("sinks", "verdict", "said"),
    [
        (("log", "delta"), "ok", "can be made: log, delta"),
        (("absent:make",), "error", "No module named 'absent'"),
        (("builtins:object",), "error", "it made a object, which is no sink"),
        (("tests.cli.test_doctor:Unclosable",), "warning", "OSError: gone"),
    ],
)
def test_sinks_are_made_and_closed_to_try_them(
    sinks: tuple[str, ...], verdict: str, said: str
) -> None:
    diagnostics = DiagnosticsProfile(sinks=sinks)

    diagnosis = diagnose(
        plan_session(SessionProfile(name="x", diagnostics=diagnostics))
    )

    found_out = found(diagnosis)["sinks"]
    assert found_out[0] == verdict
    assert said in found_out[1]
    assert diagnosis.healthy == (verdict != "error")


class Unclosable(MemorySink):
    def close(self) -> None:
        raise OSError("gone")


def test_a_lake_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    lakes = [Lake(str(tmp_path / "file" / "lake")), Lake(str(tmp_path / "a" / "lake"))]

    made = diagnose(plan_session(SessionProfile(name="x")), lakes)

    assert found(made)[f"lake {lakes[0].root.uri}"] == (
        "error",
        f"cannot be made: {tmp_path / 'file'} is no directory",
    )
    assert found(made)[f"lake {lakes[1].root.uri}"][0] == "warning"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("write", [True, False])
def test_a_lake_that_refuses_is_an_error_and_is_left_as_it_was(
    *, write: bool, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "_dfsession").write_text("no directory")
    plan = plan_session(SessionProfile(name="x"))

    findings = [
        each.verdict
        for each in diagnose(plan, [Lake(str(tmp_path / "lake"))], write=write).findings
        if each.subject.startswith("lake")
    ]

    assert findings == (["ok", "error"] if write else ["ok"])
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["_dfsession"]


def test_room_for_spilled_batches_is_looked_for_where_they_go(tmp_path: Path) -> None:
    there = SessionProfile(
        name="x", runtime=RuntimeProfile(spill=SpillToDisk(directory=str(tmp_path)))
    )
    gone = SessionProfile(
        name="x",
        runtime=RuntimeProfile(spill=SpillToDisk(directory=str(tmp_path / "gone"))),
    )
    none = SessionProfile(name="x", runtime=RuntimeProfile(spill=NoSpill()))

    assert f"in {tmp_path}" in found(diagnose(plan_session(there)))["spill"][1]
    assert found(diagnose(plan_session(gone)))["spill"][0] == "error"
    assert "in memory" in found(diagnose(plan_session(none)))["spill"][1]


def test_what_crashed_runs_left_is_the_janitor_s_to_remove(
    project: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(project))
    left = project / "dfsession_alone_999999999_abcdefgh"
    left.mkdir()
    two_days_ago = left.stat().st_mtime - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))

    said = json.loads(cli("doctor", "--json").stdout)

    janitor = {each["subject"]: each for each in said["findings"]}["janitor"]
    assert janitor["verdict"] == "warning"
    assert "1 spill directories" in janitor["said"]
    assert "dfsession janitor --write" in janitor["said"]
