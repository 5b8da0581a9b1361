"""What `dg scaffold defs` writes: a project that loads and materializes at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dagster_dfsession.profile.codec import preset

SESSION = "dagster_dfsession.components.SessionResourceComponent"
MAKES_SESSIONS = re.compile(
    r"\b(?:SessionResourceComponent|DataFusionSessionResource)\b"
)

ROWS = """\
/* ---
description: Orders, one row each; `price` in euro. Put a query of your own here.
--- */
SELECT *
FROM (
    VALUES ('ann', 3.0), ('bob', 5.0), ('ann', 4.0)
) AS orders (customer, price)
"""
TOTALS = """\
/* ---
description: Spending, one row a customer; `total` in euro.
columns:
  customer: {{checks: [not_null, unique]}}
--- */
SELECT customer, sum(price) AS total
FROM "{name}"
GROUP BY customer
"""


class SessionParams(BaseModel):
    """What `dg scaffold defs SessionResourceComponent` takes."""

    model_config = ConfigDict(extra="forbid")

    preset: str = Field(
        default="dev", description="default, dev, prod, low_memory or reproducible."
    )
    root_uri: str = Field(
        default="data/lake", description="Directory or address of all tables."
    )

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        preset(name)
        return name


class SessionScaffolder(dg.Scaffolder[SessionParams]):
    """Writes a session, and a lake in a directory of the project."""

    @classmethod
    def get_scaffold_params(cls) -> type[SessionParams]:
        """Return what the command takes."""
        return SessionParams

    def scaffold(self, request: dg.ScaffoldRequest[SessionParams]) -> None:
        """Write the definition, as YAML or as Python."""
        write_component(request, request.params.model_dump())


class SqlAssetsScaffolder(dg.Scaffolder):
    """Writes two queries, and a session to run them if the project has none."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write the definition, as YAML or as Python, and the folder of queries."""
        here = request.target_path
        write_component(request, {"folder": "sql"})
        name = re.sub(r"\W", "_", here.name.lower())
        (here / "sql").mkdir()
        (here / "sql" / f"{name}.sql").write_text(ROWS, encoding="utf-8")
        (here / "sql" / f"{name}_by_customer.sql").write_text(
            TOTALS.format(name=name), encoding="utf-8"
        )
        defs = defs_folder(here)
        if not has_session(defs.parent):
            session = defs / "dfsession"
            click.echo(f"Creating defs at {session}.")
            session.mkdir()
            SessionScaffolder().scaffold(
                dg.ScaffoldRequest(
                    type_name=SESSION,
                    target_path=session,
                    scaffold_format=request.scaffold_format,
                    project_root=request.project_root,
                    params=SessionParams(),
                )
            )


def write_component(
    request: dg.ScaffoldRequest[Any], attributes: Mapping[str, Any]
) -> None:
    """Write the definition of a component with these attributes.

    The Python that Dagster itself writes has `...` for a body, which does not load.
    """
    if request.scaffold_format == "yaml":
        dg.scaffold_component(request, attributes)
        return
    module, _, name = request.type_name.rpartition(".")
    arguments = ", ".join(f"{key}={value!r}" for key, value in attributes.items())
    (request.target_path / "component.py").write_text(
        f"import dagster as dg\nfrom {module} import {name}\n\n\n"
        "@dg.component_instance\n"
        f"def load(context: dg.ComponentLoadContext) -> {name}:\n"
        f"    return {name}({arguments})\n",
        encoding="utf-8",
    )


def defs_folder(path: Path) -> Path:
    """Return the folder of all definitions that a path is in."""
    return next((each for each in path.parents if each.name == "defs"), path.parent)


def has_session(package: Path) -> bool:
    """Return whether a file below a folder makes a session, as YAML or in Python."""
    files = [*package.rglob("*.yaml"), *package.rglob("*.yml"), *package.rglob("*.py")]
    return any(
        MAKES_SESSIONS.search(each.read_text(encoding="utf-8")) for each in files
    )
