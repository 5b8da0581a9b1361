"""Checks are run as Dagster runs them: in a run, over real tables."""

from collections.abc import Callable
from typing import Any, TypeAlias

import dagster as dg
import pytest

Check: TypeAlias = Callable[..., dg.AssetCheckEvaluation]


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
