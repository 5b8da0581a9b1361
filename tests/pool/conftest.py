"""Plans of sessions that spill below the test's own directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_dfsession.plan.build import SessionPlan, plan_session
from dagster_dfsession.profile.runtime import RuntimeProfile, SpillToDisk
from dagster_dfsession.profile.session import SessionProfile

Planned = Callable[..., SessionPlan]


@pytest.fixture
def spill_root(tmp_path: Path) -> Path:
    """The directory in which the sessions of a test make theirs."""
    root = tmp_path / "spill"
    root.mkdir()
    return root


@pytest.fixture
def planned(spill_root: Path) -> Planned:
    """Plan a session from parts of a profile."""
    spilling = RuntimeProfile(spill=SpillToDisk(directory=str(spill_root)))

    def plan(**parts: Any) -> SessionPlan:
        return plan_session(SessionProfile(name="test", runtime=spilling, **parts))

    return plan
