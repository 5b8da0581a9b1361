"""A folder of SQL files."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def sql(tmp_path: Path) -> Callable[..., Path]:
    """Write files, `mart__late` as `mart/late.sql`, and return their folder."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / "sql" / f"{name.replace('__', '/')}.sql"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "sql"

    return write
