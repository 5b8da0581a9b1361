"""The sessions of a check: one for each profile, over the same small tables."""

import contextlib
from typing import NamedTuple

from typing_extensions import Self

from dagster_dfsession.bootstrap.kept import KeptColumns
from dagster_dfsession.bootstrap.request import BootstrapAsset
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.catalog import TableSource
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session


class Planner(NamedTuple):
    """What plans an asset.

    Attributes:
        profile: Of the session.
        session: It.
        kept: What it needs not plan again.
    """

    profile: SessionProfile
    session: Session
    kept: KeptColumns


class CheckSessions:
    """Opens the session of an asset when one is first planned; closes all of them."""

    def __init__(self, profile: SessionProfile, source: TableSource) -> None:
        """Plan assets that say no profile by this one, and all over these tables."""
        self._profile = profile
        self._source = source
        self._open: dict[str, Planner] = {}
        self._closing = contextlib.ExitStack()

    def of(self, asset: BootstrapAsset) -> Planner:
        """Return what plans an asset.

        Raises:
            SessionError: The session cannot be opened.
        """
        profile = asset.profile or self._profile
        plan = plan_session(profile)
        if plan.profile_hash not in self._open:
            session = open_session(plan, source=self._source)
            self._closing.enter_context(session)
            found = Planner(profile, session, KeptColumns.of(session))
            self._open[plan.profile_hash] = found
        return self._open[plan.profile_hash]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()
