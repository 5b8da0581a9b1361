"""A value of a partition column, from the text that the log has for it."""

from typing import Any

import pyarrow as pa

from dagster_dfsession.errors import PartitionError


def partition_scalar(text: str | None, held: pa.DataType) -> "pa.Scalar[Any]":
    """Return what a log's text stands for; the empty text and None are NULL.

    Raises:
        PartitionError: It is no value of the type, or the type has no plain text.

    Examples:
        >>> partition_scalar("2013-01-01", pa.date32()).as_py()
        datetime.date(2013, 1, 1)
        >>> partition_scalar("", pa.string()).as_py() is None
        True
    """
    if not text:
        return pa.scalar(None, held)
    try:
        if pa.types.is_timestamp(held) and held.tz is not None:
            return _moment(text, held)
        if not pa.types.is_binary(held):
            return pa.scalar(text).cast(held)
    except pa.ArrowInvalid as error:
        raise PartitionError(f"{text!r} is no partition value: {error}") from None
    raise PartitionError(
        f"{text!r} is the value of a partition column of type {held}, which has no "
        "plain text; divide the table by a column of another type"
    )


def _moment(text: str, held: pa.DataType) -> "pa.Scalar[Any]":
    """Read a time, which is one of UTC where its writer left the zone out."""
    try:
        return pa.scalar(text).cast(held)
    except pa.ArrowInvalid:
        return pa.scalar(f"{text}Z").cast(held)
