"""What a session says of itself."""

from typing import Annotated, Literal

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen


class DiagnosticsProfile(Frozen, frozen=True):
    """How much is shown; nothing here changes what a query returns."""

    install_log: Annotated[
        Literal["off", "debug", "info"],
        Meta(description="Level at which the install report is logged."),
    ] = "debug"
    plan_chars: Annotated[
        int,
        Meta(ge=0, le=8000, description="Characters of `dfsession/plan`; 0: none."),
    ] = 3000
    system_tables: Annotated[
        bool,
        Meta(description="Show the plan as tables dfsession.session and .settings."),
    ] = True
    explain_format: Annotated[
        Literal["indent", "tree", "pgjson", "graphviz"],
        Meta(description="Format of EXPLAIN."),
    ] = "indent"
    explain_schema: Annotated[bool, Meta(description="Show schemas in EXPLAIN.")] = (
        False
    )
    explain_statistics: Annotated[
        bool, Meta(description="Show statistics in EXPLAIN.")
    ] = False
    analyze_level: Annotated[
        Literal["summary", "dev"],
        Meta(description="Detail of the metrics in EXPLAIN ANALYZE."),
    ] = "dev"
