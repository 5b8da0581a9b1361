"""What a run may write, what it leaves alone, and what is said of it."""

import pyarrow as pa
import pytest

from tests.conformance.bench import Asset, Bench
from tests.conformance.outcome import Fallen, Outcome
from tests.conformance.shapes import SHAPES

KEYED = [
    "static, string",
    "static, int",
    "daily, date",
    "hourly, UTC timestamp",
    "date x static",
]
SOME = pytest.mark.parametrize("shape", KEYED)


def test_without_partitions_the_whole_is_replaced(bench: Bench) -> None:
    first = pa.table({"x": [1, 2], "y": ["a", None]})
    asset = bench.asset(None, first.schema)
    asset.write(table=first)
    asset.write(table=pa.table({"x": [3], "y": ["b"]}))
    asset.read([0])


@SOME
def test_rows_of_another_key_refused(written: Asset) -> None:
    stray = written.fresh(0, 1)
    written.refuses(0, value=lambda: stray)


def test_rows_of_another_key_refused_in_a_first_write(bench: Bench) -> None:
    asset = bench.asset(SHAPES["static, string"])
    stray = asset.fresh(0, 1)
    asset.refuses(0, value=lambda: stray)


@pytest.mark.parametrize("shape", ["static, string"])
def test_rows_without_a_key_refused(written: Asset) -> None:
    own = written.fresh(0)
    nothing = pa.nulls(own.num_rows, own.schema.field("k").type)
    stray = pa.concat_tables([own, own.set_column(0, own.schema.field("k"), nothing)])
    written.refuses(0, value=lambda: stray)


@pytest.mark.parametrize("shape", ["static, string", "daily, date"])
def test_a_run_without_a_key_refused(written: Asset) -> None:
    """Dagster starts one; its rows would be the whole table."""
    every = written.fresh(0)
    written.refuses(value=lambda: every)


@SOME
def test_no_rows_empty_the_key_alone(written: Asset) -> None:
    written.write(0, table=written.fresh(0).slice(0, 0))
    written.write(0)


def test_no_rows_in_a_first_write(bench: Bench) -> None:
    asset = bench.asset(SHAPES["static, string"])
    asset.write(0, table=asset.fresh(0).slice(0, 0))
    asset.write(1)


@pytest.mark.parametrize("shape", ["static, string"])
def test_a_column_that_is_null_throughout(written: Asset) -> None:
    rows = written.fresh(0)
    at = rows.schema.get_field_index("value")
    field = rows.schema.field(at)
    written.write(0, table=rows.set_column(at, field, pa.nulls(2, field.type)))
    written.read_own(0)


def test_a_column_added(bench: Bench) -> None:
    if bench.subject.growing is None:
        pytest.skip("no mode adds a column")
    asset = bench.asset(SHAPES["static, string"])
    asset.write(0)
    wide = asset.fresh(1).append_column("note", pa.array(["new", None]))
    asset.grow(pa.field("note", pa.string()))
    asset.write(1, table=wide, metadata=bench.subject.growing)


@pytest.mark.parametrize("shape", ["static, string"])
def test_a_column_added_without_asking_refused(written: Asset) -> None:
    wide = written.fresh(1).append_column("note", pa.array(["new", None]))
    written.refuses(1, value=lambda: wide)


@pytest.mark.parametrize("shape", ["static, string"])
def test_rows_appended_to_their_key(bench: Bench, written: Asset) -> None:
    if bench.subject.appending is None:
        pytest.skip("no mode appends")
    old = written.due[0].copy()
    more = written.fresh(0)
    written.write(0, table=more, metadata=bench.subject.appending, keep=old)


@pytest.mark.parametrize("shape", ["static, string"])
def test_the_row_count_of_a_key(bench: Bench, written: Asset) -> None:
    counts = told(bench, written, 1)
    assert_counts(counts, {SHAPES["static, string"].keys[1]: 2})


@pytest.mark.parametrize("shape", ["static, string", "hourly, UTC timestamp"])
def test_the_row_count_of_each_key_of_a_range(bench: Bench, shape: str) -> None:
    asset = bench.asset(SHAPES[shape])
    counts = told(bench, asset, 0, 1, 2)
    assert_counts(counts, dict.fromkeys(SHAPES[shape].keys, 2))


def told(bench: Bench, asset: Asset, *numbers: int) -> dict[str | None, int]:
    """Return the row count that each materialization of a run tells."""
    result = asset.write(*numbers)
    return {
        event.partition: int(str(event.metadata[name].value))
        for event in result.asset_materializations_for_node(asset.name)
        for name in bench.subject.row_counts
        if name in event.metadata
    }


def assert_counts(told: dict[str | None, int], due: dict[str, int]) -> None:
    if not told:
        pytest.skip("no row count is recorded")
    if told != due:
        raise Fallen(Outcome.WRONG_COUNT, f"told {told}, there are {due}")
