"""Where an asset's rows go, and which rows of its table are its own."""

import datetime as dt

import msgspec

from dagster_dfsession.delta.contract import Contract
from dagster_dfsession.delta.layout import Layout
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import Merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.delta.partitions import PartitionRequest
from dagster_dfsession.delta.properties import Declared
from dagster_dfsession.profile.materialization import Determinism


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an asset's rows go, and which of them this run owns.

    Attributes:
        key: The asset key.
        partitions: None: the asset has no partitions.
        partition_keys: The keys of this run, sorted as in `partitions`.
        partition_by: Columns to divide a new table's files by. None: those of the
            partitions, less timestamps.
        merge: What mode `merge` does; None in any other.
        run_start: When the run started, where a merge goes by it.
        contract: What its columns and rows must be. None: nothing is promised.
        layout: How its files are laid out, where not as the profile says.
        declared: Properties and constraints of a new table.
        determinism: What two runs have in common, where not as the profile says.
        streaming: Whether rows are written as they come, likewise.
    """

    key: tuple[str, ...]
    location: Location
    partitions: PartitionRequest | None = None
    partition_keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] | None = None
    mode: WriteMode = "overwrite"
    schema_mode: SchemaMode = "strict"
    merge: Merge | None = None
    run_start: dt.datetime | None = None
    contract: Contract | None = None
    layout: Layout = Layout()
    declared: Declared = Declared()
    determinism: Determinism | None = None
    streaming: bool | None = None

    @property
    def name(self) -> str:
        """The asset and its partitions, for messages."""
        keys = f" [{', '.join(self.partition_keys)}]" if self.partition_keys else ""
        return f"{'/'.join(self.key)}{keys}"
