"""What every run of this folder is watched for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_dfsession.pool.cache import PROCESS_SESSIONS


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    """The directory in which the sessions of a test make their own."""
    path = tmp_path / "spill"
    path.mkdir()
    return path


@pytest.fixture
def spilling(spill: Path) -> dict[str, Any]:
    """Fields of a session resource that spills to `spill`."""
    disk = {"kind": "disk", "directory": str(spill)}
    return {"profile": {"runtime": {"spill": disk}}}


@pytest.fixture(autouse=True)
def _nothing_is_left(spill: Path) -> Iterator[None]:
    """Whatever a test does: afterwards no session is held and no directory is there."""
    yield
    assert PROCESS_SESSIONS.cache.holders() == {}
    assert list(spill.iterdir()) == []
