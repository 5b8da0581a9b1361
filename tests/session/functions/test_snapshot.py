"""What a built session says of its functions, and the hash of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import geodatafusion
import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext, udf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_dfsession.errors import SnapshotError
from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.functions.library import Library, load_library
from dagster_dfsession.session.functions.registry import builtins_of, new_session
from dagster_dfsession.session.functions.snapshot import (
    FunctionEntry,
    FunctionsSnapshot,
    read_functions,
)

Project = Callable[..., ModuleType]

UDFS = """
import datafusion_extra_functions as extra
import geodatafusion
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from dagster_dfsession.session.functions.declare import scalar_udf, table_function
from dagster_dfsession.session.functions.foreign import (
    capsule_function, function_bundle
)

OPEN = object()

@scalar_udf(
    inputs=[pa.float64(), pa.utf8()], returns=pa.float64(), volatility="immutable",
    aliases=["dbl"],
)
def double(values, unit):
    return pc.multiply(values, 2.0)

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="volatile")
def dice(values):
    return values

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def opaque(values):
    return values if OPEN else None

@table_function(volatility="immutable")
def days():
    return ds.dataset(pa.table({"n": [1]}))

mode = capsule_function(
    lambda: extra.udaf_by_name("mode"), kind="aggregate", volatility="immutable",
    distribution="datafusion-extra-functions",
)
geo = function_bundle(
    geodatafusion.register_all, distribution="geodatafusion", volatility="immutable"
)
"""


@pytest.fixture
def library(project: Project) -> Library:
    project(UDFS)
    return load_library(["shop.udfs"])


def installed(library: Library, names: list[str] | None = None) -> SessionContext:
    ctx = new_session()
    install_functions(ctx, library, names)
    return ctx


def entry(snapshot: FunctionsSnapshot, name: str) -> FunctionEntry:
    (found,) = snapshot.used([name])
    return found


def test_a_function_of_the_project_is_recorded_as_registered(library: Library) -> None:
    found = entry(read_functions(installed(library), library), "dbl")

    assert found == FunctionEntry(
        name="double",
        kind="scalar",
        signature=("Float64", "String"),
        returns="Float64",
        volatility="immutable",
        digest=library.digests["double"].sha256,
        digest_note=None,
        origin="shop.udfs:double",
        version=None,
        aliases=("dbl",),
    )
    assert found.digest is not None


def test_a_table_function_is_recorded(library: Library) -> None:
    found = entry(read_functions(installed(library), library), "days")

    assert (found.kind, found.signature, found.returns) == ("table", (), "TABLE")


def test_functions_of_other_libraries_are_recorded_with_their_versions(
    library: Library,
) -> None:
    snapshot = read_functions(installed(library), library)

    mode, length = entry(snapshot, "mode"), entry(snapshot, "st_length2d")
    assert (mode.origin, mode.version) == ("datafusion-extra-functions", "0.5.5")
    assert (length.name, length.origin) == ("st_length", "geodatafusion")
    assert mode.digest != length.digest
    assert None not in {mode.digest, length.digest}
    assert [e.name for e in snapshot.entries] == sorted(
        e.name for e in snapshot.entries
    )


def test_a_function_registered_by_hand_is_recorded_as_unknown(library: Library) -> None:
    ctx = installed(library)
    ctx.register_udf(udf(lambda x: x, [pa.int64()], pa.int64(), "immutable", "By Hand"))
    snapshot = read_functions(ctx, library)

    found = entry(snapshot, "By Hand")
    assert (found.origin, found.digest, found.signature) == (
        "unknown",
        None,
        ("Int64",),
    )
    assert not snapshot.deterministic(["By Hand"])
    assert snapshot.hash != read_functions(installed(library), library).hash


def test_a_built_in_function_replaced_by_hand_does_not_go_unseen() -> None:
    ctx = new_session()
    ctx.register_udf(udf(lambda x: x, [pa.int64()], pa.int64(), "immutable", "abs"))
    snapshot = read_functions(ctx, Library())

    assert entry(snapshot, "abs").origin == "unknown"


def test_a_bare_session_has_no_user_functions() -> None:
    assert read_functions(new_session(), Library()).entries == ()


def test_spark_functions_count_as_built_in_where_they_are_wanted() -> None:
    ctx = new_session(spark=True)
    with_spark = read_functions(ctx, Library(), spark=True)

    assert with_spark.entries == ()
    assert with_spark.hash != read_functions(new_session(), Library()).hash


def test_only_what_was_installed_is_expected(library: Library) -> None:
    ctx = installed(library, ["double"])

    assert len(read_functions(ctx, library, ["dbl", "double"]).entries) == 1
    with pytest.raises(SnapshotError, match="'box2d', but the session has dbl, double"):
        read_functions(ctx, library)


def test_a_function_that_was_removed_is_missed(library: Library) -> None:
    ctx = installed(library)
    ctx.deregister_udf("dbl")

    with pytest.raises(SnapshotError, match="'dbl'"):
        read_functions(ctx, library)


@pytest.mark.parametrize("volatility", ["volatile", "immutable"])
def test_a_function_that_was_replaced_is_noticed(
    library: Library, volatility: str
) -> None:
    ctx = installed(library)
    inputs = [pa.int64()] * (2 if volatility == "volatile" else 1)
    ctx.register_udf(udf(lambda *x: x[0], inputs, pa.int64(), volatility, "double"))

    with pytest.raises(SnapshotError, match="something replaced it"):
        read_functions(ctx, library)


def test_a_session_that_does_not_list_its_functions_is_refused() -> None:
    ctx = SessionContext(SessionConfig().with_information_schema(enabled=False))

    with pytest.raises(SnapshotError, match=r"catalog.information_schema = 'true'"):
        read_functions(ctx, Library())


def test_a_session_with_another_default_catalog_lists_its_functions() -> None:
    config = SessionConfig().with_information_schema(enabled=True)
    ctx = SessionContext(
        config.with_default_catalog_and_schema(
            "lake", "public"
        ).with_create_default_catalog_and_schema(enabled=False)
    )

    assert read_functions(ctx, Library()).entries == ()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["double", "dice", "opaque", "days", "mode", "st_area"]))
def test_the_order_of_registration_does_not_count(
    library: Library, order: list[str]
) -> None:
    ctx = new_session()
    for name in order:
        install_functions(ctx, library, [name])

    assert read_functions(ctx, library).hash == (
        read_functions(installed(library), library).hash
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("values, 2.0", "values, 3.0"),
        ("pa.utf8()", "pa.large_utf8()"),
        ('aliases=["dbl"]', 'aliases=["twice"]'),
        ("def double", "def doubled"),
        ('volatility="volatile"', 'volatility="stable"'),
    ],
)
def test_a_changed_function_changes_the_hash(
    project: Project, library: Library, old: str, new: str
) -> None:
    before = read_functions(installed(library), library).hash
    project(UDFS.replace(old, new))
    changed = load_library(["shop.udfs"])

    assert read_functions(installed(changed), changed).hash != before


def test_two_processes_agree_on_the_hash(tmp_path: Path) -> None:
    (tmp_path / "shop_udfs.py").write_text(UDFS, encoding="utf-8")
    script = (
        "from dagster_dfsession.session.functions.install import install_functions\n"
        "from dagster_dfsession.session.functions.library import load_library\n"
        "from dagster_dfsession.session.functions.registry import new_session\n"
        "from dagster_dfsession.session.functions.snapshot import read_functions\n"
        "library, ctx = load_library(['shop_udfs']), new_session()\n"
        "install_functions(ctx, library)\n"
        "print(read_functions(ctx, library).hash)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])

    def run(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert run("1") == run("2")


def test_built_in_functions_are_read_once() -> None:
    builtins_of("55.0.0")
    start = time.perf_counter()
    builtins_of("55.0.0")

    assert time.perf_counter() - start < 0.001
    assert builtins_of("55.0.0").digest != builtins_of("55.0.1").digest


def test_a_bundle_registered_by_hand_is_seen_whole() -> None:
    ctx = new_session()
    geodatafusion.register_all(ctx)
    found = read_functions(ctx, Library()).names

    assert {"st_area", "st_length", "st_length2d", "st_extent"} <= set(found)
