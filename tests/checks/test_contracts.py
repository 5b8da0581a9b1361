"""Stored tables are held against contracts, and what breaks them is shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession import build_contract_checks
from dagster_dfsession.errors import ContractError, UnsupportedTypeError

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[..., dg.AssetCheckEvaluation]

CONTRACT = {
    "schema": {"id": "int64", "price": "double"},
    "not_null": ["price"],
    "unique": ["id"],
    "checks": {"positive": "price > 0"},
}


def theirs(contract: Any = None) -> dg.AssetSpec:
    return dg.AssetSpec("theirs", metadata={"contract": contract or CONTRACT})


def stored(lake: Path, ids: Sequence[int], prices: Sequence[float | None]) -> None:
    rows = pa.table({"id": pa.array(ids, pa.int64()), "price": prices})
    write_deltalake(str(lake / "theirs"), rows, mode="append")


def table(found: dg.AssetCheckEvaluation, key: str) -> list[dict[str, Any]]:
    value: Any = found.metadata[key].value
    return [dict(each.data) for each in value.records]


def test_a_table_that_keeps_its_contract_passes(lake: Path, check: Check) -> None:
    stored(lake, [1, 2], [1.0, 2.0])
    stored(lake, [3], [3.0])

    found = check(theirs(), *build_contract_checks([theirs()]))

    assert found.passed
    assert found.description == "None of 3 rows breaks the contract."
    assert found.metadata["dfsession/table_version"].value == 1
    assert {each["violations"] for each in table(found, "dfsession/contract")} == {0}


def test_rows_that_break_rules_are_counted_and_five_of_each_are_shown(
    lake: Path, check: Check
) -> None:
    stored(lake, [*range(8), 7], [-1.0] * 7 + [None, 1.0])

    found = check(theirs(), *build_contract_checks([theirs()]))

    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert found.description == (
        "Of 9 rows, some break the contract: not_null price (1), positive (7), "
        "unique id (2)."
    )
    assert table(found, "dfsession/contract") == [
        {"rule": rule, "rows checked": 9, "violations": violations}
        for rule, violations in {
            "schema": 0,
            "not_null price": 1,
            "unique id": 2,
            "positive: price > 0": 7,
        }.items()
    ]
    shown = table(found, "dfsession/broken_rows")
    assert [each["breaks rule"] for each in shown].count("positive") == 5
    assert ("not_null price", "7", None) in [
        (each["breaks rule"], each["id"], each["price"]) for each in shown
    ]


def test_the_version_that_is_there_now_counts(lake: Path, check: Check) -> None:
    checks = build_contract_checks([theirs()])
    stored(lake, [1], [-1.0])
    assert not check(theirs(), *checks).passed

    rows = pa.table({"id": [1], "price": [1.0]})
    write_deltalake(str(lake / "theirs"), rows, mode="overwrite")

    found = check(theirs(), *checks)
    assert found.passed
    assert found.metadata["dfsession/table_version"].value == 1


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ({"schema": {"id": "int64"}}, "not declared: price (double)"),
        ({"unique": ["idd"]}, "names 'idd', which is no column, is it 'id'?"),
        ({"checks": {"odd": "no_such(id)"}}, "the check 'odd' of its contract"),
    ],
)
def test_a_contract_that_does_not_fit_the_columns_fails(
    lake: Path, check: Check, contract: Any, said: str
) -> None:
    stored(lake, [1], [1.0])
    asset = theirs(contract)

    found = check(asset, *build_contract_checks([asset]))

    assert not found.passed
    assert said in str(found.description)


def test_a_table_that_is_not_there_fails_and_hides_no_other(
    lake: Path, run: Run
) -> None:
    stored(lake, [1], [1.0])
    absent = dg.AssetSpec("absent", metadata={"contract": {"unique": ["id"]}})
    checks = build_contract_checks([theirs(), absent])

    result = run(theirs(), absent, *checks, selection=dg.AssetSelection.checks(*checks))

    found = {
        each.asset_key.to_user_string(): each
        for each in result.get_asset_check_evaluations()
    }
    assert found["theirs"].passed
    assert found["absent"].description == (
        "asset 'absent' has no table that could break its contract; materialize it "
        "first"
    )


def test_what_is_downstream_of_a_check_that_blocks_does_not_run(
    lake: Path, run: Run
) -> None:
    stored(lake, [1], [-1.0])

    @dg.asset(metadata={"mode": "append"})
    def mine() -> pa.Table:
        return pa.table({"id": [2], "price": [2.0]})

    @dg.asset(deps=[mine])
    def after() -> pa.Table:
        return pa.table({"id": [1]})

    # Older rows than the contract, in the table that is appended to.
    run(dg.asset(name="mine")(lambda: pa.table({"id": [1], "price": [-1.0]})))
    promised = mine.map_asset_specs(
        lambda spec: spec.merge_attributes(metadata={"contract": CONTRACT})
    )
    checks = build_contract_checks([promised, after], blocking=True)

    result = run(promised, after, *checks, raise_on_error=False)

    assert not result.success
    assert not result.get_asset_check_evaluations()[0].passed
    assert not (lake / "after").exists()


def test_an_asset_that_promises_nothing_has_no_check() -> None:
    assert build_contract_checks([dg.AssetSpec("free")]) == []


def test_a_contract_that_is_none_is_refused_where_it_is_written() -> None:
    with pytest.raises(ContractError, match="has 'uniq', which is none of"):
        build_contract_checks([theirs({"uniq": ["id"]})])


def test_a_key_is_no_asset() -> None:
    keys: Any = ["theirs"]

    with pytest.raises(UnsupportedTypeError, match="was given 'theirs', a str; give"):
        build_contract_checks(keys)
