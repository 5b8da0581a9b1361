"""What a zero-row bootstrap is asked to check."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from dagster_dfsession.profile.sail import EngineName
from dagster_dfsession.profile.session import SessionProfile


class Query(msgspec.Struct, frozen=True):
    """An asset that is the result of a query.

    Attributes:
        sql: The query; it finds other assets as a session does, by their keys.
        params: Values by name. A typed NULL of Arrow stands for a value that only a
            run has.
        engine: What will run it.
    """

    sql: str
    params: Mapping[str, Any] = {}
    engine: EngineName = "datafusion"


class Rehearsal(msgspec.Struct, frozen=True):
    """An asset that is made in Python, and may be run to see what it makes.

    Attributes:
        reads: The keys of the assets that it is given or may query.
        run: Given their tables by key, of no rows or one each, returns the columns it
            makes; nothing is written.
    """

    reads: tuple[str, ...]
    run: Callable[[Mapping[str, pa.Table]], pa.Schema]


class BootstrapAsset(msgspec.Struct, frozen=True, kw_only=True):
    """An asset of the graph.

    Attributes:
        key: As `raw/flights`.
        made: What makes it; None: its columns are taken for what `columns` says.
        profile: Of the session that plans it; None: it is that of the check.
        columns: Those that its table has, or is promised to have. None: nobody knows.
        stored: Returns the columns that its table would have if those given were
            written to it, and raises what that write would. None: they are to be
            `columns`.
    """

    key: str
    made: Query | Rehearsal | None = None
    profile: SessionProfile | None = None
    columns: pa.Schema | None = None
    stored: Callable[[pa.Schema], pa.Schema] | None = None


class BootstrapRequest(msgspec.Struct, frozen=True):
    """The graph to check.

    Attributes:
        assets: In any order; each key once.
    """

    assets: tuple[BootstrapAsset, ...]
