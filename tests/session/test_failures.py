"""What the engine says, as errors of this package."""

import re
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from datafusion import udf
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.errors import (
    ColumnNotFoundError,
    FunctionFailedError,
    MemoryLimitError,
    PoolError,
    QueryError,
    TableNotFoundError,
)
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.runtime import (
    FairPool,
    GreedyPool,
    NoSpill,
    RuntimeProfile,
)
from dagster_dfsession.session.failures import (
    Asked,
    engine_errors,
    query_error,
    shortened,
)
from dagster_dfsession.session.functions.guard import GuardedScalar
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]

MOST_CHARS = 1600


def with_rows(session: Session) -> Session:
    rows = pa.table({"dep_delay": [1, 2], "dest": ["IAH", "MIA"]})
    session.ctx.register_record_batches("flights", [rows.to_batches()])
    return session


def refused(session: Session, query: str, kind: type[QueryError]) -> str:
    with pytest.raises(QueryError) as error:
        session.sql(query)
    assert type(error.value) is kind
    assert error.value.__cause__ is not None
    return str(error.value)


def test_a_table_that_is_not_there_is_named_with_the_one_that_was_meant(
    opened: Opened,
) -> None:
    session = with_rows(opened())

    assert refused(session, "SELECT * FROM flihgts", TableNotFoundError) == snapshot(
        "table 'flihgts' was not found; there is flights. Did you mean 'flights'? A table is found by its asset key ('raw.flights' is the key raw/flights) once its asset was materialized, or by a name passed to sql(query, name=frame) or register(name, frame)."
    )
    assert "table 'raw.x' was" in refused(
        session, "SELECT * FROM raw.x", TableNotFoundError
    )
    assert "table 'other.raw.x' was" in refused(
        session, "SELECT * FROM other.raw.x", TableNotFoundError
    )


def test_a_table_is_named_as_its_asset_key_whatever_the_catalog_is_called(
    opened: Opened,
) -> None:
    names = CatalogProfile(default_catalog="house", default_schema="main")

    with pytest.raises(TableNotFoundError) as error:
        opened(catalog=names).sql("SELECT * FROM x")
    assert error.value.table == "x"


def test_a_column_that_is_not_there_is_named_with_those_that_are(
    opened: Opened,
) -> None:
    query = "SELECT dep_dely FROM flights"

    assert refused(with_rows(opened()), query, ColumnNotFoundError) == snapshot(
        "planning 'SELECT dep_dely FROM flights', line 1, column 8: No field named dep_dely. Did you mean 'flights.dep_delay'? Valid fields are flights.dep_delay, flights.dest."
    )


def test_a_function_that_is_not_there_is_named(opened: Opened) -> None:
    query = "SELECT haversine(dep_delay) FROM flights"

    assert refused(with_rows(opened()), query, QueryError).startswith(
        f"planning {query!r}, line 1, column 8: function 'haversine' was not found."
    )


def test_what_is_no_sql_is_told_where(opened: Opened) -> None:
    assert refused(opened(), "SELEKT 1", QueryError) == snapshot(
        "planning 'SELEKT 1', line 1, column 1: no SQL: expected an SQL statement, found SELEKT."
    )


@pytest.mark.parametrize("pool", [FairPool(size="4M"), GreedyPool(size="4M")])
def test_a_query_over_the_memory_limit_says_what_to_do(
    pool: FairPool | GreedyPool, opened: Opened
) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=pool, spill=NoSpill()),
        execution=ExecutionProfile(target_partitions=1),
    )
    frame = session.sql(
        "SELECT value % 100000 AS k, array_agg(value) FROM generate_series(1, 300000) "
        "GROUP BY 1"
    )

    with pytest.raises(MemoryLimitError) as error, engine_errors("computing busy"):
        frame.collect()
    text = str(error.value)
    # The kind of pool survives the settings that are set after it was built.
    kind = type(pool).__name__.removesuffix("Pool").lower()
    assert re.fullmatch(
        rf"computing busy: \w+ holds [\d.]+ [KM]?B and needs [\d.]+ "
        rf"[KM]?B more; [\d.]+ [KM]?B are left of the 4.0 MB of the session's {kind} "
        r"memory pool. Lower execution.target_partitions, or raise "
        r"runtime.memory_pool.size.",
        text,
    ), text


def test_a_sort_that_may_not_spill_says_what_to_do(opened: Opened) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=FairPool(size="2M"), spill=NoSpill()),
        execution=ExecutionProfile(target_partitions=1, sort_spill_reservation=1024),
    )
    frame = session.sql("SELECT * FROM generate_series(1, 1000000) ORDER BY 1 DESC")

    with pytest.raises(MemoryLimitError) as error, engine_errors("sorting"):
        frame.collect()
    assert str(error.value) == snapshot(
        "sorting: more memory was needed than the session may use: Memory Exhausted while Sorting, and it may not spill. Let it (runtime.spill), or raise runtime.memory_pool.size."
    )


