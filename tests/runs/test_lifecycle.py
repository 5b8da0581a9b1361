"""However a run ends, it leaves no session, no name and no directory."""

import signal

import pytest

from tests.runs.conftest import Runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("executor", ["in_process", "multi"]),
]


def test_a_step_that_fails_while_registering_succeeds_when_tried_again(
    runs: Runs, executor: str
) -> None:
    ran, held = runs.run("retry", executor)

    assert ran.endswith("True")
    assert held == "HELD 0"
    assert runs.rows("retried") == {"n": [1, 2]}
    assert runs.spill_directories() == []


def test_a_failed_run_leaves_nothing_and_writes_nothing(
    runs: Runs, executor: str
) -> None:
    ran, held = runs.run("failure", executor)

    assert ran.endswith("False")
    assert held == "HELD 0"
    assert not runs.is_written("failing")
    assert runs.spill_directories() == []


def test_a_terminated_run_leaves_nothing_and_writes_nothing(
    runs: Runs, executor: str
) -> None:
    process = runs.start("endless", executor)
    runs.wait_for("endless")
    spilling = runs.spill_directories()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert len(spilling) == 1
    assert "HELD 0" in out
    assert not runs.is_written("endless")
    assert runs.spill_directories() == []
