"""From a library into a session."""

from collections.abc import Sequence
from typing import Any

import datafusion
from datafusion import SessionContext
from datafusion.user_defined import (
    Accumulator,
    AggregateUDF,
    ScalarUDF,
    TableFunction,
    WindowEvaluator,
    WindowUDF,
)

from dagster_dfsession.errors import InstallError, did_you_mean, listing
from dagster_dfsession.session.functions.declare import UserFunction
from dagster_dfsession.session.functions.foreign import ForeignFunctions
from dagster_dfsession.session.functions.guard import (
    GuardedFactory,
    GuardedScalar,
    GuardedTable,
)
from dagster_dfsession.session.functions.library import Declaration, Library
from dagster_dfsession.session.functions.registry import builtins_of

PHASE = "functions"


def install_functions(
    ctx: SessionContext,
    library: Library,
    names: Sequence[str] | None = None,
    *,
    spark: bool = False,
) -> tuple[str, ...]:
    """Register functions of a library under all their names.

    Registering a name again replaces it: a second run changes nothing. Of a bundle,
    one name brings all of it.

    Args:
        ctx: The session.
        library: From `load_library`.
        names: Only these; None: all of the library.
        spark: The session has the engine's Spark functions, which count as built in.

    Returns:
        The names registered, aliases included, sorted.

    Raises:
        InstallError: The library lacks a name, or a function would replace one of the
            engine without saying so.
    """
    chosen = library.declarations
    if names is not None:
        wanted = {id(_named(name, library)) for name in names}
        chosen = tuple(each for each in chosen if id(each) in wanted)
    builtin = builtins_of(datafusion.__version__, spark=spark).names
    for declaration in chosen:
        _check_shadow(declaration, builtin)
    for declaration in chosen:
        if isinstance(declaration, ForeignFunctions):
            declaration.register(ctx)
        else:
            for name in declaration.names:
                _register(ctx, declaration, name)
    return tuple(sorted(name for each in chosen for name in each.names))


def _named(name: str, library: Library) -> Declaration:
    if name not in library.functions:
        known = library.functions.keys()
        raise InstallError.during(
            PHASE,
            name,
            f"the library holds {listing(known)}.{did_you_mean(name, known)}",
        )
    return library.functions[name]


def _check_shadow(declaration: Declaration, builtin: frozenset[str]) -> None:
    shadowed = sorted(builtin.intersection(declaration.names))
    if shadowed and not declaration.shadows_builtin:
        raise InstallError.during(
            PHASE,
            shadowed[0],
            f"{declaration.origin} would replace a function of the engine; give it "
            "another name, or declare it with shadows_builtin=True",
        )


def _register(ctx: SessionContext, declared: UserFunction[..., Any], name: str) -> None:
    make, module, volatility = (
        declared.implementation,
        declared.module,
        declared.volatility,
    )
    types = [each.type for each in declared.inputs]
    if declared.returns is None:
        ctx.register_udtf(TableFunction(name, GuardedTable(name, module, make)))
    elif declared.kind == "scalar":
        scalar = GuardedScalar(name, module, make, declared.returns.type)
        ctx.register_udf(
            ScalarUDF(name, scalar, list(declared.inputs), declared.returns, volatility)
        )
    elif declared.kind == "aggregate":
        accumulators = GuardedFactory(name, module, make, Accumulator)
        returns, state = declared.returns.type, list(declared.state)
        ctx.register_udaf(
            AggregateUDF(name, accumulators, types, returns, state, volatility)
        )
    else:
        evaluators = GuardedFactory(name, module, make, WindowEvaluator)
        ctx.register_udwf(
            WindowUDF(name, evaluators, types, declared.returns.type, volatility)
        )
