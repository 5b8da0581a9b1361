"""The spans of a run in several processes, as a real collector sends them on."""

import time
from pathlib import Path

import pytest

from tests.telemetry.collector import AGENT, LONGEST_S, Spans, collecting, launch, tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(AGENT is None, reason="rotel has wheels for Linux"),
]


def wait_for(spans: Spans, name: str, count: int) -> None:
    deadline = time.monotonic() + LONGEST_S
    while sum(span["name"] == name for span in spans.found) < count:
        assert time.monotonic() < deadline, [span["name"] for span in spans.found]
        time.sleep(0.05)


def test_the_steps_of_a_run_continue_the_trace_of_its_launch(tmp_path: Path) -> None:
    with collecting() as (endpoint, spans):
        launch(tmp_path / "home", endpoint)
        wait_for(spans, "dfsession.run", 2)
        wait_for(spans, "nightly", 1)
    lines = [*tree(spans.found)]

    assert lines[0] == "nightly"
    assert {line[:2] for line in lines[1:]} == {"  "}
    assert lines.count("  dfsession.run") == 2
    assert "    dfsession.step step_key=flights" in lines
    assert "    dfsession.step step_key=delays" in lines
    assert "          dfsession.scan returned_rows=3" in lines
    assert len({span["trace"] for span in spans.found}) == 1
    assert len({span["pid"] for span in spans.found}) == 3
