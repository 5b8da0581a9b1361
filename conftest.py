"""What every test, doctest and example of a document stands on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

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


@pytest.fixture(autouse=True)
def doctests_write_elsewhere(request: pytest.FixtureRequest) -> None:
    """Give a doctest that writes files a directory of its own."""
    if isinstance(request.node, pytest.DoctestItem):
        patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        patch.chdir(request.getfixturevalue("tmp_path"))
