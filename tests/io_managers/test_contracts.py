"""What an asset promises of its rows is held before anything is committed."""

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import ContractError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

# Dagster will refuse other metadata than its page can show, one day.
pytestmark = pytest.mark.filterwarnings("ignore:Support for arbitrary metadata")

STATIC = dg.StaticPartitionsDefinition(["a", "b"])


def promising(contract: Any, *values: Any, **options: Any) -> dg.AssetsDefinition:
    """An asset with a contract that returns one value after the other, run by run."""
    left = list(values)
    metadata = {"contract": contract, **options.pop("metadata", {})}

    def asset(dfsession: DataFusionSessionResource) -> Any:
        value = left.pop(0)
        return dfsession.sql(value) if isinstance(value, str) else value

    return dg.asset(asset, name="up", metadata=metadata, **options)


def numbered(*ids: Any, **more: Any) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), **more})


def columns(**types: Any) -> pa.Schema:
    return pa.schema(types)


def version(lake: Path) -> int:
    return DeltaTable(str(lake / "up")).version()


def refused(run: Run, asset: dg.AssetsDefinition, **options: Any) -> ContractError:
    with pytest.raises(ContractError) as error:
        run(asset, **options)
    return error.value


def test_rows_with_text_views_are_shown_as_others_are(run: Run) -> None:
    query = "SELECT NULL::bigint AS id, arrow_cast('a', 'Utf8View') AS name"
    (broken,) = refused(run, promising({"not_null": ["id"]}, query)).broken

    assert broken == ("not_null id", 1, ({"id": None, "name": "a"},))


def test_every_broken_rule_is_told_with_its_count_and_five_examples(
    run: Run, lake: Path
) -> None:
    contract = {
        "not_null": ["id"],
        "unique": ["id"],
        "checks": {"positive": "amount > 0", "small": "amount < 100"},
    }
    rows = numbered(1, 1, 2, None, None, 3, 4, 5, amount=[1, -1, -2, -3, -4, -5, -6, 7])
    error = refused(run, promising(contract, rows))

    assert str(error) == snapshot(
        "up: of 8 rows, some break its contract, and nothing was committed. not_null id: 2 rows, for example {'id': None, 'amount': -3}, {'id': None, 'amount': -4}; positive (amount > 0): 6 rows, for example {'id': 1, 'amount': -1}, {'id': 2, 'amount': -2}, {'id': None, 'amount': -3}, {'id': None, 'amount': -4}, {'id': 3, 'amount': -5}; unique id: 2 rows, for example {'id': 1, 'rows': 2}. Correct the query, or the asset's contract metadata."
    )
    assert error.asset == "up"
    assert [(each.rule, each.rows) for each in error.broken] == [
        ("not_null id", 2),
        ("positive", 6),
        ("unique id", 2),
    ]
    assert len(error.broken[1].examples) == 5
    assert not lake.joinpath("up").exists() or not list(
        lake.joinpath("up", "_delta_log").glob("*")
    )


def test_rows_that_keep_the_contract_are_written_and_it_is_said(
    run: Run, rows: Rows
) -> None:
    contract = {
        "schema": {"id": "int64", "amount": "double"},
        "unique": ["id"],
        "checks": {"positive": "amount > 0"},
    }
    query = "SELECT 1 AS id, 1.5 AS amount UNION ALL SELECT 2, NULL"
    result = run(promising(contract, query.replace("1.5", "1.5::double")))

    assert rows("up") == [{"amount": 1.5, "id": 1}, {"amount": None, "id": 2}]
    [event] = result.asset_materializations_for_node("up")
    table: Any = event.metadata["dfsession/contract"].value
    assert [record.data for record in table.records] == [
        {"rule": "schema", "rows checked": 2, "violations": 0},
        {"rule": "unique id", "rows checked": 2, "violations": 0},
        {"rule": "positive: amount > 0", "rows checked": 2, "violations": 0},
    ]


def test_the_table_stays_at_its_version(run: Run, rows: Rows, lake: Path) -> None:
    asset = promising({"unique": ["id"]}, numbered(1), numbered(2, 2))
    run(asset)
    refused(run, asset)

    assert version(lake) == 0
    assert rows("up") == [{"id": 1}]


def test_an_append_is_held_against_the_rows_there_are(run: Run, rows: Rows) -> None:
    asset = promising(
        {"unique": ["id"]},
        numbered(1, 2),
        numbered(3),
        numbered(2, 4),
        metadata={"mode": "append"},
    )
    run(asset)
    run(asset)
    error = refused(run, asset)

    assert error.broken == (("unique id", 1, ({"id": 2, "rows": 2},)),)
    assert len(rows("up")) == 3


