"""Clauses of one's own, and the door that all merges come through."""

from typing import Any

import pytest
from inline_snapshot import snapshot

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import Custom, parse_merge
from dagster_dfsession.errors import DeltaError, SchemaMismatchError
from tests.delta.writing import rows_of, write

CHANGES = {
    "on": "id",
    "kind": "custom",
    "source_only": ["op"],
    "clauses": [
        {"when": "matched", "if": "source.op = 'D'", "do": "delete"},
        {"when": "matched", "do": "update"},
        {"when": "not_matched", "if": "source.op <> 'D'", "do": "insert"},
    ],
}


def merge(place: Location, spec: dict[str, Any], data: Any) -> Any:
    return write(place, data, mode="merge", merge=parse_merge(spec, "up"))


def clause(**fields: Any) -> dict[str, Any]:
    fields = {"if" if k == "condition" else k: v for k, v in fields.items()}
    return {"on": "id", "kind": "custom", "clauses": [fields]}


def test_a_stream_of_changes_is_applied(place: Location) -> None:
    merge(place, CHANGES, {"id": [1, 2, 3], "x": ["a", "b", "c"], "op": list("IDI")})
    assert rows_of(place) == [{"id": 1, "x": "a"}, {"id": 3, "x": "c"}]
    changes = {"id": [1, 3, 4], "x": ["z", "C", "it's"], "op": list("DUI")}
    merged = merge(place, CHANGES, changes).merged
    assert (merged.deleted, merged.updated, merged.inserted) == (1, 1, 1)
    assert rows_of(place) == [{"id": 3, "x": "C"}, {"id": 4, "x": "it's"}]


def test_the_first_clause_that_fits_decides(place: Location) -> None:
    write(place, {"id": [1, 2], "x": [1, 2]})
    spec = clause(when="matched", do="update", condition="target.x > 1", set={"x": "0"})
    spec["clauses"].append({"when": "matched", "do": "delete"})
    merge(place, spec, {"id": [1, 2], "x": [9, 9]})
    assert rows_of(place) == [{"id": 2, "x": 0}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            clause(when="matched", do="update", set={"x": "source.y"}),
            r"clause 0 \(matched, update\), column 'x': 'source.y' cannot be planned",
        ),
        (
            clause(when="matched", do="update", set={"x": "source.X"}),
            "upper and lower case included",
        ),
        (
            clause(when="matched", do="update", set={"x": "source.x +"}),
            "cannot be planned",
        ),
        (
            clause(when="not_matched", do="insert", condition="target.x > 1"),
            "cannot be planned",
        ),
        (
            clause(when="matched", do="delete", condition="source.x"),
            "the condition 'source.x' is of type int64",
        ),
        (
            clause(when="matched", do="update", set={"x": "source.x * 1.5"}),
            r"is of type (double|decimal.*), and 'x' of type int64 would keep a part",
        ),
        (
            clause(when="matched", do="update", set={"xx": "1"}),
            "a clause sets 'xx'.*Did you mean 'x'",
        ),
        (
            {**CHANGES, "source_only": ["opp"]},
            "source_only names 'opp'.*Did you mean 'op'",
        ),
    ],
    ids=["column", "case", "syntax", "side", "condition", "loss", "set", "source_only"],
)
def test_sql_that_does_not_fit_is_refused_before_anything_is_read(
    place: Location, spec: dict[str, Any], message: str
) -> None:
    write(place, {"id": [1], "x": [1]})
    data = {"id": [1], "x": [2]} | ({"op": ["U"]} if "source_only" in spec else {})
    with pytest.raises(SchemaMismatchError, match=message):
        merge(place, spec, data)
    assert rows_of(place) == [{"id": 1, "x": 1}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            None,
            snapshot(
                "asset 'raw/up' is in mode 'merge', but its 'merge' metadata is None. Set it to the columns that tell rows apart and the kind of merge: metadata={'mode': 'merge', 'merge': {'on': ['id'], 'kind': 'upsert'}}."
            ),
        ),
        (
            {"kind": "upsert"},
            snapshot(
                "asset 'raw/up', metadata merge: Object missing required field `on`."
            ),
        ),
        (
            {"on": []},
            snapshot(
                "asset 'raw/up', metadata merge.on: Expected `array` of length >= 1."
            ),
        ),
        (
            {"on": "id", "kind": "upsrt"},
            snapshot(
                "asset 'raw/up', metadata merge.kind: Invalid value 'upsrt'. Did you mean 'upsert'? Known: custom, delete_matched, full_sync, insert_only, scd2, upsert."
            ),
        ),
        (
            {"on": "id", "kind": "scd2", "trakced": ["x"]},
            snapshot(
                "asset 'raw/up', metadata merge: Object contains unknown field `trakced`. Did you mean 'tracked'? The kind 'scd2' has: close_missing, effective, is_current, kind, on, tracked, valid_from, valid_to."
            ),
        ),
        (
            {"on": "id", "valid_from": "x"},
            snapshot(
                "asset 'raw/up', metadata merge: Object contains unknown field `valid_from`. The kind 'upsert' has: kind, on."
            ),
        ),
        (
            clause(when="matchd", do="delete"),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0].when: Invalid enum value 'matchd'. Known: matched, not_matched, not_matched_by_source."
            ),
        ),
        (
            clause(when="matched", do="insert"),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0]: when matched one can update or delete, not insert."
            ),
        ),
        (
            clause(when="matched", do="delete", set={}),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0]: delete takes no `set`."
            ),
        ),
        (
            clause(when="not_matched_by_source", do="update"),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0]: an update of rows that the frame lacks needs `set`: column -> SQL."
            ),
        ),
        (
            clause(when="matched", do="update", iff="x"),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0]: Object contains unknown field `iff`. Did you mean 'if'? It has: do, if, set, when."
            ),
        ),
        (
            clause(when="matched", do="update", set={"x": 1}),
            snapshot(
                "asset 'raw/up', metadata merge.clauses[0].set[...]: Expected `str`, got `int`."
            ),
        ),
        (
            {"on": "id", "kind": "custom", "clauses": []},
            snapshot(
                "asset 'raw/up', metadata merge.clauses: Expected `array` of length >= 1."
            ),
        ),
    ],
    ids=[
        "none",
        "no on",
        "empty on",
        "kind",
        "field",
        "field of another kind",
        "when",
        "do",
        "delete set",
        "no set",
        "clause field",
        "set",
        "no clauses",
    ],
)
def test_what_is_no_merge_is_refused_with_the_asset_and_the_field(
    data: Any, message: str
) -> None:
    with pytest.raises(DeltaError) as refused:
        parse_merge(data, "raw/up")
    assert str(refused.value) == message


def test_without_a_kind_a_merge_is_an_upsert() -> None:
    assert parse_merge({"on": "id"}, "up") == parse_merge(
        {"on": ["id"], "kind": "upsert"}, "up"
    )
    assert isinstance(parse_merge(CHANGES, "up"), Custom)
