"""From a library into a session, and what user code says when it fails there."""

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion import SessionContext
from datafusion.user_defined import Accumulator, WindowEvaluator
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError
from dagster_dfsession.session.functions.declare import (
    aggregate_udf,
    scalar_udf,
    table_function,
    window_udf,
)
from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.functions.library import Declaration, Library

Array: TypeAlias = "pa.Array[Any]"
Scalar: TypeAlias = "pa.Scalar[Any]"

FLOAT = pa.float64()


@scalar_udf(inputs=[FLOAT], returns=FLOAT, volatility="immutable", aliases=["keep_all"])
def keep_positive(values: Array) -> Array:
    numbers: list[Any] = values.to_pylist()
    if min(numbers) < 0:
        raise ValueError('it is "negative",\nwhich is no good')
    return values


@scalar_udf(inputs=[FLOAT], returns=FLOAT, volatility="volatile")
def careless(values: Array) -> object:
    answers = {1: None, 2: pa.array([1.0]), 3: pa.array([1, 2, 3])}
    return answers[len(values)]


class TotalAccumulator(Accumulator):
    def __init__(self) -> None:
        self.sum = 0.0

    def state(self) -> list[Scalar]:
        return [pa.scalar(self.sum)]

    def update(self, *values: Array) -> None:
        added: list[Any] = values[0].to_pylist()
        self.sum += sum(added)
        if self.sum < 0:
            raise KeyError(self.sum)

    def merge(self, states: list[Array]) -> None:
        self.update(states[0])

    def evaluate(self) -> Scalar:
        return pa.scalar(self.sum)


class BackwardsEvaluator(WindowEvaluator):
    def evaluate_all(self, values: list[Array], num_rows: int) -> Array:
        if num_rows == 1:
            raise OSError("too few")
        return values[0].take(pa.array(range(num_rows - 1, -1, -1)))


@aggregate_udf(inputs=[FLOAT], returns=FLOAT, state=[FLOAT], volatility="immutable")
def made_wrong() -> object:
    return 1


@table_function(volatility="immutable")
def squares() -> object:
    return ds.dataset(pa.table({"n": [1, 4, 9]}))


@table_function(volatility="immutable")
def nothing() -> object:
    raise LookupError("nothing there")


total = aggregate_udf(
    inputs=[FLOAT], returns=FLOAT, state=[FLOAT], volatility="immutable", name="total"
)(TotalAccumulator)

backwards = window_udf(
    inputs=[FLOAT], returns=FLOAT, volatility="immutable", name="backwards"
)(BackwardsEvaluator)

ALL: list[Declaration] = [
    keep_positive,
    careless,
    total,
    backwards,
    made_wrong,
    squares,
    nothing,
]


def library(*declared: Declaration) -> Library:
    return Library({name: each for each in declared for name in each.names})


@pytest.fixture
def ctx() -> SessionContext:
    """A session with every function of this module and three rows."""
    ctx = SessionContext()
    install_functions(ctx, library(*ALL))
    ctx.from_pydict({"x": [1.0, 2.0, 3.0]}, "t")
    return ctx


def unchanged(values: Array) -> Array:
    return values


def column(ctx: SessionContext, sql: str) -> list[object]:
    (only,) = ctx.sql(sql).to_pydict().values()
    return list(only)


def test_every_kind_of_function_runs(ctx: SessionContext) -> None:
    assert column(ctx, "SELECT keep_positive(x) FROM t") == [1.0, 2.0, 3.0]
    assert column(ctx, "SELECT KEEP_ALL(x) FROM t") == [1.0, 2.0, 3.0]
    assert column(ctx, "SELECT total(x) FROM t") == [6.0]
    assert column(ctx, "SELECT backwards(x) OVER (ORDER BY x) FROM t") == [3, 2, 1]
    assert column(ctx, "SELECT n FROM squares()") == [1, 4, 9]


