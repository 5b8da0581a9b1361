"""Plans as text, and what their operators took."""

from collections.abc import Sequence

from dagster_dfsession.query.metrics import OperatorMetrics

SLOWEST = 5
"""Operators named below a plan."""
LINE_CHARS = 76
"""Of a text for people. Dagster's page breaks no line of code, and has room for as many
beside a key in a window 1920 pixels wide; a longer one makes it scroll sideways."""
KIB, MIB = 1024, 1024 * 1024
_HEADER = f"{'ms':>10}  {'rows':>13}  slowest of {{count}} operators"


def analyzed_text(operators: Sequence[OperatorMetrics]) -> str:
    """Return a physical plan with what each of its operators took, a line each.

    Examples:
        >>> scan = OperatorMetrics(
        ...     depth=1,
        ...     operator="DataSourceExec: t",
        ...     rows=1200,
        ...     elapsed_ms=3.25,
        ...     bytes=2 * MIB,
        ...     spilled_bytes=0,
        ... )
        >>> print(analyzed_text([scan]))
          DataSourceExec: t  [3.2 ms, 1,200 rows, 2.0 MiB read]
    """
    return "\n".join(
        f"{'  ' * each.depth}{each.operator}  [{_took(each)}]" for each in operators
    )


def slowest_text(operators: Sequence[OperatorMetrics]) -> str:
    """Return the operators that took longest, slowest first, in lines of 76.

    Time is that of computing, added up over partitions: on several cores it is more
    than what passed meanwhile.
    """
    slowest = sorted(operators, key=lambda each: each.elapsed_ms, reverse=True)
    lines = [_HEADER.format(count=len(operators)), *map(_line, slowest[:SLOWEST])]
    return "\n".join(line[:LINE_CHARS] for line in lines)


def _line(each: OperatorMetrics) -> str:
    spilled = f"spilled {_size(each.spilled_bytes)}  " if each.spilled_bytes else ""
    return f"{each.elapsed_ms:10,.1f}  {each.rows:13,}  {spilled}{each.operator}"


def _took(each: OperatorMetrics) -> str:
    parts = [f"{each.elapsed_ms:,.1f} ms", f"{each.rows:,} rows"]
    if each.bytes:
        parts.append(f"{_size(each.bytes)} read")
    if each.spilled_bytes:
        parts.append(f"{_size(each.spilled_bytes)} spilled")
    return ", ".join(parts)


def _size(size: int) -> str:
    return f"{size / MIB:,.1f} MiB" if size >= MIB else f"{size / KIB:,.1f} KiB"
