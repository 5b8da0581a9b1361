"""A value that was built is as good as one that was read."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.assets.model import SqlModel
from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.base import Frozen, declared_types
from dagster_dfsession.profile.cache import CACHE_PRESETS, CacheProfile
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.fields import description_of, leaf_fields, structs_at
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hardening import HARDENING_PRESETS, HardeningProfile
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.runtime import FairPool, NoSpill, RuntimeProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SQL_POLICIES, Prepared, SqlProfile


@pytest.mark.parametrize(
    ("build", "data"),
    [
        (lambda: ExecutionProfile(batch_size=0), {"execution": {"batch_size": 0}}),
        (lambda: FairPool(size="1T"), {"runtime": {"memory_pool": {"size": "1T"}}}),
        (lambda: FairPool(size=True), {"runtime": {"memory_pool": {"size": True}}}),
        (lambda: CatalogProfile(default_schema="A"), {"catalog": {"default_schema": "A"}}),
        (lambda: DeltaProfile(compression="zstd"), {"delta": {"compression": "zstd"}}),
        (lambda: FunctionsProfile(modules=("a b",)), {"functions": {"modules": ["a b"]}}),
        (lambda: HardeningProfile(time_zone=""), {"hardening": {"time_zone": ""}}),
        (lambda: SessionProfile(name=""), {"name": ""}),
        (lambda: SessionProfile(name="x", cache="no"), {"cache": "no"}),
        (lambda: SessionProfile(name="x", settings=None), {"settings": None}),  # type: ignore[arg-type]
        (lambda: SqlProfile(policy="no"), {"sql": {"policy": "no"}}),
        (lambda: SqlProfile(dialect="x"), {"sql": {"dialect": "x"}}),  # type: ignore[arg-type]
        (lambda: Prepared(name="p", sql=""), {"sql": {"prepared": [{"name": "p", "sql": ""}]}}),
    ],
)  # fmt: skip
def test_a_constructor_refuses_what_reading_refuses(
    build: Callable[[], object], data: dict[str, Any]
) -> None:
    with pytest.raises(ProfileError):
        build()
    with pytest.raises(ProfileError):
        parse_profile(data, base="dev")


def test_a_constructor_names_the_struct_and_the_field() -> None:
    with pytest.raises(ProfileError) as refused:
        ExecutionProfile(batch_size=0)

    assert str(refused.value) == snapshot(
        "ExecutionProfile.batch_size: Expected `int` >= 1"
    )


def test_a_constructor_makes_of_a_list_the_tuple_that_reading_makes() -> None:
    built = SessionProfile(
        name="x",
        functions=FunctionsProfile(modules=["a.b"], names=["f"]),  # type: ignore[arg-type]
    )
    read = parse_profile(
        {"name": "x", "functions": {"modules": ["a.b"], "names": ["f"]}}
    )

    assert built == read
    assert hash(built.functions) == hash(read.functions)


@pytest.mark.demand("D56")
@pytest.mark.demand("D57")
def test_a_name_becomes_the_object_it_stands_for() -> None:
    profile = SessionProfile(
        name="x",
        cache="isolated",
        hardening="hardened",
        sql=SqlProfile(policy="service"),
    )

    assert profile.cache == CACHE_PRESETS["isolated"]
    assert profile.hardening == HARDENING_PRESETS["hardened"]
    assert profile.sql.policy == SQL_POLICIES["service"]


def test_a_preset_of_a_part_can_be_changed_field_by_field() -> None:
    changed = {"preset": "isolated", "metadata_limit": 7}
    policy = {"preset": "service", "allow_dml": True}
    profile = parse_profile({"cache": changed, "sql": {"policy": policy}}, base="prod")

    assert profile.cache == CacheProfile(
        list_files_limit=0, metadata_limit=7, file_statistics_limit=0
    )
    assert profile.sql.policy == SQL_POLICIES["write"]
    assert policy == {"preset": "service", "allow_dml": True}


def test_a_choice_of_another_kind_replaces_the_one_of_the_base() -> None:
    fair = parse_profile({"runtime": {"memory_pool": {"size": "1G"}}}, base="prod")
    none = parse_profile({"runtime": {"spill": {"kind": "none"}}}, base=fair)

    assert fair.runtime.memory_pool == FairPool(size="1G")
    assert none.runtime == RuntimeProfile(
        memory_pool=FairPool(size="1G"), spill=NoSpill()
    )


def test_a_profile_does_not_share_the_settings_it_was_given() -> None:
    given = {"datafusion.execution.batch_size": "1"}
    profile = SessionProfile(name="x", settings=given)
    given.clear()

    assert profile.settings == {"datafusion.execution.batch_size": "1"}
    assert SessionProfile(name="x").settings is not SessionProfile(name="y").settings


@pytest.mark.demand("D7")
def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        PRESETS["dev"].name = "other"  # type: ignore[misc]


def test_utc_needs_no_database_of_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("zoneinfo.ZoneInfo", none)

    assert HardeningProfile().time_zone == "UTC"
    with pytest.raises(ProfileError, match="Europe/Vienna"):
        HardeningProfile(time_zone="Europe/Vienna")


def test_every_leaf_says_what_it_is() -> None:
    assert [
        leaf.path for leaf in leaf_fields(SessionProfile) if not leaf.description
    ] == []


def test_only_the_spill_directory_is_a_place_of_this_host() -> None:
    spills = structs_at(SessionProfile, "$.runtime.spill")
    structs: list[type[msgspec.Struct]] = [SessionProfile, *spills]
    leaves = [leaf for struct in structs for leaf in leaf_fields(struct)]

    assert [leaf.path for leaf in leaves if not leaf.hashed] == ["directory"]


@pytest.mark.demand("D48")
def test_a_struct_has_about_ten_fields_at_most() -> None:
    structs: set[type[msgspec.Struct]] = {SessionProfile}
    for leaf in leaf_fields(SessionProfile):
        steps = leaf.path.split(".")
        for depth in range(len(steps)):
            structs |= set(structs_at(SessionProfile, "$." + ".".join(steps[:depth])))

    sizes = {each.__name__: len(each.__struct_fields__) for each in structs}
    assert {name for name, size in sizes.items() if size > 10} == {"SessionProfile"}


def test_a_default_is_what_reading_would_make_of_it() -> None:
    structs = {*structs_below(Frozen)}
    assert {SessionProfile, SqlModel} <= structs

    assert [
        f"{struct.__name__}.{each.name}"
        for struct in structs
        for each in msgspec.structs.fields(struct)
        if each.default is not msgspec.NODEFAULT
        and msgspec.convert(each.default, declared_types(struct)[each.name])
        != each.default
    ] == []


def structs_below(struct: type[Frozen]) -> Iterator[type[Frozen]]:
    """Yield the structs of the package that are made of one."""
    for each in struct.__subclasses__():
        if each.__module__.startswith("dagster_dfsession."):
            yield each
        yield from structs_below(each)


def test_a_field_that_is_not_annotated_has_no_description() -> None:
    class Bare(msgspec.Struct):
        field: int

    assert description_of(declared_types(Bare)["field"]) == ""
    assert structs_at(Bare, "$.field.deeper") == []
