"""How far a zero-row bootstrap goes."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen

BootstrapMode: TypeAlias = Literal["plan", "zero_rows", "one_row"]


class BootstrapProfile(Frozen, frozen=True):
    """What `bootstrap_session` does with each asset; nothing is ever written.

    Attributes:
        mode: `plan` finds unknown names and wrong types, and executes no query;
            `zero_rows` also runs each query over empty tables; `one_row` over tables of
            one row, NULL where a column may be NULL, so that functions are called.
    """

    mode: Annotated[
        BootstrapMode,
        Meta(description="Plan queries only, or run them over no rows or one row."),
    ] = "plan"
    exact_schemas: Annotated[
        bool,
        Meta(description="Fail where columns are not those of the contract."),
    ] = True