def test_installing_again_replaces(ctx: SessionContext) -> None:
    def zero(values: Array) -> Array:
        return pa.array([0.0] * len(values))

    other = scalar_udf(
        inputs=[FLOAT], returns=FLOAT, volatility="immutable", name="keep_positive"
    )(zero)
    install_functions(ctx, library(other))
    assert column(ctx, "SELECT keep_positive(x) FROM t") == [0.0, 0.0, 0.0]
    install_functions(ctx, library(*ALL))
    assert column(ctx, "SELECT keep_positive(x) FROM t") == [1.0, 2.0, 3.0]


def test_only_the_named_functions_are_installed() -> None:
    ctx = SessionContext()

    assert install_functions(ctx, library(*ALL), ["total"]) == ("total",)
    assert install_functions(ctx, library(*ALL), []) == ()
    assert "total" in ctx.udafs()
    assert "keep_positive" not in ctx.udfs()


def test_an_alias_brings_the_function_under_all_its_names() -> None:
    ctx = SessionContext()
    installed = install_functions(ctx, library(*ALL), ["keep_all"])

    assert installed == ("keep_all", "keep_positive")
    assert {"keep_all", "keep_positive"} <= set(ctx.udfs())


def test_a_name_that_the_library_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(InstallError) as refused:
        install_functions(SessionContext(), library(total, squares), ["totla"])

    assert (refused.value.phase, refused.value.item) == ("functions", "totla")
    assert str(refused.value) == snapshot(
        "phase 'functions' could not install 'totla': the library holds squares, total. Did you mean 'total'?"
    )


@pytest.mark.parametrize(("name", "spark"), [("abs", False), ("bit_get", True)])
def test_a_function_does_not_replace_a_built_in_one_unasked(
    name: str,
    spark: bool,  # noqa: FBT001 - the two cases of the table above
) -> None:
    declare = scalar_udf(
        inputs=[FLOAT], returns=FLOAT, volatility="immutable", name=name
    )
    ctx = SessionContext()

    with pytest.raises(InstallError, match="shadows_builtin=True"):
        install_functions(ctx, library(declare(unchanged)), spark=spark)


def test_a_function_replaces_a_built_in_one_when_told_to() -> None:
    declare = scalar_udf(
        inputs=[FLOAT],
        returns=FLOAT,
        volatility="immutable",
        name="abs",
        shadows_builtin=True,
    )
    ctx = SessionContext()
    install_functions(ctx, library(declare(unchanged)))

    assert column(ctx, "SELECT abs(-1.0) AS x") == [-1.0]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "SELECT keep_all(-x) FROM t",
            "'keep_all' raised ValueError: it is 'negative', which is no good (",
        ),
        ("SELECT total(-x) FROM t", "'total' raised KeyError: -6.0 ("),
        (
            "SELECT backwards(x) OVER (ORDER BY x) FROM t WHERE x = 1",
            "'backwards' raised OSError: too few (",
        ),
        ("SELECT made_wrong(x) FROM t", "'made_wrong' raised TypeError: it made a int"),
        ("SELECT * FROM nothing()", "'nothing' raised LookupError: nothing there ("),
        (
            "SELECT careless(x) FROM t WHERE x = 1",
            "'careless' raised TypeError: it returned a NoneType, not a pyarrow.Array",
        ),
        (
            "SELECT careless(x) FROM t WHERE x < 3",
            "'careless' raised ValueError: it returned 1 values for 2 rows",
        ),
        (
            "SELECT careless(x) FROM t",
            "'careless' raised TypeError: it returned int64 values, but declares double",
        ),
    ],
)
def test_what_user_code_raises_keeps_its_name_and_its_words(
    ctx: SessionContext, sql: str, said: str
) -> None:
    with pytest.raises(Exception, match="FunctionFailedError") as failed:
        ctx.sql(sql).collect()

    assert f"user function {said}" in str(failed.value)


def test_the_line_that_raised_is_named(ctx: SessionContext) -> None:
    with pytest.raises(Exception, match=rf"\({__name__}, line \d+\)"):
        ctx.sql("SELECT keep_positive(-x) FROM t").collect()
