"""The zero-row bootstrap finds what does not fit, where it is, without data."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from dagster_dfsession import DfSessionError, SessionProfile, bootstrap_session
from dagster_dfsession.bootstrap.report import BootstrapItem, BootstrapReport, Fault
from dagster_dfsession.bootstrap.request import (
    BootstrapAsset,
    BootstrapRequest,
    Query,
    Rehearsal,
)
from dagster_dfsession.errors import Place
from dagster_dfsession.profile.bootstrap import BootstrapProfile

COLUMNS: dict[str, pa.DataType] = {"carrier": pa.string(), "dep_delay": pa.float64()}
FLIGHTS = pa.schema(COLUMNS)
SOURCE = BootstrapAsset(key="raw/flights", columns=FLIGHTS)
QUERIES = {
    # Not in the order of their dependencies.
    "late": "SELECT carrier FROM mean WHERE mean > 10",
    "mean": "SELECT carrier, avg(dep_delay) AS mean FROM raw.flights GROUP BY carrier",
    "all_carriers": "SELECT DISTINCT carrier FROM raw.flights",
}


def query(key: str, sql: str, **more: Any) -> BootstrapAsset:
    return BootstrapAsset(key=key, made=Query(sql), **more)


def check(*assets: BootstrapAsset, **profile: Any) -> BootstrapReport:
    bootstrap = msgspec.convert(profile, BootstrapProfile)
    return bootstrap_session(
        SessionProfile(name="t", bootstrap=bootstrap), BootstrapRequest(assets)
    )


def graph(**changed: str) -> tuple[BootstrapAsset, ...]:
    texts = QUERIES | changed
    return (*(query(key, sql) for key, sql in texts.items()), SOURCE)


def found(report: BootstrapReport) -> Mapping[str, BootstrapItem]:
    return {item.asset: item for item in report.items}


def statuses(report: BootstrapReport) -> dict[str, str]:
    return {item.asset: item.status for item in report.items}


def test_a_sound_graph_passes_and_each_asset_comes_after_what_it_reads() -> None:
    report = check(*graph())

    assert report.success
    names = [item.asset for item in report.items]
    assert names.index("raw/flights") < names.index("mean") < names.index("late")
    assert report.counts == {"assumed": 1, "ok": 3}


@pytest.mark.demand("D8")
def test_a_renamed_column_fails_at_its_place_and_blocks_what_is_behind() -> None:
    report = check(
        *graph(mean="SELECT carrier,\n  avg(delay) AS mean\nFROM raw.flights")
    )

    assert statuses(report) == {
        "raw/flights": "assumed",
        "all_carriers": "ok",
        "mean": "failed",
        "late": "blocked",
    }
    mean, late = found(report)["mean"], found(report)["late"]
    assert mean.faults[0].name == "delay"
    assert mean.faults[0].places == (Place(2, 7),)
    assert "dep_delay" in str(mean.faults[0].suggestion)
    assert late.message == "reads mean, which failed"
    assert late.causes == ("mean",)


def test_all_places_of_a_name_are_given() -> None:
    report = check(SOURCE, query("q", "SELECT a,\n/* a */ 'a', a FROM raw.flights"))

    assert found(report)["q"].faults[0].places == (Place(1, 8), Place(2, 14))


def test_every_column_that_is_missing_is_told() -> None:
    sql = "SELECT f.carier, r.nam, dep_dela AS n\nFROM raw.flights f JOIN r USING (carrier)"
    names = BootstrapAsset(
        key="r", columns=pa.schema({"carrier": pa.string(), "name": pa.string()})
    )

    report = check(SOURCE, names, query("q", sql), query("p", "SELECT n, m FROM q"))

    faults = found(report)["q"].faults
    assert [(each.name, each.places[0].column) for each in faults] == [
        ("f.carier", 8),
        ("r.nam", 18),
        ("dep_dela", 25),
    ]
    assert [each.name for each in found(report)["p"].faults] == ["m"]


def test_what_is_blocked_and_would_fail_by_itself_is_failed() -> None:
    behind = query("behind", "SELECT nothing FROM broken")
    fine = query("fine", "SELECT carrier FROM broken")
    far = query("far", "SELECT carrier FROM fine")
    broken = query("broken", "SELECT carrie FROM raw.flights", columns=FLIGHTS)

    report = check(SOURCE, broken, behind, fine, far)

    assert statuses(report) == {
        "raw/flights": "assumed",
        "broken": "failed",
        "behind": "failed",
        "fine": "blocked",
        "far": "blocked",
    }
    assert [found(report)[each].causes for each in ("behind", "fine", "far")] == [
        ("broken",)
    ] * 3


def test_a_syntax_error_has_its_place_and_blocks_what_is_behind() -> None:
    report = check(*graph(mean="SELECT carrier\nFRO raw.flights"))

    assert statuses(report)["mean"] == "failed"
    assert found(report)["mean"].faults[0].places[0].line == 2
    assert statuses(report)["late"] == "blocked"


def test_a_wrong_type_is_found_by_planning_alone() -> None:
    report = check(
        SOURCE, query("q", "SELECT * FROM raw.flights WHERE dep_delay LIKE 3")
    )

    assert statuses(report)["q"] == "failed"


def test_a_table_that_nobody_makes_is_named_with_its_likely_spelling() -> None:
    # `raw.flights` comes later than `a`, in the order of names.
    (item,) = check(query("a", "SELECT * FROM raw.flight"), SOURCE).affected

    assert "Did you mean 'raw.flights'?" in item.message
    assert item.faults == (
        Fault(name="raw.flight", places=(Place(1, 15),), suggestion="raw.flights"),
    )


def test_an_asset_of_unknown_columns_blocks_only_what_reads_it() -> None:
    unread = check(SOURCE, BootstrapAsset(key="api"))
    read = check(
        SOURCE, BootstrapAsset(key="api"), query("q", "SELECT * FROM api, raw.flights")
    )

    assert unread.success
    assert statuses(read) == {
        "api": "unknown",
        "raw/flights": "assumed",
        "q": "blocked",
    }
    assert found(read)["q"].message == (
        "reads api, whose columns nobody knows: give it a contract with a schema, or "
        "materialize it once"
    )


def test_columns_other_than_the_promised_ones_are_a_mismatch() -> None:
    columns: dict[str, pa.DataType] = {"carier": pa.string(), "n": pa.int64()}
    promised = pa.schema(columns)
    sql = "SELECT carrier, count(*) AS n FROM raw.flights GROUP BY carrier"
    assets = (
        SOURCE,
        query("q", sql, columns=promised),
        query("r", "SELECT carrier FROM q"),
    )

    strict, lenient = check(*assets), check(*assets, exact_schemas=False)

    assert statuses(strict) == {"raw/flights": "assumed", "q": "mismatch", "r": "ok"}
    assert found(strict)["q"].faults == (
        Fault(name="carier", suggestion="carrier"),
        Fault(name="carrier", places=(Place(1, 8), Place(1, 57)), suggestion="carier"),
    )
    assert "missing: carier (string), is it 'carrier'?" in found(strict)["q"].message
    assert lenient.success
    assert found(lenient)["q"].message


def test_what_a_write_would_refuse_is_a_mismatch_and_its_result_is_what_is_read() -> (
    None
):
    def stored(columns: pa.Schema) -> pa.Schema:
        if "n" not in columns.names:
            raise DfSessionError("no n")
        return pa.schema([*columns, pa.field("valid_from", pa.date32())])

    history = query("history", "SELECT 1 AS n", stored=stored)
    report = check(
        history,
        query("reads", "SELECT valid_from FROM history"),
        query("lacking", "SELECT 1 AS m", stored=stored),
    )

    assert statuses(report) == {"history": "ok", "lacking": "mismatch", "reads": "ok"}
    assert found(report)["lacking"].message == "no n"


def test_a_column_that_delta_cannot_hold_is_a_mismatch() -> None:
    report = check(query("q", "SELECT arrow_cast(1, 'UInt64') AS n"))

    assert statuses(report) == {"q": "mismatch"}
    assert "cast it to int64" in found(report)["q"].message


def test_a_query_may_read_what_its_own_table_has() -> None:
    columns = pa.schema({"n": pa.int64()})

    report = check(query("q", "SELECT max(n) + 1 AS n FROM q", columns=columns))

    assert statuses(report) == {"q": "ok"}


def test_assets_that_read_each_other_are_refused() -> None:
    with pytest.raises(
        DfSessionError, match=r"assets read each other: (a -> b -> a|b -> a -> b)"
    ):
        check(query("a", "SELECT * FROM b"), query("b", "SELECT * FROM a"))


def test_a_rehearsal_is_given_small_tables_and_its_columns_are_read() -> None:
    given: list[Mapping[str, pa.Table]] = []

    def run(tables: Mapping[str, pa.Table]) -> pa.Schema:
        given.append(tables)
        return pa.schema({"n": pa.int64()})

    made = Rehearsal(reads=("raw/flights",), run=run)
    report = check(
        SOURCE, BootstrapAsset(key="py", made=made), query("q", "SELECT n FROM py")
    )

    assert report.success
    assert given == [{"raw/flights": FLIGHTS.empty_table()}]


def test_the_report_is_the_same_every_time() -> None:
    wrong = graph(mean="SELECT x FROM raw.flights")

    assert msgspec.json.encode(check(*wrong)) == msgspec.json.encode(
        check(*reversed(wrong))
    )


def test_a_typed_null_stands_for_a_value_that_only_a_run_has() -> None:
    made = Query(
        "SELECT CAST($key AS date) AS day, $key AS key",
        {"key": pa.scalar(None, pa.string())},
    )

    report = check(BootstrapAsset(key="q", made=made), mode="one_row")

    assert report.success


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
    source = BootstrapAsset(key="t", columns=schema)

    report = check(source, query("q", "SELECT 1 / n AS one, t.* FROM t"), mode=mode)

    assert statuses(report)["q"] == status
    assert ("zero" in found(report)["q"].message.lower()) == (status == "failed")
