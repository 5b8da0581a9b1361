"""What a run holds does not grow with the assets that it has behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.pool import tables

Run = Callable[..., dg.ExecuteInProcessResult]


def test_nothing_held_grows_from_the_tenth_asset_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "KEPT_OPEN", 4)
    held: list[tuple[int, int, int]] = []

    def asset(at: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"a{at}", deps=[f"a{at - 1}"] if at else [])
        def made(dfsession: DataFusionSessionResource) -> DataFrame:
            dfsession.register("part", pa.table({"n": [at]}))
            run, session = dfsession.run, dfsession.session()
            held.append(
                (
                    int(run.tables.cache_described()["entries"]),
                    len(session.catalog.registered),
                    sum(1 for _ in Path("/proc/self/fd").iterdir()),
                )
            )
            return dfsession.sql(
                f"SELECT n FROM a{at - 1}" if at else "SELECT n FROM part"
            )

        return made

    result: Any = run(*(asset(at) for at in range(30)))

    assert result.success
    assert len(held) == 30
    entries, registered, handles = zip(*held[10:], strict=True)
    assert {*entries} == {4}
    assert {*registered} == {1}
    assert max(handles) <= handles[0] + 2
