import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.plan.classification import (
    SETTINGS,
    VOLATILE,
    changes_results,
    hashed_settings,
    is_volatile,
    result_settings,
)
from dagster_dfsession.plan.classification_neutral import NEUTRAL
from dagster_dfsession.plan.classification_result import RESULT

CASES = tomli.loads((Path(__file__).parent / "classification_cases.toml").read_text())
CHANGED: dict[str, str] = CASES["neutral"]["changed"]

# What no query over this wheel's own functions and plans can show.
NOT_SHOWN = {
    "datafusion.execution.enable_ansi_mode",
    "datafusion.execution.skip_physical_aggregate_schema_check",
    "datafusion.spark.map_key_dedup_policy",
}

# Small files are split among partitions too, so that there is an order to disturb.
BASE = {
    "execution.target_partitions": "3",
    "optimizer.repartition_file_min_size": "0",
}

Outcome = tuple[str, list[str]]


def open_context(settings: Mapping[str, str]) -> SessionContext:
    config = SessionConfig().with_information_schema(enabled=True)
    merged = {**BASE, **settings}
    runtime = [name for name in merged if name.startswith("runtime.")]
    for name in merged.keys() - runtime:
        config = config.set(f"datafusion.{name}", merged[name])
    ctx = SessionContext(config)
    for name in runtime:
        ctx.sql(f"SET datafusion.{name} = '{merged[name]}'")
    return ctx


def df_settings(ctx: SessionContext) -> dict[str, str | None]:
    rows = ctx.sql("SELECT name, value FROM information_schema.df_settings").to_pylist()
    return {row["name"]: row["value"] for row in rows}


def outcome(ctx: SessionContext, *statements: str) -> Outcome:
    """Return schema and rows of the last statement, or that one was refused."""
    try:
        for statement in statements[:-1]:
            ctx.sql(statement)
        table = ctx.sql(statements[-1]).to_arrow_table()
    except Exception as error:  # noqa: BLE001 -- the engine raises this very class
        return (f"refused: {type(error).__name__}", [])
    schema = [(f.name, str(f.type), f.metadata) for f in table.schema]
    return (str(schema), [repr(row) for row in table.to_pylist()])


def fact(part: int) -> pa.Table:
    ids = range(part * 100, part * 100 + 100)
    start = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    words = ["", "a", "Ä", "long text"]
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "k": [None if i % 11 == 0 else i * 7 % 10 for i in ids],
            "f": [None if i % 13 == 0 else i % 9 / 4 - 1 for i in ids],
            "s": [None if i % 17 == 0 else words[i % 4] for i in ids],
            "ts": [start + dt.timedelta(hours=i * 31 % 5000) for i in ids],
        }
    )


