"""A contract, held against a table that is stored already."""

import msgspec

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.contract import Contract, check_columns
from dagster_dfsession.errors import BrokenRule, TableNotFoundError
from dagster_dfsession.materialization.contract_rows import ContractRows, RuleKept
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import bound
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.query.stream import Execution


class StoredRows(msgspec.Struct, frozen=True):
    """What the rows of a table are, held against a contract.

    Attributes:
        version: Of the table.
        rows: How many there are.
        rules: Every rule, with how many rows break it.
        broken: Those that rows break, with examples.
    """

    version: int
    rows: int
    rules: tuple[RuleKept, ...]
    broken: tuple[BrokenRule, ...]


def check_stored(
    contract: Contract, key: tuple[str, ...], tables: RunTables, lease: Lease
) -> StoredRows:
    """Read a table once, at the version of the run, and count what breaks a contract.

    Raises:
        TableNotFoundError: There is no table.
        ContractError: Its columns are not those of the contract, or a check is no
            condition on them.
        QueryError: The table could not be read.
    """
    name, asset = tables.name_of(key), "/".join(key)
    opened = tables.find(name)
    if opened is None:
        raise TableNotFoundError(
            f"asset {asset!r} has no table that could break its contract; materialize "
            "it first"
        )
    check_columns(contract, table_schema(opened.delta), asset)
    frame = bound(lease.scan(opened), lease, tables).frame
    reader = Execution(frame, f"checking the contract of {asset}").reader
    rows = ContractRows(
        contract,
        reader.schema,
        lease.session.ctx,
        asset=asset,
        held=lambda _: None,
        directory=lease.session.spill_dir,
    )
    broken = rows.broken_by(reader)
    return StoredRows(opened.version, rows.rows, rows.kept, broken)
