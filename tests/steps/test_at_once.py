"""Steps at once share the memory of one pool."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import SessionError
from dagster_dfsession.steps.at_once import executor_limit, most_at_once

MIB = 2**20
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Ran = Callable[..., "Outcome"]


class Outcome:
    """A run, by its events."""

    def __init__(self, events: list[dg.DagsterEvent]) -> None:
        self.made = [
            event.step_materialization_data.materialization
            for event in events
            if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
        ]
        self.failures = [
            f"{event.message} {event.event_specific_data}"
            for event in events
            if event.is_failure
        ]

    def numbers(self, key: str) -> list[Any]:
        """Return a metadata value of each materialization."""
        return [each.metadata[f"dfsession/{key}"].value for each in self.made]

    def limits_mib(self) -> list[int]:
        """Return the size of each step's memory pool, as its settings say."""
        tables = [made.metadata["dfsession/settings"] for made in self.made]
        texts = [
            str(row.data["value"])
            for table in tables
            if isinstance(table, dg.TableMetadataValue)
            for row in table.records
            if row.data["key"] == "runtime.memory_limit"
        ]
        return [int(text.removesuffix("M")) for text in texts]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


@pytest.fixture
def ran(instance: dg.DagsterInstance, tmp_path: Path) -> Ran:
    """Run assets that sort, each by itself."""

    def run(
        size: str,
        executor: str = "spread",
        *,
        in_pool: int = 0,
        steps: int = 4,
        config: Mapping[str, Any] | None = None,
        only: int | None = None,
        rows: int = 1000,
    ) -> Outcome:
        arguments: tuple[Any, ...] = (
            size,
            str(tmp_path),
            executor,
            in_pool,
            steps,
            rows,
        )
        job = dg.build_reconstructable_job("tests.steps.sharing", "job", arguments)
        execution = {"execution": {"config": dict(config)}} if config else {}
        keys = [
            dg.AssetKey(f"sort_{n}") for n in range(steps if only is None else only)
        ]
        with dg.execute_job(
            job,
            instance,
            run_config=QUIET | execution,
            asset_selection=keys,
            raise_on_error=False,
        ) as result:
            logged = instance.all_logs(result.run_id)
        return Outcome([each.dagster_event for each in logged if each.dagster_event])

    return run


def test_four_hungry_steps_at_once_share_one_budget_and_all_succeed(ran: Ran) -> None:
    made = ran("256M", rows=1_200_000)

    assert made.failures == []
    assert sum(made.limits_mib()) == 256
    assert len(made.numbers("spilled_bytes")) == 4
    assert all(spilled > 0 for spilled in made.numbers("spilled_bytes"))
    assert len(set(made.numbers("session_hash"))) == 1


def test_a_step_that_is_alone_has_all_and_the_same_hash(ran: Ran) -> None:
    many = ran(
        "256M", "default", config={"multiprocess": {"max_concurrent": 2}}, only=2
    )
    one = ran("256M", "default", config={"multiprocess": {"max_concurrent": 2}}, only=1)
    inside = ran("256M", "default", config={"in_process": {}}, only=1)

    assert many.failures + one.failures + inside.failures == []
    assert many.limits_mib() == [128, 128]
    assert one.limits_mib() == inside.limits_mib() == [256]
    hashes = [each.numbers("session_hash") for each in (many, one, inside)]
    assert len({value for each in hashes for value in each}) == 1


def test_steps_that_a_pool_of_dagster_holds_back_are_not_counted(
    instance: dg.DagsterInstance, ran: Ran
) -> None:
    instance.event_log_storage.set_concurrency_slots("heavy", 1)

    made = ran("256M", in_pool=2, steps=2)

    assert made.failures == []
    assert made.limits_mib() == [256, 256]


def test_a_share_that_is_too_small_says_what_there_is_and_what_to_do(ran: Ran) -> None:
    made = ran("200M")

    assert len(made.failures) == 5  # the steps, and the run
    assert (
        "200 MiB shared by 4 steps at once leave each 50 MiB, and a step needs 64 MiB; "
        "give more (size), or let fewer run at once (steps, max_concurrent of Dagster's "
        "executor, the limit of a Dagster pool)" in made.failures[0]
    )


def test_an_executor_that_nobody_knows_is_told_to_say_how_many(ran: Ran) -> None:
    made = ran("256M", "odd", steps=1)

    assert "the executor 'odd' does not tell how many steps" in made.failures[0]


def test_a_thread_that_asks_before_its_step_is_refused() -> None:
    @dg.asset
    def threaded(dfsession: DataFusionSessionResource) -> None:
        with ThreadPoolExecutor(1) as threads:
            with pytest.raises(SessionError, match="a thread was first to ask"):
                threads.submit(dfsession.session).result()
            assert dfsession.session() is threads.submit(dfsession.session).result()

    pool = {"kind": "shared", "size": "256M"}
    session = DataFusionSessionResource(profile={"runtime": {"memory_pool": pool}})
    assert dg.materialize([threaded], resources={"dfsession": session}).success


def test_outside_a_run_a_session_has_all() -> None:
    pool = {"kind": "shared", "size": "256M"}
    session = DataFusionSessionResource(profile={"runtime": {"memory_pool": pool}})

    with dg.build_resources({"dfsession": session}) as resources:
        settings = resources.dfsession.snapshot().settings

    assert settings["datafusion.runtime.memory_limit"] == "256M"


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("in_process", {}, 1),
        ("execute_in_process_executor", {}, 1),
        ("k8s", {"max_concurrent": 20}, 1),
        ("multiprocess", {"max_concurrent": 3}, 3),
        ("multiprocess", {"max_concurrent": None}, 7),
        ("multi_or_in_process_executor", {"multiprocess": {"max_concurrent": 0}}, 7),
        ("multi_or_in_process_executor", {"in_process": {}}, 1),
    ],
)
def test_executors_tell_how_many_they_start(
    name: str, config: dict[str, Any], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_MULTIPROCESS_EXECUTOR_MAX_CONCURRENT", "7")

    assert executor_limit(name, config) == expected


def test_an_executor_without_a_limit_of_its_own_is_refused() -> None:
    with pytest.raises(SessionError, match=r"'dask' .* runtime.memory_pool.steps"):
        executor_limit("dask", {"cluster": {}})


@given(
    st.lists(st.sampled_from([None, "a", "b"]), min_size=1, max_size=20),
    st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 5)),
    st.integers(1, 20),
)
def test_no_more_are_counted_than_executor_steps_and_pools_allow(
    pools: list[str | None], limits: dict[str, int], most: int
) -> None:
    counted = most_at_once(pools, limits, most)

    assert 1 <= counted <= min(most, len(pools))
    if not limits:
        assert counted == min(most, len(pools))
    for pool, limit in limits.items():
        others = sum(each != pool for each in pools)
        assert counted <= max(1, others + limit)
