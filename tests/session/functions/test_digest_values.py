"""Values that a function holds: which count as the same, and which as unknown."""

import enum
import functools
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.session.functions.digest import implementation_digest


def times(factor: object) -> Callable[[float], object]:
    return lambda x: (x, factor)


def test_a_changed_closure_changes_the_digest() -> None:
    two = implementation_digest(times(2))

    assert two == implementation_digest(times(2))
    assert two != implementation_digest(times(3))
    assert two != implementation_digest(times(2.0))


def test_a_changed_argument_of_a_partial_changes_the_digest() -> None:
    two = functools.partial(pow, 2)

    assert implementation_digest(two) == implementation_digest(
        functools.partial(pow, 2)
    )
    assert implementation_digest(two) != implementation_digest(
        functools.partial(pow, 3)
    )
    assert implementation_digest(two) != implementation_digest(
        functools.partial(pow, exp=2)
    )


class Scaled:
    factor = 2

    def apply(self, x: float) -> float:
        return x * self.factor

    @classmethod
    def make(cls, x: float) -> float:
        return cls().apply(x)


def test_a_bound_class_method_counts_with_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = implementation_digest(Scaled.make)
    monkeypatch.setattr(Scaled, "factor", 3)

    assert before.sha256 is not None
    assert implementation_digest(Scaled.make) != before


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (threading.Lock(), "is a lock, which cannot be compared by content"),
        (object(), "is a object, which cannot be compared by content"),
        ({"a": [object()]}, "item 0 of 'a' of closure variable 'factor'"),
        (sys.modules[__name__], "used as a value"),
    ],
)
def test_what_cannot_be_compared_has_no_digest_but_a_reason(
    held: object, said: str
) -> None:
    found = implementation_digest(times(held))

    assert found.sha256 is None
    assert said in str(found.reason)
    assert "0x" not in str(found.reason)


def test_a_value_that_holds_itself_has_a_reason() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert "too deeply" in str(implementation_digest(times(endless)).reason)


class Colliding(enum.Enum):
    ONE = 1
    TWO = 2

    def __hash__(self) -> int:
        return 0


def test_the_order_in_which_a_set_gives_its_items_does_not_count() -> None:
    one = frozenset([Colliding.ONE, Colliding.TWO])
    other = frozenset([Colliding.TWO, Colliding.ONE])

    assert list(one) != list(other)
    assert implementation_digest(times(one)).sha256 is not None
    assert implementation_digest(times(one)) == implementation_digest(times(other))


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.frozensets(st.text() | st.integers())
    ),
    max_leaves=10,
)


@given(left=plain_values, right=plain_values)
def test_closures_have_one_digest_exactly_if_they_hold_the_same(
    left: object, right: object
) -> None:
    same = repr(left) == repr(right)
    ours, theirs = (
        implementation_digest(times(left)),
        implementation_digest(times(right)),
    )

    assert ours.sha256 is not None
    if same:
        assert ours == theirs
    elif left != right:
        assert ours != theirs


class Constant:
    """A wrapper that does more than pass the call on."""

    def __init__(self, wrapped: Callable[[int], int], factor: int) -> None:
        functools.update_wrapper(self, wrapped)
        self.factor = factor

    def __call__(self, value: int) -> int:
        return value * self.factor


def test_a_wrapper_with_a_body_of_its_own_counts() -> None:
    def same(value: int) -> int:
        return value

    plain = implementation_digest(same).sha256
    double, triple = (implementation_digest(Constant(same, k)).sha256 for k in (2, 3))

    assert len({plain, double, triple, None}) == 4
