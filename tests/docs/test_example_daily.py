"""docs/examples/daily.py: late orders, and files that are sent again."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

import dagster_dfsession as dfs
from tests.docs.loading import loaded

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
Rows = Callable[..., list[dict[str, Any]]]
Arrive = Callable[[str, str], None]
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def daily(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("DFSESSION_INBOX", str(tmp_path))
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", str(lake))
    return loaded(EXAMPLES / "daily.py")


@pytest.fixture
def arrive(daily: ModuleType, run: Run, tmp_path: Path) -> Arrive:
    """Write the file of a day, and run what follows from it."""

    def arriving(day: str, rows: str) -> None:
        (tmp_path / f"{day}.csv").write_text(
            f"order_id,day,amount\n{rows}", encoding="utf-8"
        )
        run(daily.landed, key=day)
        run(daily.landed, daily.daily_totals, selection=[daily.daily_totals])

    return arriving


def totals(rows: Rows) -> dict[int, tuple[int, float]]:
    return {r["day"].day: (r["orders"], r["amount"]) for r in rows("daily_totals")}


def test_a_late_order_changes_its_own_day(
    arrive: Arrive, daily: ModuleType, run: Run, rows: Rows
) -> None:
    arrive("2026-01-01", "1,2026-01-01,3\n2,2026-01-01,4\n")
    arrive("2026-01-02", "3,2026-01-02,5\n4,2026-01-01,6\n")
    run(daily.lateness)

    assert totals(rows) == {1: (3, 13.0), 2: (1, 5.0)}
    assert rows("lateness") == [
        {"days_late": 0, "orders": 3},
        {"days_late": 1, "orders": 1},
    ]


def test_a_file_that_is_sent_again_replaces_its_day(arrive: Arrive, rows: Rows) -> None:
    arrive("2026-01-02", "2,2026-01-01,4\n3,2026-01-02,5\n")
    arrive("2026-01-02", "9,2026-01-01,1\n")

    assert totals(rows) == {1: (1, 1.0), 2: (0, 0.0)}


def test_an_order_of_tomorrow_is_refused(
    daily: ModuleType, run: Run, lake: Path, tmp_path: Path
) -> None:
    (tmp_path / "2026-01-02.csv").write_text(
        "order_id,day,amount\n2,2026-01-03,5\n", encoding="utf-8"
    )
    with pytest.raises(dfs.ContractError, match="no order of tomorrow"):
        run(daily.landed, key="2026-01-02")

    assert not (lake / "landed").exists()


def test_the_code_location_loads(daily: ModuleType) -> None:
    dg.Definitions.validate_loadable(daily.defs)
