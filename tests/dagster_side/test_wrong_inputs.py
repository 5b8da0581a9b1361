"""What goes wrong says what, and writes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable
from inline_snapshot import snapshot

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import (
    DfSessionError,
    FunctionError,
    FunctionFailedError,
    InstallError,
    MemoryLimitError,
    SettingError,
    SqlPolicyError,
    TableNotFoundError,
    UnsupportedTypeError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Refused = Callable[..., str]


def asks(query: str) -> dg.AssetsDefinition:
    """An asset that returns a query, over the table that was there before."""

    @dg.asset(deps=["flights"])
    def asked(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(query)

    return asked


@dg.asset
def flights() -> pa.Table:
    return pa.table({"x": [1, 2]})


@pytest.fixture
def refused(run: Run, lake: Path) -> Refused:
    """Have an asset fail; return its message, after proof that nothing was written.

    The table of the asset was there before, so that also an empty commit would show.
    """
    run(flights)

    @dg.asset(name="asked")
    def earlier() -> pa.Table:
        return pa.table({"x": [0]})

    run(earlier)
    before = contents(lake)

    def fail(error: type[DfSessionError], asset: Any, **session: Any) -> str:
        with pytest.raises(error) as failure:
            run(asset, session=session)
        assert type(failure.value) is error
        assert contents(lake) == before
        return str(failure.value)

    return fail


def contents(lake: Path) -> dict[str, Any]:
    """Return every file of the lake, and the version of each of its tables."""
    tables = [log.parent for log in lake.rglob("_delta_log")]
    return {
        "files": sorted(str(path) for path in lake.rglob("*")),
        "versions": {str(path): DeltaTable(path).version() for path in tables},
    }


def test_an_unknown_setting(refused: Refused) -> None:
    settings = {"datafusion.execution.batchsize": "1"}

    assert refused(
        SettingError, asks("SELECT 1 AS x"), profile={"settings": settings}
    ) == snapshot(
        "datafusion.execution.batchsize = '1' was refused: Invalid or Unsupported Configuration: Config value \"batchsize\" not found on ExecutionOptions. Did you mean 'datafusion.execution.batch_size'?"
    )


def test_a_setting_with_a_bad_value(refused: Refused) -> None:
    settings = {"datafusion.execution.coalesce_batches": "perhaps"}

    assert refused(
        SettingError, asks("SELECT 1 AS x"), profile={"settings": settings}
    ) == snapshot(
        "datafusion.execution.coalesce_batches = 'perhaps' was refused: External error: provided string was not `true` or `false`."
    )


def test_a_spill_directory_that_is_not_there(refused: Refused) -> None:
    spill = {"kind": "disk", "directory": "/no/such/place"}

    assert refused(
        InstallError, asks("SELECT 1 AS x"), profile={"runtime": {"spill": spill}}
    ) == snapshot(
        "phase 'context' could not install 'runtime.spill.directory': '/no/such/place' is not a directory; make it, or leave it unset"
    )


def test_a_module_of_functions_that_is_not_there(refused: Refused) -> None:
    assert refused(
        FunctionError, asks("SELECT 1 AS x"), udfs=["no_such.functions"]
    ) == snapshot(
        "there is no module 'no_such.functions' to load functions from: No module named 'no_such'. Check its spelling, and that its project is installed or on PYTHONPATH"
    )


def test_a_function_that_raises(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "functions_with_a_fault.py").write_text(
        "import pyarrow as pa\n"
        "from dagster_dfsession import scalar_udf\n\n"
        '@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")\n'
        "def faulty(x):\n"
        '    raise ZeroDivisionError("by nothing")\n'
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert refused(
        FunctionFailedError,
        asks("SELECT faulty(x) AS x FROM flights"),
        udfs=["functions_with_a_fault"],
    ) == snapshot(
        "computing asked: user function 'faulty' raised ZeroDivisionError: by nothing (functions_with_a_fault, line 6)"
    )


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE copied AS SELECT * FROM flights",
        "DROP TABLE flights",
        "INSERT INTO flights VALUES (3)",
        "COPY (SELECT 1) TO 'out.parquet'",
        "SET datafusion.execution.batch_size = 1",
    ],
)
def test_what_read_only_sql_forbids(refused: Refused, query: str) -> None:
    message = refused(SqlPolicyError, asks(query))

    assert "the SQL policy forbids" in message
    assert query[:12] in message


def test_ddl_in_read_only_sql(refused: Refused) -> None:
    assert refused(SqlPolicyError, asks("DROP TABLE flights")) == snapshot(
        "planning 'DROP TABLE flights': the SQL policy forbids DDL (DropTable). Sessions are read-only by default; a profile may say sql: {policy: {preset: admin}}."
    )


def test_a_table_that_is_not_there(refused: Refused) -> None:
    assert refused(TableNotFoundError, asks("SELECT * FROM flihgts")) == snapshot(
        "table 'flihgts' was not found; there is asked, flights. Did you mean 'flights'? A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame)."
    )


def test_a_query_over_the_memory_limit(refused: Refused) -> None:
    runtime = {
        "memory_pool": {"kind": "greedy", "size": "1M"},
        "spill": {"kind": "none"},
    }
    query = "SELECT value % 1000003 AS x, count(*) AS n FROM range(2000000) GROUP BY 1"

    message = refused(MemoryLimitError, asks(query), profile={"runtime": runtime})

    assert message.startswith("computing asked: ")
    assert message.endswith("raise runtime.memory_pool.size.")


def test_a_value_that_is_no_table(refused: Refused) -> None:
    @dg.asset
    def asked() -> Any:
        return {"x": 1}

    assert refused(UnsupportedTypeError, asked) == snapshot(
        "asked returned a dict, which is no table: return a datafusion DataFrame, a deltalake DeltaTable, a pyarrow Table, RecordBatch or RecordBatchReader, a polars DataFrame or LazyFrame (from polars 1.34 on), a pandas DataFrame, or anything with an Arrow stream"
    )


def test_nothing_at_all(refused: Refused) -> None:
    @dg.asset
    def asked() -> Any:
        return None

    assert refused(UnsupportedTypeError, asked) == snapshot(
        "asset 'asked' returned None: annotate it '-> None' if it writes nothing, or return its table"
    )
