"""What holds for every profile there can be."""

import operator
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.build import plan_session, profile_hash
from dagster_dfsession.plan.settings import RULES, plan_settings
from dagster_dfsession.profile.base import Frozen, declared_types
from dagster_dfsession.profile.catalog import RESERVED
from dagster_dfsession.profile.codec import dump_profile, parse_profile
from dagster_dfsession.profile.fields import (
    bare,
    choices_of,
    hashed_payload,
    leaf_fields,
    metas_of,
)
from dagster_dfsession.profile.presets import DEV
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile

IDENTIFIERS = st.from_regex("[a-z_][a-z0-9_]*", fullmatch=True)
SETTINGS = st.dictionaries(
    st.sampled_from([f"datafusion.{key}" for _, key, _ in RULES]), st.text(), max_size=3
)
# What no bound of a type says.
BY_PATH: dict[str, st.SearchStrategy[Any]] = {
    "catalog.default_catalog": IDENTIFIERS.filter(lambda name: name not in RESERVED),
    "catalog.default_schema": IDENTIFIERS.filter(lambda name: name not in RESERVED),
    "catalog.information_schema": st.just(value=True),
    "hardening.time_zone": st.sampled_from([None, "UTC", "Europe/Vienna", "-03:30"]),
    "settings": SETTINGS,
}
LEAVES = {leaf.path: leaf for leaf in leaf_fields(SessionProfile)}


def values_of(declared: Any, path: str = "") -> st.SearchStrategy[Any]:  # noqa: PLR0911  # one for each kind of type
    """Return any value of a declared type, read off the type itself."""
    if path in BY_PATH:
        return BY_PATH[path]
    choices = choices_of(declared)
    if len(choices) > 1:
        # The name of a preset becomes the preset.
        kept = [c for c in choices if c is not str or not any(map(is_struct, choices))]
        return st.one_of([values_of(choice, path) for choice in kept])
    kind = bare(declared)
    if kind is types.NoneType:
        return st.none()
    if kind is bool:
        return st.booleans()
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return st.lists(values_of(typing.get_args(kind)[0]), max_size=2).map(tuple)
    if is_struct(kind):
        fields = declared_types(kind).items()
        made = {n: values_of(d, f"{path}.{n}".lstrip(".")) for n, d in fields}
        return st.builds(kind, **made)
    metas = metas_of(declared)
    if kind is int:
        low = max((m.ge for m in metas if m.ge is not None), default=0)
        high = min((m.le for m in metas if m.le is not None), default=2**60)
        return st.integers(int(low), int(high))
    assert kind is str, declared
    pattern = next((m.pattern for m in metas if m.pattern), None)
    if pattern:
        return st.from_regex(pattern, fullmatch=True)
    low = max((m.min_length for m in metas if m.min_length), default=0)
    return st.text(st.characters(codec="utf-8"), min_size=low, max_size=20)


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Frozen)


def with_leaf(part: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    if rest:
        value = with_leaf(getattr(part, name), rest, value)
    return msgspec.structs.replace(part, **{name: value})


PROFILES = values_of(SessionProfile)


@given(PROFILES)
@settings(max_examples=20)
def test_a_profile_survives_being_written_and_read(profile: SessionProfile) -> None:
    text = msgspec.json.encode(dump_profile(profile))

    again = parse_profile(msgspec.json.decode(text))

    assert again == profile
    assert profile_hash(again) == profile_hash(profile)


@given(PROFILES)
@settings(max_examples=20)
def test_what_is_laid_over_a_base_in_full_is_what_comes_out(
    profile: SessionProfile,
) -> None:
    laid = parse_profile(dump_profile(profile), base="low_memory")

    assert msgspec.structs.replace(laid, settings={}) == msgspec.structs.replace(
        profile, settings={}
    )


@given(st.data(), PROFILES)
@settings(max_examples=40)
def test_any_changed_leaf_makes_another_profile_and_another_plan(
    data: st.DataObject, profile: SessionProfile
) -> None:
    path = data.draw(st.sampled_from(sorted(LEAVES)))
    before = operator.attrgetter(path)(profile)
    after = data.draw(values_of(LEAVES[path].type, path))
    assume(after != before)
    changed = with_leaf(profile, path, after)
    assume(plans(profile) and plans(changed))

    hashed = LEAVES[path].hashed and hashed_payload(after) != hashed_payload(before)
    assert (profile_hash(changed) != profile_hash(profile)) is hashed
    assert plan_session(changed).fingerprint != plan_session(profile).fingerprint


def plans(profile: SessionProfile) -> bool:
    try:
        plan_settings(profile)
    except ProfileError:
        return False
    return True


@given(SETTINGS)
def test_settings_given_by_key_win_over_every_field(settings: dict[str, str]) -> None:
    planned = plan_settings(msgspec.structs.replace(DEV, settings=settings))

    assert {each.key: each.value for each in planned} == {
        each.key: each.value for each in plan_settings(DEV)
    } | settings
    assert [each.key for each in planned] == sorted({each.key for each in planned})
    sources = {each.key for each in planned if each.source == "settings"}
    assert sources == set(settings)


@pytest.mark.demand("D29")
@given(SETTINGS.filter(lambda settings: len(settings) > 1))
def test_the_order_of_settings_does_not_count(settings: dict[str, str]) -> None:
    turned = dict(reversed(settings.items()))
    one, other = (
        msgspec.structs.replace(DEV, settings=each) for each in (settings, turned)
    )

    assert profile_hash(one) == profile_hash(other)
    assert plan_session(one).fingerprint == plan_session(other).fingerprint


@given(PROFILES)
@settings(max_examples=20)
def test_only_forced_normalization_can_contradict_a_setting(
    profile: SessionProfile,
) -> None:
    free = SqlProfile(ident_normalization="off")

    assert plans(msgspec.structs.replace(profile, sql=free))
