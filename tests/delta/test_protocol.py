import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from dagster_dfsession.delta.location import Lake, Location, open_table
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.protocol import check_protocol, table_features
from dagster_dfsession.errors import CommitError, DeltaError
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.delta import DeltaProfile
from tests.delta.writing import rows_of, write


def asking(
    place: Location, *features: str, reading: bool = True, **versions: Any
) -> None:
    """Make a table that asks for features."""
    write(place, {"x": [1]})
    protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 7} | versions
    if features:
        protocol["writerFeatures"] = [*features]
    if reading and features:
        protocol |= {"minReaderVersion": 3, "readerFeatures": [*features]}
    log = Path(place.uri, "_delta_log", f"{0:020}.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "protocol" in action:
            action["protocol"] = protocol
    log.write_text("\n".join(map(json.dumps, actions)))


def checked(place: Location, *, writing: bool, **policy: Any) -> None:
    table = existing_table(place)
    check_protocol(table, place, DeltaProfile(**policy), writing=writing)


def test_a_table_tells_what_it_asks_for(place: Location) -> None:
    asking(place, "typeWidening")

    found = table_features(place)

    assert (found.reader_version, found.writer_version) == (3, 7)
    assert found.reader_features == found.writer_features == {"typeWidening"}


def test_what_cannot_be_read_is_refused_by_name(place: Location) -> None:
    asking(place, "typeWidening")

    with pytest.raises(DeltaError) as refused:
        checked(place, writing=False)

    assert str(refused.value).replace(place.uri, "LAKE") == snapshot(
        "LAKE: the table asks its readers for the feature typeWidening, which deltalake does not have. Use an engine that has it, have the one that wrote the table drop the feature, or set delta.protocol to 'warn' or 'ignore' to try all the same."
    )


@pytest.mark.parametrize("feature", ["rowTracking", "identityColumns", "fooBar"])
def test_what_cannot_be_written_can_still_be_read(
    place: Location, feature: str
) -> None:
    asking(place, feature, reading=False)

    checked(place, writing=False)
    with pytest.raises(DeltaError, match=f"asks its writers for the feature {feature}"):
        write(place, {"x": [2]})
    assert rows_of(place) == [{"x": 1}]


@pytest.mark.parametrize(
    "features",
    [
        ["deletionVectors", "timestampNtz", "v2Checkpoint", "variantType"],
        ["appendOnly"],
    ],
)
def test_what_the_engine_has_is_read_and_written(
    place: Location, features: list[str]
) -> None:
    asking(place, *features, reading=features != ["appendOnly"])

    checked(place, writing=True)
    write(place, {"x": [2]}, mode="append")
    assert len(rows_of(place)) == 2


@pytest.mark.parametrize(("version", "feature"), [(5, ""), (6, "identityColumns")])
def test_old_writer_versions_stand_for_features(
    place: Location, version: int, feature: str
) -> None:
    asking(place, minWriterVersion=version)

    if not feature:
        checked(place, writing=True)
        return
    with pytest.raises(DeltaError, match=feature):
        checked(place, writing=True)


def test_versions_above_those_allowed_are_refused(place: Location) -> None:
    asking(place, "deletionVectors")

    with pytest.raises(DeltaError, match=r"reader version 3, above delta\.max_reader"):
        checked(place, writing=False, max_reader_version=2)
    with pytest.raises(DeltaError, match=r"writer version 7, above delta\.max_writer"):
        checked(place, writing=True, max_writer_version=6)
    checked(place, writing=False, max_writer_version=6)


def test_a_warning_lets_it_be_tried(place: Location) -> None:
    asking(place, "rowTracking", reading=False)

    with pytest.warns(UserWarning, match="rowTracking"):
        checked(place, writing=True, protocol="warn")


def test_where_it_is_ignored_the_engines_own_refusal_names_the_feature(
    place: Location,
) -> None:
    asking(place, "rowTracking", reading=False)

    checked(place, writing=True, protocol="ignore")
    with pytest.raises(CommitError, match=r"RowTracking.*use an engine that has it"):
        write(place, {"x": [2]}, options=DeltaProfile(protocol="ignore"))
    assert rows_of(place) == [{"x": 1}]


@pytest.mark.parametrize(
    ("features", "versions", "named"),
    [
        (["fooBar"], {}, "fooBar"),
        ([], {"minReaderVersion": 4, "minWriterVersion": 2}, "reader version 4"),
    ],
)
def test_what_nobody_here_can_open_is_named(
    place: Location, features: list[str], versions: dict[str, Any], named: str
) -> None:
    asking(place, *features, **versions)

    with pytest.raises(DeltaError, match=rf"{named}.*use an engine that has it"):
        open_table(place)


def test_a_query_is_refused_before_it_reads(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    asking(lake.table(["t"]), "typeWidening")
    tables = RunTables("public")
    tables.add_lake(lake)

    with pytest.raises(DeltaError, match="typeWidening"):
        tables.find(("public", "t"))


def test_maintenance_that_cannot_write_says_why(place: Location) -> None:
    asking(place, "rowTracking", reading=False)

    with pytest.raises(CommitError, match="RowTracking"):
        optimize(place, z_order_by=["x"], min_files=1)
