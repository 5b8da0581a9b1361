"""A project in a directory of its own, whose definitions are YAML."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import DefsFolderSandbox, create_defs_folder_sandbox

SESSION = "dagster_dfsession.components.SessionResourceComponent"
SQL = "dagster_dfsession.components.SqlAssetsComponent"

DAGSTERS_OWN = [
    # Dagster itself asks pydantic so, and itself uses what it calls beta or preview.
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]

Write = Callable[..., None]
Load = Callable[[], dg.Definitions]


@pytest.fixture
def project() -> Iterator[DefsFolderSandbox]:
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def write(project: DefsFolderSandbox) -> Write:
    """Write a component below `defs`, and beside it the files of `sql`."""

    def write(
        path: str,
        kind: str,
        *,
        sql: Mapping[str, str] | None = None,
        post_processing: Any = None,
        **attributes: Any,
    ) -> None:
        folder = project.defs_folder_path / path
        folder.mkdir(exist_ok=True)
        told = {"type": kind, "attributes": attributes}
        if post_processing is not None:
            told["post_processing"] = post_processing
        (folder / "defs.yaml").write_text(yaml.safe_dump(told))
        for name, query in (sql or {}).items():
            (folder / "sql").mkdir(exist_ok=True)
            (folder / "sql" / f"{name}.sql").write_text(query)

    return write


@pytest.fixture
def load(project: DefsFolderSandbox) -> Load:
    """Load the project, as a code server does."""

    def load() -> dg.Definitions:
        with project.build_all_defs() as defs:
            defs.get_repository_def().load_all_definitions()
            return defs

    return load
