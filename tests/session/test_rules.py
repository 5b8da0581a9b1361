"""Which rules plan a session's queries: asked for, in effect, in the hash."""

import sys
from collections.abc import Callable
from types import ModuleType

import datafusion_extra_functions as extra
import geodatafusion
import pytest
from datafusion import SessionContext
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError, SnapshotError
from dagster_dfsession.profile.extensions import RulesProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.session.functions.foreign import (
    capsule_function,
    function_bundle,
)
from dagster_dfsession.session.rules import engine_rules, read_rules
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


@pytest.mark.demand("D34")
def test_a_rule_that_is_left_out_plans_no_query(opened: Opened) -> None:
    query = "SELECT a FROM (VALUES (1), (2)) AS t(a) WHERE 1 + 1 = 2 AND a > 1"
    plain = opened()
    session = opened(rules=RulesProfile(remove=("simplify_expressions",)))

    assert (
        "Int64(1) + Int64(1)"
        not in plain.sql(query).optimized_logical_plan().display_indent()
    )
    assert (
        "Int64(1) + Int64(1)"
        in session.sql(query).optimized_logical_plan().display_indent()
    )
    assert session.sql(query).to_pydict() == {"a": [2]}
    assert (
        "simplify_expressions" not in read_rules(session.without_statistics()).logical
    )


def test_the_rules_in_effect_are_in_the_session_hash_whoever_changed_them(
    opened: Opened,
) -> None:
    asked = opened(rules=RulesProfile(remove=("eliminate_limit",))).snapshot()
    plain = opened()
    before = plain.snapshot()
    plain.ctx.remove_optimizer_rule("eliminate_limit")
    after = plain.snapshot()

    assert before.rules == engine_rules()
    assert after.rules == asked.rules != before.rules
    assert after.rules.digest != before.rules.digest
    assert after.session_hash != before.session_hash
    assert after.profile_hash == before.profile_hash


def test_an_unknown_rule_is_refused_with_all_that_are_known(opened: Opened) -> None:
    with pytest.raises(InstallError) as refused:
        opened(rules=RulesProfile(remove=("pushdown_filter",)))

    message = str(refused.value)
    assert message.startswith("phase 'planning_extensions' could not install 'rules.remove pushdown_filter': the engine has no logical rule of this name; it has ")  # fmt: skip
    assert message.endswith("Did you mean 'push_down_filter'?")
    assert all(name in message for name in engine_rules().logical)


def test_an_analyzer_rule_cannot_be_left_out(opened: Opened) -> None:
    assert "type_coercion" in engine_rules().analyzer

    with pytest.raises(InstallError, match="no logical rule of this name"):
        opened(rules=RulesProfile(remove=("type_coercion",)))


def test_what_is_no_physical_rule_is_refused(opened: Opened) -> None:
    with pytest.raises(InstallError) as refused:
        opened(rules=RulesProfile(add=("builtins:object",)))

    assert str(refused.value) == snapshot(
        "phase 'planning_extensions' could not install 'builtins:object': RuntimeError: \"Invalid datafusion_physical_optimizer_rule. Does not contain PyCapsule object.\"; name a callable that returns an object with __datafusion_physical_optimizer_rule__"
    )


def test_a_rule_that_runs_twice_is_listed_twice() -> None:
    assert engine_rules().physical.count("OutputRequirements") == 2
    assert len(set(engine_rules().logical)) == len(engine_rules().logical)


@pytest.mark.demand("D79")
def test_rules_that_cannot_be_read_are_an_error_and_no_empty_list() -> None:
    class Deaf(SessionContext):
        def sql(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise RuntimeError("not today")

    with pytest.raises(SnapshotError, match="rules could not be read: not today"):
        read_rules(Deaf())


@pytest.mark.demand("D41")
def test_compiled_libraries_show_in_the_snapshot_and_in_the_hash(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("compiled")
    vars(module)["geo"] = function_bundle(
        geodatafusion.register_all,
        distribution="geodatafusion",
        volatility="immutable",
    )
    vars(module)["mode"] = capsule_function(
        lambda: extra.udaf_by_name("mode"),
        kind="aggregate",
        volatility="immutable",
        distribution="datafusion-extra-functions",
    )
    monkeypatch.setitem(sys.modules, "compiled", module)
    both = opened(functions={"modules": ["compiled"]})
    one = opened(functions={"modules": ["compiled:mode"]})

    versions = {e.origin: e.version for e in both.snapshot().functions.entries}
    assert set(versions) == {"geodatafusion", "datafusion-extra-functions"}
    assert all(versions.values())
    assert both.snapshot().session_hash != one.snapshot().session_hash
    query = "SELECT mode(a) AS m FROM (VALUES (1), (1), (2)) AS t(a)"
    assert both.sql(query).to_pydict() == {"m": [1]}
    assert both.sql("SELECT st_astext(st_point(1, 2)) AS p").to_pydict() == {"p": ["POINT(1 2)"]}  # fmt: skip


def test_a_rule_that_a_hook_leaves_out_counts_too(opened: Opened) -> None:
    hooked = HooksProfile(after_session=("tests.session.test_rules:without_limit",))

    assert "eliminate_limit" not in opened(hooks=hooked).snapshot().rules.logical


def without_limit(ctx: SessionContext) -> None:
    ctx.remove_optimizer_rule("eliminate_limit")
