"""Random Delta tables, written in random ways, and conditions on their columns."""

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from hypothesis import strategies as st

UTC = dt.timezone.utc
# No "~": deltalake 1.6 cannot update the rows of such a partition.
TEXTS = (
    "",
    "a",
    "ab",
    "a b",
    "k'1",
    "50%",
    "x/y",
    "é",
    "日本",
    "q?*[1]",
    "x" * 40,
)
TIMES = tuple(
    dt.datetime(year, 1, 1, 1, 2, 3, micros)
    for year in (1960, 1999, 2024)
    for micros in (0, 1, 123_456)
)
# No -0.0: the engine takes it for 0.0 in some plans and not in others.
FLOATS = (0.0, 1.5, -2.0, float("inf"), float("-inf"), float("nan"))

VALUES: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "n": (pa.int64(), (0, 1, 7, -3, 2**62)),
    "small": (pa.int8(), (0, 1, -128, 127)),
    "text": (pa.string(), TEXTS),
    "day": (pa.date32(), tuple(time.date() for time in TIMES)),
    "at": (pa.timestamp("us"), TIMES),
    "zoned": (pa.timestamp("us", "UTC"), tuple(t.replace(tzinfo=UTC) for t in TIMES)),
    "price": (
        pa.decimal128(20, 3),
        tuple(map(decimal.Decimal, ("0.000", "1.500", "-7.125", "9007199254740993"))),
    ),
    "real": (pa.float64(), FLOATS),
    "flag": (pa.bool_(), (True, False)),
    "raw": (pa.binary(), (b"", b"a", b"\xff\x00")),
    "nest": (
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
        ({"a": 1, "b": ["x", None]}, {"a": None, "b": []}),
    ),
    "tags": (pa.map_(pa.string(), pa.int64()), ([("k", 1)], [])),
}
# deltalake 1.6 writes the partition value -7.125 as `-7.-125`, and refuses to read it.
PARTITIONABLE = ("small", "text", "day", "at", "zoned", "flag")
LITERALS: dict[str, Callable[[Any], str]] = {
    "n": str,
    "small": str,
    "text": lambda value: "'" + value.replace("'", "''") + "'",
    "day": lambda value: f"DATE '{value}'",
    "at": lambda value: f"TIMESTAMP '{value.isoformat(' ')}'",
    "zoned": lambda value: f"TIMESTAMP '{value.isoformat()}'",
    "price": lambda value: f"{value}",
    "real": lambda value: f"CAST('{value}' AS DOUBLE)",
    "flag": lambda value: str(value).upper(),
}

Step = Callable[[str], Any]

names_of_columns = st.sampled_from(sorted(VALUES))


@st.composite
def rows(draw: st.DrawFn, columns: list[str], *, fillers: bool = False) -> pa.Table:
    """A few rows of these columns; the column `id` tells files apart."""
    size = draw(st.integers(1, 4))
    data = {
        name: pa.array(
            draw(
                st.lists(
                    st.sampled_from(VALUES[name][1]) | st.none(),
                    min_size=size,
                    max_size=size,
                )
            ),
            VALUES[name][0],
        )
        for name in columns
    }
    if fillers:  # Delta takes the empty text of a partition for NULL
        for name in set(columns) & {"text"}:
            texts: Any = data[name]
            data[name] = pa.array(
                [None if value == "" else value for value in texts.to_pylist()],
                pa.string(),
            )
    start = draw(st.integers(0, 50))
    return pa.table({"id": pa.array(range(start, start + size), pa.int64()), **data})


@st.composite
def histories(draw: st.DrawFn) -> Callable[[Path], DeltaTable]:
    """A function that writes a table with a history into a directory."""
    columns = draw(st.lists(names_of_columns, min_size=1, max_size=5, unique=True))
    divided = draw(st.lists(st.sampled_from(PARTITIONABLE), max_size=2, unique=True))
    first = sorted({*columns, *divided})
    later = draw(st.lists(names_of_columns, max_size=2, unique=True))
    steps = [_step(draw, first, later) for _ in range(draw(st.integers(0, 4)))]
    start = draw(rows(first, fillers=bool(divided)))
    indexed = draw(st.sampled_from([None, "0", "1", "2"]))

    def write(place: Path) -> DeltaTable:
        uri = str(place / "a table é")
        write_deltalake(
            uri,
            start,
            partition_by=divided or None,
            configuration=(
                {} if indexed is None else {"delta.dataSkippingNumIndexedCols": indexed}
            ),
        )
        for step in steps:
            step(uri)
        return DeltaTable(uri)

    return write


def _step(draw: st.DrawFn, columns: list[str], later: list[str]) -> Step:
    more = draw(rows(columns, fillers=True))
    wide = draw(rows(sorted({*columns, *later}), fillers=True))
    steps: dict[str, Step] = {
        "append": lambda uri: write_deltalake(
            uri, more, mode="append", schema_mode="merge"
        ),
        "widen": lambda uri: write_deltalake(
            uri, wide, mode="append", schema_mode="merge"
        ),
        "overwrite": lambda uri: write_deltalake(
            uri, more, mode="overwrite", schema_mode="merge"
        ),
        "delete": lambda uri: DeltaTable(uri).delete("id % 3 = 0"),
        "update": lambda uri: DeltaTable(uri).update(
            {"id": "id + 1"}, predicate="id % 2 = 0"
        ),
        "merge": lambda uri: (
            DeltaTable(uri)
            .merge(more, "t.id = s.id", source_alias="s", target_alias="t")
            .when_not_matched_insert_all()
            .execute()
        ),
        "compact": lambda uri: DeltaTable(uri).optimize.compact(),
        "z_order": lambda uri: DeltaTable(uri).optimize.z_order(["id"]),
        "checkpoint": lambda uri: DeltaTable(uri).create_checkpoint(),
    }
    return steps[draw(st.sampled_from(sorted(steps)))]


@st.composite
def predicates(draw: st.DrawFn, columns: list[str]) -> str:
    """A condition in SQL over some of the columns."""
    known = [name for name in columns if name in LITERALS] + ["id"]

    def leaf() -> str:
        name = draw(st.sampled_from(known))
        values = tuple(range(60)) if name == "id" else VALUES[name][1]
        spell = LITERALS.get(name, str)
        one, two = (spell(draw(st.sampled_from(values))) for _ in range(2))
        operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
        return draw(
            st.sampled_from(
                [
                    f"{name} {operator} {one}",
                    f"{one} {operator} {name}",
                    f"{name} IN ({one}, {two})",
                    f"{name} NOT IN ({one}, {two})",
                    f"{name} BETWEEN {one} AND {two}",
                    f"{name} IS NULL",
                    f"{name} IS NOT NULL",
                    f"NOT ({name} {operator} {one})",
                    f"{name} IS DISTINCT FROM {one}",
                    f"coalesce({name}, {one}) {operator} {two}",
                ]
            )
        )

    parts = [f"({leaf()})" for _ in range(draw(st.integers(1, 3)))]
    words = [draw(st.sampled_from([" AND ", " OR "])) for _ in parts[1:]]
    return parts[0] + "".join(w + p for w, p in zip(words, parts[1:], strict=True))
