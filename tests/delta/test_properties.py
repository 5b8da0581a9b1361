from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from inline_snapshot import snapshot

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.properties import (
    PROPERTIES,
    Declared,
    add_constraint,
    drop_constraint,
    set_properties,
)
from dagster_dfsession.errors import DeltaError
from tests.delta.writing import owning, rows_of, write

VALUES = {
    "delta.appendOnly": "true",
    "delta.checkpointInterval": "10",
    "delta.dataSkippingNumIndexedCols": "-1",
    "delta.dataSkippingStatsColumns": "x",
    "delta.deletedFileRetentionDuration": "interval 2 days",
    "delta.enableChangeDataFeed": "true",
    "delta.enableExpiredLogCleanup": "false",
    "delta.isolationLevel": "Serializable",
    "delta.logRetentionDuration": "interval 1 week",
    "delta.setTransactionRetentionDuration": "interval 3 hours",
    "delta.targetFileSize": "1000000",
}
DECLARED = Declared(
    properties={"delta.enableChangeDataFeed": "true"},
    constraints={"positive": "x > 0"},
)


def configuration(place: Location) -> dict[str, str]:
    return dict(existing_table(place).metadata().configuration)


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_can_be_set_and_written_with(place: Location, name: str) -> None:
    write(place, {"x": [1]})

    set_properties(place, {name: VALUES[name]})
    write(place, {"x": [2]}, mode="append")

    assert configuration(place) == {name: VALUES[name]}


def test_a_wrong_property_or_value_says_what_was_meant(place: Location) -> None:
    write(place, {"x": [1]})

    messages = []
    for name, value in {
        "delta.appendonly": "true",
        "delta.appendOnly": "yes",
        "delta.logRetentionDuration": "30 days",
    }.items():
        with pytest.raises(DeltaError) as refused:
            set_properties(place, {name: value})
        messages.append(str(refused.value).replace(place.uri, "LAKE"))
    assert messages == snapshot(
        [
            "LAKE: 'delta.appendonly' is no table property that can be set; there is delta.appendOnly, delta.checkpointInterval, delta.dataSkippingNumIndexedCols, delta.dataSkippingStatsColumns, delta.deletedFileRetentionDuration, delta.enableChangeDataFeed, delta.enableExpiredLogCleanup, delta.isolationLevel, delta.logRetentionDuration, delta.setTransactionRetentionDuration, delta.targetFileSize. Did you mean 'delta.appendOnly'?",
            "LAKE: the table property delta.appendOnly = 'yes' is not of the form true|false",
            "LAKE: the table property delta.logRetentionDuration = '30 days' is not of the form interval \\d+ (second|minute|hour|day|week)s?",
        ]
    )
    assert configuration(place) == {}


def test_a_constraint_holds_for_the_rows_that_are_and_will_be(place: Location) -> None:
    write(place, {"x": [1]})

    add_constraint(place, "positive", "x > 0")
    add_constraint(place, "positive", "x > 0")
    with pytest.raises(DeltaError, match="Rows break a predicate"):
        write(place, {"x": [-1]}, mode="append")
    with pytest.raises(DeltaError, match="Rows break a predicate"):
        add_constraint(place, "large", "x > 100")
    assert rows_of(place) == [{"x": 1}]


def test_a_constraint_that_cannot_be_is_refused(place: Location) -> None:
    write(place, {"x": [1]})
    add_constraint(place, "positive", "x > 0")

    for name, expression, message in [
        ("positive", "x > 1", "the constraint 'positive' is 'x > 0', not 'x > 1'"),
        ("a b", "x > 1", "needs a name of letters"),
        ("empty", " ", "needs a name of letters"),
        ("other", "y > 1", "No field named y"),
    ]:
        with pytest.raises(DeltaError, match=message):
            add_constraint(place, name, expression)


def test_a_dropped_constraint_is_demanded_no_longer(place: Location) -> None:
    write(place, {"x": [1]})
    add_constraint(place, "positive", "x > 0")

    with pytest.raises(
        DeltaError, match=r"there is positive\. Did you mean 'positive'"
    ):
        drop_constraint(place, "positiv")
    drop_constraint(place, "positive")
    write(place, {"x": [-1]}, mode="append")

    assert len(rows_of(place)) == 2


@pytest.mark.parametrize(
    "options", [{}, {"mode": "append"}, owning("a")], ids=["all", "append", "partition"]
)
def test_a_new_table_has_what_was_declared(
    place: Location, options: dict[str, Any]
) -> None:
    write(place, {"k": ["a"], "x": [1]}, declared=DECLARED, **options)

    assert configuration(place) == {
        "delta.enableChangeDataFeed": "true",
        "delta.constraints.positive": "x > 0",
    }
    with pytest.raises(DeltaError, match="Rows break"):
        write(place, {"k": ["a"], "x": [-1]}, declared=DECLARED, **options)
    assert rows_of(place) == [{"k": "a", "x": 1}]


def test_first_rows_that_break_a_constraint_leave_an_empty_table(
    place: Location,
) -> None:
    with pytest.raises(DeltaError, match="Rows break"):
        write(place, {"x": [-1]}, declared=DECLARED)

    assert rows_of(place) == []


def test_a_wrong_declaration_creates_no_table(place: Location) -> None:
    with pytest.raises(DeltaError, match="is no table property"):
        write(place, {"x": [1]}, declared=Declared(properties={"delta.nope": "1"}))

    assert not Path(place.uri).exists()


def test_an_assets_metadata_declares_its_table(run: Any, lake: Path) -> None:
    @dg.asset(
        metadata={
            "table_properties": {"delta.checkpointInterval": "5"},
            "constraints": {"positive": "x > 0"},
        }
    )
    def numbers() -> pa.Table:
        return pa.table({"x": [1]})

    run(numbers)

    assert DeltaTable(str(lake / "numbers")).metadata().configuration == {
        "delta.checkpointInterval": "5",
        "delta.constraints.positive": "x > 0",
    }


def test_metadata_that_declares_nothing_sensible_is_refused(run: Any) -> None:
    @dg.asset(metadata={"table_properties": {"delta.checkpointInterval": 5}})
    def numbers() -> pa.Table:
        return pa.table({"x": [1]})

    with pytest.raises(DeltaError, match="table_properties"):
        run(numbers)


def test_what_is_declared_later_holds_from_the_next_write_on(place: Location) -> None:
    write(place, {"x": [1]})
    later = Declared(
        properties={"delta.enableChangeDataFeed": "true"},
        constraints={"positive": "x > 0"},
    )
    write(place, {"x": [2]}, mode="append", declared=later)
    write(place, {"x": [3]}, mode="append", declared=later)

    assert DeltaTable(place.uri).metadata().configuration == {
        "delta.enableChangeDataFeed": "true",
        "delta.constraints.positive": "x > 0",
    }
    with pytest.raises(DeltaError, match="constraint"):
        write(place, {"x": [-1]}, mode="append", declared=later)
    assert DeltaTable(place.uri).count() == 3


def test_a_constraint_that_old_rows_break_is_refused_before_the_write(
    place: Location,
) -> None:
    write(place, {"x": [-1]})
    later = Declared(constraints={"positive": "x > 0"})
    with pytest.raises(DeltaError):
        write(place, {"x": [2]}, mode="append", declared=later)

    assert DeltaTable(place.uri).version() == 0
