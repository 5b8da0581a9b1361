"""Frames made by calls: read by native scans, with the rows they were composed for."""

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pytest
from datafusion import DataFrame, col, lit
from datafusion import functions as f
from datafusion.expr import Window
from deltalake import write_deltalake

from dagster_dfsession.pool.reading import NATIVE, bound
from dagster_dfsession.query.stream import Execution
from tests.scans.reading import Reader, reader_of

T = pa.table(
    {
        "id": [1, 2, 3, None],
        "kind": ["a", "b", "a", None],
        "n": [10, 20, None, 40],
        "day": ["x", "x", "y", "y"],
    }
)
U = pa.table({"id": [1, 3, None, 7], "net": [1.5, 2.5, 3.5, 4.5]})

Compose = Callable[[DataFrame, DataFrame], DataFrame]
HIGHEST = f.row_number(partition_by=[col("kind")], order_by=[col("n").sort()])
OTHER = (col("id").alias("other"), col("net"))

FRAMES: Mapping[str, Compose] = {
    "aggregate": lambda t, _: t.aggregate([col("kind")], [f.sum(col("n")).alias("s")]),
    "unnamed": lambda t, _: t.aggregate([col("kind")], [f.sum(col("n"))]),
    "no keys": lambda t, _: t.aggregate([], [f.max(col("n")).alias("m")]),
    "made key": lambda t, _: t.aggregate(
        [(col("id") % lit(2)).alias("odd")], [f.count(lit(1)).alias("rows")]
    ),
    "having": lambda t, _: t.aggregate(
        [col("kind")], [f.sum(col("n")).alias("s")]
    ).filter(col("s") > lit(5)),
    "top": lambda t, _: (
        t.aggregate([col("kind")], [f.sum(col("n")).alias("s")])
        .sort(col("s").sort(ascending=False))
        .limit(1)
    ),
    "two aggregates": lambda t, _: t.aggregate(
        [col("kind")], [f.sum(col("n")).alias("s")]
    ).aggregate([], [f.avg(col("s")).alias("mean")]),
    "distinct count": lambda t, _: t.aggregate(
        [col("kind")], [f.count(col("id"), distinct=True).alias("ids")]
    ),
    "filtered sum": lambda t, _: t.aggregate(
        [col("kind")], [f.sum(col("n"), filter=col("id") > lit(1)).alias("s")]
    ),
    "filter": lambda t, _: t.filter(col("n") > lit(10), col("kind") == lit("b")),
    "columns": lambda t, _: t.with_column("twice", col("n") * lit(2)).drop("n"),
    "renamed": lambda t, _: t.with_column_renamed("n", "m"),
    "choice": lambda t, _: t.select(
        f.when(col("n") > lit(15), lit("hi")).otherwise(lit("lo")).alias("k")
    ),
    "sorted": lambda t, _: t.sort(col("n").sort()),
    "distinct": lambda t, _: t.select("kind").distinct(),
    "union": lambda t, _: t.union(t),
    "window": lambda t, _: t.with_column("nth", HIGHEST).filter(col("nth") == lit(1)),
    "running": lambda t, _: t.with_column(
        "s", f.sum(col("n")).over(Window(partition_by=[col("kind")]))
    ),
    "join": lambda t, u: t.join(u.select(*OTHER), left_on="id", right_on="other"),
    "left join": lambda t, u: t.join(
        u.select(*OTHER), left_on="id", right_on="other", how="left"
    ),
    "semi join": lambda t, u: t.join(u, left_on="id", right_on="id", how="semi"),
    "anti join": lambda t, u: t.join(u, left_on="id", right_on="id", how="anti"),
    "join on": lambda t, u: t.join_on(u.select(*OTHER), col("id") < col("other")),
    "join and sum": lambda t, u: t.join(
        u.select(*OTHER), left_on="id", right_on="other"
    ).aggregate([col("kind")], [f.sum(col("net")).alias("net")]),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    root = tmp_path_factory.mktemp("lake")
    write_deltalake(root / "t", T)
    write_deltalake(root / "p", T, partition_by=["day"])
    write_deltalake(root / "u", U)
    with reader_of(root) as reader:
        yield reader


def composed(reader: Reader, compose: Compose) -> DataFrame:
    return compose(reader.lease.table("t"), reader.lease.table("u"))


def rows(frame: DataFrame) -> list[str]:
    return sorted(map(str, Execution(frame, "reading").reader.read_all().to_pylist()))


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_frame_made_by_calls_is_read_by_native_scans(
    name: str, reader: Reader
) -> None:
    frame = composed(reader, FRAMES[name])

    reading = bound(frame, reader.lease, reader.tables)

    assert reading.why_composed is None
    assert {each.how for each in reading.tables.values()} == {NATIVE}
    assert rows(reading.frame) == rows(frame)
    assert reading.frame.schema().names == frame.schema().names


@pytest.mark.parametrize("name", ["intersect", "except_all"])
def test_what_the_engines_sql_would_change_runs_as_it_was_composed(
    name: str, reader: Reader
) -> None:
    """Its SQL compares by `=`, and NULL is not equal to NULL."""
    frame = composed(reader, lambda t, _: getattr(t, name)(t))

    reading = bound(frame, reader.lease, reader.tables)

    assert reading.why_composed == "the engine's SQL for it has another plan"
    assert len(rows(reading.frame)) == (4 if name == "intersect" else 0)


def test_a_partition_of_a_composed_frame_is_read_alone(reader: Reader) -> None:
    days = reader.lease.table("p").filter(col("day") == lit("x"))
    frame = days.aggregate([col("kind")], [f.sum(col("n")).alias("s")])

    (read,) = bound(frame, reader.lease, reader.tables).tables.values()

    assert (read.how, read.files, read.total) == (NATIVE, 1, 2)
