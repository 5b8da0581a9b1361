"""From an asset's `contract` metadata to its contract."""

from collections.abc import Mapping
from typing import Any

from dagster_dfsession.delta.contract import Contract, parse_contract
from dagster_dfsession.errors import ContractError
from dagster_dfsession.session.imports import import_object

CONTRACT = "contract"


def asset_contract(metadata: Mapping[str, Any], asset: str) -> Contract | None:
    """Return what an asset promises; None: its metadata has no `contract`.

    Dagster takes metadata that its page can show: a `schema` that is a class or an
    Arrow schema may be named there by its import path, `my_project.rows:Order`.

    Raises:
        ContractError: It is no contract, or its schema cannot be imported.
    """
    stated = metadata.get(CONTRACT)
    if stated is None:
        return None
    if isinstance(stated, Mapping) and isinstance(stated.get("schema"), str):
        stated = {**stated, "schema": _imported(stated["schema"], asset)}
    return parse_contract(stated, asset)


def _imported(path: str, asset: str) -> Any:
    try:
        return import_object(path)
    except (ImportError, ValueError) as error:
        raise ContractError(
            f"the contract of asset {asset!r} has the schema {path!r}, which cannot be "
            f"imported: {error}. Name a class or a pyarrow.Schema as "
            "'my_project.rows:Order', or give a mapping of column names to types."
        ) from error
