"""What a session says of itself."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen

SinkName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(dagster|delta|log|opentelemetry|[A-Za-z_][\w.]*:[A-Za-z_][\w.]*)$",
        description=(
            "dagster, delta, log, opentelemetry, or what makes a sink: "
            "'package.module:factory'"
        ),
    ),
]


class ExplainOff(Frozen, frozen=True, tag_field="kind", tag="off"):
    """Show no plan; records keep it."""


class ExplainPlan(Frozen, frozen=True, tag_field="kind", tag="plan"):
    """Show the optimized plan."""


class ExplainAnalyze(Frozen, frozen=True, tag_field="kind", tag="analyze"):
    """Show the optimized plan, and below it the operators that took longest.

    What they took is known from the run itself: nothing runs twice for it.

    Attributes:
        threshold_ms: Milliseconds that a materialization has to take; of a faster
            one, the plan alone is shown. 0: of all.
    """

    threshold_ms: Annotated[
        int, Meta(ge=0, description="Milliseconds from which on; 0: always.")
    ] = 1000


Explain: TypeAlias = ExplainOff | ExplainPlan | ExplainAnalyze


class DiagnosticsProfile(Frozen, frozen=True):
    """How much is shown; nothing here changes what a query returns."""

    install_log: Annotated[
        Literal["off", "debug", "info"],
        Meta(description="Level at which the install report is logged."),
    ] = "debug"
    explain: Annotated[
        Explain, Meta(description="What `dfsession/plan` shows of a query.")
    ] = ExplainAnalyze()
    plan_chars: Annotated[
        int,
        Meta(ge=1, le=8000, description="Characters of the plan shown."),
    ] = 3000
    system_tables: Annotated[
        bool,
        Meta(description="Show what the session knows as tables of `dfsession`."),
    ] = True
    sinks: Annotated[
        tuple[SinkName, ...],
        Meta(
            description=(
                "Who is told of the work: dagster is the log of the run, delta the "
                "table dfsession.events of the lake."
            )
        ),
    ] = ()
    query_text: Annotated[
        bool,
        Meta(description="Tell sinks and traces the text of queries."),
    ] = False
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
