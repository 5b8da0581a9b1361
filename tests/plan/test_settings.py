"""How wishes are spelt for the engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.classification import SETTINGS
from dagster_dfsession.plan.quoting import quoted_identifier, quoted_literal
from dagster_dfsession.plan.settings import (
    DESCRIBED_ELSEWHERE,
    MOVES_SPILLING,
    RULES,
    duration_text,
    plan_settings,
    size_text,
)
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.session import SessionProfile

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


@given(st.integers(0, 2**50))
def test_a_size_is_written_in_full_kibibytes_and_never_less(size: int) -> None:
    text = size_text(size)

    assert 0 <= int(text[:-1]) * UNITS[text[-1]] - size < 1024


@given(st.integers(1, 10**7))
def test_a_duration_is_written_to_the_second(seconds: int) -> None:
    minutes, _, rest = duration_text(seconds).rpartition("m")

    assert int(minutes or 0) * 60 + int(rest.removesuffix("s") or 0) == seconds


def test_what_nobody_asked_for_is_left_to_the_engine() -> None:
    keys = {each.key for each in plan_settings(SessionProfile(name="x"))}

    assert "datafusion.execution.target_partitions" not in keys
    assert "datafusion.runtime.list_files_cache_ttl" not in keys


@pytest.mark.demand("D51")
def test_every_setting_says_which_field_asks_for_it() -> None:
    profile = SessionProfile(
        name="x",
        execution=ExecutionProfile(batch_size=7),
        settings={"datafusion.explain.format": "tree"},
    )
    found = {each.key: each for each in plan_settings(profile)}

    assert found["datafusion.execution.batch_size"].source == "execution.batch_size"
    assert found["datafusion.explain.format"].value == "tree"
    assert found["datafusion.explain.format"].source == "settings"


@pytest.mark.demand("D51")
def test_no_two_fields_speak_for_one_key() -> None:
    keys = [f"datafusion.{key}" for _, key, _ in RULES]

    assert len(keys) == len(set(keys))
    assert not set(keys) & (set(DESCRIBED_ELSEWHERE) | MOVES_SPILLING)


def test_every_key_of_a_rule_exists() -> None:
    known = set(SETTINGS)

    assert {f"datafusion.{key}" for _, key, _ in RULES} <= known
    assert set(DESCRIBED_ELSEWHERE) | MOVES_SPILLING <= known


@pytest.mark.parametrize("key", sorted({*DESCRIBED_ELSEWHERE, *MOVES_SPILLING}))
def test_no_setting_contradicts_a_field(key: str) -> None:
    profile = SessionProfile(name="x", settings={key: "1G"})

    with pytest.raises(ProfileError) as refused:
        plan_settings(profile)
    assert refused.value.path == f"$.settings[{key!r}]"


def test_reproducible_leaves_nothing_to_the_machine() -> None:
    found = {e.key: e.value for e in plan_settings(PRESETS["reproducible"])}

    assert found["datafusion.execution.target_partitions"] == "1"
    assert found["datafusion.execution.planning_concurrency"] == "1"
    assert found["datafusion.execution.collect_statistics"] == "false"
    assert found["datafusion.execution.time_zone"] == "UTC"


@given(st.text())
def test_quoting_can_be_undone(text: str) -> None:
    for quote, quoted in (("'", quoted_literal(text)), ('"', quoted_identifier(text))):
        assert quoted[0] == quoted[-1] == quote
        assert quoted[1:-1].replace(quote * 2, quote) == text
        assert quote not in quoted[1:-1].replace(quote * 2, "")
