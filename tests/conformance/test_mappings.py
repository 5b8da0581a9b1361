"""A downstream asset whose partitions are others than those it reads."""

import dagster as dg
import pytest

from tests.conformance.bench import Asset
from tests.conformance.shapes import ABC, DAILY, SHAPES, WEEKLY

# Most mappings are; that they may change is a reason to have them here.
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

DAYS = pytest.mark.parametrize("shape", ["daily, date", "daily, UTC timestamp"])
LETTERS = pytest.mark.parametrize("shape", ["static, string"])
CELLS = pytest.mark.parametrize("shape", ["date x static"])


@pytest.fixture
def three(written: Asset) -> Asset:
    """An asset with rows of its first three keys."""
    if 2 not in written.due:
        written.write(2)
    return written


@DAYS
def test_a_day_read_with_the_day_before(three: Asset) -> None:
    before = dg.TimeWindowPartitionMapping(start_offset=-1)
    three.read([1, 2], into=DAILY, keys=["2026-03-03"], mapping=before)


@DAYS
def test_the_first_day_read_with_a_day_before_it(three: Asset) -> None:
    before = dg.TimeWindowPartitionMapping(
        start_offset=-1, allow_nonexistent_upstream_partitions=True
    )
    three.read([0], into=DAILY, keys=["2026-03-01"], mapping=before)


@DAYS
def test_a_week_of_days_read(three: Asset) -> None:
    three.read([0, 1, 2], into=WEEKLY, keys=["2026-03-01"])


@LETTERS
def test_keys_read_that_are_no_neighbours(three: Asset) -> None:
    first, _, third = ABC.get_partition_keys()
    outer = dg.StaticPartitionsDefinition(["outer"])
    mapping = dg.StaticPartitionMapping({first: "outer", third: "outer"})
    three.read([0, 2], into=outer, keys=["outer"], mapping=mapping)


@LETTERS
def test_the_last_key_read_by_an_asset_without_partitions(three: Asset) -> None:
    three.read([2], mapping=dg.LastPartitionMapping())


@CELLS
def test_one_day_of_two_dimensions_read(three: Asset) -> None:
    mapping = dg.MultiToSingleDimensionPartitionMapping("day")
    three.read([0, 1], into=DAILY, keys=["2026-03-01"], mapping=mapping)


@CELLS
def test_given_keys_read_by_an_asset_without_partitions(three: Asset) -> None:
    every = SHAPES["date x static"].definition.get_partition_keys()
    given = [key for key in every if key in SHAPES["date x static"].keys[1:3]]
    mapping = dg.SpecificPartitionsPartitionMapping(given)
    three.read([1, 2], mapping=mapping)
