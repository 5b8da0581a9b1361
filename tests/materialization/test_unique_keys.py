"""Shared keys are found by the engine, and counted as a set would count them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datafusion import DataFrame, SessionContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dagster_dfsession.errors import BrokenRule
from dagster_dfsession.materialization import unique_keys
from dagster_dfsession.materialization.unique_keys import UniqueKeys

TYPES: Any = {"A b": pa.int64(), "s": pa.string(), "more": pa.float64()}
SCHEMA = pa.schema(TYPES)
CTX = SessionContext()
ROW = st.tuples(st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, "x", "X"]))


def batch(keys: list[Any]) -> pa.RecordBatch:
    rows = [{"A b": a, "s": s, "more": 0.5} for a, s in keys]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def broken(
    path: Path, written: list[list[Any]], held: list[Any] | None
) -> BrokenRule | None:
    def beside(_: tuple[str, ...]) -> DataFrame | None:
        return None if held is None else CTX.read_batch(batch(held))

    keys = UniqueKeys(["A b", "s"], SCHEMA, path, held=beside)
    for each in written:
        keys.add(batch(each))
    return keys.broken(CTX, 5)


@pytest.mark.parametrize("few", [0, 1_000_000])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(st.lists(ROW, max_size=4), max_size=4),
    held=st.none() | st.lists(ROW, max_size=6),
)
@example(written=[[(3, "x"), (3, "x")]], held=[(1, "x"), (1, "x")])
def test_rows_that_share_a_key_are_counted_as_a_set_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, written: Any, held: Any
) -> None:
    monkeypatch.setattr(unique_keys, "_FEW_ROWS", few)
    ours = [row for rows in written for row in rows if None not in row]
    seen = Counter([*ours, *(row for row in held or () if None not in row)])
    expected = sum(seen[row] > 1 for row in ours)

    found = broken(tmp_path / "keys.arrow", written, held)

    assert (0 if found is None else found.rows) == expected
    shared = sorted(row for row in set(ours) if seen[row] > 1)[:5]
    assert (() if found is None else found.examples) == tuple(
        {"A b": a, "s": s, "rows": seen[a, s]} for a, s in shared
    )


def test_no_more_than_the_examples_asked_for_are_read(tmp_path: Path) -> None:
    found = broken(tmp_path / "k.arrow", [[(n, "x") for n in range(9)] * 2], None)

    assert found is not None
    assert (found.rows, len(found.examples)) == (18, 5)
    assert found.rule == "unique A b, s"
