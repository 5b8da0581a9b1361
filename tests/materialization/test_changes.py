"""What differs between two sessions."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.materialization.records import Change, session_changes
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.presets import DEV
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.functions.snapshot import (
    FunctionEntry,
    FunctionsSnapshot,
)
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.versions import EngineVersions

HALF = FunctionEntry(
    name="half",
    kind="scalar",
    signature=("Float64",),
    returns="Float64",
    volatility="immutable",
    digest="a" * 64,
    digest_note=None,
    origin="shop.udfs:half",
    version=None,
    aliases=("hlf",),
)
BEFORE = SessionRuntime(
    settings={
        "datafusion.execution.batch_size": "8192",
        "datafusion.execution.time_zone": "UTC",
    },
    functions=FunctionsSnapshot(entries=(HALF,), builtins_digest="0" * 64),
    runtime_env=RuntimeEnvSnapshot(
        memory_pool="fair", memory_bytes=2**30, disk_manager="disk"
    ),
    versions=EngineVersions(
        datafusion="55.0.0", engine="55.2.0", deltalake="1.6.6", python="3.11.7"
    ),
    profile_hash="1" * 64,
)


def replaced(part: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    if rest:
        value = replaced(getattr(part, name), rest, value)
    return msgspec.structs.replace(part, **{name: value})


@pytest.fixture(scope="module")
def live() -> Iterator[SessionRuntime]:
    with open_session(plan_session(DEV)) as session:
        yield session.snapshot()


def test_equal_sessions_have_no_changes(live: SessionRuntime) -> None:
    assert session_changes(live, live) == ()
    turned = replaced(BEFORE, "settings", dict(reversed(BEFORE.settings.items())))
    assert session_changes(BEFORE, turned) == ()


def test_settings_that_differ_are_changes() -> None:
    settings = {"datafusion.execution.batch_size": "4096", "my_extension.mode": "x"}
    after = replaced(BEFORE, "settings", settings)

    assert session_changes(BEFORE, after) == (
        Change(what="datafusion.execution.batch_size", before="8192", after="4096"),
        Change(what="datafusion.execution.time_zone", before="UTC", after=None),
        Change(what="my_extension.mode", before=None, after="x"),
    )


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("runtime_env.memory_pool", "greedy", "runtime memory_pool"),
        ("runtime_env.memory_bytes", None, "runtime memory_bytes"),
        ("runtime_env.disk_manager", "none", "runtime disk_manager"),
        ("functions.builtins_digest", "9" * 64, "built-in functions"),
        ("versions.datafusion", "55.0.1", "version of datafusion"),
        ("versions.engine", "55.2.1", "version of engine"),
        ("versions.deltalake", "1.6.7", "version of deltalake"),
        ("versions.python", "3.12.1", "version of python"),
        ("profile_hash", "9" * 64, "profile"),
        ("functions.entries", (), "function half"),
    ],
)
def test_every_other_part_that_differs_is_a_change(
    path: str, value: Any, what: str
) -> None:
    (change,) = session_changes(BEFORE, replaced(BEFORE, path, value))

    assert change.what == what
    assert change.before != change.after


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "aggregate"),
        ("signature", ("Int64",)),
        ("returns", "Int64"),
        ("volatility", "volatile"),
        ("digest", "b" * 64),
        ("digest", None),
        ("origin", "shop.udfs:other"),
        ("aliases", ()),
    ],
    ids=range(8),
)
def test_whatever_differs_in_a_function_is_a_change(field: str, value: Any) -> None:
    entry = msgspec.structs.replace(HALF, **{field: value})
    after = replaced(BEFORE, "functions.entries", (entry,))

    (change,) = session_changes(BEFORE, after)

    assert change.what == "function half"
    assert change.before == snapshot(
        "immutable scalar aaaaaaaaaaaaaaaa (Float64) -> Float64 of shop.udfs:half alias hlf"
    )
    assert BEFORE.session_hash != after.session_hash


LEAVES = {
    "profile_hash": st.sampled_from(["1" * 64, "2" * 64]),
    "settings": st.dictionaries(
        st.sampled_from(["datafusion.execution.batch_size", "a.b"]),
        st.sampled_from(["1", "2"]),
    ),
    "runtime_env.memory_bytes": st.none() | st.integers(0, 2),
    "versions.python": st.sampled_from(["3.11.7", "3.12.1"]),
    "functions.builtins_digest": st.sampled_from(["0" * 64, "9" * 64]),
}


@given(st.fixed_dictionaries(LEAVES), st.fixed_dictionaries(LEAVES))
def test_sessions_of_two_hashes_always_differ_in_something_that_is_named(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    one, other = BEFORE, BEFORE
    for path in LEAVES:
        one, other = replaced(one, path, left[path]), replaced(other, path, right[path])

    same = one.session_hash == other.session_hash
    assert (session_changes(one, other) == ()) is same
