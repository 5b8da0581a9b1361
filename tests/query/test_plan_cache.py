"""A plan cache answers only what it was asked before, and believes no other entry."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diskcache
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.errors import ProfileError, SessionError
from dagster_dfsession.profile.cache import CacheProfile, NoPlans, PlansOnDisk
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.query.plan_cache import PlanCache, PlanCounts, plan_cache
from dagster_dfsession.query.plan_disk import DiskStore

FOUND = frozenset({("public", "flights")})


class Memory(dict[str, bytes]):
    put, drop = dict.__setitem__, dict.__delitem__


def never() -> frozenset[tuple[str, str]]:
    raise AssertionError("it was planned")


def profile(directory: Path, **parts: Any) -> SessionProfile:
    plans = PlansOnDisk(directory=str(directory))
    return SessionProfile(name="kept", cache=CacheProfile(plans=plans), **parts)


def counts(directory: Path) -> PlanCounts:
    cache = plan_cache(PlansOnDisk(directory=str(directory)))
    assert cache is not None
    return cache.counts


def test_a_profile_keeps_no_plans_unless_it_says_where() -> None:
    assert CacheProfile().plans == NoPlans()
    assert plan_cache(NoPlans()) is None


@pytest.mark.demand("D32")
def test_what_was_found_once_is_not_found_again() -> None:
    cache = PlanCache(Memory())

    assert cache.tables("q", "r", lambda: FOUND) == FOUND
    assert cache.tables("q", "r", never) == FOUND
    assert cache.counts == PlanCounts(hits=1, misses=1, dropped=0)


def test_columns_come_back_as_they_were() -> None:
    fields = [
        pa.field("a", pa.list_(pa.string_view()), nullable=False),
        pa.field("b", pa.decimal128(9, 2)),
    ]
    schema = pa.schema(fields, metadata={"k": "v"})  # fmt: skip
    cache = PlanCache(Memory())

    for _ in range(2):
        found = cache.columns("q", {}, "s", lambda: schema)
        assert found.equals(schema, check_metadata=True)


A, B = pa.schema([("a", pa.int64())]), pa.schema([("a", pa.int32())])


@pytest.mark.parametrize(
    ("query", "over", "session"),
    [
        ("q2", {"t": A}, "s"),
        ("q", {"t": B}, "s"),
        ("q", {"u": A}, "s"),
        ("q", {"t": A, "u": A}, "s"),
        ("q", {"t": pa.schema([pa.field("a", pa.int64(), nullable=False)])}, "s"),
        ("q", {"t": A}, "s2"),
    ],
    ids=["query", "type", "table", "another table", "nullability", "session"],
)
def test_another_question_is_not_answered(
    query: str, over: dict[str, pa.Schema], session: str
) -> None:
    cache = PlanCache(Memory())
    cache.columns("q", {"t": A}, "s", lambda: A)

    assert cache.columns(query, over, session, lambda: B) == B
    assert cache.counts.hits == 0


def test_an_error_is_not_kept() -> None:
    cache = PlanCache(Memory())
    with pytest.raises(AssertionError):
        cache.tables("q", "r", never)

    assert cache.tables("q", "r", lambda: FOUND) == FOUND


@given(data=st.data())
def test_any_damage_is_noticed_and_dropped(data: st.DataObject) -> None:
    store = Memory()
    PlanCache(store).tables("q", "r", lambda: FOUND)
    [(key, entry)] = store.items()
    damaged = data.draw(
        st.integers(0, len(entry) - 1).map(lambda at: entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :])
        | st.integers(0, len(entry) - 1).map(lambda size: entry[:size])
        | st.binary().filter(lambda each: each != entry)
    )  # fmt: skip
    store[key] = damaged
    cache = PlanCache(store)

    assert cache.tables("q", "r", lambda: FOUND) == FOUND
    assert cache.counts == PlanCounts(hits=0, misses=1, dropped=1)
    assert store[key] == entry


def test_an_entry_in_the_place_of_another_is_dropped() -> None:
    store = Memory()
    cache = PlanCache(store)
    cache.tables("q", "r", lambda: FOUND)
    cache.tables("q2", "r", frozenset)
    first, second = store
    store[first] = store[second]

    assert cache.tables("q", "r", lambda: FOUND) == FOUND
    assert cache.counts.dropped == 1


def test_names_are_kept_on_disk_for_the_next_process(tmp_path: Path) -> None:
    query = "SELECT * FROM raw.flights, days"
    code = f"""
