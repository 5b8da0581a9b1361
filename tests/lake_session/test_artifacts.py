"""A compiled query is the same everywhere, and returns what it would have returned."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from datafusion import DataFrame, SessionContext, col
from datafusion.plan import ExecutionPlan, LogicalPlan
from datafusion.substrait import Consumer, Serde
from deltalake import DeltaTable, write_deltalake
from hypothesis import given

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.materialization.artifact import (
    Encoded,
    NotEncoded,
    PlanArtifact,
)
from dagster_dfsession.materialization.statements import parameter_of, value_of
from tests.lake_session.conftest import FLIGHTS, Opened

QUERY = "SELECT origin, sum(late) AS late FROM flights GROUP BY origin ORDER BY origin"
ROWS = [
    {"origin": "EWR", "late": 65},
    {"origin": "JFK", "late": -3},
    {"origin": "LGA", "late": 0},
]
ELSEWHERE = """
import json, sys
from pathlib import Path
from dagster_dfsession import LakeSession, PlanArtifact
root, artifact, query = sys.argv[1:]
with LakeSession("dev", root_uri=root, udfs=["fc_functions"]) as lake:
    given = PlanArtifact.from_bytes(Path(artifact).read_bytes())
    said = {
        "plan_hash": lake.compile(query).plan_hash,
        "rows": lake.execute(given).to_table().to_pylist(),
    }
