"""Whatever the history of a table, its native scan gives what deltalake's reader does."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_dfsession.pool.reading import NATIVE
from tests.scans.histories import histories, predicates
from tests.scans.reading import by_deltalake, reader_of, unordered


@given(histories(), st.data())
@settings(
    max_examples=40,
    suppress_health_check=list(HealthCheck),
    # To shrink a history takes longer than to understand it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@pytest.mark.slow
def test_a_native_scan_gives_the_rows_of_deltalakes_reader(
    write: Callable[[Path], DeltaTable], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as root:
        table = write(Path(root))
        columns = [field.name for field in table.schema().fields]
        with reader_of(root) as reader:
            for _ in range(4):
                condition = data.draw(predicates(columns))
                kept = data.draw(st.sampled_from(["*", "id", columns[0], "count(*)"]))
                query = f'SELECT {kept} FROM "a table é" WHERE {condition}'
                wanted = by_deltalake(Path(root, "a table é"), query, "a table é")
                # A condition that contradicts itself reads no table.
                for read in reader.read(query).tables.values():
                    assert read.how == NATIVE, read
                assert unordered(reader.rows(query)) == unordered(wanted), query
