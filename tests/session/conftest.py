"""Sessions that are closed when the test is over."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.runtime import RuntimeProfile, SpillToDisk
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.catalog import TableSource
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


@pytest.fixture
def spill_root(tmp_path: Path) -> Path:
    """The directory in which the sessions of a test make theirs."""
    root = tmp_path / "spill"
    root.mkdir()
    return root


@pytest.fixture
def opened(spill_root: Path) -> Iterator[Opened]:
    """Open a session from parts of a profile, or from a profile."""
    spilling = RuntimeProfile(spill=SpillToDisk(directory=str(spill_root)))
    with contextlib.ExitStack() as stack:

        def open_one(
            profile: SessionProfile | None = None,
            *,
            source: TableSource | None = None,
            **parts: Any,
        ) -> Session:
            parts.setdefault("runtime", spilling)
            asked = profile or SessionProfile(name="test", **parts)
            session = open_session(plan_session(asked), source=source)
            return stack.enter_context(session)

        yield open_one


@pytest.fixture
def session(opened: Opened) -> Session:
    """A session with two small tables."""
    made = opened()
    flights = pa.table({"dest": ["IAH"], "delay": [1], "Gate": ["A"], "stops": [[1]]})
    airports = pa.table({"dest": ["IAH"], "city": ["Houston"]})
    made.ctx.register_record_batches("flights", [flights.to_batches()])
    made.ctx.register_record_batches("airports", [airports.to_batches()])
    return made


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `shop`, importable while the test lasts."""
    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    return module
