"""Modules of declarations, collected."""

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.errors import FunctionError
from dagster_dfsession.session.functions.library import load_library

Project = Callable[..., ModuleType]

UDFS = """
import pyarrow as pa
from dagster_dfsession.session.functions.declare import scalar_udf

@scalar_udf(
    inputs=[pa.int64()], returns=pa.int64(), volatility="immutable", aliases=["same"]
)
def identity(values):
    return values

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def again(values):
    return identity(values)
"""
IMPORTING = "from shop.udfs import identity as renamed"


def test_declarations_are_found_where_they_are_written_and_where_imported(
    project: Project,
) -> None:
    project(UDFS, more=IMPORTING)

    assert list(load_library(["shop.udfs"]).functions) == ["again", "identity", "same"]
    assert list(load_library(["shop.more"]).functions) == ["identity", "same"]
    assert list(load_library(["shop.udfs:again"]).functions) == ["again"]


def test_a_function_that_calls_a_declared_one_changes_with_it(project: Project) -> None:
    project(UDFS)
    before = load_library(["shop.udfs"]).digests
    project(UDFS.replace("return values", "return values[:]"))
    after = load_library(["shop.udfs"]).digests

    assert before["again"].sha256 != after["again"].sha256
    assert None not in {before["again"].sha256, after["again"].sha256}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    order=st.lists(
        st.sampled_from(["shop.udfs", "shop.more", "shop.udfs:again"]), min_size=3
    )
)
def test_the_order_of_modules_does_not_count(
    project: Project, order: list[str]
) -> None:
    project(UDFS, more=IMPORTING)
    one, other = load_library(order), load_library(sorted(order))

    assert one.functions == other.functions
    assert list(one.functions) == list(other.functions)
    assert one.digests == other.digests


def test_no_modules_make_an_empty_library() -> None:
    assert dict(load_library([]).functions) == {}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("shop.nowhere", "there is no module 'shop.nowhere'"),
        ("nowhere.at.all", "there is no module 'nowhere.at.all'"),
        ("shop.broken", "its own import of 'numpyy' failed: No module named 'numpyy'"),
        ("shop.failing", "importing it failed: ZeroDivisionError: division by zero"),
        ("shop.lacking", "importing it failed: ImportError: cannot import name 'sinn'"),
        ("shop.empty", "the module 'shop.empty' declares no function"),
        ("shop.udfs:agian", "declares again, identity. Did you mean 'again'?"),
    ],
)
def test_what_cannot_be_loaded_says_what_and_why(
    project: Project, path: str, said: str
) -> None:
    project(
        UDFS,
        broken="import numpyy",
        failing="1 / 0",
        lacking="from math import sinn",
        empty="x = 1",
    )

    with pytest.raises(FunctionError) as refused:
        load_library([path])

    assert said in str(refused.value)


def test_two_functions_of_one_name_are_refused_by_their_origins(
    project: Project,
) -> None:
    project(UDFS, more=UDFS.replace("def again", "def once_more"))

    with pytest.raises(FunctionError) as refused:
        load_library(["shop.udfs", "shop.more"])

    assert str(refused.value) == snapshot(
        "two functions are called 'identity': shop.udfs:identity and shop.more:identity; give one of them another name"
    )
