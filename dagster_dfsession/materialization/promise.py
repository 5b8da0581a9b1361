"""The contract of a target, held against the rows on their way to its table."""

import contextlib
from collections.abc import Callable, Iterator

import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.contract import check_columns
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.predicate import columns, to_sql
from dagster_dfsession.delta.provider import provider_of
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.materialization.contract_rows import ContractRows, RuleKept
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.query.spool import spooled


class Promise:
    """A target's contract, if it has one.

    Attributes:
        contract: None: nothing is promised.
    """

    def __init__(self, target: Target, schema: pa.Schema) -> None:
        """Hold the columns against the contract.

        Raises:
            ContractError: They are not what was promised.
        """
        self.contract = target.contract
        self._target = target
        self._schema = schema
        self._rows: ContractRows | None = None
        if self.contract is not None:
            check_columns(self.contract, schema, target.name)

    @property
    def kept(self) -> tuple[RuleKept, ...]:
        """What was checked, once the rows were written."""
        return () if self._rows is None else self._rows.kept

    @contextlib.contextmanager
    def checked(
        self, reader: pa.RecordBatchReader, request: WriteRequest, lease: Lease
    ) -> Iterator[pa.RecordBatchReader]:
        """Hand out the rows; their end fails if they break the contract.

        A table that has to be made before its rows can be added is not made for rows
        that break it: they are set aside on disk first.

        Raises:
            ContractError: A check is no condition; from the rows' end, or here where
                the table is new: rows break a rule.
        """
        if self.contract is None:
            yield reader
            return
        table = open_table(request.location)
        directory = lease.session.spill_dir
        rows = ContractRows(
            self.contract,
            self._schema,
            lease.session.ctx,
            asset=self._target.name,
            held=_held(table, request, lease),
            directory=directory,
        )
        passing = rows.checked(reader)
        if table is None and (
            request.partitioned or request.mode in ("append", "merge")
        ):
            with (
                spooled(passing, directory) as path,
                pa.OSFile(str(path), "rb") as file,
            ):
                yield pa.ipc.open_stream(file)
        else:
            yield passing
        self._rows = rows


def _held(
    table: DeltaTable | None, request: WriteRequest, lease: Lease
) -> Callable[[tuple[str, ...]], DataFrame | None]:
    """Return what says which rows of the table stand beside those that are written."""
    predicate = request.predicate

    def held(key: tuple[str, ...]) -> DataFrame | None:
        replaces = request.mode != "append"
        apart = predicate is None or columns(predicate) <= set(key)
        if table is None or (replaces and apart):
            return None
        ctx = lease.session.ctx
        frame = ctx.read_table(Table(provider_of(table, request.location)))
        if not replaces or predicate is None:
            return frame
        own = to_sql(predicate, table_schema(table))
        return frame.filter(f"({own}) IS NOT TRUE")

    return held
