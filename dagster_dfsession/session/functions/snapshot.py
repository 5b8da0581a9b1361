"""The functions of a built session, read back from it."""

import functools
import re
from collections.abc import Collection, Iterable, Mapping

import datafusion
from datafusion import SessionContext

from dagster_dfsession.errors import SnapshotError, listing
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.declare import UserFunction
from dagster_dfsession.session.functions.digest import Digest
from dagster_dfsession.session.functions.foreign import (
    CompiledFunction,
    ForeignFunctions,
)
from dagster_dfsession.session.functions.library import Declaration, Library
from dagster_dfsession.session.functions.registry import (
    Kind,
    Routine,
    Signature,
    builtins_of,
    read_routines,
    user_signatures,
)
from dagster_dfsession.session.functions.requirements import Volatility

CALL = re.compile(r"\w+(?=\()")
BY_HAND = Digest(reason="registered by hand, so nobody declared what it does")


class FunctionEntry(Frozen, frozen=True):
    """One function that a session has beyond those of its engine.

    Attributes:
        signature: The engine's names of the argument types (`String` for every kind
            of string; the digest tells them apart); where a function takes
            several lists of them, each as `(Int64, Utf8) -> Utf8`; empty where it
            states none, as many compiled functions do.
        returns: The engine's name of the result type; empty if it follows from the
            arguments, `TABLE` for a table function.
        volatility: As declared; of a function registered by hand, as the engine says.
        digest: Of implementation and Arrow types; None: it cannot be compared.
        digest_note: Why there is no digest.
        origin: `module:function`, a distribution, or `unknown`.
        version: Of the distribution; None for functions of the project.
    """

    name: str
    kind: Kind
    signature: tuple[str, ...]
    returns: str
    volatility: Volatility
    digest: str | None
    digest_note: str | None
    origin: str
    version: str | None
    aliases: tuple[str, ...]


