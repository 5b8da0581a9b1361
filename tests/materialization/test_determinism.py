"""What two runs of an asset have in common: rows, their order, bytes of files."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource, DeltaError, QueryError
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.materialization.determinism import pinned_request, sort_keys
from dagster_dfsession.profile.base import MIB
from dagster_dfsession.profile.delta import DeltaProfile

Run = Callable[..., dg.ExecuteInProcessResult]
Digests = Callable[..., list[str]]

ROWS = 8_000
MACHINES = ((1, 8192), (4, 777))
"""Partitions and rows of a batch: what differs between machines and profiles."""
FLOATS = (0.0, -0.0, float("nan"), float("inf"), -float("inf"), None)


@pytest.fixture
def src(lake: Path) -> None:
    """A table of several files, whose floats add up differently in other orders."""
    size = ROWS // 4
    for seed in range(4):
        some = np.random.default_rng(seed)
        floats = some.normal(size=size) * 10.0 ** some.integers(-8, 8, size)
        rows = pa.table(
            {
                "k": pa.array(some.integers(0, 50, size)),
                "f": pa.array(floats),
                "s": [f"s{n % 500}" for n in range(size)],
                "p": pa.array(some.integers(0, 3, size)),
            }
        )
        write_deltalake(f"{lake}/src", rows, mode="append")


@pytest.fixture
def digests(run: Run, lake: Path, src: None) -> Digests:
    """Run a query on different machines, into a new table each time; digest the files.

    The names of data files are never the same: their content is.
    """
    del src

    def each(query: str, metadata: dict[str, Any]) -> list[str]:
        @dg.asset(deps=["src"], metadata=metadata)
        def out(dfsession: DataFusionSessionResource) -> DataFrame:
            return dfsession.sql(query)

        found = []
        for partitions, batch_size in MACHINES:
            shutil.rmtree(lake / "out", ignore_errors=True)
            execution = {
                "target_partitions": partitions,
                "batch_size": batch_size,
                "repartition_file_min_size": 1,
            }
            run(out, session={"profile": {"execution": execution}})
            found.append(digest(lake / "out"))
        return found

    return each


def digest(table: Path) -> str:
    """Digest the contents of a table's data files, whatever their names and order."""
    files = (Path(path) for path in DeltaTable(table).file_uris())
    return " ".join(sorted(hashlib.sha256(each.read_bytes()).hexdigest() for each in files))  # fmt: skip


JOIN = (
    "SELECT a.k, sum(a.f * b.f) AS f FROM src a JOIN src b ON a.k = b.k AND a.s = b.s "
    "GROUP BY a.k"
)
CANONICAL: dict[str, tuple[str, dict[str, Any]]] = {
    "rows": ("SELECT * FROM src", {}),
    "float sums": (
        "SELECT k, sum(f) AS f, avg(f) AS a, stddev(f) AS d FROM src GROUP BY k",
        {},
    ),
    "a join": (JOIN, {}),
    "a float sum": ("SELECT sum(f) AS f, avg(f) AS a FROM src WHERE k <> 7", {}),
    "a window": ("SELECT k, sum(f) OVER (PARTITION BY k) AS f FROM src", {}),
    "nested values": ("SELECT [f, 1.0] AS l, named_struct('s', s) AS o FROM src", {}),
    "partitions": ("SELECT * FROM src", {"partition_by": "p"}),
    "small files": (
        "SELECT * FROM src",
        {
            "partition_by": "p",
            "layout": {"target_file_size": 30_000, "row_group_rows": 1000},
        },
    ),
    "an order": ("SELECT * FROM src", {"layout": {"sort_by": ["s"]}}),
    "appended": ("SELECT * FROM src", {"mode": "append"}),
}


@pytest.mark.parametrize("case", CANONICAL)
def test_canonical_files_have_the_same_bytes_on_every_machine(
    case: str, digests: Digests
) -> None:
    query, metadata = CANONICAL[case]

    found = digests(query, {"determinism": "canonical", **metadata})
    assert len(set(found)) == 1


def test_canonical_files_end_at_the_same_rows_however_large_the_table_is() -> None:
    asked = WriteRequest(location=Lake("lake").table(["out"]))
    own = DeltaProfile(target_file_size=7)
    stated = msgspec.structs.replace(asked, options=own)

    assert pinned_request(asked, "canonical").options.target_file_size == 128 * MIB
    assert pinned_request(stated, "canonical") == stated
    assert pinned_request(asked, "stable") == asked


