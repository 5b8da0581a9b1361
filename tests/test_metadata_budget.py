"""16 KiB a materialization: whatever there is to say, and what is cut is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import MaintenanceResult
from dagster_dfsession.display import fewer_columns, fewer_rows, plan_text, size_of
from dagster_dfsession.materialization.records import RecordStore
from dagster_dfsession.metadata.budget import BUDGET_BYTES, within_budget
from dagster_dfsession.metadata.keys import COLUMN_SCHEMA
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.steps.maintenance import maintenance_metadata

Run = Callable[..., dg.ExecuteInProcessResult]

COLUMNS, FUNCTIONS, SETTINGS, INPUTS = 300, 40, 60, 12
FUNCTION = """
@scalar_udf(inputs=[INT, pa.string()], returns=INT, volatility="immutable")
def a_function_with_quite_a_long_name_{0}(x, unit):
    return pc.add(x, {0})
"""


def changed_settings() -> dict[str, str]:
    """Return settings unlike the engine's: numbers one higher, switches turned."""
    found = {
        key: str(int(value) + 1) if value.isdigit() else "true"
        for key, value in default_settings().items()
        if (value.isdigit() and not value.startswith("0")) or value == "false"
        if key.startswith(("datafusion.execution.", "datafusion.optimizer."))
        and "writer_version" not in key
    }
    return dict(sorted(found.items())[:SETTINGS])


@pytest.fixture
def wide_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    functions = "".join(FUNCTION.format(at) for at in range(FUNCTIONS))
    tmp_path.joinpath("wide_udfs.py").write_text(
        "import pyarrow as pa\nimport pyarrow.compute as pc\n"
        "from dagster_dfsession import scalar_udf\nINT = pa.int64()\n" + functions
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "wide_udfs"


def shown(event: dg.AssetMaterialization, key: str) -> list[dict[str, Any]]:
    value: Any = event.metadata[f"dfsession/{key}"].value
    return [record.data for record in value.records]


def test_a_materialization_of_everything_fits_and_says_what_was_cut(
    run: Run, lake: Path, wide_project: str
) -> None:
    for at in range(INPUTS):
        write_deltalake(str(lake / f"input_{at}"), pa.table({"x": [at]}))
    changed = changed_settings()
    assert len(changed) >= SETTINGS // 2

    @dg.asset
    def wide(dfsession: DataFusionSessionResource) -> DataFrame:
        columns = ", ".join(
            f"x + {at} AS a_column_with_a_name_of_its_own_{at}" for at in range(COLUMNS)
        )
        rows = " UNION ALL ".join(
            f"SELECT x FROM input_{at % INPUTS} WHERE x > {at}" for at in range(100)
        )
        return dfsession.sql(f"SELECT {columns} FROM ({rows})")

    session = {"udfs": [wide_project], "profile": {"settings": changed}}
    [event] = run(wide, session=session).asset_materializations_for_node("wide")

    assert len(dg.serialize_value(event)) <= BUDGET_BYTES + 500  # tags, asset key
    assert size_of(event.metadata) <= BUDGET_BYTES
    assert shown(event, "settings")[-1]["key"].startswith("and ")
    assert shown(event, "udfs")[-1]["name"] == f"and {FUNCTIONS - 8} more"
    assert shown(event, "inputs")[-1]["table"] == f"and {INPUTS - 8} more"
    assert "more lines\n" in str(event.metadata["dfsession/plan"].value)
    schema: Any = event.metadata[COLUMN_SCHEMA].value
    [more] = schema.constraints.other
    assert more == f"and {COLUMNS - len(schema.columns)} more columns"

    record = RecordStore(LakeFiles(Location(str(lake)))).get(
        str(event.metadata["dfsession/record"].value)
    )
    assert len(record.session.functions.entries) == FUNCTIONS
    assert len(record.inputs) == INPUTS
    assert set(changed) <= set(record.session.settings)
    assert record.query is not None
    assert len(record.query.plan.splitlines()) >= 200


def test_the_maintenance_of_many_tables_fits_and_counts_all_of_them() -> None:
    step = MaintenanceResult(
        step="vacuum", version=7, metrics={"files_removed": 2}, note="why " * 100
    )

    said = maintenance_metadata([(dg.AssetKey(["raw", "table"]), step)] * 200)

    assert size_of(said) <= BUDGET_BYTES
    assert said["dfsession/files_removed"] == 400
    assert said["dfsession/maintenance"].records[-1].data["table"] == "and 180 more"


def test_what_fits_is_not_cut(run: Run) -> None:
    @dg.asset
    def small() -> pa.Table:
        return pa.table({f"c{at}": [at] for at in range(20)})

    [event] = run(small).asset_materializations_for_node("small")
    schema: Any = event.metadata[COLUMN_SCHEMA].value
    assert len(schema.columns) == 20
    assert schema.constraints.other == []
    assert not any("and " in str(row.values()) for row in shown(event, "settings"))


@given(
    columns=st.integers(0, 400),
    wide=st.integers(1, 600),
    budget=st.integers(1_000, 20_000),
)
def test_any_columns_fit_any_room(columns: int, wide: int, budget: int) -> None:
    schema = dg.TableSchema(
        [dg.TableColumn(f"{at}", "x" * wide) for at in range(columns)]
    )
    cut = within_budget({COLUMN_SCHEMA: schema}, {}, budget)
    assert size_of(cut) <= budget
    kept = cut[COLUMN_SCHEMA].columns
    assert kept == schema.columns[: len(kept)]
    hidden = columns - len(kept)
    assert cut[COLUMN_SCHEMA].constraints.other == (
        [f"and {hidden} more columns"] if hidden else []
    )


def test_no_room_leaves_no_columns() -> None:
    schema = dg.TableSchema([dg.TableColumn("a"), dg.TableColumn("b")])
    cut = fewer_columns(schema, 0)
    assert (cut.columns, cut.constraints.other) == ([], ["and 2 more columns"])


def test_a_table_that_is_cut_counts_what_is_left_out() -> None:
    rows = [dg.TableRecord({"n": at, "text": "x"}) for at in range(5)]
    schema = dg.TableSchema([dg.TableColumn("n", "int"), dg.TableColumn("text")])
    table = dg.MetadataValue.table(rows, schema=schema)
    assert fewer_rows(table, 5) is table
    cut = fewer_rows(table, 3).records
    assert [row.data["n"] for row in cut] == [0, 1, 2, "and 2 more"]
    assert cut[-1].data["text"] is None


@given(st.lists(st.text("ab ", max_size=200), max_size=40), st.integers(1, 500))
def test_a_plan_is_cut_between_lines_and_counts_those_left_out(
    lines: list[str], chars: int
) -> None:
    text = str(plan_text("\n".join(lines), chars).md_str)
    body = text.removeprefix("```text\n").removesuffix("\n```")
    said = body.split("\n")
    whole = "\n".join(lines).splitlines()
    if said[-1].endswith(" more lines"):
        kept, hidden = said[:-1], int(said[-1].split()[1])
        assert len(kept) + hidden == len(whole)
        assert len("\n".join(kept)) <= chars
    else:
        assert len(body) <= max(chars, 0)
