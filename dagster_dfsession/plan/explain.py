"""A plan as text, for people and for goldens."""

from dagster_dfsession.plan.build import PhaseStep, SessionPlan
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.fields import hashed_payload
from dagster_dfsession.profile.hooks import HooksProfile


def explain_plan(plan: SessionPlan) -> str:
    """Return the plan as text: hashes, memory, settings with their source, phases.

    Examples:
        >>> from dagster_dfsession.plan.build import plan_session
        >>> from dagster_dfsession.profile.presets import DEV
        >>> print(explain_plan(plan_session(DEV)).splitlines()[0])
        session dev
    """
    names = plan.catalog
    width = max(len(setting.key) for setting in plan.settings)
    return "\n".join(
        [
            f"session {plan.name}",
            f"  profile_hash  {plan.profile_hash}",
            f"  fingerprint   {plan.fingerprint}",
            f"  tables        {names.default_catalog}.{names.default_schema}",
            f"  memory        {_choice(hashed_payload(plan.memory_pool))}",
            f"  spill         {_choice(hashed_payload(plan.spill))}",
            f"  policy        {_choice(hashed_payload(plan.statements.policy))}",
            f"  delta         {_choice(hashed_payload(plan.delta))}",
            f"  plans         {_choice(hashed_payload(plan.plans))}",
            f"  bootstrap     {_choice(hashed_payload(plan.bootstrap))}",
            f"  reporting     {_choice(hashed_payload(plan.reporting))}",
            f"  hooks         {_choice(_given(plan.hooks))}",
            "settings",
            *(
                f"  {setting.key:{width}}  {setting.value:10}  {setting.source}"
                for setting in plan.settings
            ),
            "phases",
            *(
                f"  {number} {step.phase.value:20} {_items(step)}".rstrip()
                for number, step in enumerate(plan.steps, start=1)
            ),
        ]
    )


def _choice(parts: dict[str, object]) -> str:
    kind = parts.pop("kind", None)
    details = ", ".join(f"{name}={value}" for name, value in parts.items())
    return details if kind is None else f"{kind} {details}".rstrip()


def _given(hooks: HooksProfile) -> dict[str, object]:
    events = {name: getattr(hooks, name) for name in hooks.__struct_fields__}
    return {
        name: each if isinstance(each, str) else " ".join(each)
        for name, each in events.items()
        if each
    }


def _items(step: PhaseStep) -> str:
    if step.phase in {Phase.CONTEXT, Phase.SCHEMA_GUARDS}:
        return f"{len(step.items)} settings"
    return ", ".join(step.items)
