"""Extensions, rules and hooks that differ are named among the changes of a session."""

import msgspec
import pytest

from dagster_dfsession.materialization.records import Change, session_changes
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.presets import DEV
from dagster_dfsession.session.extensions import ExtensionEntry
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.hooks import HookEntry
from dagster_dfsession.session.rules import Rules, engine_rules
from dagster_dfsession.session.runtime import SessionRuntime


@pytest.fixture(scope="module")
def before() -> SessionRuntime:
    with open_session(plan_session(DEV)) as session:
        return session.snapshot()


def test_a_rule_that_is_left_out_is_named(before: SessionRuntime) -> None:
    logical = tuple(n for n in before.rules.logical if n != "eliminate_limit")
    rules = msgspec.structs.replace(engine_rules(), logical=logical)
    after = msgspec.structs.replace(before, rules=rules)

    assert session_changes(before, after) == (
        Change(what="rule eliminate_limit", before=None, after="left out"),
        Change(
            what="rules", before=before.rules.digest[:16], after=rules.digest[:16]
        ),
    )  # fmt: skip


def test_a_record_from_before_rules_were_recorded_names_no_rule(
    before: SessionRuntime,
) -> None:
    old = msgspec.structs.replace(before, rules=Rules())

    assert [each.what for each in session_changes(old, before)] == ["rules"]


def test_extensions_and_hooks_are_named_with_what_they_are(
    before: SessionRuntime,
) -> None:
    there = ExtensionEntry(
        path="shop:it", name="it", version="1", engine_major=55, ports=("TracingPort",)
    )
    gone = ExtensionEntry(path="shop:it", unavailable="no module")
    hook = HookEntry(event="before_query", path="shop:hook", digest="a" * 64)
    one = msgspec.structs.replace(before, extensions=(there,), hooks=(hook,))
    two = msgspec.structs.replace(before, extensions=(gone,))

    assert [(c.what, c.before, c.after) for c in session_changes(one, two)] == [
        ("extension shop:it", "it 1 for DataFusion 55 no digest (TracingPort)", "unavailable: no module"),
        ("hook before_query shop:hook", "a" * 16, None),
    ]  # fmt: skip
