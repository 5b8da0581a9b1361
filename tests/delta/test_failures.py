import pytest
from deltalake import exceptions

from dagster_dfsession.delta.failures import MAPPED, delta_errors, scrubbed
from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    PartitionError,
    SchemaMismatchError,
)


def test_every_exception_of_deltalake_is_mapped() -> None:
    raised = {getattr(exceptions, name) for name in exceptions.__all__}
    assert raised == set(MAPPED) - {OSError}


@pytest.mark.parametrize(
    ("raised", "mapped"),
    [
        (exceptions.CommitFailedError, CommitError),
        (exceptions.SchemaMismatchError, SchemaMismatchError),
        (exceptions.TableNotFoundError, DeltaError),
        (exceptions.DeltaProtocolError, DeltaError),
        (exceptions.DeltaError, DeltaError),
        (FileNotFoundError, DeltaError),
        (Exception, DeltaError),
    ],
)
def test_an_error_of_deltalake_becomes_ours(
    raised: type[Exception], mapped: type[DeltaError]
) -> None:
    with pytest.raises(DeltaError) as failed, delta_errors("/t"):
        raise raised("no \x1b[31m↳\x1b[0m luck\n   0: <unknown>\n   1: x")
    assert type(failed.value) is mapped
    assert str(failed.value) == "/t: no luck"


@pytest.mark.parametrize("kind", [PartitionError, KeyError, KeyboardInterrupt])
def test_what_deltalake_does_not_raise_passes_through(kind: type[Exception]) -> None:
    with pytest.raises(kind), delta_errors("/t"):
        raise kind("mine")


def test_a_panic_of_the_engine_is_an_error() -> None:
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(DeltaError, match="engine broke"), delta_errors("/t"):
        raise panic("engine broke")


def test_secrets_are_masked_the_longest_first_and_percent_encoded_too() -> None:
    text = "a=pass1234 b=pass1234/x c=pass1234%2Fx d=abc"
    assert (
        scrubbed(text, ["pass1234", "pass1234/x", "abc"]) == "a=*** b=*** c=*** d=abc"
    )


def test_a_conflict_says_what_to_do() -> None:
    text = "Commit failed: a concurrent transactions added new data."
    refused = pytest.raises(CommitError, match="Another run wrote the same")
    with refused, delta_errors("/t"):
        raise exceptions.CommitFailedError(text)
