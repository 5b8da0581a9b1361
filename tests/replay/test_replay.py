"""A record is enough to run its query again, and to tell whether the rows are those."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest
from datafusion import DataFrame
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.materialization.records import (
    RecordStore,
    SessionRecord,
)
from dagster_dfsession.replay.again import Replayed, replay
from dagster_dfsession.replay.report import replay_report

Make = Callable[..., dg.ExecuteInProcessResult]
Again = Callable[..., Replayed]


@dg.asset
def flights() -> pa.Table:
    return pa.table(
        {
            "id": [1, 2, 3, 4],
            "origin": ["JFK", "LGA", "JFK", None],
            "delay": [1.5, float("nan"), -0.0, None],
        }
    )


@dg.asset(deps=[flights])
def by_text(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql(
        "SELECT origin, count(*) AS n, sum(delay) AS d FROM flights "
        "WHERE id >= $least GROUP BY origin",
        params={"least": 1},
    )


@dg.asset
def by_calls(flights: DataFrame) -> DataFrame:
    return flights.filter("id > 1").select("id", "delay")


@dg.asset(
    ins={"flights": dg.AssetIn(metadata={"predicate": "id < 4", "columns": ["id"]})}
)
def narrowed(flights: DataFrame, dfsession: DataFusionSessionResource) -> DataFrame:
    del flights  # its name means what the step was given
    return dfsession.sql("SELECT * FROM flights")


@dg.asset(deps=[flights])
def over_a_frame(dfsession: DataFusionSessionResource) -> DataFrame:
    late = dfsession.sql("SELECT * FROM flights WHERE delay > 1")
    return dfsession.sql("SELECT id FROM late", late=late)


def test_what_did_not_change_is_equal(make: Make, again: Again) -> None:
    make(flights, by_text, by_calls, narrowed, over_a_frame)

    for name in ("by_text", "by_calls", "narrowed", "over_a_frame"):
        found = again(name)
        assert found.rows.outcome == "equal"
        assert found.plan_is_same
        assert found.changes == ()
        assert found.functions == ()
        assert found.variable == ()


@dg.asset(deps=[flights])
def counted_first(
    context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
) -> DataFrame:
    found = dfsession.sql(
        "SELECT id, sum(id + 1), sum((id + 1) * 2) FROM flights "
        "WHERE id IN (SELECT id FROM flights) GROUP BY id"
    )
    if context.run.tags.get("counts"):
        context.log.debug(found.count())
    return found


def test_a_query_is_the_same_though_the_asset_has_run_it_before(
    make: Make, again: Again, history: dg.DagsterInstance, lake: Path
) -> None:
    make(flights, counted_first)
    plain = record(history, lake, "counted_first").query
    make(flights, counted_first, tags={"counts": "yes"})

    assert again("counted_first").plan_is_same
    assert record(history, lake, "counted_first").query == plain


FUNCTIONS = """
import pyarrow as pa
import pyarrow.compute as pc
from dagster_dfsession import scalar_udf

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def price(values):
    return pc.add(values, {added})
"""


@pytest.fixture
def functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], str]]:
    """Write a module whose one function adds a number, and return its name."""
    name = f"replayed_functions_{tmp_path.name.rpartition('_')[2]}"
    path = tmp_path / "modules" / f"{name}.py"
    path.parent.mkdir()
    monkeypatch.syspath_prepend(str(path.parent))

    def write(added: int) -> str:
        path.write_text(FUNCTIONS.format(added=added))
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return name

    yield write
    sys.modules.pop(name, None)


@dg.asset(deps=[flights])
def priced(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT id, price(id) AS price FROM flights WHERE id < 3")


def test_a_changed_function_is_told_with_its_text_and_the_rows(
    make: Make, again: Again, functions: Callable[[int], str]
) -> None:
    make(flights, priced, session={"udfs": [functions(1)]})
    functions(22)

    found = again("priced")

    assert not found.plan_is_same
    assert found.rows.outcome == "different"
    assert found.rows.then.first == ({"id": 1, "price": 2}, {"id": 2, "price": 3})
    assert found.rows.now.first == ({"id": 1, "price": 23}, {"id": 2, "price": 24})
    (changed,) = found.functions
    assert changed.name == "price"
    assert changed.source == snapshot("""\
@@ -1,3 +1,3 @@
 @scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
 def price(values):
