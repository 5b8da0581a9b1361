"""Real runs, and the replay of what they recorded."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.replay.again import Replayed, replay

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def history() -> Iterator[dg.DagsterInstance]:
    """The event log of a test."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def make(run: Run, history: dg.DagsterInstance) -> Run:
    """Materialize assets, noted in `history`."""

    def make(*assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
        return run(*assets, instance=history, **options)

    return make


@pytest.fixture
def listed(lake: Path) -> Callable[[], Mapping[str, int]]:
    """All files of the lake, and when each was written."""

    def listed() -> Mapping[str, int]:
        files = (path for path in lake.rglob("*") if path.is_file())
        return {str(path): path.stat().st_mtime_ns for path in files}

    return listed


@pytest.fixture
def again(
    history: dg.DagsterInstance,
    lake: Path,
    listed: Callable[[], Mapping[str, int]],
) -> Callable[..., Replayed]:
    """Replay an asset; the lake is as it was afterwards."""

    def again(asset: str, **which: Any) -> Replayed:
        made = find_materialized(history, dg.AssetKey(asset.split("/")), **which)
        before = listed()
        try:
            return replay(made, [Lake(str(lake))])
        finally:
            assert listed() == before

    return again
