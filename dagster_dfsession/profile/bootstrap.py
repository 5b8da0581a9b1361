"""How far a zero-row bootstrap goes."""

from typing import Annotated, Literal

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen


class BootstrapProfile(Frozen, frozen=True):
    """What `bootstrap_session` does with each query; nothing is ever written.

    Attributes:
        mode: `plan` finds unknown names and wrong types; `zero_rows` also runs each
            query over empty tables; `one_row` over tables of one row, NULL where a
            column may be NULL, so that functions are called.
    """

    mode: Annotated[
        Literal["plan", "zero_rows", "one_row"],
        Meta(description="Plan queries only, or run them over no rows or one row."),
    ] = "zero_rows"
    exact_schemas: Annotated[
        bool,
        Meta(description="Fail where a query's columns are not the declared ones."),
    ] = True
