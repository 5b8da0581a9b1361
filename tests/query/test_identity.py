"""One query has one hash, wherever and whenever it is asked."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datafusion import DataFrame, col, udf
from datafusion.catalog import Table
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import dataset as ds

from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hardening import HardeningProfile
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.query.identity import PlanIdentity, neutral, plan_identity
from dagster_dfsession.session.functions.declare import scalar_udf

Lent = Callable[..., Lease]

ROOT = Path(__file__).parents[2]
FLIGHTS = pa.table({"a": [1, 2], "b": ["x", "y"], "d": [0.5, 1.5]})
ROUTES = pa.table({"a": [1, 2], "c": ["x", "y"]})
QUERY = "SELECT b, sum(a) AS a FROM flights WHERE a > 1 GROUP BY b"
OPAQUE = object()


def identify(
    lease: Lease, query: str | DataFrame = QUERY, **tables: pa.Table
) -> PlanIdentity:
    for name, rows in (tables or {"flights": FLIGHTS, "routes": ROUTES}).items():
        if name not in lease.names.values():
            lease.register(name, rows)
    frame = lease.sql(query) if isinstance(query, str) else query
    scoped = {full: f"<{short}>" for full, short in lease.names.items()}
    return plan_identity(frame, lease.session.snapshot(), scoped=scoped)


def half(values: Any) -> Any:
    return pc.divide(values, 2.0)


def third(values: Any) -> Any:
    return pc.divide(values, 3.0)


def opaque(values: Any) -> Any:
    return values if OPAQUE else None


def with_function(
    lent: Lent,
    monkeypatch: pytest.MonkeyPatch,
    body: Callable[[Any], Any] = half,
    volatility: Any = "immutable",
) -> Lease:
    module = ModuleType("shop_udfs")
    declare = scalar_udf(
        inputs=[pa.float64()],
        returns=pa.float64(),
        volatility=volatility,
        name="share",
        aliases=["part"],
    )
    vars(module)["share"] = declare(body)
    monkeypatch.setitem(sys.modules, "shop_udfs", module)
    return lent(functions=FunctionsProfile(modules=("shop_udfs",)))


def test_another_run_and_another_step_have_the_same_query(lent: Lent) -> None:
    identities = [
        identify(lent(Scope(run_id=run, step=step, attempt=attempt)))
        for run, step, attempt in (("1a2b3c4d", "load", 0), ("ffffffff", "flights", 2))
    ]

    assert identities[0] == identities[1]
    assert identities[0].tables == ("<flights>",)
    assert "run_" not in identities[0].text


def test_another_process_has_the_same_query(lent: Lent) -> None:
    code = f"""
import pyarrow as pa
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.identity import plan_identity
from dagster_dfsession.session.factory import open_session

with open_session(plan_session(SessionProfile(name="test"))) as session:
    lease = Lease(session, Scope(run_id="another", step="other"))
    lease.register("flights", pa.table({FLIGHTS.to_pydict()!r}))
    scoped = {{full: f"<{{short}}>" for full, short in lease.names.items()}}
    print(plan_identity(lease.sql({QUERY!r}), session.snapshot(), scoped=scoped).plan_hash)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.strip() == identify(lent()).plan_hash


def test_tables_that_a_query_does_not_read_do_not_count(lent: Lent) -> None:
    alone, among = lent(), lent()
    for name in ("a", "flights_too", "zzz"):
        among.register(name, ROUTES)

    assert identify(alone, flights=FLIGHTS) == identify(among, flights=FLIGHTS)


@pytest.mark.parametrize(
    "query",
    [
        QUERY.replace("1", "2"),
        QUERY.replace("sum", "min"),
        QUERY.replace(" AS a", " AS b2"),
        QUERY.replace("> 1", ">= 1"),
        QUERY + " ORDER BY b",
        QUERY + " LIMIT 5",
    ],
)
def test_another_query_has_another_hash(query: str, lent: Lent) -> None:
    lease = lent()

    assert identify(lease, query).plan_hash != identify(lease).plan_hash


@pytest.mark.parametrize("name", ["a", "b"])
def test_another_type_of_a_column_is_another_query(name: str, lent: Lent) -> None:
    query = f"SELECT {name} FROM flights"
    place = FLIGHTS.schema.get_field_index(name)
    kind = pa.int32() if name == "a" else pa.large_string()
    other = FLIGHTS.set_column(place, name, FLIGHTS.column(name).cast(kind))

    before, after = (identify(lent(), query, flights=rows) for rows in (FLIGHTS, other))

    assert before.text == after.text
    assert before.plan_hash != after.plan_hash


