"""Whatever the history of a table, its native scan gives what deltalake's reader does."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta import native
from dagster_dfsession.delta.scan_shapes import Shape, Work
from dagster_dfsession.pool.reading import NATIVE, NO_FILE_NEEDED
from tests.scans.histories import histories, predicates
from tests.scans.reading import by_deltalake, reader_of, unordered

TABLE = "a table é"


def always(shape: Shape) -> Callable[[Work], Shape]:
    """Take one way to the partition columns, whatever it costs."""

    def chosen(work: Work) -> Shape:
        if work.groups <= 1:
            return "one scan"
        return shape if work.named else "split"

    return chosen


@given(histories(), st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # To shrink a history takes longer than to understand it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@pytest.mark.slow
def test_a_native_scan_gives_the_rows_of_deltalakes_reader(
    write: Callable[[Path], DeltaTable], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        table = write(Path(root))
        columns = [field.name for field in table.schema().fields]
        with reader_of(root) as reader:
            for _ in range(4):
                shapes: tuple[Shape, ...] = ("split", "join")
                patch.setattr(
                    native, "cheapest", always(data.draw(st.sampled_from(shapes)))
                )
                condition = data.draw(predicates(columns))
                kept = data.draw(st.sampled_from(["*", "id", columns[0], "count(*)"]))
                query = f'SELECT {kept} FROM "{TABLE}" WHERE {condition}'
                wanted = by_deltalake(Path(root, TABLE), query, TABLE)
                # A condition that contradicts itself reads no table.
                for read in reader.read(query).tables.values():
                    assert read.how == NATIVE or read.why == NO_FILE_NEEDED, read
                assert unordered(reader.rows(query)) == unordered(wanted), query
