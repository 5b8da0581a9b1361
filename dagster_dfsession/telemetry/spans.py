"""Spans, through OpenTelemetry's API alone: without an SDK they cost nearly nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode
from opentelemetry.util.types import AttributeValue

TRACER = trace.get_tracer("dagster_dfsession")
"""Hands on to the user's SDK, also to one that is set up later."""

UNSEEN = nullcontext(INVALID_SPAN)
"""What a span is where nobody looks: the API's own costs ten times as much."""

SYSTEM = "datafusion"
CONVENTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Each has the name that most tools know, and the one that replaced it.
        "statement": ("db.statement", "db.query.text"),
        "rows": ("db.response.returned_rows",),
        "run_id": ("dagster.run_id",),
        "step": ("dagster.step_key",),
        "attempt": ("dagster.retry_number",),
        "asset": ("dagster.asset_key",),
        "partition": ("dagster.partition",),
    }
)
"""What we call an attribute -> its names in the semantic conventions, or in Dagster."""


def is_traced() -> bool:
    """Whether the user has set up an SDK.

    Examples:
        >>> is_traced()
        False
    """
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def span(
    name: str, *, tells_why: bool = True, **attributes: AttributeValue | None
) -> AbstractContextManager[Span]:
    """Return a context manager for a span; an exception in it is recorded.

    Args:
        name: `dfsession.` and one word: which kind of work.
        tells_why: Whether the message of an exception may be seen; else its class.
        **attributes: By the short names of `CONVENTIONS`; others become
            `dfsession.<name>`. One that is None is left out.

    Examples:
        >>> with span("dfsession.open", profile="dev") as current:
        ...     current.is_recording()
        False
    """
    if not is_traced():
        return UNSEEN
    named = attributes_of(attributes)
    if not tells_why:
        return quietly(TRACER.start_span(name, attributes=named), ends=True)
    return TRACER.start_as_current_span(name, attributes=named)


@contextmanager
def quietly(current: Span, *, ends: bool = False) -> Iterator[Span]:
    """Make a span the current one; it is told the class of an error in it, no more.

    Args:
        current: The span.
        ends: Whether it ends with the block.
    """
    with trace.use_span(
        current,
        end_on_exit=ends,
        record_exception=False,
        set_status_on_exception=False,
    ):
        try:
            yield current
        except Exception as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def start_span(
    name: str,
    parent: Callable[[], Context | None] | None = None,
    *,
    start_ns: int | None = None,
    **attributes: AttributeValue | None,
) -> Span:
    """Start a span that whoever holds it ends; it is nobody's parent by itself.

    Args:
        name: As for `span`.
        parent: Asked where it belongs, if anybody looks; None: below the current span.
        start_ns: When it began, in nanoseconds since 1970; None: now.
        **attributes: As for `span`.
    """
    if not is_traced():
        return INVALID_SPAN
    return TRACER.start_span(
        name,
        context=None if parent is None else parent(),
        attributes=attributes_of(attributes),
        start_time=start_ns,
    )


def describe(current: Span, **attributes: AttributeValue | None) -> None:
    """Add attributes to a span, by the names that `span` takes."""
    if current.is_recording():
        current.set_attributes(attributes_of(attributes))


def attributes_of(
    attributes: Mapping[str, AttributeValue | None],
) -> dict[str, AttributeValue]:
    """Return attributes by the names that tools know.

    Examples:
        >>> attributes_of({"rows": 3, "plan": None})["db.response.returned_rows"]
        3
    """
    named: dict[str, AttributeValue] = {"db.system": SYSTEM, "db.system.name": SYSTEM}
    for key, value in attributes.items():
        if value is not None:
            for name in CONVENTIONS.get(key, (f"dfsession.{key}",)):
                named[name] = value
    return named
