"""A plan as Substrait, where the engine has words for all of it."""

import re

from datafusion import SessionContext
from datafusion.plan import LogicalPlan
from datafusion.substrait import Producer
from google.protobuf.message import DecodeError
from substrait.algebra_pb2 import Rel
from substrait.plan_pb2 import Plan

from dagster_dfsession.errors import QueryError

OPERATOR = re.compile(r" (?:AND|OR|[-+*/%|&^<>=]+) ")
DEEPEST = 30
"""Operators of one expression: the engine takes the third power of that to write it."""
FILTERED_WINDOW = re.compile(r"WindowAggr: .*FILTER \(WHERE ")


def substrait_of(plan: LogicalPlan, text: str) -> Rel:
    """Return the topmost relation of a plan.

    Args:
        plan: As `substrait_plan`.
        text: The same as `display_indent` shows it.

    Raises:
        QueryError: Substrait has no word for some part of it.
    """
    return substrait_plan(plan, text).relations[0].root.input


def substrait_plan(plan: LogicalPlan, text: str) -> Plan:
    """Return a plan of one relation, with the functions that it calls.

    Args:
        plan: Optimized, over named tables.
        text: The same as `display_indent` shows it.

    Raises:
        QueryError: Substrait has no word for some part of it.
    """
    if FILTERED_WINDOW.search(text):
        # The engine's Substrait would be silent about the condition.
        raise QueryError("Substrait has no FILTER of a window function")
    if any(len(OPERATOR.findall(line)) > DEEPEST for line in text.splitlines()):
        raise QueryError(f"an expression of more than {DEEPEST} operators")
    try:
        data = Producer.to_substrait_plan(plan, SessionContext()).encode()
        return Plan.FromString(data)
    except RuntimeError as error:
        # The engine's text has the whole plan in it, which nobody needs to search.
        raise QueryError("the engine has no Substrait for a part of it") from error
    except DecodeError as error:
        raise QueryError("the Substrait of the plan is nested too deeply") from error
