from pathlib import Path

import pytest

from dagster_dfsession.delta.location import Location


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "t"))
