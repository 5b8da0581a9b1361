"""Assets whose rows are easy to tell apart."""

from typing import Any

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource

DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-05")


def source(*rows: tuple[int, str, int]) -> dg.AssetsDefinition:
    ids, names, sizes = zip(*rows, strict=True)

    @dg.asset(name="things")
    def things() -> pa.Table:
        return pa.table({"id": ids, "name": names, "size": sizes})

    return things


FIRST = source((1, "a", 10), (2, "b", 20), (3, "c", 30))
SECOND = source((2, "B", 21), (3, "c", 30), (4, "d", 40))


def kept(**metadata: Any) -> dg.AssetsDefinition:
    @dg.asset(metadata=metadata, deps=["things"])
    def kept(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT id, name, size FROM things")

    return kept
