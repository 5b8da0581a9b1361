"""A bootstrap plans again only what could have changed, and finds the same."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.bootstrap.check import bootstrap_session
from dagster_dfsession.bootstrap.report import BootstrapReport
from dagster_dfsession.bootstrap.request import BootstrapAsset, BootstrapRequest, Query
from dagster_dfsession.profile.bootstrap import BootstrapProfile
from dagster_dfsession.profile.cache import CacheProfile, PlansOnDisk
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hardening import HardeningProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.plan_cache import PlanCounts, plan_cache
from dagster_dfsession.session.functions.declare import scalar_udf

COLUMNS: "list[pa.Field[Any]]" = [
    pa.field("carrier", pa.string()),
    pa.field("delay", pa.float64()),
]
FLIGHTS = pa.schema(COLUMNS)
MEAN = "SELECT carrier, avg(delay) AS mean FROM flights GROUP BY carrier"
LATE = "SELECT carrier FROM mean WHERE mean > 10"


def check(
    place: Path, *, flights: pa.Schema = FLIGHTS, late: str = LATE, **parts: Any
) -> tuple[BootstrapReport, PlanCounts]:
    """Return what is found, and what the cache of the process counts by then."""
    plans = PlansOnDisk(directory=str(place))
    request = BootstrapRequest(
        (
            BootstrapAsset(key="flights", columns=flights),
            BootstrapAsset(key="mean", made=Query(MEAN)),
            BootstrapAsset(key="late", made=Query(late)),
        )
    )
    profile = SessionProfile(name="t", cache=CacheProfile(plans=plans), **parts)
    report = bootstrap_session(profile, request)
    cache = plan_cache(plans)
    assert cache is not None
    return report, cache.counts


def planned(before: PlanCounts, after: PlanCounts) -> int:
    return after.misses - before.misses


def test_the_same_graph_is_not_planned_twice(tmp_path: Path) -> None:
    first, before = check(tmp_path)
    second, after = check(tmp_path)

    assert first == second
    assert first.success
    # The names of two queries, and their columns.
    assert before == PlanCounts(hits=0, misses=4, dropped=0)
    assert after == PlanCounts(hits=4, misses=4, dropped=0)


def test_another_query_alone_is_planned(tmp_path: Path) -> None:
    _, before = check(tmp_path)
    report, after = check(tmp_path, late="SELECT carier FROM mean")

    assert [each.asset for each in report.affected] == ["late"]
    assert planned(before, after) == 2


def test_what_failed_is_planned_again_and_fails_alike(tmp_path: Path) -> None:
    first, before = check(tmp_path, late="SELECT carier FROM mean")
    second, after = check(tmp_path, late="SELECT carier FROM mean")

    assert first == second
    assert not second.success
    assert planned(before, after) == 1


def test_a_renamed_column_fails_though_the_query_was_kept(tmp_path: Path) -> None:
    check(tmp_path)
    renamed = FLIGHTS.set(1, pa.field("late_by", pa.float64()))
    report, _ = check(tmp_path, flights=renamed)

    assert [each.asset for each in report.affected] == ["mean", "late"]


def test_a_type_that_a_query_only_passes_on_is_known_behind_it(tmp_path: Path) -> None:
    _, before = check(tmp_path)
    retyped = FLIGHTS.set(0, pa.field("carrier", pa.int64()))
    _, after = check(tmp_path, flights=retyped)

    assert planned(before, after) == 2


@pytest.mark.parametrize(
    "parts",
    [
        {"bootstrap": BootstrapProfile(mode="one_row")},
        {"hardening": HardeningProfile(time_zone="Europe/Vienna")},
    ],
    ids=["mode", "time zone"],
)
def test_another_session_plans_for_itself(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    _, before = check(tmp_path)
    _, after = check(tmp_path, **parts)

    # Names do not depend on these.
    assert planned(before, after) == 2


def declare(body: Any) -> FunctionsProfile:
    module = ModuleType("kept_udfs")
    make = scalar_udf(
        inputs=[pa.float64()],
        returns=pa.float64(),
        volatility="immutable",
        name="share",
    )
    vars(module)["share"] = make(body)
    sys.modules["kept_udfs"] = module
    return FunctionsProfile(modules=("kept_udfs",))


def same(values: Any) -> Any:
    return values


def refuses(values: Any) -> Any:
    del values
    raise ValueError("no")


OPAQUE = object()


def opaque(values: Any) -> Any:
    return values if OPAQUE else None


SHARE = "SELECT share(mean) AS s FROM mean"


def test_another_body_of_a_function_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kept_udfs", ModuleType("kept_udfs"))
    row = BootstrapProfile(mode="one_row")
    good, _ = check(tmp_path, late=SHARE, bootstrap=row, functions=declare(same))
    bad, _ = check(tmp_path, late=SHARE, bootstrap=row, functions=declare(refuses))

    assert good.success
    assert [each.asset for each in bad.affected] == ["late"]


def test_a_session_that_cannot_be_compared_keeps_no_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kept_udfs", ModuleType("kept_udfs"))
    for parts in ({"functions": declare(opaque)}, {"sql": SqlProfile(url_tables=True)}):
        place = tmp_path / "_".join(parts)
        check(place, **parts)
        _, counts = check(place, **parts)

        assert counts == PlanCounts(hits=2, misses=2, dropped=0)
