"""A project on disk with two assets, and the command line on it."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from dagster_dfsession.cli.main import main
from dagster_dfsession.code_location import find_source, load_code_location

DEFINITIONS = """
from pathlib import Path

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource


@dg.asset(key_prefix="raw")
def orders() -> pa.Table:
    return pa.table({"customer": ["ann", "bob", "ann"], "price": [3.0, 5.0, 4.0]})


@dg.asset(deps=[orders])
def spending(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql(
        "SELECT customer, sum(price) AS total FROM raw.orders GROUP BY 1"
    )


session = DataFusionSessionResource(preset="dev")
lake = DataFusionDeltaIOManager(
    session=session, root_uri=str(Path(__file__).parent / "lake")
)
defs = dg.Definitions(
    assets=[orders, spending], resources={"dfsession": session, "io_manager": lake}
)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a definitions.py and an empty Dagster home."""
    path = _written(tmp_path / "project")
    monkeypatch.chdir(path)
    monkeypatch.setenv("DAGSTER_HOME", str(path / "home"))
    return path


@pytest.fixture
def materialized(project: Path) -> str:
    """The id of a run that materialized both assets of the project."""
    return _run(project)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project with a run, for all tests that change nothing of it."""
    path = _written(tmp_path_factory.mktemp("made") / "project")
    return path, _run(path)


@pytest.fixture
def run_id(made: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The run of that project, which becomes the working directory."""
    path, run_id = made
    monkeypatch.chdir(path)
    monkeypatch.setenv("DAGSTER_HOME", str(path / "home"))
    return run_id


def _written(path: Path) -> Path:
    path.mkdir()
    (path / "definitions.py").write_text(DEFINITIONS)
    (path / "home").mkdir()
    return path


def _run(project: Path) -> str:
    definitions = load_code_location(find_source(project)).definitions
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(str(project / "home")) as instance:
        ran = job.execute_in_process(instance=instance)
    assert ran.success
    return ran.run_id


@pytest.fixture
def cli() -> Callable[..., Result]:
    """Run the command line with some arguments."""
    return lambda *arguments: CliRunner().invoke(main, arguments)