@pytest.mark.parametrize("pool", [FairPool(size="4M"), GreedyPool(size="4M")])
def test_a_hash_join_over_the_limit_says_what_it_needed(
    pool: FairPool | GreedyPool, opened: Opened
) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=pool),
        execution=ExecutionProfile(target_partitions=1),
    )
    frame = session.sql(
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) "
        "JOIN generate_series(1, 1000000) AS b(y) ON x = y"
    )

    with pytest.raises(MemoryLimitError) as error, engine_errors("joining"):
        frame.collect()
    text = str(error.value)
    assert text.startswith("joining: HashJoinInput holds "), text
    assert " are left of the 4.0 MB of the session's " in text
    assert text.endswith(
        "A hash join holds its smaller side and cannot spill: "
        "execution.prefer_hash_join: false makes it a sort-merge join, which can "
        "(from 2 execution.target_partitions up, and where rows are joined by equal "
        "values). Or raise runtime.memory_pool.size."
    )


def test_a_sort_that_cannot_merge_says_what_it_keeps_back(opened: Opened) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=FairPool(size="2M")),
        execution=ExecutionProfile(target_partitions=1),
    )
    frame = session.sql("SELECT * FROM generate_series(1, 1000000) ORDER BY 1 DESC")

    with pytest.raises(MemoryLimitError) as error, engine_errors("sorting"):
        frame.collect()
    assert str(error.value) == snapshot(
        "sorting: ExternalSorterMerge holds 0.0 B and needs 10.0 MB more; 2.0 MB are left of the 2.0 MB of the session's fair memory pool. Merging what a sort spilled needs memory at a time when the rest of the query has taken most of it: lower execution.target_partitions or execution.batch_size, and, where it asked for just that much, execution.sort_spill_reservation, or raise runtime.memory_pool.size."
    )


def test_a_query_over_the_limit_is_finished_by_what_the_message_says(
    opened: Opened,
) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=FairPool(size="4M")),
        execution=ExecutionProfile(
            target_partitions=2, prefer_hash_join=False, sort_spill_reservation=2**20
        ),
    )
    frame = session.sql(
        "SELECT count(*) AS n FROM generate_series(1, 1000000) AS a(x) "
        "JOIN generate_series(1, 1000000) AS b(y) ON x = y"
    )

    assert frame.to_pydict() == {"n": [1000000]}


def broken(*_: Any) -> NoReturn:
    raise LookupError("no airport " + "x" * 5000)


def test_a_function_that_raises_is_an_error_of_the_query(opened: Opened) -> None:
    session = with_rows(opened())
    session.ctx.register_udf(
        udf(broken, [pa.int64()], pa.int64(), "volatile", name="airport")
    )

    frame = session.sql("SELECT airport(dep_delay) FROM flights")
    with pytest.raises(QueryError) as error, engine_errors("computing airports"):
        frame.collect()
    assert "LookupError('no airport x" in str(error.value)
    assert len(str(error.value)) < MOST_CHARS


def test_a_declared_function_that_raises_is_named(opened: Opened) -> None:
    session = with_rows(opened())
    guarded = GuardedScalar("airport", __name__, broken, pa.int64())
    session.ctx.register_udf(
        udf(guarded, [pa.int64()], pa.int64(), "volatile", name="airport")
    )

    frame = session.sql("SELECT airport(dep_delay) FROM flights")
    with pytest.raises(FunctionFailedError) as error, engine_errors("computing it"):
        frame.collect()
    assert str(error.value).startswith(
        "computing it: user function 'airport' raised LookupError: no airport xxx"
    )
    assert len(str(error.value)) < MOST_CHARS


@pytest.mark.parametrize(
    "text",
    [
        "table '{long}' not found",
        "Schema error: No field named {long}",
        "user function 'x' raised {long}",
        "Resources exhausted: {long}",
        "DDL not supported: {short}",
        "{long}",
    ],
)
def test_no_message_is_longer_than_a_screen(text: str) -> None:
    said = text.format(long="word " * 5000, short="word")
    query = shortened("SELECT " + "x" * 5000)

    error = query_error(
        said, f"planning {query!r}", Asked(tables=lambda: ["t" * 300] * 500)
    )

    assert len(str(error)) < MOST_CHARS


def test_errors_of_this_package_pass_as_they_are() -> None:
    mine = PoolError("mine")

    with pytest.raises(PoolError) as error, engine_errors("doing something"):
        raise mine
    assert error.value is mine
    assert mine.__cause__ is None


@given(st.text(max_size=500), st.integers(2, 300))
def test_a_shortened_text_is_one_line_of_bounded_length(text: str, chars: int) -> None:
    line = shortened(text, chars)

    assert len(line) <= chars
    assert len(line.splitlines()) <= 1
    assert line.removesuffix("…") in " ".join(text.split())


def test_what_a_store_answers_shows_no_key_and_no_token() -> None:
    answer = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ExpiredToken</Code>'
        "<Message>The provided token has expired.</Message><Token-0>FwoG/hidden"
        "</Token-0><AWSAccessKeyId>AKIAHIDDEN</AWSAccessKeyId></Error>"
    )
    with pytest.raises(QueryError) as failed, engine_errors("reading t"):
        raise Exception(  # noqa: TRY002  # as the engine raises it
            f"Object Store error: \x1b[31m↳\x1b[0m 403 Forbidden\n{answer}"
        )

    assert str(failed.value) == snapshot(
        "reading t: Object Store error: 403 Forbidden ExpiredToken: The provided token has expired. Check the storage options: key, secret, region and endpoint."
    )
    said = "".join(traceback.format_exception(failed.value)).lower()
    assert "hidden" not in said
