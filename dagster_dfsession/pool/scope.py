"""Who borrows a session, and the prefix of the names that it registers."""

import re

from dagster_dfsession.profile.base import Frozen

STEP_CHARS = 40


class Scope(Frozen, frozen=True):
    """One attempt of one step of one run.

    Attributes:
        run_id: Dagster's run id, or a made-up one outside a run.
        step: The step key; `adhoc` outside a step.
        attempt: 0 for the first.
    """

    run_id: str
    step: str = "adhoc"
    attempt: int = 0

    @property
    def prefix(self) -> str:
        """What every name of this scope begins with.

        Examples:
            >>> Scope(run_id="1a2b3c4d-5e6f", step="raw__flights[2013-01]").prefix
            'run_1a2b3c4d_raw__flights_2013_01__0__'
        """
        step = re.sub(r"[^a-z0-9_]", "_", self.step.lower())[:STEP_CHARS]
        run = re.sub(r"[^a-z0-9]", "", self.run_id.lower())[:8]
        return f"run_{run}_{step}_{self.attempt}__"
