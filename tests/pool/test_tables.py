"""Asset keys as tables, each at one version for the whole run."""

import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.pool.scope import STEP_CHARS, Scope
from dagster_dfsession.pool.tables import RunTables

PARTS = st.from_regex("[a-z][a-z0-9_]{0,8}", fullmatch=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def tables(lake: Lake) -> RunTables:
    tables = RunTables("public")
    tables.add_lake(lake)
    return tables


def write(lake: Lake, *key: str) -> None:
    write_deltalake(lake.table(key).uri, pa.table({"a": [1]}), mode="append")


def version(tables: RunTables, name: tuple[str, str]) -> int | None:
    found = tables.find(name)
    return None if found is None else found.version


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_a_key_and_its_name_stand_for_each_other(key: Sequence[str]) -> None:
    tables = RunTables("no such schema")

    name = tables.name_of(key)
    assert tables.key_of(name) == tuple(key)
    assert tables.spelt(tables.spelling(name)) == name


def test_names_are_spelt_as_queries_spell_them() -> None:
    tables = RunTables("public")

    assert tables.spelling(("public", "flights")) == "flights"
    assert tables.spelling(("raw/us", "flights")) == "raw/us.flights"
    assert tables.spelt("lake.raw/us.flights") == ("raw/us", "flights")


def test_a_table_is_pinned_when_it_is_first_opened(
    tables: RunTables, lake: Lake
) -> None:
    write(lake, "flights")
    assert tables.opened(("public", "flights")) is None

    assert version(tables, ("public", "flights")) == 0
    write(lake, "flights")
    assert version(tables, ("public", "flights")) == 0
    assert tables.opened(("public", "flights")) is not None


def test_a_table_that_the_run_writes_is_read_as_written(
    tables: RunTables, lake: Lake
) -> None:
    write(lake, "raw", "flights")
    version(tables, ("raw", "flights"))
    write(lake, "raw", "flights")

    place = lake.table(["raw", "flights"])
    tables.written(("raw", "flights"), place, 1)
    write(lake, "raw", "flights")

    assert version(tables, ("raw", "flights")) == 1


def test_a_table_that_is_not_there_yet_is_found_once_it_is(
    tables: RunTables, lake: Lake
) -> None:
    assert tables.open(("public", "flights")) is None
    write(lake, "flights")

    assert tables.open(("public", "flights")) is not None


def test_lakes_are_asked_in_order_and_each_once(
    tables: RunTables, lake: Lake, tmp_path: Path
) -> None:
    second = Lake(str(tmp_path / "second"))
    tables.add_lake(second)
    tables.add_lake(Lake(str(tmp_path / "lake")))
    write(second, "flights")
    write(second, "planes")
    write(lake, "planes")

    assert tables.first_lake is lake
    found = [tables.find(("public", name)) for name in ("flights", "planes")]
    assert [each and each.location for each in found] == [
        second.table(["flights"]),
        lake.table(["planes"]),
    ]


class Counting(Lake):
    """A lake that counts how often it is asked."""

    asked = 0

    def table(self, key_path: Sequence[str]) -> Location:
        self.asked += 1
        return super().table(key_path)


def test_a_lake_that_is_known_already_is_not_asked_twice(tmp_path: Path) -> None:
    lakes = [Counting(str(tmp_path / "lake")) for _ in range(2)]
    tables = RunTables("public")
    for each in lakes:
        tables.add_lake(each)

    assert tables.find(("raw", "flights")) is None
    assert [each.asked for each in lakes] == [1, 0]


def test_without_a_lake_nothing_is_found() -> None:
    tables = RunTables("public")

    assert tables.first_lake is None
    assert tables.find(("public", "flights")) is None


def test_a_name_that_can_be_no_key_is_no_table(tables: RunTables) -> None:
    assert tables.find(("public", "../flights")) is None
    assert tables.find(("public", "a%b")) is None


def test_a_prefix_spelt_like_the_default_schema_is_found(
    tables: RunTables, lake: Lake
) -> None:
    write(lake, "public", "flights")

    found = tables.find(("public", "flights"))

    assert found is not None
    assert found.key == ("public", "flights")


def test_names_are_those_opened_and_those_announced(
    tables: RunTables, lake: Lake
) -> None:
    asked: list[int] = []

    def ask() -> list[list[str]]:
        asked.append(1)
        return [["later"], ["raw", "later"]]

    write(lake, "flights")
    tables.open(("public", "flights"))
    tables.add_known([["planes"]])
    tables.announce(ask)
    assert asked == []

    expected = {("public", n) for n in ("flights", "planes", "later")}
    assert tables.names() == expected | {("raw", "later")}
    tables.names()
    assert asked == [1]


def test_threads_that_open_a_table_at_once_get_one_and_the_same(
    tables: RunTables, lake: Lake
) -> None:
    write(lake, "flights")
    start = threading.Barrier(6)

    def find(_: int) -> int:
        start.wait()
        return id(tables.find(("public", "flights")))

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(find, range(6)))) == 1


@given(st.text(max_size=60), st.text(max_size=80), st.integers(0, 99))
def test_a_prefix_is_always_an_identifier(run: str, step: str, attempt: int) -> None:
    prefix = Scope(run_id=run, step=step, attempt=attempt).prefix

    assert prefix.isascii()
    assert prefix.isidentifier()
    assert prefix == prefix.lower()
    assert len(prefix) <= STEP_CHARS + 20


def test_a_long_step_is_cut_in_its_prefix() -> None:
    prefix = Scope(run_id="1a2b3c4d-5e6f", step="s" * 200, attempt=3).prefix

    assert prefix == f"run_1a2b3c4d_{'s' * STEP_CHARS}_3__"


def test_a_run_holds_so_many_tables_and_reads_the_others_as_before(
    tables: RunTables, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_dfsession.pool.tables.KEPT_OPEN", 2)
    names = [("public", name) for name in ("a", "b", "c")]
    for _, name in names:
        write(lake, name)
        tables.find(("public", name))
        write(lake, name)
    tables.find(names[0])

    tables.close_unused()

    assert tables.cache_described()["entries"] == 2
    assert tables.opened_names() == tables.names() == {*names}
    assert [each["version"] for each in tables.described()] == [0, 0, 0]
    assert [version(tables, name) for name in names] == [0, 0, 0]
    assert tables.cache_described()["misses"] == 4


def test_a_closed_table_is_read_as_the_run_wrote_it(
    tables: RunTables, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_dfsession.pool.tables.KEPT_OPEN", 0)
    write(lake, "a")
    tables.find(("public", "a"))
    tables.close_unused()
    assert tables.opened(("public", "a")) is not None
    tables.close_unused()
    write(lake, "a")

    tables.written(["a"], lake.table(["a"]), 1)

    assert version(tables, ("public", "a")) == 1


def test_a_closed_table_that_is_gone_is_told(
    tables: RunTables, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_dfsession.pool.tables.KEPT_OPEN", 0)
    write(lake, "a")
    tables.find(("public", "a"))
    tables.close_unused()
    shutil.rmtree(lake.table(["a"]).uri)

    with pytest.raises(
        DeltaError, match="is gone since the run has read its version 0"
    ):
        tables.find(("public", "a"))
