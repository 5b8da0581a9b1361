"""Whatever is written in whatever order, the table is what a dictionary would be."""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

START = dt.datetime(2026, 3, 1, 22)
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-22:00", end_date="2026-03-02-02:00")
STATIC = dg.StaticPartitionsDefinition(["b", "a", "d", "c"])
KEYS = 4


class Write(NamedTuple):
    """One run: the rows of the keys from `first` to `last`, `each` rows a key."""

    first: int
    last: int
    each: int
    mode: str


writes = st.builds(
    lambda a, b, each, mode: Write(min(a, b), max(a, b), each, mode),
    st.integers(0, KEYS - 1),
    st.integers(0, KEYS - 1),
    st.integers(0, 3),
    st.sampled_from(["overwrite", "overwrite", "append"]),
)
numbers = itertools.count()


def value_of(definition: dg.PartitionsDefinition, at: int) -> Any:
    """Return what the key column holds in rows of a key."""
    if definition is STATIC:
        return STATIC.get_partition_keys()[at]
    return START + dt.timedelta(hours=at, minutes=59)


def asset_of(
    name: str, definition: dg.PartitionsDefinition, write: Write, step: int
) -> dg.AssetsDefinition:
    own = range(write.first, write.last + 1)
    values = [value_of(definition, at) for at in own for _ in range(write.each)]
    kind = pa.string() if definition is STATIC else pa.timestamp("us")
    table = pa.table(
        {
            "k": pa.array(values, kind),
            "step": pa.array([step] * len(values), pa.int64()),
        }
    )

    @dg.asset(
        name=name,
        partitions_def=definition,
        metadata={"partition_expr": "k", "mode": write.mode},
    )
    def parts() -> pa.Table:
        return table

    return parts


@pytest.mark.parametrize("definition", [STATIC, HOURLY], ids=["static", "hourly"])
@given(history=st.lists(writes, min_size=1, max_size=4))
@example(
    history=[
        Write(0, 3, 1, "overwrite"),
        Write(1, 2, 2, "append"),
        Write(2, 3, 0, "overwrite"),
        Write(1, 1, 1, "overwrite"),
    ]
)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_table_is_what_the_last_write_of_each_key_left(
    run: Run, rows: Rows, definition: dg.PartitionsDefinition, history: list[Write]
) -> None:
    """And what is said of each key is what the table has of it."""
    name = f"parts_{next(numbers)}"
    keys = list(definition.get_partition_keys())
    model: dict[str, Counter[int]] = {key: Counter() for key in keys}
    value = {key: value_of(definition, at) for at, key in enumerate(keys)}
    for step, write in enumerate(history):
        own = keys[write.first : write.last + 1]
        span: dict[str, Any] = (
            {"key": own[0]} if len(own) == 1 else {"keys": (own[0], own[-1])}
        )
        result = run(asset_of(name, definition, write, step), **span)
        for key in own:
            if write.mode == "overwrite":
                model[key] = Counter()
            model[key][step] += write.each

        assert Counter((row["k"], row["step"]) for row in rows(name)) == Counter(
            {
                (value[key], made): count
                for key, counts in model.items()
                for made, count in counts.items()
                if count
            }
        )
        events = result.asset_materializations_for_node(name)
        assert sorted(str(event.partition) for event in events) == sorted(own)
        if definition is STATIC or write.mode == "overwrite":
            said = {e.partition: e.metadata["dagster/row_count"].value for e in events}
            assert said == {key: model[key].total() for key in own}
