"""What the engine can do is tried, what was wanted is held against what is."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dagster_dfsession.profile.extensions import Extension, RulesProfile
from dagster_dfsession.profile.features import FeaturesProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.runtime import NoSpill, RuntimeProfile
from dagster_dfsession.profile.sql import Prepared, SqlProfile
from dagster_dfsession.session import capabilities
from dagster_dfsession.session.capabilities import engine_capabilities
from dagster_dfsession.session.features import feature_states
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


@pytest.mark.demand("D2")
@pytest.mark.demand("D37")
@pytest.mark.demand("D38")
@pytest.mark.demand("D39")
def test_this_engine_can_do_all_but_two() -> None:
    found = engine_capabilities()

    missing = {name: each.missing for name, each in found.items() if not each.there}
    assert set(missing) == {"cache_tables", "function_factory"}
    assert "metadata_cache" in str(missing["cache_tables"])
    assert "Function factory has not been configured" in str(
        missing["function_factory"]
    )


def test_it_is_tried_once_a_process_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine_capabilities.cache_clear()

    assert engine_capabilities() is engine_capabilities()
    assert list(tmp_path.iterdir()) == []


def test_what_is_accepted_without_effect_is_not_there(tmp_path: Path) -> None:
    idle = capabilities._tried("idle", lambda at: at.exists() and False, tmp_path)  # noqa: SLF001  # the one door to a trial

    assert idle.missing == "it was accepted and had no effect"


@pytest.mark.demand("D64")
@pytest.mark.demand("D65")
def test_every_feature_says_what_was_wanted_and_what_is(
    opened: Opened, shop: ModuleType
) -> None:
    del shop
    session = opened(
        features=FeaturesProfile(dynamic_filters=False),
        runtime=RuntimeProfile(spill=NoSpill()),
        functions=FunctionsProfile(spark=True),
        rules=RulesProfile(remove=("eliminate_limit",)),
        sql=SqlProfile(prepared=(Prepared(name="one", sql="SELECT 1"),)),
        extensions=(Extension(path="shop:gone", optional=True),),
    )
    states = {each.feature: each for each in feature_states(session)}

    on = {name for name, each in states.items() if each.in_effect}
    assert {name for name in states if name.startswith("features.")} - on == {
        "features.dynamic_filters",
        "features.join_dynamic_filters",
        "features.aggregate_dynamic_filters",
        "features.topk_dynamic_filters",
    }
    assert {"functions.spark", "rules.remove eliminate_limit", "sql.prepared"} <= on
    assert not {"runtime.spill", "sql.url_tables", "extension shop:gone"} & on
    odd = [each for each in states.values() if not each.as_wanted]
    assert [each.feature for each in odd] == ["extension shop:gone"]
    assert "shop has no callable 'gone'" in odd[0].note
    assert not odd[0].can


@pytest.mark.demand("D27")
def test_what_is_changed_behind_the_profile_is_not_as_wanted(opened: Opened) -> None:
    session = opened(rules=RulesProfile(remove=("eliminate_limit",)))
    session.ctx.sql("SET datafusion.optimizer.enable_sort_pushdown = false")

    odd = [each for each in feature_states(session) if not each.as_wanted]

    assert [each.feature for each in odd] == ["features.sort_pushdown"]
    assert odd[0].wanted
    assert odd[0].can


@pytest.mark.parametrize(
    "off", ["join_dynamic_filters", "aggregate_dynamic_filters", "topk_dynamic_filters"]
)
def test_one_kind_of_dynamic_filters_can_be_off_alone(off: str, opened: Opened) -> None:
    session = opened(features=FeaturesProfile(**{off: False}))

    not_on = [each.feature for each in feature_states(session) if not each.in_effect]
    assert f"features.{off}" in not_on
    assert len([name for name in not_on if "dynamic" in name]) == 1


def test_all_kinds_of_dynamic_filters_are_off_with_the_gate_by_key(
    opened: Opened,
) -> None:
    key = "datafusion.optimizer.enable_dynamic_filter_pushdown"
    session = opened(settings={key: "false"})

    not_on = {each.feature for each in feature_states(session) if not each.in_effect}
    assert {f"features.{kind}_dynamic_filters" for kind in ("join", "aggregate", "topk")} <= not_on  # fmt: skip
    assert session.snapshot().settings[key] == "false"
