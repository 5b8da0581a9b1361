"""Functions that other libraries compiled: one by one, or all that a library brings."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, NamedTuple

from datafusion import SessionContext
from datafusion.user_defined import AggregateUDF, ScalarUDF, WindowUDF

from dagster_dfsession.errors import FunctionError, listing
from dagster_dfsession.session.functions.registry import (
    Kind,
    Routine,
    new_session,
    read_routines,
)
from dagster_dfsession.session.functions.requirements import (
    Volatility,
    checked_names,
    checked_volatility,
)

CompiledKind = Literal["scalar", "aggregate", "window"]
Compiled = ScalarUDF | AggregateUDF | WindowUDF

COMPILED: dict[CompiledKind, type[Compiled]] = {
    "scalar": ScalarUDF,
    "aggregate": AggregateUDF,
    "window": WindowUDF,
}


class CompiledFunction(NamedTuple):
    """One function of a library, as it registers itself.

    Attributes:
        name: In SQL, the first of its names.
        kind: What it is to the engine.
        aliases: Its further names in SQL.
        volatility: As declared, or "volatile" where the engine contradicts.
    """

    name: str
    kind: Kind
    aliases: tuple[str, ...]
    volatility: Volatility


@dataclass(frozen=True)
class ForeignFunctions:
    """Functions of an installed distribution, ready to be registered in a session.

    Attributes:
        register: Registers all of them in a session.
        functions: What it registers, found out on a session of no further use.
        distribution: Where they come from.
        version: Its installed version, which stands for the implementations.
        shadows_builtin: They may replace functions of the engine.
    """

    register: Callable[[SessionContext], object]
    functions: tuple[CompiledFunction, ...]
    distribution: str
    version: str
    shadows_builtin: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name and alias."""
        each = ((one.name, *one.aliases) for one in self.functions)
        return tuple(name for names in each for name in names)

    @property
    def origin(self) -> str:
        """The distribution, as pip calls it."""
        return self.distribution


def capsule_function(
    exporter_factory: Callable[[], object],
    *,
    kind: CompiledKind,
    volatility: Volatility,
    distribution: str,
    aliases: tuple[str, ...] = (),
    shadows_builtin: bool = False,
) -> ForeignFunctions:
    """Declare one function that a library exports by PyCapsule.

    Its name in SQL, its types and its aliases are its own; no other can be given.

    Args:
        exporter_factory: Returns the exporting object, or a function of the engine
            made from one by `from_pycapsule`.
        kind: What it is to the engine.
        volatility: As for `scalar_udf`; recorded as volatile if the engine says so.
        distribution: What pip calls the library.
        aliases: Names that it must answer to as well; they are checked.
        shadows_builtin: Say so to replace a function of the engine.

    Raises:
        FunctionError: The distribution is not installed, the object exports no
            function of that kind, or it does not answer to an alias.

    Examples:
        >>> import datafusion_extra_functions as extra
        >>> mode = capsule_function(
        ...     lambda: extra.udaf_by_name("mode"),
        ...     kind="aggregate",
        ...     volatility="immutable",
        ...     distribution="datafusion-extra-functions",
        ... )
        >>> mode.names
        ('mode',)
    """
    version = _installed(distribution)
    compiled = _compiled(exporter_factory(), kind, distribution)

    def register(ctx: SessionContext) -> None:
        match compiled:
            case ScalarUDF():
                ctx.register_udf(compiled)
            case AggregateUDF():
                ctx.register_udaf(compiled)
            case WindowUDF():
                ctx.register_udwf(compiled)

    found = _discovered(register, volatility, distribution)
    names = {name for each in found for name in (each.name, *each.aliases)}
    if missing := sorted(set(aliases) - names):
        raise FunctionError(
            f"{distribution} does not know {compiled.name!r} as {listing(missing)}; "
            f"it answers to {listing(names)}"
        )
    return ForeignFunctions(register, found, distribution, version, shadows_builtin)


def function_bundle(
    register: Callable[[SessionContext], object],
    *,
    distribution: str,
    volatility: Volatility,
    shadows_builtin: bool = False,
) -> ForeignFunctions:
    """Declare all the functions that a library registers by itself.

    They are installed together or not at all. To have some of them, declare each
    with `capsule_function`.

    Args:
        register: Registers them in a session: `geodatafusion.register_all`.
        distribution: What pip calls the library.
        volatility: Of those that the engine does not call volatile.
        shadows_builtin: Say so to replace functions of the engine.

    Raises:
        FunctionError: The distribution is not installed, or nothing is registered.

    Examples:
        >>> import geodatafusion
        >>> geo = function_bundle(
        ...     geodatafusion.register_all,
        ...     distribution="geodatafusion",
        ...     volatility="immutable",
        ... )
        >>> "st_area" in geo.names
        True
    """
    version = _installed(distribution)
    found = _discovered(register, volatility, distribution)
    return ForeignFunctions(register, found, distribution, version, shadows_builtin)


def _installed(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise FunctionError(
            f"functions are declared from {distribution!r}, which is not installed; "
            f"run: pip install {distribution}"
        ) from None


def _compiled(exported: object, kind: CompiledKind, distribution: str) -> Compiled:
    wanted = COMPILED[kind]
    if isinstance(exported, wanted):
        return exported
    bare = type(exported).__name__ == "PyCapsule"
    if not bare and not hasattr(exported, f"__datafusion_{kind}_udf__"):
        raise FunctionError(
            f"{distribution} exports no {kind} function: the factory returned a "
            f"{type(exported).__name__} without __datafusion_{kind}_udf__"
        )
    export: Any = exported
    return wanted.from_pycapsule(export)


def _discovered(
    register: Callable[[SessionContext], object],
    volatility: Volatility,
    distribution: str,
) -> tuple[CompiledFunction, ...]:
    """Register on a session of no further use and look what is new there."""
    checked_volatility(volatility, distribution)
    ctx = new_session()
    before = read_routines(ctx)
    register(ctx)
    new = read_routines(ctx) - before
    if not new:
        raise FunctionError(
            f"{distribution} registered nothing; give the function of the library that "
            "registers its functions, as geodatafusion.register_all"
        )
    doubted = {each.name for each in new if not each.deterministic}
    names: dict[tuple[str, Kind], set[str]] = {}
    for each in new:
        names.setdefault((_first_name(ctx, each), each.kind), set()).add(each.name)
    checked_names([name for name, _ in names], distribution)
    return tuple(
        CompiledFunction(
            name=name,
            kind=kind,
            aliases=tuple(sorted(given - {name})),
            volatility="volatile"
            if doubted & given and volatility == "immutable"
            else volatility,
        )
        for (name, kind), given in sorted(names.items())
    )


def _first_name(ctx: SessionContext, routine: Routine) -> str:
    """Return the name under which the engine's plans show a function."""
    match routine.kind:
        case "scalar":
            return ctx.udf(routine.name).name
        case "aggregate":
            return ctx.udaf(routine.name).name
        case "window":
            return ctx.udwf(routine.name).name
        case "table":
            return routine.name
