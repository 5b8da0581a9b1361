"""What others compiled or wrote for the engine, and which of its rules plan queries."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen, ImportPath

RuleName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]\w*$",
        description="a rule as EXPLAIN VERBOSE names it: 'push_down_filter'",
    ),
]


class Extension(Frozen, frozen=True):
    """One extension, by import path.

    Attributes:
        path: `package` if the package itself is the extension; `package:factory` for
            what calling the factory returns.
    """

    path: Annotated[
        ImportPath, Meta(description="The extension: 'package' or 'package:factory'.")
    ]
    optional: Annotated[
        bool,
        Meta(description="Go on without it if it cannot be had, and record that."),
    ] = False


class RulesProfile(Frozen, frozen=True):
    """Changes to the rules of the optimizer; they are there before the first query."""

    remove: Annotated[
        tuple[RuleName, ...],
        Meta(description="Logical rules to leave out: 'push_down_filter'."),
    ] = ()
    add: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Factories of physical rules to add, run in this order."),
    ] = ()
