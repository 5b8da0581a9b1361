"""A plugin that prints which test holds which demand: `make demands`."""

from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.demands.registry import demands, number

DEMAND = "demand"
FAILED, PASSED, SKIPPED, UNTESTED = "failed", "passed", "skipped", "no test"


class DemandsTable:
    """What became of the tests of each demand, written down as they report."""

    def __init__(self, wording: Mapping[str, str]) -> None:
        """Start with a demand that nobody has tested yet, for each that there is."""
        self.wording = wording
        self.found: dict[str, dict[str, str]] = {demand: {} for demand in wording}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome for every demand that the test names."""
        test = report.nodeid.partition("[")[0]
        for name, demand in report.user_properties:
            if name == DEMAND:
                tests = self.found.setdefault(str(demand), {})
                tests[test] = _worse(tests.get(test), report.outcome)

    def status(self, demand: str) -> str:
        """Return what holds for a demand: it is held if all of its tests passed."""
        outcomes = {*self.found[demand].values()}
        if FAILED in outcomes:
            return FAILED
        if PASSED in outcomes:
            return PASSED
        return SKIPPED if outcomes else UNTESTED

    @property
    def held(self) -> bool:
        """Whether all demands are."""
        return all(self.status(demand) == PASSED for demand in self.found)

    def lines(self) -> Iterator[str]:
        """Yield the table: the demand, then each of its tests with its status."""
        for demand in sorted(self.found, key=number):
            yield f"{demand:<4} {self.wording.get(demand, 'nobody demands this')}"
            rows = sorted(self.found[demand].items()) or [("-", UNTESTED)]
            yield from (f"     {status:<8} {test}" for test, status in rows)
        yield _total(map(self.status, self.found))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Print the table."""
        terminalreporter.section("demands")
        for line in self.lines():
            terminalreporter.write_line(line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the run fail unless every demand is held."""
        if session.exitstatus == pytest.ExitCode.OK and not self.held:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Begin a table where reports come together; workers of xdist have none."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(DemandsTable(demands()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every report say which demands its test names."""
    for item in items:
        for mark in item.iter_markers(DEMAND):
            item.user_properties.append((DEMAND, mark.args[0]))


def _worse(before: str | None, now: str) -> str:
    """Return what counts of two phases or parameters of one test."""
    order = (PASSED, SKIPPED, FAILED)
    return now if before is None else max(before, now, key=order.index)


def _total(statuses: Iterable[str]) -> str:
    found = [*statuses]
    counted = (
        f"{found.count(status)} {status}" for status in (PASSED, FAILED, SKIPPED)
    )
    return f"{len(found)} demands: {', '.join(counted)}, {found.count(UNTESTED)} without a test"
