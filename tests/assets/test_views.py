"""Views of a SQL folder, named by Python assets of the code location."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource, QueryError, load_sql_assets

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
Sql = Callable[..., Path]

VIEW = "/* ---\nkept: view\n--- */\n"


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"carrier": ["AA", "AA", "UA"], "delay": [1, 50, 40]})


def load(folder: Path) -> list[Any]:
    return load_sql_assets(folder, external=[flights])


def test_python_assets_name_views_too(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(
        mart__late="/* ---\nkept: view\nparams: {least: 30, day: 2024-01-02}\n--- */\n"
        "SELECT carrier, delay, $day AS day FROM raw.flights WHERE delay > $least",
        mart__later=f"{VIEW}SELECT * FROM mart.late WHERE delay > 45",
    )

    @dg.asset(deps=[dg.AssetKey(["mart", "later"])])
    def worst(dfsession: DataFusionSessionResource) -> DataFrame:
        with dfsession.stream("SELECT count(*) AS n FROM mart.later") as result:
            assert result.to_table().to_pylist() == [{"n": 1}]
        return dfsession.sql(
            "SELECT carrier, day FROM Mart.Later AS l WHERE l.delay > $more",
            params={"more": 10},
        )

    run(flights, *load(folder), worst)

    assert rows("worst") == [{"carrier": "AA", "day": dt.date(2024, 1, 2)}]


def test_what_a_step_has_itself_hides_a_view(sql: Sql, run: Run, rows: Rows) -> None:
    folder = sql(late=f"{VIEW}SELECT carrier FROM raw.flights")

    @dg.asset(deps=["late"])
    def own(dfsession: DataFusionSessionResource) -> DataFrame:
        given = pa.table({"carrier": ["own"]})
        return dfsession.sql("SELECT carrier FROM late", late=given)

    run(flights, *load(folder), own)

    assert rows("own") == [{"carrier": "own"}]


def test_a_value_that_a_view_has_too_is_refused(sql: Sql, run: Run) -> None:
    text = "/* ---\nkept: view\nparams: {n: 1}\n--- */\nSELECT $n AS n"

    @dg.asset(deps=["one"])
    def other(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT n FROM one WHERE n = $n", params={"n": 2})

    with pytest.raises(QueryError, match=r"\$n is 2, and 1 in the view 'one'"):
        run(*load(sql(one=text)), other)
