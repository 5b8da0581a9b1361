"""Where an asset's rows go, and which rows of its table are its own."""

import msgspec

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.delta.partitions import PartitionRequest


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an asset's rows go, and which of them this run owns.

    Attributes:
        key: The asset key.
        partitions: None: the asset has no partitions.
        partition_keys: The keys of this run, sorted as in `partitions`.
        partition_by: Columns to divide a new table's files by. None: those of the
            partitions, less timestamps.
    """

    key: tuple[str, ...]
    location: Location
    partitions: PartitionRequest | None = None
    partition_keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] | None = None
    mode: WriteMode = "overwrite"
    schema_mode: SchemaMode = "strict"

    @property
    def name(self) -> str:
        """The asset and its partitions, for messages."""
        keys = f" [{', '.join(self.partition_keys)}]" if self.partition_keys else ""
        return f"{'/'.join(self.key)}{keys}"