from pathlib import Path
from dagster_dfsession.query import named_tables
from tests.query.test_plan_cache import counts, profile

here = Path({str(tmp_path)!r})
print(sorted(named_tables.named_tables({query!r}, profile(here))), counts(here).hits)
"""
    names = sorted(named_tables(query, profile(tmp_path)))
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert names == [("public", "days"), ("raw", "flights")]
    assert printed == f"{names} 1\n"


def test_names_in_another_catalog_are_another_question(tmp_path: Path) -> None:
    query = "SELECT * FROM days"
    named_tables(query, profile(tmp_path))
    other = profile(tmp_path, catalog=CatalogProfile(default_schema="other"))

    assert named_tables(query, other) == {("other", "days")}


class Running:
    """What runs code where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return (Path.touch, (self.place,))


def test_what_others_put_into_the_directory_is_not_unpickled(tmp_path: Path) -> None:
    place = tmp_path / "ran"
    store = DiskStore(PlansOnDisk(directory=str(tmp_path)))
    PlanCache(store).tables("q", "r", lambda: FOUND)
    with diskcache.Cache(str(tmp_path)) as foreign:
        [key] = foreign
        foreign[key] = Running(place)
    cache = PlanCache(store)

    assert cache.tables("q", "r", lambda: FOUND) == FOUND
    assert cache.counts.dropped == 1
    assert not place.exists()


@pytest.mark.parametrize("other", ["a text", 7])
def test_an_entry_that_is_no_bytes_is_replaced(other: object, tmp_path: Path) -> None:
    store = DiskStore(PlansOnDisk(directory=str(tmp_path)))
    PlanCache(store).tables("q", "r", lambda: FOUND)
    with diskcache.Cache(str(tmp_path)) as foreign:
        [key] = foreign
        foreign[key] = other
    cache = PlanCache(store)

    assert cache.tables("q", "r", lambda: FOUND) == FOUND
    assert cache.tables("q", "r", never) == FOUND
    assert cache.counts == PlanCounts(hits=1, misses=1, dropped=1)


def test_the_directory_stays_as_small_as_it_is_said_to(tmp_path: Path) -> None:
    store = DiskStore(PlansOnDisk(directory=str(tmp_path), size=1024 * 1024))
    for number in range(100):
        store.put(str(number), bytes(50_000))

    held = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert held < 4 * 1024 * 1024
    assert store.get("0") is None
    assert store.get("99") == bytes(50_000)


def told(refused: Callable[[], object], directory: Path) -> str:
    with pytest.raises(SessionError) as error:
        refused()
    return str(error.value).replace(str(directory), "D")


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("x")
    plans = PlansOnDisk(directory=str(place))

    assert told(lambda: DiskStore(plans), tmp_path) == snapshot(
        'the directory \'D/file\' of cache.plans cannot be used: OperationalError: unable to open database file. Name another one, or turn the cache off with {"kind": "none"}; one that holds this cache alone may be removed, and will be filled again.'
    )


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"no database " * 1000)
    plans = PlansOnDisk(directory=str(tmp_path))

    assert told(lambda: DiskStore(plans), tmp_path) == snapshot(
        'the directory \'D\' of cache.plans cannot be used: DatabaseError: file is not a database. Name another one, or turn the cache off with {"kind": "none"}; one that holds this cache alone may be removed, and will be filled again.'
    )


def test_a_cache_that_is_destroyed_while_it_is_used_is_told(tmp_path: Path) -> None:
    store = DiskStore(PlansOnDisk(directory=str(tmp_path)))
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("DROP TABLE Cache")

    assert told(lambda: store.get("a"), tmp_path) == snapshot(
        'the directory \'D\' of cache.plans cannot be used: OperationalError: no such table: Cache. Name another one, or turn the cache off with {"kind": "none"}; one that holds this cache alone may be removed, and will be filled again.'
    )


def test_without_the_extra_a_wish_for_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "diskcache", None)
    monkeypatch.delitem(sys.modules, "dagster_dfsession.query.plan_disk")

    with pytest.raises(ProfileError) as error:
        plan_cache(PlansOnDisk(directory=str(tmp_path)))

    assert str(error.value) == snapshot(
        "$.cache.plans: plans can be kept on disk only with the package diskcache, which is not installed; run: pip install 'dagster-dfsession[plan-cache]'"
    )
