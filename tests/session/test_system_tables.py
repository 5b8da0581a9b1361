"""What a session tells of itself in SQL is what holds now."""

from types import ModuleType

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dagster_dfsession.errors import DfSessionError, SessionError, TableNotFoundError
from dagster_dfsession.plan.build import SYSTEM_TABLES
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.session.functions.declare import scalar_udf
from dagster_dfsession.session.system import COLUMNS
from tests.session.conftest import Opened


def test_the_plan_names_the_tables_that_there_are() -> None:
    assert {f"dfsession.{name}" for name in COLUMNS} == set(SYSTEM_TABLES)


@pytest.mark.demand("D39")
@pytest.mark.parametrize("table", SYSTEM_TABLES)
def test_every_session_has_every_table(table: str, opened: Opened) -> None:
    frame = opened().sql(f"SELECT * FROM {table}")

    assert frame.schema().equals(COLUMNS[table.removeprefix("dfsession.")])
    assert frame.count() >= 0


def test_settings_are_those_in_effect(opened: Opened) -> None:
    session = opened(sql=SqlProfile(policy="service"))
    query = (
        "SELECT value, planned FROM dfsession.settings "
        "WHERE key = 'datafusion.execution.batch_size'"
    )
    (before,) = session.sql(query).to_pylist()
    session.sql("SET datafusion.execution.batch_size = 17")
    (after,) = session.sql(query).to_pylist()

    assert before["value"] == before["planned"]
    assert (after["value"], after["planned"]) == ("17", before["planned"])


def test_functions_are_those_of_the_user(opened: Opened, shop: ModuleType) -> None:
    @scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
    def twice(n: "pa.Array[pa.Int64Scalar]") -> "pa.Array[pa.Int64Scalar]":
        return pc.multiply(n, 2)

    vars(shop)["twice"] = twice
    session = opened(functions=FunctionsProfile(modules=("shop",)))
    rows = session.sql("SELECT name, kind, digest FROM dfsession.functions").to_pylist()

    assert rows == [
        {"name": each.name, "kind": each.kind, "digest": each.digest}
        for each in session.snapshot().functions.entries
    ]
    assert [each["name"] for each in rows] == ["twice"]


def test_metrics_and_artifacts_are_as_they_are_when_asked(opened: Opened) -> None:
    session = opened()
    query = "SELECT value FROM dfsession.metrics WHERE name = 'dfsession.queries'"
    counts = [session.sql(query).to_pylist()[0]["value"] for _ in range(2)]
    artifacts = session.sql("SELECT kind, name, run_id FROM dfsession.artifacts")

    assert counts == [1, 2]
    assert artifacts.to_pylist() == [
        {"kind": "artifact", "name": "session", "run_id": "alone"}
    ]


def test_tables_say_how_a_name_came_to_be_one(opened: Opened) -> None:
    session = opened()
    session.ctx.from_pydict({"a": [1]}, name="mine")
    kinds = session.sql("SELECT schema, name, kind FROM dfsession.tables").to_pylist()

    assert {"schema": "public", "name": "mine", "kind": "registered"} in kinds
    assert {"schema": "dfsession", "name": "caches", "kind": "system"} in kinds


@pytest.mark.demand("D39")
def test_caches_of_the_engine_show_their_limits(opened: Opened) -> None:
    rows = opened().sql('SELECT cache, "limit" FROM dfsession.caches').to_pylist()

    assert {each["cache"] for each in rows} == {
        "file_statistics",
        "list_files",
        "metadata",
    }
    assert all(each["limit"] for each in rows)


def test_nobody_writes_to_them(opened: Opened) -> None:
    session = opened(sql=SqlProfile(policy="service"))

    with pytest.raises(DfSessionError):
        session.sql("INSERT INTO dfsession.session SELECT * FROM dfsession.session")
    with pytest.raises(Exception, match="use another one"):
        session.ctx.sql("CREATE TABLE dfsession.mine AS SELECT 1 AS one")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE dfsession.mine AS SELECT 1 AS one", "mine cannot be made"),
        ("CREATE VIEW dfsession.mine AS SELECT 1 AS one", "mine cannot be made"),
        ("DROP TABLE dfsession.settings", "settings cannot be dropped"),
    ],
)
def test_nobody_makes_or_drops_them_under_any_policy(
    statement: str, said: str, opened: Opened
) -> None:
    session = opened(sql=SqlProfile(policy="admin"))

    with pytest.raises(SessionError) as refused:
        session.sql(statement)

    assert str(refused.value) == (
        f"dfsession.{said}: in that schema a session tells of itself; use another one"
    )
    assert session.sql("SELECT * FROM dfsession.settings").count() > 100


def test_a_name_that_is_none_of_them_is_not_found(opened: Opened) -> None:
    session = opened()
    with pytest.raises(TableNotFoundError) as misspelt:
        session.sql("SELECT * FROM dfsession.setings")
    session.catalog.system.add_table("events", lambda: None)
    with pytest.raises(TableNotFoundError) as not_yet:
        session.sql("SELECT * FROM dfsession.events")

    assert str(misspelt.value) == (
        "table 'dfsession.setings' was not found; a session tells of itself in "
        f"{', '.join(sorted(SYSTEM_TABLES))}. Did you mean 'dfsession.settings'? "
        "dfsession.events is there once a run wrote to it whose diagnostics.sinks "
        "have delta."
    )
    assert misspelt.value.suggestion == "dfsession.settings"
    there, hint = str(not_yet.value).split("itself in ")[1].split(". ")
    assert there == ", ".join(sorted(SYSTEM_TABLES))
    assert hint.startswith("dfsession.events is there once a run wrote to it")


def test_tables_that_a_profile_turns_off_are_said_to_be_off(opened: Opened) -> None:
    session = opened(diagnostics=DiagnosticsProfile(system_tables=False))

    with pytest.raises(TableNotFoundError, match=r"diagnostics.system_tables: false"):
        session.sql("SELECT * FROM dfsession.settings")
