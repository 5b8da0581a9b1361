"""Which columns of queries were found before, in another process."""

from collections.abc import Callable, Mapping

import msgspec
import pyarrow as pa
from typing_extensions import Self

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.extensions import RulesProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.query.plan_cache import PlanCache, plan_cache
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.versions import installed


class KeptColumns(msgspec.Struct, frozen=True):
    """The plan cache, as far as a session may trust it.

    Attributes:
        plans: None: every query is planned.
        within: All of the session that decides what a query gives.
    """

    plans: PlanCache | None
    within: str

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return what a session may use.

        Code that nobody can compare may decide what a query gives: with hooks,
        extensions, rules of its own or such functions, a session plans each query. So
        does one whose queries may name files.

        Raises:
            ProfileError: The extra `plan-cache` is not installed.
            SessionError: The directory of the cache cannot be used.
        """
        plan, snapshot = session.plan, session.snapshot()
        comparable = (
            plan.hooks == HooksProfile()
            and not plan.extensions
            and plan.rules == RulesProfile()
            and not plan.statements.url_tables
            and all(
                each.digest is not None and each.kind != "table"
                for each in snapshot.functions.entries
            )
        )
        return cls(
            plan_cache(plan.plans) if comparable else None,
            content_hash(
                "columns_within",
                1,
                (snapshot.session_hash, installed("dagster-dfsession")),
            ),
        )

    def columns(
        self,
        query: str,
        over: Mapping[str, pa.Schema],
        find: Callable[[], pa.Schema],
    ) -> pa.Schema:
        """Return the columns of a query over tables of these, found or kept."""
        if self.plans is None:
            return find()
        return self.plans.columns(query, over, self.within, find)
