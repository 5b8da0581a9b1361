"""The IO manager under test, and what came of each case."""

from collections.abc import Generator, Iterator

import dagster as dg
import pytest

from tests.conformance.bench import Asset, Bench
from tests.conformance.outcome import Fallen, Outcome
from tests.conformance.shapes import SHAPES
from tests.conformance.subject import Subject, named_subject

OURS = "tests.conformance.peers.dfsession:Dfsession"

# Each needs a package that the others' environments do not have.
collect_ignore = ["peers"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--io-manager",
        metavar="MODULE:FACTORY",
        default=OURS,
        help=f"what the conformance suite tests (default: {OURS})",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave the outcome in the report that `--junit-xml` writes."""
    report = yield
    is_over = call.when == "call" or (call.when == "setup" and call.excinfo is not None)
    if is_over and isinstance(item, pytest.Function):
        item.user_properties.append(("outcome", outcome_of(call).value))
    return report


def outcome_of(call: pytest.CallInfo[None]) -> Outcome:
    if call.excinfo is None:
        return Outcome.OK
    if call.excinfo.errisinstance(pytest.skip.Exception):
        return Outcome.NOT_OFFERED
    error = call.excinfo.value
    if not isinstance(error, Fallen):
        return Outcome.BROKEN
    return error.outcome if call.when == "call" else Outcome.NOT_REACHED


@pytest.fixture(scope="session")
def io_manager_name(request: pytest.FixtureRequest) -> str:
    # In a run of the whole repository this file is read after the command line.
    name: str = request.config.getoption("io_manager", OURS)
    return name


@pytest.fixture(scope="session")
def subject(io_manager_name: str) -> Subject:
    return named_subject(io_manager_name)


@pytest.fixture(scope="module")
def bench(
    subject: Subject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One for all cases of a module: each has assets of its own."""
    # A database file for each of some hundred runs would take most of the time.
    with dg.DagsterInstance.ephemeral() as instance:
        yield Bench(subject, tmp_path_factory.mktemp("lake"), instance)


@pytest.fixture(scope="module")
def kept() -> dict[str, Asset]:
    """Assets that cases have left as they should be: the next case need not begin."""
    return {}


@pytest.fixture
def asset(bench: Bench, kept: dict[str, Asset], shape: str) -> Asset:
    """An asset of a shape, without rows or with those that it owes."""
    known = kept.get(shape)
    if known is None or not known.is_right():
        known = kept[shape] = bench.asset(SHAPES[shape])
    return known


@pytest.fixture
def written(asset: Asset) -> Asset:
    """The same with rows of its first two keys."""
    for number in (0, 1):
        if not asset.due.get(number):
            asset.write(number)
    return asset
