"""What every test, doctest and example of a document stands on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

# Whole code locations, which tests load as Dagster does.
collect_ignore = ["docs/examples", "docs/production"]

# Set before anything imports Dagster; child processes inherit both.
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ.pop("DAGSTER_HOME", None)


@pytest.fixture(scope="module")
def document_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One directory a document: its examples build on one another."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("document")
        patch.chdir(path)
        yield path


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    fixtures=["document_dir"],
).pytest()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test that waits for a server leaves one idle."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: last, one worker would be left with them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # A cluster of Dask is slow to answer a process that has run thousands of tests.
    first = Path(__file__).with_name("tests") / "scale" / "test_dask.py"
    items.sort(key=lambda item: (item.path not in slow, item.path != first))


@pytest.fixture(autouse=True)
def doctests_write_elsewhere(request: pytest.FixtureRequest) -> None:
    """Give a doctest that writes files a directory of its own."""
    if isinstance(request.node, pytest.DoctestItem):
        patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        patch.chdir(request.getfixturevalue("tmp_path"))
