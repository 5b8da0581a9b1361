"""The rules of the optimizer: read back from the engine, left out, added."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from datafusion import SessionContext

from dagster_dfsession.errors import InstallError, SnapshotError, did_you_mean, listing
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.imports import import_object

READ = "EXPLAIN VERBOSE SELECT 1"
ANALYZED = "analyzed_logical_plan"
LOGICAL = "logical_plan after "
PHYSICAL = "physical_plan after "


class Rules(Frozen, frozen=True):
    """The rules that plan a session's queries, by name, in the order they run.

    Attributes:
        analyzer: They make a query valid; they cannot be left out.
        logical: Those of one pass; the engine makes several.
        physical: A name occurs as often as the rule runs.
    """

    analyzer: tuple[str, ...] = ()
    logical: tuple[str, ...] = ()
    physical: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Equal where the same rules run in the same order."""
        return content_hash("rules", 1, self)


def read_rules(ctx: SessionContext) -> Rules:
    """Return the rules of a session, as the engine itself says that it runs them.

    Raises:
        SnapshotError: The engine did not tell.

    Examples:
        >>> rules = read_rules(SessionContext())
        >>> rules.logical[-1], rules.physical[-1]
        ('optimize_projections', 'SanityCheckPlan')
    """
    try:
        steps: list[str] = ctx.sql(READ).to_pydict()["plan_type"]
        border = steps.index(ANALYZED)
    except Exception as error:
        raise SnapshotError(
            f"the session's rules could not be read: {error}"
        ) from error
    analyzer = _named(LOGICAL, steps[:border])
    logical = _named(LOGICAL, steps[border:])
    return Rules(
        analyzer=tuple(analyzer),
        logical=tuple(dict.fromkeys(logical)),
        physical=tuple(_named(PHYSICAL, steps)),
    )


def _named(before: str, steps: Sequence[str]) -> Iterator[str]:
    return (step.removeprefix(before) for step in steps if step.startswith(before))


@functools.cache
def engine_rules() -> Rules:
    """Return the rules of a session that nobody changed."""
    return read_rules(SessionContext())


def remove_rules(ctx: SessionContext, names: Sequence[str]) -> None:
    """Leave logical rules out of every plan that the session makes from here on.

    Raises:
        InstallError: The engine has no such rule; the message lists those it has.
    """
    for name in dict.fromkeys(names):
        if not ctx.remove_optimizer_rule(name):
            known = engine_rules().logical
            raise InstallError.during(
                Phase.PLANNING_EXTENSIONS.value,
                f"rules.remove {name}",
                f"the engine has no logical rule of this name; it has "
                f"{listing(known, limit=len(known))}.{did_you_mean(name, known)}",
            )


def add_rules(ctx: SessionContext, paths: Sequence[str]) -> None:
    """Add physical rules after those of the session, in order.

    Raises:
        InstallError: A factory cannot be imported or called, or returns no rule.
    """
    for path in paths:
        try:
            made: Any = import_object(path)()
            ctx.add_physical_optimizer_rule(made)
        except Exception as error:
            raise InstallError.during(
                Phase.PLANNING_EXTENSIONS.value,
                path,
                f"{type(error).__name__}: {error}; name a callable that returns an "
                "object with __datafusion_physical_optimizer_rule__",
            ) from error
