"""Equal data versions, equal rows: also where merges are among the commits."""

import json
import tempfile
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import DATA_VERSION, PARTITIONS
from dagster_dfsession.delta.merges import DeleteMatched, FullSync, InsertOnly, Upsert
from tests.delta.writing import filtering, owning, rows_of, write

KINDS = {kind.__name__: kind(on=("id",)) for kind in (Upsert, InsertOnly, FullSync)}
SCHEMA = pa.table({"k": ["a"], "id": [1], "x": [1]}).schema

steps = st.tuples(
    st.sampled_from(["overwrite", "append", "compact", *KINDS, "DeleteMatched"]),
    st.sampled_from("ab"),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=2).map(
        lambda pairs: tuple(dict(pairs).items())
    ),
)


def take(place: Location, step: tuple[Any, ...], *, keyed: str) -> None:
    """Commit one step, stating what it is as `materialize` does."""
    what, key, pairs = step
    if what == "compact":
        if table := open_table(place):
            table.optimize.compact()
        return
    own = {"": {}, "divided": owning(key), "mixed": filtering(key)}[keyed]
    stated = {DATA_VERSION: repr(step if keyed else (what, key, pairs))}
    rows = [{"k": key, "id": n, "x": x} for n, x in pairs]
    if keyed:
        stated[PARTITIONS] = json.dumps([key])
    merges = {**KINDS, "DeleteMatched": DeleteMatched(on=("id",))}
    if what in merges:
        if open_table(place) is None:
            return
        own |= {"merge": merges[what]}
        what = "merge"
    write(
        place,
        pa.Table.from_pylist(rows, schema=SCHEMA),
        mode=what,
        commit_metadata=stated,
        **own,
    )


@settings(max_examples=40)
@given(
    histories=st.lists(st.lists(steps, min_size=1, max_size=4), min_size=2, max_size=3),
    keyed=st.sampled_from(["", "divided", "mixed"]),
)
def test_histories_of_one_data_version_have_the_same_rows(
    histories: list[list[tuple[Any, ...]]], keyed: str
) -> None:
    known: dict[tuple[str, str], Any] = {}
    for history in histories:
        with tempfile.TemporaryDirectory() as root:
            place = Location(f"{root}/t")
            for step in history:
                take(place, step, keyed=keyed)
                table = open_table(place)
                if table is None:
                    continue
                for part in ("a", "b", "") if keyed else ("",):
                    read = frozenset(part) or None
                    version = data_version(table, place, read)
                    rows = [r for r in rows_of(place) if r["k"] in (part or "ab")]
                    if not version.startswith("delta:"):
                        assert known.setdefault((part, version), rows) == rows


def test_a_merge_that_changes_nothing_keeps_the_data_version(place: Location) -> None:
    def seen() -> str:
        table = open_table(place)
        assert table is not None
        return data_version(table, place)

    first = {DATA_VERSION: "one"}
    write(place, {"id": [1], "x": [1]}, commit_metadata=first)
    merge = {"mode": "merge", "merge": Upsert(on=("id",))}
    for number, x in enumerate([2, 2, 3]):
        before = seen()
        stated = {DATA_VERSION: f"merge {number}"}
        result = write(place, {"id": [1], "x": [x]}, commit_metadata=stated, **merge)
        assert (seen() == before) is not result.wrote
    assert DeltaTable(place.uri).version() == 2
    assert not seen().startswith("delta:")


def test_what_a_merge_met_is_part_of_the_data_version(place: Location) -> None:
    """The files that it wrote hold rows of before, and none that it deleted."""
    found = []
    for name, old in (("one", [1, 5]), ("two", [2, 6])):
        table = Location(f"{place.uri}-{name}")
        stated = {PARTITIONS: '["a"]'}
        rows = {"k": ["a", "a"], "id": [1, 2], "x": old}
        write(table, rows, commit_metadata=stated | {DATA_VERSION: name}, **owning("a"))
        write(
            table,
            {"k": ["a"], "id": [1], "x": [9]},
            commit_metadata=stated | {DATA_VERSION: "merged"},
            mode="merge",
            merge=Upsert(on=("id",)),
            **owning("a"),
        )
        opened = open_table(table)
        assert opened is not None
        found += [data_version(opened, table, k) for k in (None, frozenset("a"))]

    assert found[0] != found[2]
    assert found[1] != found[3]
    assert not any(each.startswith("delta:") for each in found)
