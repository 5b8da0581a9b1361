from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import DATA_VERSION, PARTITIONS
from dagster_dfsession.delta.maintain import checkpoint, clean_log, maintain
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.restore import repair, restore
from dagster_dfsession.delta.vacuum import vacuum
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.profile.maintenance import STEPS, MaintenancePolicy, Step
from tests.delta.writing import owning, rows_of, write

ALL_AT_ONCE = MaintenancePolicy(retain_hours=0, orphan_hours=0, checkpoint_every=1)


def version_of(place: Location, *keys: str) -> str:
    return data_version(existing_table(place), place, frozenset(keys) or None)


def files(place: Location) -> list[str]:
    return sorted(path.name for path in Path(place.uri).rglob("*.parquet"))


def three_appends(place: Location) -> None:
    for x in range(3):
        write(
            place,
            {"x": [x], "y": [-x]},
            mode="overwrite" if x == 0 else "append",
            commit_metadata={DATA_VERSION: f"v{x}"},
        )


def test_small_files_become_one(place: Location) -> None:
    three_appends(place)

    done = optimize(place)

    assert (done.metrics["files_compacted"], done.metrics["files_written"]) == (3, 1)
    assert done.metrics["bytes_compacted"] > done.metrics["bytes_written"] > 0
    assert done.version == existing_table(place).version() == 3
    assert rows_of(place) == [{"x": 0, "y": 0}, {"x": 1, "y": -1}, {"x": 2, "y": -2}]


def test_what_is_compacted_is_left_alone(place: Location) -> None:
    three_appends(place)
    optimize(place)

    assert optimize(place, min_files=1).metrics["files_compacted"] == 0
    assert optimize(place).note == "1 files are fewer than min_files, 2"
    assert existing_table(place).version() == 3


def test_rows_are_clustered_once_until_there_are_new_ones(place: Location) -> None:
    three_appends(place)

    def clustered(*columns: str) -> int:
        done = optimize(place, z_order_by=columns, min_files=1)
        return done.metrics["files_written"]

    assert clustered("x", "y") == 1
    assert clustered("x", "y") == 0
    assert clustered("y") == 1
    write(place, {"x": [9], "y": [9]}, mode="append")
    assert clustered("y") == 1


@pytest.mark.parametrize("step", STEPS)
def test_no_step_changes_a_data_version(place: Location, step: Step) -> None:
    three_appends(place)
    before = version_of(place)
    assert not before.startswith("delta:")

    policy = MaintenancePolicy(steps=(step,), retain_hours=0, checkpoint_every=1)
    maintain(place, policy)

    assert version_of(place) == before


def test_no_maintenance_changes_the_data_version_of_a_partition(
    place: Location,
) -> None:
    for key, stated in [("a", "one"), ("b", "two"), ("a", "three")]:
        write(
            place,
            {"k": [key], "x": [1]},
            commit_metadata={DATA_VERSION: stated, PARTITIONS: f'["{key}"]'},
            **owning(key),
        )
    before = version_of(place), version_of(place, "a"), version_of(place, "b")

    for z_order_by in (), ("x",):
        policy = MaintenancePolicy(
            retain_hours=0, min_files=1, checkpoint_every=1, z_order_by=z_order_by
        )
        done = maintain(place, policy)

    assert done[0].metrics["files_written"] == 2
    assert (version_of(place), version_of(place, "a"), version_of(place, "b")) == before


def test_all_steps_run_in_order(place: Location) -> None:
    three_appends(place)

    done = maintain(place, ALL_AT_ONCE)

    assert [each.step for each in done] == list(STEPS)
    assert {each.step: dict(each.metrics) for each in done if each.step != "optimize"}[
        "checkpoint"
    ] == {"checkpoints_written": 1}
    assert len(files(place)) == 2  # the rows and the checkpoint
    assert len(rows_of(place)) == 3


def test_a_policy_runs_only_its_steps(place: Location) -> None:
    three_appends(place)

    done = maintain(place, MaintenancePolicy(steps=("vacuum", "optimize")))

    assert [each.step for each in done] == ["optimize", "vacuum"]


def test_a_dry_run_changes_nothing(place: Location) -> None:
    three_appends(place)
    write(place, {"x": [0], "y": [0]})
    Path(place.uri, "left.parquet").write_bytes(b"x")
    before = {path: path.stat().st_mtime_ns for path in Path(place.uri).rglob("*")}

    done = maintain(
        place, MaintenancePolicy(retain_hours=0, orphan_hours=0, dry_run=True)
    )

    by_step = {each.step: each for each in done}
    assert by_step["vacuum"].metrics["files_removable"] == 3
    assert by_step["vacuum"].metrics["files_removed"] == 0
    assert by_step["orphans"].files == ("left.parquet",)
    assert by_step["optimize"].note == "not done in a dry run"
    after = {path: path.stat().st_mtime_ns for path in Path(place.uri).rglob("*")}
    assert after == before