print(json.dumps(said))
"""


def test_an_artifact_says_what_was_planned_and_what_it_depends_on(
    lake: LakeSession, root: Path
) -> None:
    artifact = lake.compile(QUERY)

    assert "TableScan: flights" in artifact.logical
    assert artifact.optimized.endswith("TableScan: flights projection=[origin, late]")
    assert artifact.physical.startswith("SortPreservingMergeExec: [origin@0 ASC")
    assert artifact.columns == (("origin", "string_view"), ("late", "int64"))
    [read] = artifact.inputs
    assert (read.key, read.uri, read.version) == (
        ("flights",),
        str(root / "flights"),
        0,
    )
    assert "datafusion.sql_parser.dialect" in artifact.result_settings
    assert artifact.variable == ()


def test_an_artifact_is_whole_after_it_was_a_file(lake: LakeSession) -> None:
    artifact = lake.compile(QUERY)

    read = PlanArtifact.from_bytes(artifact.to_bytes())

    assert read == artifact
    assert lake.execute(read).to_table().to_pylist() == ROWS


def test_another_process_plans_the_same_query_and_gets_the_same_rows(
    opened: Opened,
    root: Path,
    tmp_path: Path,
    functions: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = functions("once")
    monkeypatch.syspath_prepend(module)
    query = "SELECT lateness(late) AS late FROM flights WHERE origin = 'EWR'"
    artifact = opened(udfs=["fc_functions"]).compile(query)
    kept = tmp_path / "artifact.json"
    kept.write_bytes(artifact.to_bytes())
    # Tables and versions that came later are nothing to it.
    write_deltalake(str(root / "flights"), FLIGHTS, mode="append")
    write_deltalake(str(root / "other"), FLIGHTS)

    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(root), str(kept), query],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(module), "."])},
    )

    assert json.loads(done.stdout) == {
        "plan_hash": artifact.plan_hash,
        "rows": [{"late": 5}, {"late": 60}],
    }


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM flights WHERE false",
        'SELECT a.city FROM flights JOIN "raw".airports AS a USING (origin)',
        "WITH late AS (SELECT * FROM flights WHERE late > 0) SELECT * FROM late",
        "SELECT id, row_number() OVER (ORDER BY id) AS n FROM flights",
        "SELECT 1 AS one",
        "SELECT id FROM flights WHERE now() > TIMESTAMP '2000-01-01'",
        "SELECT * FROM range(3)",
    ],
)
def test_rows_are_those_of_the_query(lake: LakeSession, query: str) -> None:
    rows = lake.execute(lake.compile(query)).reader().read_all().to_pylist()

    assert sorted(rows, key=str) == sorted(lake.sql(query).to_pylist(), key=str)


def test_tables_are_read_at_the_versions_of_then(opened: Opened, root: Path) -> None:
    artifact = opened().compile(QUERY)
    write_deltalake(str(root / "flights"), FLIGHTS, mode="append")
    later = opened()

    assert later.sql("SELECT count(*) AS n FROM flights").to_pydict() == {"n": [8]}
    assert later.execute(artifact).to_table().to_pylist() == ROWS


def test_a_table_opened_at_a_version_stays_at_it(opened: Opened, root: Path) -> None:
    write_deltalake(str(root / "flights"), FLIGHTS, mode="append")
    lake = opened()
    lake.table("flights", version=0)
    artifact = lake.compile('SELECT count(*) AS n FROM "flights@0"')

    assert opened().execute(artifact).to_table().to_pylist() == [{"n": 4}]


def test_a_frame_is_compiled_as_the_asset_that_returns_it(lake: LakeSession) -> None:
    frame = lake.table("flights").filter(col("late") > 0).select("id")
    artifact = lake.compile(frame)

    assert lake.execute(artifact).to_table().to_pylist() == [{"id": 0}, {"id": 2}]
    made = lake.write(artifact, "late")
    assert made.identity is not None
    assert made.identity.text == artifact.optimized


def test_parameters_keep_their_types(opened: Opened) -> None:
    query = "SELECT $a AS a, $b AS b, arrow_typeof($c) AS c"
    params = {"a": "x'; --", "b": None, "c": pa.scalar(1, pa.int16())}
    artifact = opened().compile(query, params=params)

    rows = opened().execute(artifact).reader().read_all().to_pylist()
    assert rows == [{"a": "x'; --", "b": None, "c": "Int16"}]


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
        st.dates(),
        st.datetimes(),
        st.decimals(allow_nan=False, allow_infinity=False, places=3, max_value=10**9),
    )
)
def test_a_parameter_is_itself_after_it_was_kept(value: Any) -> None:
    assert value_of(parameter_of(value)).as_py() == value


def test_an_asset_of_the_same_query_has_the_same_plan_hash(
    lake: LakeSession, root: Path, run: Callable[..., dg.ExecuteInProcessResult]
) -> None:
    @dg.asset
    def totals(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(QUERY)

    [event] = run(totals, io={"root_uri": str(root)}).asset_materializations_for_node(
        "totals"
    )

    artifact = lake.compile(QUERY)
    assert event.metadata["dfsession/plan_hash"].value == artifact.plan_hash
    assert f"```text\n{artifact.optimized}\n" in str(
        event.metadata["dfsession/plan"].value
    )


def test_what_the_clock_says_is_no_other_query(opened: Opened) -> None:
    artifact = opened().compile("SELECT now() AS n, id FROM flights")

    assert artifact.variable == ("now",)
    assert opened().execute(artifact).to_table().num_rows == 4


def test_a_frame_that_is_given_becomes_part_of_the_query(lake: LakeSession) -> None:
    late = lake.sql("SELECT id FROM flights WHERE late > 0")
    artifact = lake.compile("SELECT count(*) AS n FROM late", late=late)

    assert artifact.data == {}
    assert [each.key for each in artifact.inputs] == [("flights",)]
    assert lake.execute(artifact).to_table().to_pylist() == [{"n": 2}]


def test_data_is_given_again_and_has_to_be_the_same(opened: Opened) -> None:
    query = "SELECT id FROM flights JOIN limits ON late > least_late"
    artifact = opened().compile(query, limits=pa.table({"least_late": [10]}))
    again = opened().execute(artifact, limits=pa.table({"least_late": [10]}))

    assert artifact.data.keys() == {"limits"}
    assert "<limits>" in artifact.optimized
    assert again.to_table().to_pylist() == [{"id": 2}]


def test_one_session_compiles_over_other_data_of_one_name(lake: LakeSession) -> None:
    one, other = (
        lake.compile("SELECT * FROM numbers", numbers=pa.table({"n": [n]}))
        for n in (1, 2)
    )

    assert one.plan_hash == other.plan_hash
    assert one.data != other.data
    for number, artifact in ((1, one), (2, other)):
        result = lake.execute(artifact, numbers=pa.table({"n": [number]}))
        assert result.to_table().to_pylist() == [{"n": number}]


def test_standard_forms_run_in_a_plain_engine(lake: LakeSession, root: Path) -> None:
    artifact = lake.compile("SELECT id FROM flights WHERE late > 0 ORDER BY id")
    forms = (artifact.optimized_protobuf, artifact.physical_protobuf)
    logical, physical = (form.data for form in forms if isinstance(form, Encoded))
    assert isinstance(artifact.substrait, Encoded)
    ctx = SessionContext()
    ctx.register_table("flights", DeltaTable(str(root / "flights")))
    substrait = Serde.deserialize_bytes(artifact.substrait.data)

    plans = [
        LogicalPlan.from_bytes(ctx, logical),
        Consumer.from_substrait_plan(ctx, substrait),
    ]

    for plan in plans:
        frame = ctx.create_dataframe_from_logical_plan(plan)
        assert frame.to_pydict() == {"id": [0, 2]}
    assert "DataSourceExec" in ExecutionPlan.from_bytes(ctx, physical).display_indent()


def test_neither_code_nor_rows_nor_secrets_are_written_down(
    opened: Opened, functions: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(functions("once"))
    lake = opened(udfs=["fc_functions"])
    rows = pa.table({"late": pa.array([5]), "who": ["somebody in the rows"]})

    called = lake.compile("SELECT lateness(late) AS late FROM flights")
    given = lake.compile(
        "SELECT who FROM people JOIN flights USING (late)", people=rows
    )

    for form in (called.optimized_protobuf, called.physical_protobuf):
        assert isinstance(form, Encoded)
        assert b"lateness" in form.data
        assert b"cloudpickle" not in form.data
        assert b"fc_functions" not in form.data
    assert given.physical_protobuf == NotEncoded(
        why="it reads data that was given: people"
    )
    assert b"somebody in the rows" not in given.to_bytes()
