"""Checks are run as Dagster runs them: in a run, over real tables."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import pytest

Check: TypeAlias = Callable[..., dg.AssetCheckEvaluation]

HEAD = """\
import pyarrow as pa
import pyarrow.compute as pc
from dagster_dfsession import scalar_udf
INT = pa.int64()
"""
FUNCTION = """
@scalar_udf(
    inputs=[INT],
    returns=INT,
    volatility="immutable",
    shadows_builtin="{name}" == "abs",
)
def {name}(x):
    return pc.add(x, {more})
"""


@pytest.fixture
def check(run: Callable[..., dg.ExecuteInProcessResult]) -> Check:
    """Run checks alone, on assets that are there; return the evaluation of the first."""

    def evaluate(*given: Any, **options: Any) -> dg.AssetCheckEvaluation:
        checks = [each for each in given if isinstance(each, dg.AssetChecksDefinition)]
        result = run(
            *given,
            selection=dg.AssetSelection.checks(*checks),
            raise_on_error=False,
            **options,
        )
        return result.get_asset_check_evaluations()[0]

    return evaluate


@pytest.fixture
def module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Write a module of functions, each with the number that it adds."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, **functions: int) -> str:
        body = "".join(FUNCTION.format(name=f, more=n) for f, n in functions.items())
        tmp_path.joinpath(f"{name}.py").write_text(HEAD + body)
        return name

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)
