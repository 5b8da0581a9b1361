"""Each kind of partitions over each type of column: overwritten, and read back."""

import pytest

from tests.conformance.bench import Asset, Bench
from tests.conformance.shapes import SHAPES

EVERY = pytest.mark.parametrize("shape", SHAPES)
# One spelling of a text key is like another as far as ranges go.
DISTINCT = [name for name in SHAPES if not name.startswith("dynamic, ")]
RANGES = [name for name in DISTINCT if len(SHAPES[name].part) > 1]


@EVERY
def test_two_keys_one_by_one_then_one_again(asset: Asset) -> None:
    """A window is written once before its neighbour and once after it."""
    for number in (0, 1, 0):
        asset.write(number)


@pytest.mark.parametrize("shape", RANGES)
def test_a_range_over_keys_that_are_there(written: Asset) -> None:
    """Of two dimensions, it is the keys of one with a single key of the other."""
    written.write(*written.part)


@EVERY
def test_a_key_read(written: Asset) -> None:
    written.read_own(1)


@pytest.mark.parametrize("shape", RANGES)
def test_a_range_read(written: Asset) -> None:
    written.read_own(*written.part)


@pytest.mark.parametrize("shape", DISTINCT)
def test_all_keys_read(written: Asset) -> None:
    written.read(list(written.due))


@pytest.mark.parametrize("shape", DISTINCT)
def test_all_keys_in_one_run_then_one_again(bench: Bench, shape: str) -> None:
    asset = bench.asset(SHAPES[shape])
    asset.write(*range(len(SHAPES[shape].keys)))
    asset.write(1)
