"""A folder of queries is assets on the session of the project."""

from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster.components.testing import DefsFolderSandbox
from deltalake import DeltaTable

from dagster_dfsession import SessionProfile, SqlAssetsComponent, sql_asset
from dagster_dfsession.profile.functions import FunctionsProfile
from tests.components.conftest import DAGSTERS_OWN, SESSION, SQL, Load, Write

pytestmark = DAGSTERS_OWN

ORDERS = "SELECT * FROM (VALUES ('ann', 3.0), ('bob', 5.0)) AS t (customer, price)"
LATE = "SELECT customer FROM orders WHERE price > 4"
UDFS = "tests.assets.udfs"


def refusal(load: Load) -> str:
    with pytest.raises(Exception, match="Error while") as refused:
        load()
    return str(refused.value.__cause__)


def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {each.key.to_user_string(): each for each in defs.resolve_all_asset_specs()}


def test_each_query_is_an_asset_downstream_of_what_it_names(
    write: Write, load: Load
) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS, "dear": LATE})

    found = specs(load())

    assert set(found) == {"orders", "dear"}
    assert [each.asset_key for each in found["dear"].deps] == [dg.AssetKey("orders")]


def test_a_run_writes_its_table_below_the_project(
    write: Write, load: Load, project: DefsFolderSandbox
) -> None:
    write("lake", SESSION, root_uri="data/lake", preset="dev")
    write("shop", SQL, sql={"orders": ORDERS, "dear": LATE})

    job = load().resolve_implicit_global_asset_job_def()

    assert job.execute_in_process().success
    table = DeltaTable(str(project.project_root / "data" / "lake" / "dear"))
    rows = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    assert rows.to_pydict() == {"customer": ["bob"]}


def test_a_variable_of_the_storage_is_read_in_the_run(
    write: Write, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAKE_SECRET", raising=False)
    options = {"sas_token": "{{ env.LAKE_SECRET }}"}
    write("lake", SESSION, root_uri="lake", storage_options=options)
    write("shop", SQL, sql={"orders": ORDERS})

    job = load().resolve_implicit_global_asset_job_def()

    with pytest.raises(dg.DagsterInvalidConfigError, match='"LAKE_SECRET"'):
        job.execute_in_process()


def test_the_functions_of_the_session_are_part_of_the_code_version(
    write: Write, load: Load
) -> None:
    query = "SELECT without_null(price::bigint) AS price FROM orders"
    write("lake", SESSION, root_uri="lake", udfs=[UDFS])
    write("shop", SQL, sql={"orders": ORDERS, "known": query})
    profile = SessionProfile(name="x", functions=FunctionsProfile(modules=(UDFS,)))

    version = specs(load())["known"].code_version

    same = sql_asset(name="a", sql=query, session=profile).get_asset_spec()
    without = sql_asset(name="a", sql=query).get_asset_spec()
    assert version == same.code_version
    assert version != without.code_version


def test_post_processing_goes_over_the_assets(write: Write, load: Load) -> None:
    grouped = {"assets": [{"target": "*", "attributes": {"group_name": "sales"}}]}
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS}, post_processing=grouped)

    assert specs(load())["orders"].group_name == "sales"


def test_a_session_that_is_not_there_is_told_with_those_that_are(
    write: Write, load: Load
) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS}, session_key="dfsesion")

    assert refusal(load) == (
        "session_key is 'dfsesion', and the SessionResourceComponents of this project "
        "make dfsession. Did you mean 'dfsession'? Add one with `dg scaffold defs "
        "SessionResourceComponent`, or pass the resource in `session`."
    )


def test_a_folder_that_is_not_there_is_refused(write: Write, load: Load) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS}, folder="queries")

    assert "queries' is no folder" in refusal(load)


def test_the_attributes_go_to_the_loader(write: Write, load: Load) -> None:
    days = '{{ dg.DailyPartitionsDefinition("2024-01-01") }}'
    front = "/* ---\npartitions: days\npartition_expr: day\n--- */\n"
    daily = "SELECT * FROM orders WHERE day = $partition_key"
    write("lake", SESSION, root_uri="lake")
    write(
        "shop",
        SQL,
        sql={"daily": front + daily},
        key_prefix=["mart", "shop"],
        external=["orders"],
        partitions={"days": days},
    )

    found = specs(load())["mart/shop/daily"]

    assert found.partitions_def == dg.DailyPartitionsDefinition("2024-01-01")
    assert [each.asset_key.path for each in found.deps] == [["orders"]]


def test_a_table_that_nobody_makes_is_refused(write: Write, load: Load) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS, "dear": LATE.replace("orders", "oders")})

    assert "Did you mean 'orders'" in refusal(load)


def test_the_page_links_the_query(
    write: Write, load: Load, project: DefsFolderSandbox
) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": ORDERS})

    places = specs(load())["orders"].metadata["dagster/code_references"]

    query = project.defs_folder_path / "shop" / "sql" / "orders.sql"
    assert str(query.resolve()) in {
        str(each.file_path) for each in places.code_references
    }


def test_a_query_that_cannot_be_read_names_its_asset(write: Write, load: Load) -> None:
    write("lake", SESSION, root_uri="lake")
    write("shop", SQL, sql={"orders": "SELEC 1"})

    assert "SELEC" in refusal(load)


def test_a_session_that_python_makes_is_named_by_a_template_variable(
    write: Write, load: Load, project: DefsFolderSandbox
) -> None:
    (project.defs_folder_path / "made.py").write_text(
        "import dagster as dg\n"
        "from dagster_dfsession import DataFusionDeltaIOManager as Lake\n"
        "from dagster_dfsession import DataFusionSessionResource\n"
        "session = DataFusionSessionResource(preset='dev')\n"
        "@dg.definitions\n"
        "def resources() -> dg.Definitions:\n"
        "    lake = Lake(session=session, root_uri='lake')\n"
        "    made = {'dfsession': session, 'io_manager': lake}\n"
        "    return dg.Definitions(resources=made)\n"
    )
    write("shop", SQL, sql={"orders": ORDERS}, session="{{ session }}")
    shop = project.defs_folder_path / "shop"
    (shop / "vars.py").write_text(
        "import dagster as dg\n"
        f"from {project.project_name}.defs.made import session as made\n"
        "@dg.template_var\n"
        "def session() -> object:\n"
        "    return made\n"
    )
    defs = shop / "defs.yaml"
    defs.write_text(defs.read_text() + "template_vars_module: .vars\n")

    assert set(specs(load())) == {"orders"}


@pytest.mark.parametrize("session", ["dfsession", 3])
def test_a_session_that_is_none_is_refused(session: Any) -> None:
    component = SqlAssetsComponent(session=session)
    context = dg.ComponentTree.for_test().load_context

    with pytest.raises(Exception, match="no DataFusionSessionResource: leave it out"):
        component.build_defs(context)
