"""A lake of two tables, and sessions over it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.lake_session import LakeSession

Opened = Callable[..., LakeSession]

FLIGHTS = pa.table(
    {"origin": ["EWR", "JFK", "EWR", "LGA"], "late": [5, -3, 60, 0], "id": range(4)}
)
BODIES = {"once": "values", "twice": "pc.add(values, values)"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake with the tables `flights` and `raw.airports`."""
    root = tmp_path / "lake"
    root.mkdir()
    write_deltalake(str(root / "flights"), FLIGHTS)
    airports = pa.table({"origin": ["EWR", "JFK"], "city": ["Newark", "New York"]})
    write_deltalake(str(root / "raw" / "airports"), airports)
    return root


@pytest.fixture
def opened(root: Path) -> Iterator[Opened]:
    """Make sessions over the lake, and close them."""
    with contextlib.ExitStack() as stack:

        def make(profile: Any = "dev", **options: Any) -> LakeSession:
            session = LakeSession(profile, **{"root_uri": str(root), **options})
            return stack.enter_context(session)

        yield make


@pytest.fixture
def lake(opened: Opened) -> LakeSession:
    """A session over the lake."""
    return opened()


@pytest.fixture
def functions(tmp_path: Path) -> Callable[[str], Path]:
    """Write a module `fc_functions` whose `lateness` has one of two bodies."""

    def write(body: str) -> Path:
        directory = tmp_path / body
        directory.mkdir(exist_ok=True)
        (directory / "fc_functions.py").write_text(
            "import pyarrow as pa\n"
            "import pyarrow.compute as pc\n"
            "from dagster_dfsession import scalar_udf\n"
            "@scalar_udf(\n"
            "    inputs=[pa.int64()], returns=pa.int64(), volatility='immutable')\n"
            "def lateness(values: pa.Array) -> pa.Array:\n"
            f"    return {BODIES[body]}\n"
        )
        return directory

    return write
