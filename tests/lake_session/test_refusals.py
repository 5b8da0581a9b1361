"""What a session outside Dagster refuses, and how it says so."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dagster_dfsession.errors import (
    DeltaError,
    DfSessionError,
    EngineVersionError,
    FunctionError,
    LocationError,
    ProfileError,
    QueryError,
    RecordError,
    SettingError,
    SqlPolicyError,
    UnsupportedTypeError,
)
from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.materialization.artifact import PlanArtifact
from dagster_dfsession.materialization.records import StatementRecord
from dagster_dfsession.profile.presets import DEV
from tests.lake_session.conftest import FLIGHTS, Opened

QUERY = "SELECT origin, late FROM flights WHERE late > 0"


def altered(artifact: PlanArtifact, **fields: Any) -> PlanArtifact:
    return msgspec.structs.replace(artifact, **fields)


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "preset": ({"profile": "prd"}, ProfileError, "Did you mean 'prod'?"),
    "address": ({"root_uri": "s3://"}, LocationError, "names no bucket"),
    "options alone": (
        {"root_uri": None, "storage_options": {"key": "hunter2"}},
        LocationError,
        "without a root_uri",
    ),
    "module": ({"udfs": ["not a module"]}, ProfileError, "package.module"),
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_wrong_options_are_refused_at_construction(case: str) -> None:
    options, kind, text = WRONG_OPTIONS[case]

    with pytest.raises(kind, match=text.replace("?", r"\?")) as refused:
        LakeSession(**{"profile": "dev", **options})

    assert "hunter2" not in str(refused.value)


WRONG_CALLS: dict[str, tuple[Callable[[LakeSession], Any], type[Exception], str]] = {
    "a frame with params": (
        lambda lake: lake.compile(lake.table("flights"), params={"n": 1}),
        QueryError,
        "params and tables were given with a frame",
    ),
    "no query": (
        lambda lake: lake.compile(QUERY.split()),  # type: ignore[arg-type]
        UnsupportedTypeError,
        "list is no query",
    ),
    "a forbidden statement": (
        lambda lake: lake.compile("CREATE TABLE t AS SELECT 1"),
        SqlPolicyError,
        "policy forbids",
    ),
    "a constant that cannot be cast": (
        lambda lake: lake.compile("SELECT cast('x' AS int) AS n"),
        QueryError,
        """compiling, "SELECT cast('x' AS int) AS n": a value is not""",
    ),
    "a mode": (
        lambda lake: lake.write(lake.compile(QUERY), "t", mode="apend"),  # type: ignore[arg-type]
        QueryError,
        "Did you mean 'append'?",
    ),
    "a level": (
        lambda lake: lake.explain(QUERY, level="analyse"),  # type: ignore[arg-type]
        QueryError,
        "Did you mean 'analyze'?",
    ),
    "a table name": (
        lambda lake: lake.write(lake.compile(QUERY), "_dfsession"),
        LocationError,
        "this package's own",
    ),
    "merge without one": (
        lambda lake: lake.write(lake.compile(QUERY), "t", mode="merge"),
        DeltaError,
        "mode 'merge' needs one",
    ),
    "data that is missing": (
        lambda lake: lake.execute(lake.compile("SELECT * FROM d", d=FLIGHTS)),
        QueryError,
        "reads data called d, and was given nothing",
    ),
    "params with a frame that is streamed": (
        lambda lake: lake.stream(lake.sql(QUERY), params={"n": 1}),
        QueryError,
        "they go with SQL",
    ),
    "no query to stream": (
        lambda lake: lake.stream(7),  # type: ignore[arg-type]
        UnsupportedTypeError,
        "int is no query",
    ),
    "data of another name": (
        lambda lake: lake.execute(lake.compile(QUERY), d=FLIGHTS),
        QueryError,
        "reads data called nothing, and was given d",
    ),
    "other data": (
        lambda lake: lake.execute(
            lake.compile("SELECT * FROM d", d=FLIGHTS), d=FLIGHTS.slice(1)
        ),
        QueryError,
        "data called 'd' is not what the query was planned with",
    ),
    "bytes of something else": (
        lambda _: PlanArtifact.from_bytes(b"{}"),
        RecordError,
        "are no plan artifact of version 1",
    ),
    "another version": (
        lambda lake: PlanArtifact.from_bytes(
            lake.compile(QUERY).to_bytes().replace(b'"version":1', b'"version":9', 1)
        ),
        RecordError,
        "compile the query again",
    ),
    "another engine": (
        lambda lake: lake.execute(
            altered(
                lake.compile(QUERY),
                engine=altered_engine(lake.compile(QUERY), "54.1.0"),
            )
        ),
        EngineVersionError,
        "planned by DataFusion 54.1.0",
    ),
    "another table in its place": (
        lambda lake: lake.execute(
            altered(
                lake.compile(QUERY),
                inputs=tuple(
                    msgspec.structs.replace(each, id="other")
                    for each in lake.compile(QUERY).inputs
                ),
            )
        ),
        DeltaError,
        "was made anew",
    ),
    "a version that is gone": (
        lambda lake: lake.execute(
            altered(
                lake.compile(QUERY),
                inputs=tuple(
                    msgspec.structs.replace(each, version=7)
                    for each in lake.compile(QUERY).inputs
                ),
            )
        ),
        DeltaError,
        "7",
    ),
    "another plan": (
        lambda lake: lake.execute(
            altered(
                lake.compile(QUERY),
                statement=StatementRecord(
                    sql="SELECT late FROM flights",
                    params={},
                    by="author",
                    plan_hash=lake.compile(QUERY).plan_hash,
                ),
            )
        ),
        QueryError,
        "plans as another one here",
    ),
    "a query that has no SQL": (
        lambda lake: lake.execute(altered(lake.compile(QUERY), statement="no reason")),
        QueryError,
        "the artifact cannot be executed: no reason",
    ),
}


def altered_engine(artifact: PlanArtifact, engine: str) -> Any:
    return msgspec.structs.replace(artifact.engine, engine=engine)


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls_are_refused_and_write_nothing(
    lake: LakeSession, root: Path, case: str
) -> None:
    call, kind, text = WRONG_CALLS[case]
    before = sorted(root.rglob("*"))

    with pytest.raises(kind) as refused:
        call(lake)

    assert text in str(refused.value)
    assert isinstance(refused.value, DfSessionError)
    assert sorted(root.rglob("*")) == before


def test_a_changed_function_is_named(
    opened: Opened, functions: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT lateness(late) AS late FROM flights"
    monkeypatch.syspath_prepend(functions("once"))
    artifact = opened(udfs=["fc_functions"]).compile(query)
    monkeypatch.delitem(sys.modules, "fc_functions")
    monkeypatch.syspath_prepend(functions("twice"))

    with pytest.raises(FunctionError) as changed:
        opened(udfs=["fc_functions"]).execute(artifact)
    with pytest.raises(FunctionError) as missing:
        opened().execute(artifact)

    assert "'lateness' is not the function that the query was planned with" in str(
        changed.value
    )
    assert "calls 'lateness', which this session does not have" in str(missing.value)
    sys.modules.pop("fc_functions", None)


def test_a_setting_that_changes_results_is_named(opened: Opened) -> None:
    artifact = opened().compile(QUERY)
    zoned = {"datafusion.execution.time_zone": "Europe/Berlin"}
    faster = {"datafusion.execution.batch_size": "512"}

    with pytest.raises(SettingError) as refused:
        opened(msgspec.structs.replace(DEV, settings=zoned)).execute(artifact)
    other = opened(msgspec.structs.replace(DEV, settings=faster))

    assert refused.value.key == "datafusion.execution.time_zone"
    assert "it can change the result" in str(refused.value)
    assert other.execute(artifact).to_table().num_rows == 2


def test_a_table_below_no_root_is_named_with_the_roots(
    opened: Opened, tmp_path: Path
) -> None:
    artifact = opened().compile(QUERY)

    with pytest.raises(LocationError) as refused:
        opened(root_uri=str(tmp_path / "other")).execute(artifact)

    assert "flights, which is below none of the roots" in str(refused.value)
