"""Prepared statements of the profile, in an asset."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from datafusion import DataFrame
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource, QueryError, SqlPolicyError

Run = Callable[..., dg.ExecuteInProcessResult]
STATEMENTS: dict[str, Any] = {
    "sql": {
        "prepared": [
            {
                "name": "dear",
                "sql": "SELECT $1 AS least, $2 AS name",
                "types": ["BIGINT", "VARCHAR"],
            },
            {"name": "untyped", "sql": "SELECT 2 > $1 AS dearer"},
        ]
    }
}


SESSION = {"profile": STATEMENTS}


def asking(ask: Callable[[DataFusionSessionResource], Any]) -> dg.AssetsDefinition:
    @dg.asset
    def prices(dfsession: DataFusionSessionResource) -> DataFrame:
        frame: DataFrame = ask(dfsession)
        return frame

    return prices


def test_a_prepared_statement_runs_under_the_read_only_policy(
    run: Run, rows: Callable[..., list[dict[str, Any]]]
) -> None:
    run(asking(lambda s: s.prepared("dear", 1, "a' OR 1")), session=SESSION)
    assert rows("prices") == [{"least": 1, "name": "a' OR 1"}]

    run(asking(lambda s: s.prepared("untyped", 1)), session=SESSION, io={"schema_mode": "overwrite"})  # fmt: skip
    assert rows("prices") == [{"dearer": True}]


def test_a_wrong_value_or_name_is_told(run: Run) -> None:

    with pytest.raises(QueryError) as wrong:
        run(asking(lambda s: s.prepared("dear", 1.5, "a")), session=SESSION)
    assert str(wrong.value) == snapshot(
        "running the prepared statement 'dear': parameter $1 is 1.5, a float, and the statement declares BIGINT."
    )
    with pytest.raises(QueryError) as unknown:
        run(asking(lambda s: s.prepared("deer")), session=SESSION)
    assert str(unknown.value) == snapshot(
        "there is no prepared statement 'deer'; there is dear, untyped. Did you mean 'dear'? The profile declares them: sql: {prepared: [{name: ..., sql: ..., types: [...]}]}."
    )
    with pytest.raises(SqlPolicyError, match="prepared"):
        run(asking(lambda s: s.sql("EXECUTE dear(1, 'a')")), session=SESSION)
