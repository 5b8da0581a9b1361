"""Functions that other libraries compiled, with the real libraries."""

import datafusion_extra_functions as extra
import geodatafusion
import pytest
from datafusion import SessionContext
from datafusion.user_defined import AggregateUDF

from dagster_dfsession.errors import FunctionError, InstallError
from dagster_dfsession.session.functions.foreign import (
    ForeignFunctions,
    capsule_function,
    function_bundle,
)
from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.functions.library import Library

EXTRA = "datafusion-extra-functions"


def one(name: str) -> ForeignFunctions:
    return capsule_function(
        lambda: extra.udaf_by_name(name),
        kind="aggregate",
        volatility="immutable",
        distribution=EXTRA,
    )


def geo() -> ForeignFunctions:
    return function_bundle(
        geodatafusion.register_all,
        distribution="geodatafusion",
        volatility="immutable",
    )


def library(*declared: ForeignFunctions) -> Library:
    return Library({name: each for each in declared for name in each.names})


@pytest.mark.parametrize("name", extra.list_functions())
def test_a_capsule_brings_its_own_name(name: str) -> None:
    assert one(name).names[0] == name
    assert one(name).origin == EXTRA


def test_a_capsule_may_be_unpacked_already() -> None:
    made = capsule_function(
        lambda: AggregateUDF.from_pycapsule(extra.udaf_by_name("mode")),
        kind="aggregate",
        volatility="immutable",
        distribution=EXTRA,
    )

    assert made.names == ("mode",)


def test_functions_of_both_libraries_run_in_one_session() -> None:
    ctx = SessionContext()
    installed = install_functions(ctx, library(one("mode"), geo()))
    point = "st_geomfromtext('POLYGON((0 0, 2 0, 2 3, 0 3, 0 0))')"
    rows = ctx.sql(
        f"SELECT mode(x) AS m, max(st_area({point})) AS a "
        "FROM (VALUES (1), (2), (2)) AS t(x)"
    ).to_pydict()

    assert rows == {"m": [2], "a": [6.0]}
    assert {"mode", "st_area", "st_extent"} <= set(installed)


def test_a_bundle_knows_which_names_are_aliases() -> None:
    functions = {each.name: each for each in geo().functions}

    assert "st_length2d" in functions["st_length"].aliases
    assert "st_length2d" not in functions
    assert functions["st_extent"].kind == "aggregate"
    assert {each.volatility for each in functions.values()} == {"immutable"}


def test_one_name_of_a_bundle_brings_all_of_it() -> None:
    ctx = SessionContext()

    installed = install_functions(ctx, library(geo(), one("mode")), ["st_area"])
    assert installed == tuple(sorted(geo().names))


def test_a_distribution_that_is_not_installed_is_named_for_pip() -> None:
    with pytest.raises(FunctionError, match="pip install no-such-library"):
        function_bundle(
            lambda _: None, distribution="no-such-library", volatility="stable"
        )


def test_an_object_that_exports_another_kind_is_refused() -> None:
    with pytest.raises(FunctionError, match="without __datafusion_scalar_udf__"):
        capsule_function(
            lambda: extra.udaf_by_name("mode"),
            kind="scalar",
            volatility="immutable",
            distribution=EXTRA,
        )


def test_an_alias_that_the_capsule_does_not_know_is_refused() -> None:
    with pytest.raises(FunctionError, match="does not know 'mode' as most_common"):
        capsule_function(
            lambda: extra.udaf_by_name("mode"),
            kind="aggregate",
            volatility="immutable",
            distribution=EXTRA,
            aliases=("most_common",),
        )


def test_a_bundle_that_registers_nothing_is_refused() -> None:
    with pytest.raises(FunctionError, match="registered nothing"):
        function_bundle(
            lambda _: None, distribution="geodatafusion", volatility="stable"
        )


def test_a_bundle_does_not_replace_built_in_functions_unasked() -> None:
    spark = function_bundle(
        lambda ctx: ctx.enable_spark_functions(),
        distribution="datafusion",
        volatility="stable",
    )

    assert "abs" in spark.names
    with pytest.raises(InstallError, match="shadows_builtin"):
        install_functions(SessionContext(), library(spark))
