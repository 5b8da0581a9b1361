"""The zero-row bootstrap finds what does not fit, where it is, without data."""

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from dagster_dfsession import DfSessionError, SessionProfile, bootstrap_session
from dagster_dfsession.bootstrap import BootstrapReport, BootstrapRequest
from dagster_dfsession.profile.bootstrap import BootstrapProfile

COLUMNS: "list[pa.Field[Any]]" = [
    pa.field("carrier", pa.string()),
    pa.field("dep_delay", pa.float64()),
]
FLIGHTS = pa.schema(COLUMNS)
QUERIES = {
    # Not in the order of their dependencies.
    "late": "SELECT carrier FROM mean WHERE mean > 10",
    "mean": "SELECT carrier, avg(dep_delay) AS mean FROM raw.flights GROUP BY carrier",
    "all_carriers": "SELECT DISTINCT carrier FROM raw.flights",
}


def check(
    queries: dict[str, str], *, profile: BootstrapProfile | None = None, **more: object
) -> BootstrapReport:
    request = BootstrapRequest(tables={"raw.flights": FLIGHTS}, queries=queries, **more)  # type: ignore[arg-type]
    bootstrap = profile or BootstrapProfile()
    return bootstrap_session(SessionProfile(name="t", bootstrap=bootstrap), request)


def statuses(report: BootstrapReport) -> dict[str, str]:
    return {item.name: item.status for item in report.items}


def test_a_sound_graph_passes_and_each_query_comes_after_what_it_reads() -> None:
    report = check(QUERIES)

    assert report.success
    names = [item.name for item in report.items]
    assert names.index("mean") < names.index("late")


def test_a_renamed_column_fails_where_it_is_and_blocks_what_is_behind() -> None:
    renamed = QUERIES | {"mean": QUERIES["mean"].replace("dep_delay", "delay")}

    report = check(renamed)

    assert statuses(report) == {
        "all_carriers": "ok",
        "late": "blocked",
        "mean": "failed",
    }
    messages = {item.name: item.message for item in report.items}
    assert "delay" in messages["mean"]
    assert messages["late"] == "reads mean"


def test_a_table_that_nobody_makes_is_named_with_its_likely_spelling() -> None:
    report = check({"q": "SELECT * FROM raw.flight"})

    assert "Did you mean 'raw.flights'?" in report.items[0].message


def test_columns_other_than_the_declared_ones_are_a_mismatch() -> None:
    declared = {"all_carriers": pa.schema([("carrier", pa.int64()), ("n", pa.int64())])}

    strict = check(QUERIES, declared=declared)
    lenient = check(
        QUERIES, declared=declared, profile=BootstrapProfile(exact_schemas=False)
    )

    assert statuses(strict)["all_carriers"] == "mismatch"
    assert "missing: n" in strict.items[0].message
    assert "carrier" in strict.items[0].message
    assert lenient.success


def test_the_report_is_the_same_every_time() -> None:
    assert msgspec.json.encode(check(QUERIES)) == msgspec.json.encode(check(QUERIES))


def test_queries_that_read_each_other_are_refused() -> None:
    with pytest.raises(
        DfSessionError, match=r"queries read each other: (a -> b -> a|b -> a -> b)"
    ):
        check({"a": "SELECT * FROM b", "b": "SELECT * FROM a"})


@pytest.mark.parametrize(
    ("mode", "status"), [("plan", "ok"), ("zero_rows", "ok"), ("one_row", "failed")]
)
def test_one_row_runs_what_planning_cannot_see(mode: str, status: str) -> None:
    kinds: dict[str, pa.DataType] = {
        "n": pa.int32(),
        "day": pa.date32(),
        "at": pa.timestamp("us", tz="UTC"),
        "price": pa.decimal128(10, 2),
        "name": pa.string(),
        "raw": pa.binary(),
        "tags": pa.list_(pa.string()),
        "place": pa.struct([("x", pa.float64()), ("ok", pa.bool_())]),
    }
    schema = pa.schema([pa.field(n, kind, nullable=False) for n, kind in kinds.items()])
    request = BootstrapRequest(
        tables={"t": schema}, queries={"q": "SELECT 1 / n AS one, t.* FROM t"}
    )
    profile = msgspec.convert({"mode": mode}, BootstrapProfile)

    report = bootstrap_session(SessionProfile(name="t", bootstrap=profile), request)

    assert report.items[0].status == status
    assert ("zero" in report.items[0].message.lower()) == (status == "failed")
