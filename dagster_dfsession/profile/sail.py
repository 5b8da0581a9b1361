"""How queries run that say `engine="sail"`."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import NOT_HASHED, Bytes, Frozen

EngineName: TypeAlias = Literal["datafusion", "sail"]
"""What may run the query of an asset; `datafusion` is the session's own."""


class SailProfile(Frozen, frozen=True):
    """Where Sail is, and how much it may take.

    None of it is part of a session's identity: it can change where and how fast a
    query runs, and not what it returns. What ran in Sail says so itself, with the
    version.

    Attributes:
        address: `grpc://host:port` of a Flight SQL server; it has neither passwords
            nor encryption. None: each run starts a server of its own on this machine,
            to which `mode`, `workers`, `parallelism` and `memory` apply.
        memory: None: as much as there is.
    """

    address: Annotated[
        Annotated[str, Meta(pattern=r"^grpc://[^/@]+:\d+$")] | None,
        Meta(
            description="Server to use, as grpc://host:port. Unset: one for each run.",
            extra=NOT_HASHED,
        ),
    ] = None
    mode: Annotated[
        Literal["local", "local-cluster", "kubernetes-cluster"],
        Meta(
            description="A run's own server: threads; a driver and workers in one "
            "process; or workers as pods.",
            extra=NOT_HASHED,
        ),
    ] = "local"
    workers: Annotated[
        int,
        Meta(
            ge=1,
            description="Workers of a cluster.",
            extra=NOT_HASHED,
        ),
    ] = 4
    parallelism: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Partitions of a query. Unset: the cores of the driver.",
            extra=NOT_HASHED,
        ),
    ] = None
    memory: Annotated[
        Bytes | None,
        Meta(
            description="Bytes that the operators of a process may hold.",
            extra=NOT_HASHED,
        ),
    ] = None
    retries: Annotated[
        int,
        Meta(
            ge=0,
            description="How often a query begins again, as a whole, whose server or "
            "worker was lost.",
            extra=NOT_HASHED,
        ),
    ] = 2
    parity: Annotated[
        Literal["off", "sample"],
        Meta(
            description="Run each query here and there on a sample first, and compare.",
            extra=NOT_HASHED,
        ),
    ] = "off"
    parity_rows: Annotated[
        int,
        Meta(
            ge=1,
            description="Rows of each table in the sample.",
            extra=NOT_HASHED,
        ),
    ] = 10_000
