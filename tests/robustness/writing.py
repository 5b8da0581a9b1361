"""Writes that can be told apart: each has a token, in every row and in its commit."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import read_commit
from dagster_dfsession.delta.merges import Upsert
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.profile.delta import DeltaProfile

BATCHES = 30
BATCH_ROWS = 2_000
ROWS = BATCHES * BATCH_ROWS
FILE_BYTES = 200_000  # so that a write has several files
TOKEN = "robustness.token"  # noqa: S105  # the name of a key in a commit
SCHEMA = pa.table({"k": [""], "token": [""], "n": [0], "x": [0]}).schema

Content: TypeAlias = AbstractSet[tuple[str, str]]
"""Which tokens a table has in which partition, each of them whole."""


class Job(NamedTuple):
    """One write: `k` is its partition."""

    place: Location
    mode: str
    k: str
    token: str
    app_id: str | None = None


class Mode(NamedTuple):
    """A way to write, and what it makes of a table's content."""

    options: Callable[[Job], dict[str, Any]]
    after: Callable[[Content, Job], Content]


def own(job: Job) -> Content:
    """Return what the write adds."""
    return frozenset({(job.k, job.token)})


def owning(job: Job) -> dict[str, Any]:
    """Return the options of a write of one partition."""
    return {
        "partitioned": True,
        "predicate": In("k", (job.k,)),
        "partition_by": ("k",),
    }


MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "partition": Mode(
            owning,
            lambda before, job: (
                frozenset(each for each in before if each[0] != job.k) | own(job)
            ),
        ),
        "append": Mode(
            lambda _: {"mode": "append"}, lambda before, job: before | own(job)
        ),
        "overwrite": Mode(lambda _: {}, lambda _, job: own(job)),
        "merge": Mode(
            lambda _: {"mode": "merge", "merge": Upsert(on=("n",))},
            lambda _, job: own(job),
        ),
    }
)


def batch(job: Job, number: int) -> pa.RecordBatch:
    """Return a batch of the write; `x` is made of `n`, and compresses badly."""
    first = number * BATCH_ROWS
    n = pa.array(range(first, first + BATCH_ROWS))
    constants = [pa.repeat(value, BATCH_ROWS) for value in (job.k, job.token)]
    return pa.record_batch([*constants, n, scattered(n)], schema=SCHEMA)


def scattered(n: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return a number for each of these, far from its neighbours'."""
    return pc.bit_wise_xor(pc.multiply(n, 0x9E3779B97F4A7C15 - 2**64), 0x5DEECE66D)


def write(job: Job, at: Callable[[int], object] = lambda _: None) -> WriteResult:
    """Write all batches, saying before each which it is, and when there are no more."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(BATCHES):
            at(number)
            yield batch(job, number)
        at(BATCHES)

    request = WriteRequest(
        location=job.place,
        options=DeltaProfile(target_file_size=FILE_BYTES),
        commit_metadata={TOKEN: job.token},
        app_id=job.app_id,
        app_version=1,
        **MODES[job.mode].options(job),
    )
    return write_table(request, pa.RecordBatchReader.from_batches(SCHEMA, batches()))


def newest(place: Location) -> int:
    """Return the newest version; -1: there is no table."""
    table = open_table(place)
    return -1 if table is None else table.version()


def token(place: Location, version: int) -> str | None:
    """Return the token of the write that made a version; None: a creation."""
    commit = read_commit(LakeFiles(place), version)
    assert commit is not None
    return commit.info.get(TOKEN)


def content(place: Location, version: int | None = None) -> Content | None:
    """Return what a version has; None: it has a part of a write."""
    table = open_table(place, version)
    assert table is not None
    rows = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    right: Any = pc.equal(rows["x"], scattered(rows["n"].combine_chunks()))
    found = (
        rows.append_column("right", right)
        .group_by(["k", "token"])
        .aggregate([("n", "count"), ("n", "count_distinct"), ("right", "sum")])
        .to_pylist()
    )
    for group in found:
        if {group["n_count"], group["n_count_distinct"], group["right_sum"]} != {ROWS}:
            return None
    return frozenset((group["k"], group["token"]) for group in found)
