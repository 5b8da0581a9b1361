"""How the session differs from that of the materialization before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dagster_dfsession.materialization.records import Change
from dagster_dfsession.metadata.entries import changes_text

Run = Callable[..., dg.ExecuteInProcessResult]

HEAD = """\
import pyarrow as pa
import pyarrow.compute as pc
from dagster_dfsession import scalar_udf
INT = pa.int64()
"""
FUNCTION = """
@scalar_udf(inputs=[INT], returns=INT, volatility="immutable")
def {name}(x):
    return pc.add(x, {more})
"""


@dg.asset
def up() -> pa.Table:
    return pa.table({"x": [1]})


@pytest.fixture
def changes(run: Run) -> Callable[..., str]:
    """Run the asset once more; return what is said to have changed."""

    def text(**session: Any) -> str:
        [event] = run(up, session=session).asset_materializations_for_node("up")
        return str(event.metadata["dfsession/changes"].value)

    return text


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a module of functions, each with the number it adds."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, **functions: int) -> str:
        body = "".join(FUNCTION.format(name=f, more=n) for f, n in functions.items())
        tmp_path.joinpath(f"{name}.py").write_text(HEAD + body)
        return name

    return write


def test_the_first_materialization_has_nothing_before_it(
    changes: Callable[..., str],
) -> None:
    assert changes() == "first materialization"


def test_an_equal_session_has_no_changes(changes: Callable[..., str]) -> None:
    changes()
    assert changes() == "none"


def test_a_changed_setting_is_shown_and_so_is_its_return(
    changes: Callable[..., str],
) -> None:
    changes()
    more = {"execution": {"batch_size": 4096}}
    text = changes(profile=more)
    assert text.startswith(
        "```diff\n"
        "- datafusion.execution.batch_size = 8192\n"
        "+ datafusion.execution.batch_size = 4096\n"
    )
    assert text.endswith("\n```")
    assert changes(profile=more) == "none"
    assert "+ datafusion.execution.batch_size = 8192" in changes()


def test_a_changed_preset_shows_the_settings_it_changed(
    changes: Callable[..., str],
) -> None:
    changes()
    text = changes(preset="reproducible")
    assert text.startswith("```diff\n- datafusion.")
    assert "+ datafusion.execution.target_partitions = 1\n" in text
    assert text.endswith("\n```")
    assert len(text) < 3000


def test_functions_are_shown_as_added_changed_and_removed(
    changes: Callable[..., str], module: Callable[..., str]
) -> None:
    def of_f(text: str) -> list[str]:
        return [line for line in text.splitlines() if "function f " in line]

    changes()

    [added] = of_f(changes(udfs=[module("one_udfs", f=1)]))
    assert added.startswith("+ function f = immutable ")

    before, after = of_f(changes(udfs=[module("two_udfs", f=2)]))
    assert (before[0], after[0]) == ("-", "+")
    assert before[2:] == added[2:] != after[2:]

    [removed] = of_f(changes())
    assert (removed[0], removed[2:]) == ("-", after[2:])


def test_a_record_that_is_gone_leaves_the_changes_unknown(
    changes: Callable[..., str], lake: Path
) -> None:
    changes()
    [record] = lake.joinpath("_dfsession", "records").iterdir()
    record.unlink()
    assert changes(preset="reproducible") == (
        f"unknown: there is no record '_dfsession/records/{record.name}'; it may have "
        "been cleaned up"
    )
    assert changes(preset="reproducible") == "none"


def test_a_session_of_the_same_hash_is_not_compared_with_its_record(
    changes: Callable[..., str], lake: Path
) -> None:
    changes()
    for record in lake.joinpath("_dfsession", "records").iterdir():
        record.unlink()
    assert changes() == "none"


def test_a_record_that_was_changed_leaves_the_changes_unknown(
    changes: Callable[..., str], lake: Path
) -> None:
    changes()
    [record] = lake.joinpath("_dfsession", "records").iterdir()
    record.write_bytes(b"not a record")
    assert changes(preset="reproducible").startswith("unknown: record ")


def test_a_materialization_without_a_record_leaves_the_changes_unknown(
    run: Run, changes: Callable[..., str]
) -> None:
    @dg.asset(name="up")
    def by_hand() -> None:
        pass

    run(by_hand)
    assert changes() == (
        "unknown: the materialization before has no record of its session"
    )


def test_each_asset_is_compared_with_itself(run: Run) -> None:
    @dg.asset
    def other() -> pa.Table:
        return pa.table({"x": [1]})

    run(up)
    result = run(up, other)
    said = {
        name: result.asset_materializations_for_node(name)[0]
        .metadata["dfsession/changes"]
        .value
        for name in ("up", "other")
    }
    assert said == {"up": "none", "other": "first materialization"}


def test_many_changes_are_counted_and_long_ones_cut() -> None:
    many = [Change(what=f"key.{at}", before="x" * 200, after=None) for at in range(15)]
    lines = changes_text(many).splitlines()
    assert lines[-2:] == ["# and 3 more", "```"]
    assert len(lines) == 15
    assert max(map(len, lines)) == 76
    assert lines[1].endswith("x…")
