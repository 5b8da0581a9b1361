"""A code server defines resources without an engine; a process that uses one has it."""

import subprocess
import sys

ENGINES = ("datafusion", "deltalake", "pyarrow", "polars", "pandas", "psutil")
LOADED = "print(sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh process has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.strip("'[] \n") for name in done.stdout.split(",")}


def test_the_package_alone_loads_neither_engine_nor_dagster() -> None:
    loaded = loaded_by("import dagster_dfsession")

    assert loaded.isdisjoint({*ENGINES, "dagster", "pydantic"})


def test_a_code_location_loads_no_engine() -> None:
    loaded = loaded_by(
        "import dagster as dg\n"
        "from dagster_dfsession import (\n"
        "    DataFusionDeltaIOManager, DataFusionSessionResource)\n"
        "session = DataFusionSessionResource(preset='prod', udfs=['a.b'])\n"
        "manager = DataFusionDeltaIOManager(session=session, root_uri='lake')\n"
        "@dg.asset\n"
        "def one(dfsession: DataFusionSessionResource) -> None: ...\n"
        "defs = dg.Definitions([one], resources={\n"
        "    'dfsession': session, 'io_manager': manager})\n"
        "defs.get_repository_def().load_all_definitions()"
    )

    assert "dagster" in loaded
    assert loaded.isdisjoint({*ENGINES, "dagster_deltalake"})
