"""Declarations: what they know, what they refuse, what they leave alone."""

import functools
import pickle
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datafusion.user_defined import Accumulator, WindowEvaluator
from inline_snapshot import snapshot

from dagster_dfsession.errors import FunctionError
from dagster_dfsession.session.functions.declare import (
    aggregate_udf,
    scalar_udf,
    table_function,
    window_udf,
)

Array: TypeAlias = "pa.Array[Any]"
Scalar: TypeAlias = "pa.Scalar[Any]"

FLOAT = pa.float64()


@scalar_udf(inputs=[FLOAT, FLOAT], returns=FLOAT, volatility="immutable", aliases=["m"])
def mean_of_two(left: Array, right: Array) -> Array:
    return pc.divide(pc.add(left, right), 2.0)


class Longest(Accumulator):
    def state(self) -> list[Scalar]:
        return []

    def update(self, *values: Array) -> None: ...

    def merge(self, states: list[Array]) -> None: ...

    def evaluate(self) -> Scalar:
        return pa.scalar(0)


class Half(Accumulator):
    def evaluate(self) -> Scalar:
        return pa.scalar(0)


def test_a_declaration_can_still_be_called() -> None:
    given = pa.array([1.0, 2.0])

    assert mean_of_two(given, given).to_pylist() == [1.0, 2.0]


def test_a_declaration_knows_its_names_and_where_it_stands() -> None:
    assert mean_of_two.names == ("mean_of_two", "m")
    assert mean_of_two.origin == f"{__name__}:mean_of_two"
    assert mean_of_two.kind == "scalar"


def test_a_declaration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        mean_of_two.name = "other"  # type: ignore[misc]


def test_the_name_of_a_partial_is_given() -> None:
    made = scalar_udf(
        inputs=[FLOAT], returns=FLOAT, volatility="immutable", name="plus_one"
    )(functools.partial(pc.add, pa.scalar(1.0)))

    assert made.name == "plus_one"
    assert made.origin == "pyarrow.compute:add"


def test_a_name_that_sql_would_not_find_is_refused_with_one_that_it_would() -> None:
    declare = aggregate_udf(
        inputs=[FLOAT], returns=FLOAT, state=[], volatility="immutable"
    )

    with pytest.raises(FunctionError, match="name='longest'"):
        declare(Longest)


@pytest.mark.parametrize("name", ["Upper", "with space", "1st", "a-b", ""])
def test_names_and_aliases_are_lower_case_identifiers(name: str) -> None:
    with pytest.raises(FunctionError, match="lower-case letters"):
        table_function(volatility="stable", name="t", aliases=[name])(list)


def test_one_name_given_twice_is_refused() -> None:
    with pytest.raises(FunctionError, match="same name twice: t, t"):
        table_function(volatility="stable", name="t", aliases=["t"])(list)


def test_an_unknown_volatility_is_refused() -> None:
    with pytest.raises(FunctionError, match=r"'immutable' .* 'stable' .* 'volatile'"):
        table_function(volatility="never", name="t")(list)  # type: ignore[arg-type]


def test_volatility_must_be_said() -> None:
    with pytest.raises(TypeError, match="volatility"):
        scalar_udf(inputs=[FLOAT], returns=FLOAT)  # type: ignore[call-arg]


def test_a_function_that_cannot_take_its_inputs_is_refused() -> None:
    declare = scalar_udf(inputs=[FLOAT, FLOAT], returns=FLOAT, volatility="stable")

    def one(values: Array) -> Array:
        return values

    with pytest.raises(FunctionError) as refused:
        declare(one)

    assert str(refused.value).endswith(
        "cannot be called with the 2 inputs it declares: too many positional arguments"
    )


def test_a_class_that_is_no_accumulator_is_refused() -> None:
    declare = aggregate_udf(
        inputs=[FLOAT], returns=FLOAT, state=[], volatility="immutable", name="x"
    )

    with pytest.raises(FunctionError, match=r"derive it from datafusion.user_defined"):
        declare(WindowEvaluator)
    with pytest.raises(FunctionError) as refused:
        declare(Half)
    assert str(refused.value).partition(":")[2] == snapshot(
        "Half is no complete Accumulator: it lacks merge, state, update"
    )


def test_a_class_that_is_no_evaluator_is_refused() -> None:
    declare = window_udf(inputs=[], returns=FLOAT, volatility="immutable", name="x")

    with pytest.raises(FunctionError, match="is no WindowEvaluator"):
        declare(Longest)


def test_a_refusal_survives_pickling() -> None:
    error = FunctionError("why")

    assert str(pickle.loads(pickle.dumps(error))) == "why"  # noqa: S301 - just made
