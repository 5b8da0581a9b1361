"""What two runs of one asset have in common: rows, their order, the bytes of files.

deltalake hands the batches of a stream to as many tasks as the machine has cores, and
writes them as they come back: only what is one batch stays in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession.delta.layout import target_file_size
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.errors import DeltaError, QueryError, listing
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.profile.materialization import (
    Determinism,
    MaterializationProfile,
)
from dagster_dfsession.query.spool import spooled
from dagster_dfsession.session.session import Session

PINNED: Mapping[str, str] = MappingProxyType(
    {
        "datafusion.execution.target_partitions": "1",
        "datafusion.execution.batch_size": "8192",
        "datafusion.execution.parquet.pushdown_filters": "false",
    }
)
"""Settings by which rows meet in another order, and floats add up to other bits."""


def policy_of(
    target: Target, profile: MaterializationProfile
) -> MaterializationProfile:
    """Return how a target is written: as it says itself, else as the profile says.

    Raises:
        DeltaError: It is to be canonical, and is written in a way that never is.
    """
    policy = MaterializationProfile(
        determinism=target.determinism or profile.determinism,
        streaming=profile.streaming if target.streaming is None else target.streaming,
    )
    if policy.determinism == "canonical":
        why = (
            "mode 'merge' writes rows of the table anew, in no order"
            if target.merge is not None
            else "z_order_by writes the files again, in no order"
            if target.layout.z_order_by
            else None
        )
        if why is not None:
            raise DeltaError(
                f"{target.name}: its determinism is 'canonical', and {why}. Say "
                "'stable' or 'best_effort', or write it without."
            )
    return policy


def check_repeatable(
    asset: str, variable: Sequence[str], determinism: Determinism
) -> None:
    """Refuse a query that is to be canonical, and may give other rows another time.

    Raises:
        QueryError: It may; the message says why.
    """
    if determinism == "canonical" and variable:
        raise QueryError(
            f"{asset}: its determinism is 'canonical', and its rows could be others "
            f"if it ran again: {listing(variable)}. Pass times and random numbers in "
            "as parameters, order rows before some are taken; or say 'stable' or "
            "'best_effort'."
        )


def sort_keys(
    names: Sequence[str], sort_by: Sequence[str], determinism: Determinism
) -> tuple[str, ...]:
    """Return the columns to sort by: for a total order, those that are left come last.

    Examples:
        >>> sort_keys(["a", "b"], ["b"], "stable")
        ('b', 'a')
        >>> sort_keys(["a", "b"], ["b"], "best_effort")
        ('b',)
    """
    rest = () if determinism == "best_effort" else names
    return tuple(dict.fromkeys((*sort_by, *rest)))


def pinned_frame(frame: DataFrame, session: Session) -> DataFrame:
    """Return a frame that runs on one partition, in batches of one size."""
    ctx = session.without_statistics(PINNED)
    return ctx.create_dataframe_from_logical_plan(frame.logical_plan())


def pinned_request(request: WriteRequest, determinism: Determinism) -> WriteRequest:
    """Return a write whose files end at the same rows, however large the table is."""
    if determinism != "canonical":
        return request
    size = target_file_size(request.options, None, request.partition_by)
    options = msgspec.structs.replace(request.options, target_file_size=size)
    return msgspec.structs.replace(request, options=options)


def arranged(
    reader: pa.RecordBatchReader,
    policy: MaterializationProfile,
    asset: str,
    spill_dir: str | None,
) -> pa.RecordBatchReader:
    """Return rows as the writer should get them.

    Args:
        reader: The rows, in their order.
        policy: How they are written.
        asset: For messages.
        spill_dir: Where rows are set aside.
    """
    if policy.determinism != "best_effort":
        batches = _as_one(reader, asset)
    elif not policy.streaming:
        batches = _set_aside(reader, spill_dir)
    else:
        return reader
    return pa.RecordBatchReader.from_batches(reader.schema, batches)


def _as_one(reader: pa.RecordBatchReader, asset: str) -> Iterator[pa.RecordBatch]:
    batches = reader.read_all().combine_chunks().to_batches()
    if len(batches) > 1:
        raise DeltaError(
            f"{asset}: to keep its order, it is written as one batch, and a column of "
            f"text has more than 2 GiB: it would take {len(batches)}. Divide the asset "
            "by partitions, or say determinism 'best_effort'."
        )
    yield from batches


def _set_aside(
    reader: pa.RecordBatchReader, spill_dir: str | None
) -> Iterator[pa.RecordBatch]:
    with spooled(reader, spill_dir) as path, pa.OSFile(str(path), "rb") as file:
        yield from pa.ipc.open_stream(file)
