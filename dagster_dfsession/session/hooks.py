"""User code around sessions, queries and writes: imported once, called in order."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ParamSpec

from datafusion import DataFrame, SessionContext

from dagster_dfsession.errors import (
    DeltaError,
    DfSessionError,
    InstallError,
    QueryError,
)
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.session.functions.digest import implementation_digest
from dagster_dfsession.session.imports import import_object

LOG = logging.getLogger("dagster_dfsession")
P = ParamSpec("P")
Failed = Callable[[int, Exception], None]
"""Told the number of the hook that raised, from 0, and what."""


class HookEntry(Frozen, frozen=True):
    """One hook, as it is recorded and hashed.

    Attributes:
        event: `before_query` and the like.
        digest: Of its implementation; None: it cannot be compared.
    """

    event: str
    path: str
    digest: str | None


def chain_hooks(
    hooks: Sequence[Callable[P, object]], failed: Failed
) -> Callable[P, None] | None:
    """Return one callable that calls all hooks in order; None: there are none.

    Args:
        hooks: Called with what the one is called with.
        failed: Called where one raised an exception; the next is called if it
            returns.

    Examples:
        >>> chain_hooks([], failed=print) is None
        True
        >>> say = chain_hooks([print, lambda each: 1 / 0, print], failed=print)
        >>> say("here")
        here
        1 division by zero
        here
    """
    if not hooks:
        return None
    ordered = tuple(hooks)

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        for number, hook in enumerate(ordered):
            try:
                hook(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  # the policy of the profile decides
                failed(number, error)

    return call


@dataclass(frozen=True)
class Hooks:
    """The hooks of a session; an event without hooks is None, and costs nothing.

    Attributes:
        entries: All of them, for the record.
    """

    before_session: Callable[[SessionPlan], None] | None = None
    after_session: Callable[[SessionContext], None] | None = None
    before_query: Callable[[str], None] | None = None
    after_query: Callable[[str, DataFrame], None] | None = None
    before_write: Callable[[Any], None] | None = None
    after_write: Callable[[Any], None] | None = None
    on_error: Callable[[Exception], None] | None = None
    entries: tuple[HookEntry, ...] = ()

    @contextlib.contextmanager
    def told_of_errors(self) -> Iterator[None]:
        """Call `on_error` with an error that leaves the block, and let it pass."""
        try:
            yield
        except Exception as error:
            if self.on_error is not None:
                self.on_error(error)
            raise


def load_hooks(profile: HooksProfile) -> Hooks:
    """Import the hooks that a profile names.

    Raises:
        InstallError: One cannot be imported, or is not callable.

    Examples:
        >>> hooks = load_hooks(HooksProfile(before_query=("builtins:print",)))
        >>> hooks.before_query("SELECT 1")
        SELECT 1
        >>> hooks.after_query is None
        True
    """
    chains: dict[str, Any] = {}
    entries: list[HookEntry] = []
    for event in _ERRORS:
        paths: tuple[str, ...] = tuple(dict.fromkeys(getattr(profile, event)))
        hooks = [_imported(path) for path in paths]
        logs = profile.failure == "log" or event == "on_error"
        failed = (_logging if logs else _raising)(event, paths)
        chains[event] = chain_hooks(hooks, failed)
        entries += [
            HookEntry(event=event, path=path, digest=implementation_digest(hook).sha256)
            for path, hook in zip(paths, hooks, strict=True)
        ]
    return Hooks(**chains, entries=tuple(entries))


def _imported(path: str) -> Callable[..., object]:
    try:
        hook: Any = import_object(path)
    except Exception as error:
        raise _of_session(path, "", error) from error
    if not callable(hook):
        named = f"{type(hook).__name__!r} object is not callable"
        raise _of_session(path, "", TypeError(named))
    return hook  # type: ignore[no-any-return]  # whatever is callable


def _of_session(path: str, event: str, error: Exception) -> DfSessionError:
    del event
    reason = f"{type(error).__name__}: {error}"
    return InstallError.during(Phase.EXTENSION_HOOKS.value, path, reason)


def _of_query(path: str, event: str, error: Exception) -> DfSessionError:
    return QueryError(f"hook {path!r} ({event}) raised {type(error).__name__}: {error}")


def _of_write(path: str, event: str, error: Exception) -> DfSessionError:
    done = "the table is written" if event == "after_write" else "nothing was written"
    return DeltaError(
        f"hook {path!r} ({event}) raised {type(error).__name__}: {error}; {done}"
    )


_ERRORS: Mapping[str, Callable[[str, str, Exception], DfSessionError]] = (
    MappingProxyType(
        {
            "before_session": _of_session,
            "after_session": _of_session,
            "before_query": _of_query,
            "after_query": _of_query,
            "before_write": _of_write,
            "after_write": _of_write,
            "on_error": _of_session,
        }
    )
)
"""Event -> the error that a failing hook of it becomes."""


def _raising(event: str, paths: Sequence[str]) -> Failed:
    def failed(number: int, error: Exception) -> None:
        if isinstance(error, DfSessionError):
            raise error
        raise _ERRORS[event](paths[number], event, error) from error

    return failed


def _logging(event: str, paths: Sequence[str]) -> Failed:
    def failed(number: int, error: Exception) -> None:
        LOG.warning("hook %r (%s) failed", paths[number], event, exc_info=error)

    return failed
