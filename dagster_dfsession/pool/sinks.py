"""The sinks that a plan names."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from dagster_dfsession.delta.events import EventsSink
from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.session.imports import import_object
from dagster_dfsession.telemetry.sink import DiagnosticsSink
from dagster_dfsession.telemetry.sinks import LogSink, OpenTelemetrySink, Writes


def make_sinks(
    names: Iterable[str], tables: RunTables, log: Writes | None
) -> dict[str, DiagnosticsSink]:
    """Return a new sink for each name.

    Args:
        names: As `diagnostics.sinks` of the profile has them.
        tables: Those of the run; events go to its first lake.
        log: That of the run; None: there is none.

    Raises:
        InstallError: One cannot be imported, or makes no sink.

    Examples:
        >>> tables = RunTables("public")
        >>> list(make_sinks(["log", "delta"], tables, log=None))
        ['log', 'delta']
    """
    return {name: _made(name, tables, log) for name in names}


_MAKERS: Mapping[str, Callable[[RunTables, Writes | None], DiagnosticsSink]] = (
    MappingProxyType(
        {
            "log": lambda _, __: LogSink(),
            "dagster": lambda _, log: LogSink(log),
            "opentelemetry": lambda _, __: OpenTelemetrySink(),
            "delta": lambda tables, _: EventsSink(lambda: tables.first_lake),
        }
    )
)


def _made(name: str, tables: RunTables, log: Writes | None) -> DiagnosticsSink:
    if name in _MAKERS:
        return _MAKERS[name](tables, log)
    try:
        sink = import_object(name)()
    except Exception as error:
        raise InstallError.during(
            Phase.OBSERVABILITY.value, name, f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(sink, DiagnosticsSink):
        raise InstallError.during(
            Phase.OBSERVABILITY.value,
            name,
            f"it made a {type(sink).__name__}, which is no sink: a DiagnosticsSink has "
            "the methods record(entries) and close()",
        )
    return sink