def test_a_checkpoint_is_written_once_there_are_enough_commits(
    place: Location,
) -> None:
    three_appends(place)

    assert checkpoint(place, every=4).note == "only 3 commits since version -1"
    assert checkpoint(place, every=3).metrics["checkpoints_written"] == 1
    write(place, {"x": [9], "y": [9]}, mode="append")
    assert checkpoint(place, every=2).metrics["checkpoints_written"] == 0
    assert len(rows_of(place)) == 4


def test_old_commits_are_removed_from_the_log(place: Location) -> None:
    three_appends(place)
    existing_table(place).alter.set_table_properties(
        {"delta.logRetentionDuration": "interval 0 seconds"}
    )
    checkpoint(place)

    done = clean_log(place)

    assert done.metrics["log_files_removed"] == len(done.files) > 0
    assert len(rows_of(place)) == 3


def test_a_restored_table_has_its_old_rows_and_data_version(place: Location) -> None:
    write(place, {"x": [1]}, commit_metadata={DATA_VERSION: "one"})
    write(place, {"x": [2]}, commit_metadata={DATA_VERSION: "two"})

    done = restore(place, 0)

    assert (done.version, rows_of(place)) == (2, [{"x": 1}])
    assert dict(done.metrics) == {"files_restored": 1, "files_dropped": 1}
    assert version_of(place) == "one"


def test_what_is_written_above_a_restored_version_is_counted_with_it(
    place: Location,
) -> None:
    three_appends(place)
    restore(place, 1)
    restored = version_of(place)
    write(place, {"x": [7], "y": [7]}, mode="append")

    table = open_table(place, 1)
    assert table is not None
    assert restored == data_version(table, place)
    assert version_of(place) != restored


def test_a_vacuumed_version_cannot_be_restored(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"x": [2]})
    vacuum(place, retain_hours=0)

    with pytest.raises(DeltaError, match="Vacuum has removed files of that version"):
        restore(place, 0)
    assert rows_of(place) == [{"x": 2}]


def test_a_version_that_never_was_cannot_be_restored(place: Location) -> None:
    write(place, {"x": [1]})

    with pytest.raises(DeltaError, match="The table has no such version"):
        restore(place, 7)


def test_repair_finds_what_is_missing_before_it_drops_it(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"x": [2]}, mode="append")
    lost = existing_table(place).file_uris()[0]
    Path(lost).unlink()

    found = repair(place)
    assert (found.files, found.version) == ((Path(lost).name,), 1)
    assert found.metrics["files_dropped"] == 0

    assert repair(place, dry_run=False).metrics["files_dropped"] == 1
    assert len(rows_of(place)) == 1
    assert repair(place, dry_run=False).version == 2


def test_repair_of_a_whole_table_commits_nothing(place: Location) -> None:
    write(place, {"x": [1]})

    assert repair(place, dry_run=False).version == 0


def test_columns_to_cluster_by_are_checked_by_name(place: Location) -> None:
    write(place, {"k": ["a"], "carrier": [1]}, **owning("a"))

    messages = []
    for column in "carier", "k":
        with pytest.raises(DeltaError) as refused:
            optimize(place, z_order_by=[column])
        messages.append(str(refused.value).replace(place.uri, "LAKE"))
    assert messages == snapshot(
        [
            "LAKE: z_order_by names 'carier', which the table does not have; it has carrier. Did you mean 'carrier'?",
            "LAKE: 'k' is a partition column, which is the same in all rows of a file; z_order_by takes carrier",
        ]
    )


def everything(place: Location) -> tuple[MaintenanceResult, ...]:
    return maintain(place, MaintenancePolicy())


def back_to_the_first(place: Location) -> MaintenanceResult:
    return restore(place, 0)


@pytest.mark.parametrize(
    "step",
    [optimize, vacuum, checkpoint, clean_log, repair, everything, back_to_the_first],
)
def test_where_no_table_is_nothing_can_be_maintained(
    place: Location, step: Callable[[Location], object]
) -> None:
    with pytest.raises(DeltaError, match="there is no Delta table here"):
        step(place)
    assert not Path(place.uri).exists()
