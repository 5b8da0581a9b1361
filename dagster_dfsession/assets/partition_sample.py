"""One partition key of an asset, to try things with; no clock chooses it."""

import dagster as dg


def sample_key(partitions: dg.PartitionsDefinition | None) -> str | None:
    """Return the first key; None: there is none, or only an instance knows them.

    Examples:
        >>> sample_key(dg.DailyPartitionsDefinition("2024-01-01"))
        '2024-01-01'
        >>> sample_key(dg.DynamicPartitionsDefinition(name="customers")) is None
        True
    """
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        keys = {
            part.name: sample_key(part.partitions_def)
            for part in partitions.partitions_defs
        }
        known = {name: key for name, key in keys.items() if key is not None}
        return dg.MultiPartitionKey(known) if len(known) == len(keys) else None
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return partitions.get_first_partition_key()
    if isinstance(partitions, dg.StaticPartitionsDefinition):
        return next(iter(partitions.get_partition_keys()), None)
    return None