def write_table(path: Path, table: pa.Table, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classification")
    for part in range(3):
        write_table(root / "fact" / f"{part}.parquet", fact(part), row_group_size=20)
    write_deltalake(root / "fact_delta", pa.concat_tables([fact(0), fact(1)]))
    dim = {
        "k": [*range(8), 3, None],
        "w": [None, *(i / 2 for i in range(9))],
        "name": [f"name {i % 4}" for i in range(10)],
    }
    write_table(root / "dim.parquet", pa.table(dim))
    old = pa.table({"b": [b"text"], "ts": pa.array([0], pa.timestamp("ns"))})
    write_table(root / "old.parquet", old, use_deprecated_int96_timestamps=True)
    write_table(
        root / "uuid.parquet", pa.table({"u": pa.array([b"0" * 16], pa.uuid())})
    )
    for place in ("hive/y=1", "nested", "nested/below"):
        write_table(root / place / "a.parquet", pa.table({"a": [1]}))
    (root / "names.csv").write_text("a,b\n1,2\n")
    (root / "numbers.csv").write_text("1,2\n")
    many_lines = '"' + "\n" * 40 + '"'
    lines = "".join(f"{many_lines},{i}\n" for i in range(200))
    (root / "lines.csv").write_text(f"a,b\n{lines}")
    return root


def test_every_setting_of_the_engine_is_classified() -> None:
    real = set(df_settings(open_context({})))

    assert real == set(SETTINGS), (
        "Settings of the engine and of plan/classification_*.py differ. For a new key: "
        "try on a real session whether it changes a result, enter it under RESULT or "
        "NEUTRAL with the reason, and show it in classification_cases.toml. A key that "
        f"is gone: strike it. New: {sorted(real - set(SETTINGS))}. "
        f"Gone: {sorted(set(SETTINGS) - real)}."
    )


def test_no_setting_is_in_both_tables() -> None:
    assert len(SETTINGS) == sum(
        len(names) for table in (NEUTRAL, RESULT) for names in table.values()
    )


def test_every_setting_has_its_key_and_a_reason() -> None:
    assert [key for key, known in SETTINGS.items() if known.key != key] == []
    assert [key for key, known in SETTINGS.items() if not known.reason.strip()] == []


def test_unknown_keys_count_as_result_changing_and_are_hashed() -> None:
    unknown = {"datafusion.optimizer.invented": "1", "my_extension.mode": "x"}

    assert all(changes_results(key) for key in unknown)
    assert not any(is_volatile(key) for key in unknown)
    assert result_settings(unknown) == hashed_settings(unknown) == unknown


@pytest.mark.parametrize("case", CASES["result"], ids=lambda case: case["key"])
def test_a_result_changing_setting_changes_a_result(
    case: dict[str, Any], data: Path
) -> None:
    statements = [text.replace("{data}", data.as_posix()) for text in case["sql"]]
    usual = case.get("base", {})
    other = {**usual, case["key"]: case["value"]}

    before = outcome(open_context(usual), *statements)
    after = outcome(open_context(other), *statements)

    assert changes_results(f"datafusion.{case['key']}")
    assert outcome(open_context(usual), *statements) == before
    assert after != before


def test_every_result_changing_setting_is_shown_or_said_to_be_unshown() -> None:
    shown = {f"datafusion.{case['key']}" for case in CASES["result"]}

    assert {key for key in SETTINGS if changes_results(key)} == shown | NOT_SHOWN


def answers(settings: Mapping[str, str], data: Path) -> dict[str, Outcome]:
    ctx = open_context(settings)
    ctx.register_parquet("fact", str(data / "fact"))
    ctx.register_parquet("dim", str(data / "dim.parquet"))
    ctx.register_table("fact_delta", DeltaTable(data / "fact_delta"))
    found = {query: outcome(ctx, query) for query in CASES["neutral"]["queries"]}
    return {
        query: (
            schema,
            rows if "ORDER BY" in query.rpartition(")")[2] else sorted(rows),
        )
        for query, (schema, rows) in found.items()
    }


@pytest.fixture(scope="module")
def usual(data: Path) -> dict[str, Outcome]:
    return answers({}, data)


def test_the_neutral_queries_are_accepted_and_return_rows(
    usual: dict[str, Outcome],
) -> None:
    assert [query for query, (_, rows) in usual.items() if not rows] == []


@pytest.mark.parametrize("name", CHANGED)
def test_a_neutral_setting_leaves_every_answer_alone(
    name: str, data: Path, usual: dict[str, Outcome]
) -> None:
    assert not changes_results(f"datafusion.{name}")
    assert df_settings(open_context({}))[f"datafusion.{name}"] != CHANGED[name]

    assert answers({name: CHANGED[name]}, data) == usual


def test_only_the_volatile_settings_differ_between_two_sessions(tmp_path: Path) -> None:
    config = SessionConfig().with_information_schema(enabled=True)
    first, second = (
        df_settings(
            SessionContext(config, RuntimeEnvBuilder().with_temp_file_path(tmp_path))
        )
        for _ in range(2)
    )

    assert {key for key in first if first[key] != second[key]} == VOLATILE
    assert hashed_settings(first) == hashed_settings(second)


def test_the_engine_version_in_created_by_leaves_the_result_settings_alone() -> None:
    now = df_settings(open_context({}))
    later = {**now, "datafusion.execution.parquet.created_by": "datafusion version 99"}

    assert result_settings(now) == result_settings(later)
    assert hashed_settings(now) != hashed_settings(later)


KEYS = st.sampled_from(sorted(SETTINGS)) | st.text(min_size=1)


@given(st.dictionaries(KEYS, st.text(max_size=5)), KEYS, st.text(max_size=5))
def test_the_result_settings_move_with_result_changing_keys_alone(
    settings: dict[str, str], key: str, value: str
) -> None:
    moved = result_settings({**settings, key: value}) != result_settings(settings)

    assert moved == (changes_results(key) and settings.get(key) != value)
    assert set(result_settings(settings)) <= set(hashed_settings(settings))