def test_a_partition_is_held_against_the_others(run: Run) -> None:
    asset = promising(
        {"unique": ["id"]},
        numbered(1, 2),
        numbered(3),
        numbered(1, 2),
        numbered(2),
        partitions_def=STATIC,
        metadata={"partition_expr": "k"},
    )
    run(asset, key="a")
    run(asset, key="b")
    run(asset, key="a")  # its own rows are replaced
    assert refused(run, asset, key="b").broken[0].rows == 1


def test_a_key_with_the_partition_column_is_unique_within_it(run: Run) -> None:
    asset = promising(
        {"unique": ["k", "id"]},
        numbered(1),
        numbered(1),
        partitions_def=STATIC,
        metadata={"partition_expr": "k"},
    )
    run(asset, key="a")
    run(asset, key="b")


def test_no_table_is_made_for_rows_that_break_the_contract(
    run: Run, lake: Path
) -> None:
    options = {"partitions_def": STATIC, "metadata": {"partition_expr": "k"}}
    error = refused(
        run, promising({"not_null": ["id"]}, numbered(1, None), **options), key="a"
    )

    assert "up [a]: of 2 rows" in str(error)
    assert not lake.joinpath("up").exists()


def test_an_error_of_a_contract_survives_pickling(run: Run) -> None:
    error = refused(run, promising({"not_null": ["id"]}, numbered(None)))
    # Where Dask is loaded, these are pickled along, and Dagster's names the error again.
    error.__cause__ = error.__context__ = None
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # made here

    assert (str(again), again.asset, again.broken) == (
        str(error),
        error.asset,
        error.broken,
    )


def test_nulls_are_no_shared_keys_and_nan_is_one(run: Run) -> None:
    nan = float("nan")
    asset = promising(
        {"unique": ["x"]},
        pa.table({"x": [None, None, 1.0, nan]}),
        pa.table({"x": [nan, nan]}),
    )
    run(asset)
    assert refused(run, asset).broken[0].rows == 2


class AsStruct(msgspec.Struct):
    id: int
    s: str | None


@dataclasses.dataclass
class AsDataclass:
    id: int
    s: str | None


@pytest.mark.parametrize(
    "schema",
    [
        columns(s=pa.string()).append(pa.field("id", pa.int64(), nullable=False)),
        AsStruct,
        AsDataclass,
        f"{__name__}:AsStruct",
    ],
)
def test_a_declared_column_that_takes_no_null_gets_none(run: Run, schema: Any) -> None:
    asset = promising({"schema": schema}, numbered(1, s=["x"]), numbered(None, s=["x"]))
    run(asset)
    assert refused(run, asset).broken[0].rule == "not_null id"


def test_other_columns_than_declared_are_told_before_anything_runs(
    run: Run, lake: Path
) -> None:
    seen: list[int] = []

    def batches() -> Any:
        seen.append(1)
        yield numbered(1).to_batches()[0]

    reader = pa.RecordBatchReader.from_batches(
        columns(id=pa.int64(), amout=pa.int64(), y=pa.string()), batches()
    )
    contract = {
        "schema": {"id": "string", "amount": "bigint"},
        "unique": ["ids"],
    }
    error = refused(run, promising(contract, reader))

    assert str(error) == snapshot(
        "up: the columns are not those of its contract, and nothing was computed. missing: amount (int64), is it 'amout'?; not declared: amout (int64); not declared: y (string); of another type: id (int64, declared string); the rule 'unique ids' names 'ids', which is no column, is it 'id'?. Select or cast in the query, or correct the asset's contract metadata."
    )
    assert not seen
    assert not lake.joinpath("up").exists()


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        ({"uniq": ["id"]}, "Did you mean 'unique'"),
        ("unique", "give a mapping such as"),
        ({"not_null": [1]}, "give names of columns"),
        ({"checks": ["id > 0"]}, "give names and SQL"),
        ({"schema": {"id": "integr"}}, "'integr', which is no type"),
        ({"schema": 7}, "a mapping of column names to types"),
        ({"checks": {"c": "idd > 0"}}, "No field named idd"),
        ({"checks": {"c": "id >"}}, "is no condition"),
        ({"checks": {"c": "sum(id) > 0"}}, "is no condition"),
        ({"checks": {"c": "id"}}, "is no condition"),
    ],
)
def test_what_is_no_contract_is_refused_with_what_it_could_be(
    run: Run, lake: Path, contract: Any, message: str
) -> None:
    assert message in str(refused(run, promising(contract, numbered(1))))
    assert not lake.joinpath("up").exists()
