"""In which order a session is built."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.plan.phases import REQUIRES, Phase, ordered
from dagster_dfsession.session.phases import INSTALLERS


@given(st.permutations(list(Phase)))
def test_the_order_follows_the_needs_however_they_are_listed(
    listed: list[Phase],
) -> None:
    assert ordered({phase: REQUIRES[phase] for phase in listed}) == tuple(Phase)


@pytest.mark.demand("D5")
@given(st.lists(st.tuples(st.sampled_from(Phase), st.sampled_from(Phase))))
def test_a_phase_comes_after_all_that_it_needs(
    pairs: list[tuple[Phase, Phase]],
) -> None:
    places = {phase: place for place, phase in enumerate(Phase)}
    needs: dict[Phase, tuple[Phase, ...]] = dict.fromkeys(Phase, ())
    for one, other in pairs:
        first, then = sorted((one, other), key=places.__getitem__)
        if first is not then:
            needs[then] = (*needs[then], first)

    order = ordered(needs)

    assert sorted(order, key=places.__getitem__) == list(Phase)
    for then, firsts in needs.items():
        assert all(order.index(first) < order.index(then) for first in firsts)


def test_a_need_that_is_not_planned_is_named() -> None:
    with pytest.raises(DfSessionError, match="not planned: catalogs, context"):
        ordered({Phase.FUNCTIONS: (Phase.CONTEXT, Phase.CATALOGS)})


@pytest.mark.demand("D5")
@pytest.mark.parametrize("length", [1, 2, 3])
def test_phases_that_need_each_other_are_named(length: int) -> None:
    circle = list(Phase)[:length]
    needs = {a: (b,) for a, b in itertools.pairwise([*circle, circle[0]])}

    with pytest.raises(DfSessionError, match=r"each other: .*context -> "):
        ordered(needs)


def test_every_phase_has_an_installer() -> None:
    assert set(INSTALLERS) == set(REQUIRES) == set(Phase)


def test_watching_comes_last() -> None:
    assert ordered(REQUIRES)[-1] is Phase.OBSERVABILITY