def test_stable_rows_lie_in_the_same_order(digests: Digests, lake: Path) -> None:
    metadata = {"determinism": "stable", "layout": {"sort_by": ["s"]}}

    assert len(set(digests("SELECT * FROM src", metadata))) == 1
    (path,) = DeltaTable(lake / "out").file_uris()
    rows = pq.read_table(path)
    order = rows.select(["s", "k", "f", "p"]).to_pylist()
    assert [list(row.values()) for row in order] == sorted(
        list(r.values()) for r in order
    )


def test_best_effort_pins_nothing(digests: Digests) -> None:
    # Or the tests above would prove nothing.
    assert len(set(digests("SELECT * FROM src", {"determinism": "best_effort"}))) > 1


def test_the_rows_of_other_libraries_are_sorted_too(run: Run, lake: Path) -> None:
    rows = pl.DataFrame({"f": FLOATS * 3, "n": range(len(FLOATS) * 3)})
    found = set()
    for frame in (rows, rows.reverse(), rows.lazy(), rows.to_arrow()):
        shutil.rmtree(lake / "out", ignore_errors=True)
        run(returning(frame))
        found.add(digest(lake / "out"))
    assert len(found) == 1


def returning(value: Any) -> dg.AssetsDefinition:
    def out() -> Any:
        return value

    return dg.asset(out, name="out", metadata={"determinism": "canonical"})


def refused(run: Run, query: str, metadata: dict[str, Any], kind: type[Exception]) -> str:  # fmt: skip
    @dg.asset(metadata=metadata)
    def out(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(query)

    with pytest.raises(kind) as error:
        run(out)
    return str(error.value)


def test_canonical_refuses_what_could_be_other_rows(run: Run, lake: Path) -> None:
    metadata = {"determinism": "canonical"}

    assert refused(
        run, "SELECT random() AS r, now() AS n", metadata, QueryError
    ) == snapshot(
        "out: its determinism is 'canonical', and its rows could be others if it ran again: now, random. Pass times and random numbers in as parameters, order rows before some are taken; or say 'stable' or 'best_effort'."
    )
    assert not (lake / "out").exists()
    merging = {**metadata, "merge": {"on": "n"}}
    assert refused(run, "SELECT 1 AS n", merging, DeltaError) == snapshot(
        "out: its determinism is 'canonical', and mode 'merge' writes rows of the table anew, in no order. Say 'stable' or 'best_effort', or write it without."
    )
    clustered = {**metadata, "layout": {"z_order_by": ["n"]}}
    assert refused(run, "SELECT 1 AS n", clustered, DeltaError) == snapshot(
        "out: its determinism is 'canonical', and z_order_by writes the files again, in no order. Say 'stable' or 'best_effort', or write it without."
    )
    assert refused(
        run, "SELECT 1 AS n", {"determinism": "stabel"}, DeltaError
    ) == snapshot(
        "the metadata of asset 'out': MaterializationProfile.determinism: Invalid enum value 'stabel'; determinism is 'canonical', 'stable' or 'best_effort', and streaming True or False"
    )


def test_an_asset_says_it_over_the_profile_and_the_page_shows_it(run: Run) -> None:
    session = {"profile": {"materialization": {"determinism": "stable"}}}

    def shown(metadata: dict[str, Any]) -> Any:
        @dg.asset(metadata=metadata)
        def out(dfsession: DataFusionSessionResource) -> DataFrame:
            return dfsession.sql("SELECT 1 AS n")

        result = run(out, session=session)
        found = result.asset_materializations_for_node("out")[-1].metadata
        key = "dfsession/determinism"
        return found[key].value if key in found else None

    assert shown({}) == "stable"
    assert shown({"determinism": "canonical"}) == "canonical"
    assert shown({"determinism": "best_effort"}) is None


def test_rows_set_aside_leave_no_file_where_the_query_fails(
    run: Run, lake: Path
) -> None:
    # The last row cannot be cast, long after the first files are full.
    query = (
        "SELECT CAST(CASE WHEN value = 200000 THEN 'x' ELSE '1' END AS INT) AS n, value "
        "FROM generate_series(1, 200000)"
    )
    small = {"layout": {"target_file_size": 1000}}

    def files(*, streaming: bool) -> int:
        refused(run, query, {**small, "streaming": streaming}, QueryError)
        return len(list(lake.rglob("*.parquet")))

    assert files(streaming=False) == 0
    assert files(streaming=True) > 0


@given(st.permutations("abc"), st.lists(st.sampled_from("abc"), unique=True))
def test_a_total_order_has_every_column_once(
    names: Sequence[str], sort_by: Sequence[str]
) -> None:
    found = sort_keys(names, sort_by, "canonical")

    assert sorted(found) == sorted(names)
    assert list(found[: len(sort_by)]) == list(sort_by)
