"""Hooks are called in order, with what they are told, and cost nothing where none is."""

import logging
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from datafusion import DataFrame, SessionContext
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.errors import (
    InstallError,
    QueryError,
    SqlPolicyError,
    TableNotFoundError,
)
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.sql import Prepared, SqlProfile
from dagster_dfsession.session.hooks import Hooks, chain_hooks, load_hooks
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The module `shop`, importable while the test lasts; it notes every call."""
    module = ModuleType("shop")
    calls: list[Any] = []

    def named(name: str) -> Callable[..., None]:
        def hook(*args: object) -> None:
            calls.append((name, *args))

        return hook

    def broken(*_: object) -> None:
        raise LookupError("no such region")

    def forbids(*_: object) -> None:
        raise SqlPolicyError("not on a Sunday")

    vars(module).update(
        one=named("one"), two=named("two"), broken=broken, forbids=forbids, number=1
    )
    monkeypatch.setitem(sys.modules, "shop", module)
    return SimpleNamespace(calls=calls, module=module)


@pytest.mark.demand("D53")
@given(st.lists(st.booleans(), max_size=6))
def test_a_chain_calls_all_in_order_and_tells_of_each_failure(
    fails: list[bool],
) -> None:
    called: list[int] = []
    told: list[int] = []

    def hook(number: int, *, fail: bool) -> Callable[[int], None]:
        def call(argument: int) -> None:
            assert argument == 7
            called.append(number)
            if fail:
                raise LookupError(number)

        return call

    chain = chain_hooks(
        [hook(number, fail=fail) for number, fail in enumerate(fails)],
        failed=lambda number, _: told.append(number),
    )

    if chain is None:
        assert fails == []
        return
    chain(7)
    assert called == list(range(len(fails)))
    assert told == [number for number, fail in enumerate(fails) if fail]


def test_events_without_hooks_are_none_and_leave_nothing_to_call() -> None:
    assert load_hooks(HooksProfile()) == Hooks()


def test_session_hooks_get_the_plan_and_the_context(
    opened: Opened, shop: SimpleNamespace
) -> None:
    session = opened(
        hooks=HooksProfile(before_session=("shop:one",), after_session=("shop:two",))
    )

    (before, plan), (after, ctx) = shop.calls
    assert (before, after) == ("one", "two")
    assert isinstance(plan, SessionPlan)
    assert plan is session.plan
    assert isinstance(ctx, SessionContext)


def test_query_hooks_get_the_text_and_then_the_frame(
    opened: Opened, shop: SimpleNamespace
) -> None:
    session = opened(
        hooks=HooksProfile(
            before_query=("shop:two", "shop:one"), after_query=("shop:one",)
        ),
        sql=SqlProfile(prepared=(Prepared(name="p", sql="SELECT 1"),)),
    )
    frame = session.sql("SELECT 1 AS a")

    assert shop.calls[:2] == [("two", "SELECT 1 AS a"), ("one", "SELECT 1 AS a")]
    assert shop.calls[2] == ("one", "SELECT 1 AS a", frame)
    assert isinstance(frame, DataFrame)


def test_a_query_hook_can_forbid_a_query(opened: Opened, shop: SimpleNamespace) -> None:
    refusing = opened(hooks=HooksProfile(before_query=("shop:forbids", "shop:one")))
    failing = opened(hooks=HooksProfile(after_query=("shop:broken",)))

    with pytest.raises(SqlPolicyError, match="not on a Sunday"):
        refusing.sql("SELECT 1")
    with pytest.raises(QueryError) as refused:
        failing.sql("SELECT 1")
    assert str(refused.value) == snapshot(
        "hook 'shop:broken' (after_query) raised LookupError: no such region"
    )
    assert shop.calls == []


def test_a_failure_that_is_only_logged_stops_nothing(
    opened: Opened, shop: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    session = opened(
        hooks=HooksProfile(
            after_session=("shop:broken", "shop:one"),
            before_query=("shop:broken", "shop:two"),
            failure="log",
        )
    )
    with caplog.at_level(logging.WARNING, "dagster_dfsession"):
        assert session.sql("SELECT 1 AS a").to_pydict() == {"a": [1]}

    assert [each[0] for each in shop.calls] == ["one", "two"]
    assert "hook 'shop:broken' (before_query) failed" in caplog.text
    assert "no such region" in caplog.text


def test_an_error_is_told_and_stays_the_error_even_if_that_fails(
    opened: Opened, shop: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    session = opened(hooks=HooksProfile(on_error=("shop:broken", "shop:one")))

    with pytest.raises(TableNotFoundError) as refused:
        session.sql("SELECT * FROM nowhere")

    assert shop.calls == [("one", refused.value)]
    assert "hook 'shop:broken' (on_error) failed" in caplog.text


def test_an_error_while_a_session_is_built_is_told(
    opened: Opened, shop: SimpleNamespace
) -> None:
    with pytest.raises(InstallError) as refused:
        opened(
            hooks=HooksProfile(before_session=("shop:broken",), on_error=("shop:one",))
        )

    assert shop.calls == [("one", refused.value)]
    assert str(refused.value) == snapshot(
        "phase 'extension_hooks' could not install 'shop:broken': LookupError: no such region"
    )


@pytest.mark.parametrize("event", [name for name in HooksProfile.__struct_fields__ if name != "failure"])  # fmt: skip
@pytest.mark.parametrize("path", ["shop:absent", "shop:number", "no_such_module:hook"])
@pytest.mark.usefixtures("shop")
def test_a_hook_that_is_not_there_fails_at_once_whatever_the_event(
    event: str, path: str
) -> None:
    profile = HooksProfile(**{event: (path,), "failure": "log"})  # type: ignore[arg-type]

    with pytest.raises(InstallError, match=f"could not install '{path}'"):
        load_hooks(profile)


def test_hooks_count_by_path_and_body_and_never_by_address(
    opened: Opened, shop: SimpleNamespace
) -> None:
    def hash_with(**events: Any) -> str:
        return opened(hooks=HooksProfile(**events)).snapshot().session_hash

    def loud(*args: object) -> None:
        shop.calls.append(args)

    def quiet(*args: object) -> None:
        del args

    vars(shop.module).update(hook=loud)
    first, again = hash_with(before_query=("shop:hook",)), hash_with(before_query=("shop:hook",))  # fmt: skip
    other_event = hash_with(after_query=("shop:hook",))
    vars(shop.module).update(hook=quiet)
    other_body = hash_with(before_query=("shop:hook",))

    assert first == again
    assert len({first, other_event, other_body, hash_with()}) == 4
