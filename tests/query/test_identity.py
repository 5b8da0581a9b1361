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

from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hardening import HardeningProfile
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.query.identity import PlanIdentity, plan_identity
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
