"""Numbers in the text of a query that Sail computes otherwise than DataFusion."""

import re
from collections.abc import Mapping

from dagster_dfsession.engines.sail.construct import Difference, Here

DECIMALS = "datafusion.sql_parser.parse_float_as_decimal"

_NUMBER = re.compile(r"\d[\d_]*")
_EXACT = re.compile(r"\d+\.\d*")
_FLOATING = re.compile(r"\d+\.?\d*[eE]\d*")
_BITS_32 = 2**31
_SUMS = frozenset("+-*")
_STATED = "write the result, or CAST(number AS BIGINT) for each number"


def is_from_one_on(argument: list[str]) -> bool:
    """Whether an argument is a number of at least 1."""
    return len(argument) == 1 and _is_number(argument[0]) and int(argument[0]) > 0


def division(start: int | None) -> Difference:
    """Return what integers divided by one another are."""
    return Difference(
        "a / b of integers",
        "DataFusion leaves the fraction out, Sail returns it",
        "write CAST(a AS DOUBLE) / b for the fraction, and (a - a % b) / CAST(b AS "
        "DOUBLE) for the whole",
        start,
    )


def division_of_numbers(here: Here) -> Difference | None:
    """Say what `7 / 2` is; other divisions are found in the plan."""
    both = _is_number(here.before) and _is_number(here.after)
    return division(None) if here.symbol == "/" and both else None


def sum_of_numbers(here: Here) -> Difference | None:
    """Say what `2147483647 * 2` is; other sums of numbers are found in the plan."""
    if here.symbol not in _SUMS or not (
        _is_number(here.before) and _is_number(here.after)
    ):
        return None
    one, other = int(here.before), int(here.after)
    # The first may have a sign before it.
    most = one * other if here.symbol == "*" else one + other
    if most < _BITS_32:
        return None
    return _in_32_bits(f"{here.before} {here.symbol} {here.after}", _STATED)


def sum_past_32_bits() -> Difference:
    """Return what stated numbers are that come to more than 32 bits."""
    return _in_32_bits("a sum, a product or a shift of stated numbers", _STATED)


def sum_with_32_bits(operand: str) -> Difference:
    """Return what a number of 32 bits and another are."""
    return _in_32_bits(f"{operand} + 1", f"write CAST({operand} AS BIGINT)")


def number(here: Here, settings: Mapping[str, str]) -> Difference | None:
    """Say what `1.5` is where a session reads it otherwise than Spark."""
    text, exact = here.symbol, settings.get(DECIMALS) == "true"
    if text == "." and here.after[:1].isdigit():
        text = f"0.{here.after}"
    if exact and _FLOATING.fullmatch(text):
        return Difference(
            text,
            "this session reads a decimal, Sail a double",
            "write it without an exponent for a decimal, or CAST('...' AS DOUBLE)",
        )
    if not exact and _EXACT.fullmatch(text):
        return Difference(
            text,
            "this session reads a double, Sail a decimal",
            f"write CAST('{text}' AS DOUBLE), or set sql.float_as_decimal in the "
            "profile",
        )
    return None


def _in_32_bits(what: str, instead: str) -> Difference:
    return Difference(
        what,
        "DataFusion computes it in 64 bits, Sail in 32, and begins again at the least "
        "number where they are too few",
        instead,
    )


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
