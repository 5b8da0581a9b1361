"""Automation conditions go by data versions: the same rows trigger nothing."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dagster_dfsession import sql_asset

Run = Callable[..., dg.ExecuteInProcessResult]

CHANGED = dg.AutomationCondition.eager().replace(
    "any_deps_updated",
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed()
    ),
)


def numbers(*values: int) -> dg.AssetsDefinition:
    @dg.asset(name="numbers")
    def made() -> pa.Table:
        return pa.table({"n": values})

    return made


MIDDLE = sql_asset(
    name="middle",
    sql="SELECT n FROM numbers WHERE n > 1",
    automation_condition=CHANGED,
)
LAST = sql_asset(
    name="last", sql="SELECT sum(n) AS n FROM middle", automation_condition=CHANGED
)


# Nothing runs in a tick.
RESOURCES = {"dfsession": None, "io_manager": dg.mem_io_manager}
CHILDREN = dg.AssetSelection.assets("middle", "last")


class Automation:
    """Ticks of an automation sensor, one after the other."""

    def __init__(self, run: Run, instance: dg.DagsterInstance) -> None:
        self._run = run
        self._instance = instance
        self._cursor: Any = None

    def made(self, *assets: Any, **options: Any) -> None:
        self._run(*assets, instance=self._instance, **options)

    def tick(self) -> set[str]:
        """Return which assets would run."""
        result = dg.evaluate_automation_conditions(
            defs=dg.Definitions([numbers(), MIDDLE, LAST], resources=RESOURCES),
            instance=self._instance,
            asset_selection=CHILDREN,
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        return {
            each.key.to_user_string()
            for each in result.results
            if not each.true_subset.is_empty
        }


@pytest.fixture
def automation(run: Run, instance: dg.DagsterInstance) -> Automation:
    """Everything is made, and the sensor has seen it."""
    found = Automation(run, instance)
    found.made(numbers(1, 2), MIDDLE, LAST)
    found.tick()
    assert found.tick() == set()
    return found


def test_an_upstream_that_ran_again_unchanged_triggers_nothing(
    automation: Automation,
) -> None:
    automation.made(numbers(1, 2))

    assert automation.tick() == set()


def test_a_changed_upstream_triggers_what_reads_it(automation: Automation) -> None:
    automation.made(numbers(1, 2, 3))

    assert automation.tick() >= {"middle"}


def test_a_changed_batch_size_triggers_nothing(automation: Automation) -> None:
    automation.made(MIDDLE, session={"profile": {"execution": {"batch_size": 77}}})

    assert automation.tick() == set()


def test_a_changed_time_zone_triggers_what_is_downstream(
    automation: Automation,
) -> None:
    zone = {"profile": {"hardening": {"time_zone": "Europe/Vienna"}}}
    automation.made(MIDDLE, session=zone)

    assert automation.tick() == {"last"}
