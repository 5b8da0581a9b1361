"""What was installed, said once, after everything was."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import Frozen


class PhaseReport(Frozen, frozen=True):
    """What one phase installed, by name."""

    phase: Phase
    installed: tuple[str, ...]


class InstallReport(Frozen, frozen=True):
    """What all phases installed, in order.

    Attributes:
        elapsed_ms: Milliseconds that building the session took.
    """

    phases: tuple[PhaseReport, ...]
    elapsed_ms: float

    def installed(self, phase: Phase) -> tuple[str, ...]:
        """Return what one phase installed."""
        return next(each.installed for each in self.phases if each.phase == phase)

    def __str__(self) -> str:
        parts = [
            f"{each.phase.value}: {len(each.installed)}"
            for each in self.phases
            if each.installed
        ]
        return f"session opened in {self.elapsed_ms:.1f} ms ({', '.join(parts)})"
