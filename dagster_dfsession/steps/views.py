"""Views in the metadata of definitions, where all code of a location finds them."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.materialization.records import Parameter
from dagster_dfsession.materialization.statements import parameter_of, value_of
from dagster_dfsession.metadata.keys import VIEW
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.views import View
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.steps.current import defined_assets, is_spread


class _Written(msgspec.Struct, frozen=True):
    sql: str
    params: dict[str, Parameter]


def view_metadata(view: View) -> dg.JsonMetadataValue:
    """Return a view as metadata; values keep their types."""
    params = {name: parameter_of(value) for name, value in view.params.items()}
    return dg.MetadataValue.json(msgspec.to_builtins(_Written(view.sql, params)))


def view_of(metadata: Mapping[str, Any]) -> View | None:
    """Return the view that a definition is; None: it is none.

    Examples:
        >>> view = View("SELECT $a AS a", {"a": 1})
        >>> view_of({VIEW: view_metadata(view)}).sql
        'SELECT $a AS a'
    """
    found = metadata.get(VIEW)
    if found is None:
        return None
    data = found.value if isinstance(found, dg.MetadataValue) else found
    written = msgspec.convert(data, _Written)
    params = {name: value_of(each).as_py() for name, each in written.params.items()}
    return View(written.sql, params)


def tell_location(run: RunSession, step: dg.OpExecutionContext) -> None:
    """Have a run ask for the names in a step's code location, should it need them."""

    def views() -> dict[TableName, View]:
        named = ((key.path, view_of(said)) for key, said in defined_assets(step))
        return {run.tables.name_of(key): each for key, each in named if each}

    run.tables.announce(lambda: [key.path for key, _ in defined_assets(step)])
    run.views.announce(views)
    run.tables.pins.shared = is_spread(step)
