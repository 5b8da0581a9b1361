"""Which functions a plan calls, and whether it gives its rows again."""

from collections.abc import Callable
from types import ModuleType

import pytest
from datafusion import SessionContext

from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.functions.library import Library, load_library
from dagster_dfsession.session.functions.registry import new_session
from dagster_dfsession.session.functions.snapshot import (
    FunctionEntry,
    FunctionsSnapshot,
    functions_in_plan,
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


def test_a_plan_is_reproducible_if_its_functions_are(library: Library) -> None:
    snapshot = read_functions(installed(library), library)

    assert snapshot.deterministic(["double", "mode", "st_area", "unheard_of"])
    assert not snapshot.deterministic(["dbl", "dice"])
    assert not snapshot.deterministic(["opaque"])
    assert "global 'OPEN'" in str(entry(snapshot, "opaque").digest_note)


def test_the_functions_of_a_plan_are_found_in_its_text(library: Library) -> None:
    ctx = installed(library)
    names = read_functions(ctx, library).names
    plan = ctx.sql(
        "SELECT mode(dbl(x, 'dice')), sum(x) FROM (VALUES (1.0)) t(x), days() "
        "WHERE st_length2d(st_point(x, x)) >= 0"
    ).logical_plan()

    assert functions_in_plan(plan.display_indent(), names) == (
        "days",
        "dbl",
        "mode",
        "st_length",
        "st_point",
    )


def test_a_call_on_constants_is_in_the_unoptimized_plan_only(library: Library) -> None:
    frame = installed(library, ["double"]).sql("SELECT double(1.0, 'm') AS x")

    plans = (frame.logical_plan(), frame.optimized_logical_plan())
    found = [functions_in_plan(p.display_indent(), ["double"]) for p in plans]
    assert found == [("double",), ()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("double(x)", ("double",)),
        ("redouble(x), double (x), t.double", ()),
        ("By Hand(x)", ("By Hand",)),
    ],
)
def test_a_name_counts_as_called_before_a_parenthesis(
    text: str, found: tuple[str, ...]
) -> None:
    assert functions_in_plan(text, ["double", "By Hand"]) == found
