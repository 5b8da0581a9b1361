"""What a definition says of its columns goes with every materialization."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.display import plan_text, sql_text, wrapped

Run = Callable[..., dg.ExecuteInProcessResult]

SAID = dg.TableSchema(
    [
        dg.TableColumn(
            "Carrier",
            "?",
            description="IATA code.",
            constraints=dg.TableColumnConstraints(
                nullable=False, unique=True, other=["in carriers.code"]
            ),
            tags={"pii": "no"},
        ),
        dg.TableColumn("gone", description="The table has it no more."),
    ]
)
ROWS: dict[str, list[Any]] = {"Carrier": ["AA"], "delay": [1.0]}


@dg.asset(metadata={"dagster/column_schema": SAID})
def stored() -> pa.Table:
    return pa.table(ROWS)


@dg.asset(metadata={"dagster/column_schema": dg.MetadataValue.table_schema(SAID)})
def returned(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
    return dfsession.materialize(pa.table(ROWS))


@dg.asset
def undescribed() -> pa.Table:
    return pa.table(ROWS)


def columns(run: Run, asset: dg.AssetsDefinition, **session: Any) -> dg.TableSchema:
    [event] = run(asset, session=session).asset_materializations_for_node(
        asset.key.to_user_string()
    )
    found: dg.TableSchema = event.metadata["dagster/column_schema"].value  # type: ignore[assignment]
    return found


def test_columns_are_described_constrained_and_tagged_as_the_definition_says(
    run: Run, tmp_path: Any
) -> None:
    for asset in (stored, returned):
        carrier, delay = columns(run, asset, root_uri=str(tmp_path / "own")).columns

        assert (carrier.name, carrier.type) == ("Carrier", "string")
        assert carrier.description == "IATA code."
        assert carrier.constraints == dg.TableColumnConstraints(
            nullable=True, unique=True, other=["not null", "in carriers.code"]
        )
        assert carrier.tags == {"pii": "no"}
        assert (delay.name, delay.type, delay.description) == ("delay", "double", None)


def test_a_definition_that_says_nothing_of_columns_changes_nothing(run: Run) -> None:
    assert [each.description for each in columns(run, undescribed).columns] == [
        None,
        None,
    ]


LINES = st.text(st.sampled_from("ab (),_.-"), max_size=300)


@given(LINES)
def test_a_line_is_wrapped_to_what_the_page_shows_and_nothing_is_lost(
    line: str,
) -> None:
    parts = wrapped(line)

    assert all(len(part) <= 76 for part in parts)
    assert "".join("".join(parts).split()) == "".join(line.split())


def test_no_line_of_a_plan_or_a_query_is_wider_than_the_page() -> None:
    long = "  TableScan: flights projection=[" + ", ".join(["time_hour"] * 30) + "]"

    for shown in (plan_text(long, 4000), sql_text(long)):
        lines = str(shown.value).splitlines()
        assert max(map(len, lines)) <= 76
        assert lines[2].startswith("      time_hour")