def test_a_time_zone_counts_and_a_batch_size_does_not(lent: Lent) -> None:
    zone = lent(hardening=HardeningProfile(time_zone="Europe/Vienna"))
    size = lent(execution=ExecutionProfile(batch_size=7, target_partitions=5))

    assert identify(zone).plan_hash != identify(lent()).plan_hash
    assert identify(size).plan_hash == identify(lent()).plan_hash


def test_presets_that_agree_on_results_agree_on_the_query(lent: Lent) -> None:
    leases = {
        name: lent(execution=each.execution, cache=each.cache, runtime=each.runtime)
        for name, each in PRESETS.items()
    }

    assert len({identify(lease).plan_hash for lease in leases.values()}) == 1


SHARE = "SELECT share(d) AS d FROM flights"


def test_another_body_of_a_function_is_another_query(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = identify(with_function(lent, monkeypatch), SHARE)
    same = identify(with_function(lent, monkeypatch), SHARE)
    other = identify(with_function(lent, monkeypatch, third), SHARE)

    assert one == same
    assert one.functions == other.functions == ("share",)
    assert one.variable == other.variable == ()
    assert one.text == other.text
    assert one.plan_hash != other.plan_hash


def test_a_function_counts_only_where_it_is_called(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities = [
        identify(with_function(lent, monkeypatch, body)) for body in (half, third)
    ]

    assert identities[0] == identities[1]
    assert identities[0].functions == ()


def test_a_call_that_the_optimizer_computes_counts_too(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT part(1.0) AS d FROM flights"
    found = identify(with_function(lent, monkeypatch), query)

    assert "part(" not in found.text.replace("AS part(", "")
    assert found.functions == ("share",)


@pytest.mark.parametrize(
    ("body", "volatility"),
    [(half, "volatile"), (half, "stable"), (opaque, "immutable")],
)
def test_a_function_that_may_give_something_else_is_named(
    body: Callable[[Any], Any],
    volatility: str,
    lent: Lent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = identify(with_function(lent, monkeypatch, body, volatility), SHARE)

    assert found.variable == ("share",)


def test_a_function_that_a_frame_brings_along_is_named(lent: Lent) -> None:
    lease = lent()
    lease.register("flights", FLIGHTS)
    for name in ("adhoc", "Adhoc"):
        own = udf(half, [pa.float64()], pa.float64(), "immutable", name=name)
        frame = lease.table("flights").select(own(col("d")))

        assert identify(lease, frame).variable == (f"{name} (not installed)",)


def test_a_function_registered_by_hand_is_named(lent: Lent) -> None:
    lease = lent()
    lease.session.snapshot()
    lease.session.ctx.register_udf(
        udf(half, [pa.float64()], pa.float64(), "immutable", name="by_hand")
    )

    assert identify(lease, "SELECT by_hand(d) FROM flights").variable == ("by_hand",)


@pytest.mark.parametrize(
    ("query", "variable"),
    [
        ("SELECT random() AS r FROM flights", ("random",)),
        ("SELECT uuid() AS u", ("uuid",)),
        ("SELECT a FROM flights WHERE now() > '2020-01-01'", ("now",)),
        ("SELECT current_date AS d, current_timestamp AS t", ("current_date", "current_timestamp")),
        ("SELECT value FROM range(1, 3)", ("range()",)),
        ("SELECT a FROM flights ORDER BY random()", ("random",)),
        ("SELECT a FROM flights WHERE a IN (SELECT a FROM routes WHERE random() > 0)", ("random",)),
    ],
)  # fmt: skip
def test_what_differs_from_run_to_run_is_named(
    query: str, variable: tuple[str, ...], lent: Lent
) -> None:
    assert identify(lent(), query).variable == variable


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'random()' AS r, b FROM flights WHERE b <> 'now()'",
        "SELECT a FROM flights WHERE b LIKE 'adhoc(%'",
        "SELECT 'it''s \"random()' || b AS r FROM flights",
        "SELECT 'a\nTableScan: nothing' AS r FROM flights",
        "SELECT 'Utf8(\"' AS a, 'uuid()' AS b FROM flights",
    ],
)
def test_a_text_that_looks_like_a_call_is_only_text(query: str, lent: Lent) -> None:
    found = identify(lent(), query)

    assert found.variable == ()
    assert found.tables == ("<flights>",)


@pytest.mark.parametrize("text", ["Utf8(\"", '")', '" "', "x\n", 'Utf8("x")'])
def test_a_text_hides_no_call(text: str, lent: Lent) -> None:
    query = f"SELECT '{text}' AS t, random() AS r, b || '{text}' AS u FROM flights"

    assert "random" in identify(lent(), query).variable


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(a AS DECIMAL(10, 2)) AS d, DATE '2020-01-01' + INTERVAL '1 day' AS t FROM flights",
        "SELECT CASE WHEN a > 1 THEN [1, a] ELSE [] END AS l, {'k': a} AS s FROM flights",
        "SELECT b, count(DISTINCT a) FILTER (WHERE d > 1), grouping(b) FROM flights GROUP BY ROLLUP (b)",
        "SELECT a, row_number() OVER (PARTITION BY b ORDER BY d ROWS 1 PRECEDING) AS n FROM flights",
        "SELECT unnest([1, 2]) AS u, b FROM flights",
        "SELECT f.a, x.m FROM flights f, LATERAL (SELECT max(r.a) AS m FROM routes r WHERE r.a = f.a) x",
        "SELECT TIMESTAMPTZ '2020-01-01T00:00:00Z' AS t, TRY_CAST(b AS INT) AS i, arrow_cast(a, 'Int8') FROM flights",
        "SELECT b SIMILAR TO 'x', substr(b, 1, 2), extract(year FROM DATE '2020-01-01') FROM flights",
        "SELECT * FROM flights WHERE a IN (1, 2) AND NOT (b IN ('x')) AND (a, b) IN (SELECT a, c FROM routes)",
        "SELECT arrow_cast('1', 'Time64(Nanosecond)'), arrow_cast(1, 'Duration(Second)'), X'00' FROM flights",
    ],
    ids=range(10),
)  # fmt: skip
def test_no_part_of_sql_passes_for_a_function_that_is_not_installed(
    query: str, lent: Lent
) -> None:
    assert identify(lent(), query).variable == ()


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT 1 AS one", ()),
        ("SELECT f.a FROM flights f JOIN routes r ON f.a = r.a", ("<flights>", "<routes>")),
        ("SELECT a FROM flights UNION ALL SELECT a FROM routes", ("<flights>", "<routes>")),
        ("WITH routes AS (SELECT a FROM flights) SELECT a FROM routes", ("<flights>",)),
        ("WITH q AS (SELECT a FROM routes) SELECT a FROM flights WHERE a IN (SELECT a FROM q)", ("<flights>", "<routes>")),
        ("SELECT a FROM flights WHERE EXISTS (SELECT 1 FROM routes WHERE routes.a = flights.a)", ("<flights>", "<routes>")),
        ("SELECT (SELECT max(a) FROM routes) AS m FROM flights", ("<flights>", "<routes>")),
        ('SELECT "Ab" FROM "raw/us"."my table"', ("raw/us.my table",)),
        ('SELECT "Ab" FROM "raw/us"."my table" LIMIT 1', ("raw/us.my table",)),
        ('SELECT "Ab" FROM "raw/us"."my table" WHERE "Ab" > 1', ("raw/us.my table",)),
        ("SELECT a FROM lake.public.flights, dfsession.session", ("<flights>", "dfsession.session")),
    ],
    ids=range(11),
)  # fmt: skip
def test_the_tables_of_a_query_are_found_wherever_they_stand(
    query: str, tables: tuple[str, ...], lent: Lent
) -> None:
    lease = lent()
    quoted = Table(ds.dataset(pa.table({"Ab": [1]})))
    lease.session.catalog.add(("raw/us", "my table"), quoted)

    assert identify(lease, query).tables == tables


@given(st.dictionaries(st.from_regex("run_[a-c]{1,3}", fullmatch=True), st.text("<>xyz", min_size=1)))
def test_the_longest_name_is_replaced_first(scoped: dict[str, str]) -> None:
    text = " ".join(scoped)

    assert neutral(text, scoped) == " ".join(scoped.values())
