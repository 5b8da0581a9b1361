"""How queries run that say `engine="sail"`."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Bytes, Frozen

EngineName: TypeAlias = Literal["datafusion", "sail"]
"""What may run the query of an asset; `datafusion` is the session's own."""


class SailProfile(Frozen, frozen=True):
    """Where Sail is, and how much it may take.

    It can change where and how fast a query runs, and not what it returns; what ran in
    Sail says so itself, with the version.

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
        ),
    ] = None
    mode: Annotated[
        Literal["local", "local-cluster", "kubernetes-cluster"],
        Meta(
            description="A run's own server: threads; a driver and workers in one "
            "process; or workers as pods.",
        ),
    ] = "local"
    workers: Annotated[
        int,
        Meta(
            ge=1,
            description="Workers of a cluster.",
        ),
    ] = 4
    parallelism: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Partitions of a query. Unset: the cores of the driver.",
        ),
    ] = None
    memory: Annotated[
        Bytes | None,
        Meta(
            description="Bytes that the operators of a process may hold.",
        ),
    ] = None
    retries: Annotated[
        int,
        Meta(
            ge=0,
            description="How often a query begins again, as a whole, whose server or "
            "worker was lost.",
        ),
    ] = 2
    parity: Annotated[
        Literal["off", "sample"],
        Meta(
            description="Run each query here and there on a sample first, and compare.",
        ),
    ] = "off"
    parity_rows: Annotated[
        int,
        Meta(
            ge=1,
            description="Rows of each table in the sample.",
        ),
    ] = 10_000