-    return pc.add(values, 1)
+    return pc.add(values, 22)\
""")
    assert "is not proven to be the recorded one" in replay_report(found)


def test_a_function_that_is_gone_is_named(
    make: Make, again: Again, functions: Callable[[int], str], tmp_path: Path
) -> None:
    name = functions(1)
    make(flights, priced, session={"udfs": [name]})
    path = tmp_path / "modules" / f"{name}.py"
    path.write_text(path.read_text().replace("def price", "def cost"))
    sys.modules.pop(name)

    with pytest.raises(RecordError) as refused:
        again("priced")

    assert str(refused.value).replace(name, "MODULE") == snapshot(
        "the recorded query calls 'price' of MODULE:price, which the modules of its profile no longer declare; bring it back to replay"
    )


@dg.asset(deps=[flights])
def registered(dfsession: DataFusionSessionResource) -> DataFrame:
    limits = pa.table({"most": [3]})
    return dfsession.sql(
        "SELECT id FROM flights, limits WHERE id < most", limits=limits
    )


@dg.asset(deps=[flights])
def in_memory(flights: DataFrame) -> pa.Table:
    return flights.to_arrow_table()


@dg.asset
def given(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.session().ctx.from_pydict({"a": [1]})


def test_what_cannot_be_replayed_says_so_beforehand(
    make: Make, again: Again, history: dg.DagsterInstance, lake: Path
) -> None:
    make(flights, registered, in_memory, given)

    why = {}
    for name in ("registered", "in_memory", "given"):
        with pytest.raises(RecordError, match="cannot be replayed: "):
            again(name)
        why[name] = record(history, lake, name).not_replayable
    made_up = why.pop("given")
    assert why == {
        "registered": "it reads the registered data 'limits', and a record holds no rows",
        "in_memory": "its rows did not come from a query",
    }
    assert re.fullmatch(r"it names '\w+', of which no version is recorded", made_up)


def record(history: dg.DagsterInstance, lake: Path, asset: str) -> SessionRecord:
    made = find_materialized(history, dg.AssetKey(asset))
    return RecordStore(LakeFiles(Lake(str(lake)).root)).get(made.record)


@dg.asset(deps=[flights])
def random_rows(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT id, random() AS r FROM flights")


def test_a_query_that_varies_says_so_up_front(make: Make, again: Again) -> None:
    make(flights, random_rows)

    found = again("random_rows")

    assert found.variable == ("random",)
    assert found.rows.outcome == "different"
    assert replay_report(found).splitlines()[1] == (
        "The query need not give the same rows twice: random."
    )


def test_other_settings_are_told(
    make: Make, history: dg.DagsterInstance, lake: Path
) -> None:
    make(flights, by_text)
    kept = record(history, lake, "by_text")
    settings = kept.session.settings | {"datafusion.execution.time_zone": "+03:00"}
    session = msgspec.structs.replace(kept.session, settings=settings)
    path = RecordStore(LakeFiles(Lake(str(lake)).root)).put(
        msgspec.structs.replace(kept, session=session)
    )
    made = find_materialized(history, dg.AssetKey("by_text"))

    found = replay(msgspec.structs.replace(made, record=path), [Lake(str(lake))])

    (change,) = found.changes
    assert (change.what, change.before) == ("datafusion.execution.time_zone", "+03:00")
    assert found.rows.outcome == "equal"


def test_equal_runs_have_one_record(
    make: Make, history: dg.DagsterInstance, lake: Path
) -> None:
    paths = set()
    for _ in range(2):
        make(flights, by_text, by_calls, narrowed, over_a_frame)
        for name in ("by_text", "by_calls", "narrowed", "over_a_frame"):
            made = find_materialized(history, dg.AssetKey(name))
            kept = record(history, lake, name)
            inputs = tuple(
                msgspec.structs.replace(each, version=0) for each in kept.inputs
            )
            paths.add((name, repr(msgspec.structs.replace(kept, inputs=inputs))))
            assert made.run_id[:8] not in repr(kept)

    assert len(paths) == 4


@pytest.mark.parametrize(
    "which", [{"run_id": "none"}, {"partition": "2026-01-01"}], ids=str
)
def test_a_materialization_that_is_not_there_is_refused(
    make: Make, history: dg.DagsterInstance, which: dict[str, Any]
) -> None:
    make(flights)

    with pytest.raises(RecordError, match="there is no materialization of flights"):
        find_materialized(history, dg.AssetKey("flights"), **which)