class FunctionsSnapshot(Frozen, frozen=True, dict=True):
    """What a session can call.

    Attributes:
        entries: The user functions, by name.
        builtins_digest: Of all that the engine brings itself.
    """

    entries: tuple[FunctionEntry, ...]
    builtins_digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every name and alias, as `functions_in_plan` takes them."""
        return tuple(name for e in self.entries for name in (e.name, *e.aliases))

    @functools.cached_property
    def hash(self) -> str:
        """The `udf_snapshot_hash`: whether two sessions can call the same functions.

        Versions count through the digests they are part of; notes do not count. Of a
        function without a digest only the declaration counts: `deterministic` says
        whether that is enough.
        """
        said = [_identity(entry) for entry in self.entries]
        return content_hash("functions", 1, (said, self.builtins_digest))

    def used(self, names: Iterable[str]) -> tuple[FunctionEntry, ...]:
        """Return the entries behind names or aliases, by name."""
        wanted = set(names)
        return tuple(e for e in self.entries if wanted & {e.name, *e.aliases})

    def deterministic(self, names: Iterable[str]) -> bool:
        """Say whether a plan that uses these user functions gives its rows again.

        It does if each is immutable and has a digest that tells if it changed.
        """
        return all(
            entry.volatility == "immutable" and entry.digest is not None
            for entry in self.used(names)
        )


def read_functions(
    ctx: SessionContext,
    library: Library,
    names: Collection[str] | None = None,
    *,
    spark: bool = False,
) -> FunctionsSnapshot:
    """Read back which user functions a session has.

    What is there and neither built in nor installed was registered by hand: its
    origin is `unknown`, it has no digest, and its volatility is what the engine says.

    Args:
        ctx: A built session; it needs its `information_schema`.
        library: What was installed from.
        names: What `install_functions` returned; None: all of the library.
        spark: The session has the engine's Spark functions, which count as built in.

    Raises:
        SnapshotError: The session does not list its functions, or an installed one is
            not there as it was declared.
    """
    builtin = builtins_of(datafusion.__version__, spark=spark)
    found: dict[str, Routine] = {}
    for routine in sorted(read_routines(ctx) - builtin.routines):
        found.setdefault(routine.name, routine)
    signatures = user_signatures(ctx, found.values()) if found else {}
    installed = [
        (declared, function)
        for declared in library.declarations
        if names is None or set(declared.names).intersection(names)
        for function in _functions(declared)
    ]
    entries = []
    for declared, function in installed:
        _check_presence(declared, function, found, signatures)
        for name in (function.name, *function.aliases):
            routine = found.pop(name)
            if name == function.name:
                read = signatures.get(name, ())
                digest = library.digests[name]
                entries.append(_entry(routine, read, function, digest, declared))
    for routine in found.values():
        by_hand = CompiledFunction(routine.name, routine.kind, (), _volatility(routine))
        read = signatures.get(routine.name, ())
        entries.append(_entry(routine, read, by_hand, BY_HAND, None))
    return FunctionsSnapshot(
        entries=tuple(sorted(entries, key=lambda each: each.name)),
        builtins_digest=builtin.digest,
    )


def functions_in_plan(plan_text: str, names: Collection[str]) -> tuple[str, ...]:
    """Return which of the names a plan calls, sorted.

    Give it the **unoptimized** plan: the optimizer computes immutable and stable calls
    on constants while planning, and their names are gone from its output. A string
    literal that looks like a call counts as one; that costs a hash too many, no more.

    Args:
        plan_text: `LogicalPlan.display_indent()`.
        names: Of functions, aliases included: `FunctionsSnapshot.names`.

    Examples:
        >>> functions_in_plan("Projection: half(t.a), behalf(t.a)", ["half", "a"])
        ('half',)
    """
    called = set(CALL.findall(plan_text))
    return tuple(
        sorted(
            name
            for name in set(names)
            if name in called or (not name.isidentifier() and f"{name}(" in plan_text)
        )
    )


def _functions(declared: Declaration) -> tuple[CompiledFunction, ...]:
    if isinstance(declared, ForeignFunctions):
        return declared.functions
    said = (declared.name, declared.kind, declared.aliases, declared.volatility)
    return (CompiledFunction(*said),)


def _check_presence(
    declared: Declaration,
    function: CompiledFunction,
    found: Mapping[str, Routine],
    signatures: Mapping[str, tuple[Signature, ...]],
) -> None:
    for name in (function.name, *function.aliases):
        if name not in found or found[name].kind != function.kind:
            raise SnapshotError(
                f"{declared.origin} was installed as the {function.kind} function "
                f"{name!r}, but the session has {listing(found)}; something removed or "
                "replaced it after it was installed"
            )
        if not isinstance(declared, UserFunction) or declared.kind == "table":
            continue
        read = [len(each.inputs) for each in signatures.get(name, ())]
        immutable = declared.volatility == "immutable"
        if read != [len(declared.inputs)] or found[name].deterministic != immutable:
            raise SnapshotError(
                f"{declared.origin} was installed as {name!r} with "
                f"{len(declared.inputs)} arguments, {declared.volatility}, but the "
                "session has another function of that name; something replaced it "
                "afterwards"
            )


def _entry(
    routine: Routine,
    read: tuple[Signature, ...],
    function: CompiledFunction,
    digest: Digest,
    declared: Declaration | None,
) -> FunctionEntry:
    returns = {each.returns for each in read} or {routine.returns}
    overloads = tuple(f"({', '.join(e.inputs)}) -> {e.returns}" for e in read)
    version = declared.version if isinstance(declared, ForeignFunctions) else None
    return FunctionEntry(
        name=routine.name,
        kind=routine.kind,
        signature=read[0].inputs if len(read) == 1 else overloads,
        returns=returns.pop() if len(returns) == 1 else "",
        volatility=function.volatility,
        digest=digest.sha256,
        digest_note=digest.reason,
        origin=declared.origin if declared else "unknown",
        version=version,
        aliases=function.aliases,
    )


def _volatility(routine: Routine) -> Volatility:
    return "immutable" if routine.deterministic else "volatile"


def _identity(entry: FunctionEntry) -> tuple[object, ...]:
    return (
        entry.name,
        entry.kind,
        entry.signature,
        entry.returns,
        entry.volatility,
        entry.digest,
        entry.origin,
        entry.aliases,
    )
