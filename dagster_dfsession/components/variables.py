"""Environment variables in storage options: read in the run, stored by name."""

import re
from typing import Any

import dagster as dg

from dagster_dfsession.errors import SessionError

_VARIABLE = re.compile(
    r"\s*\{\{\s*env(?:\.(?P<dotted>\w+)|\(\s*(?P<quote>['\"])(?P<called>\w+)(?P=quote)\s*\))"
    r"\s*\}\}\s*"
)
_TEMPLATE = re.compile(r"\{\{.*?\benv\b.*?\}\}", re.DOTALL)


def options_of(
    context: dg.ResolutionContext, options: dict[str, str]
) -> dict[str, Any]:
    """Return storage options whose `{{ env.NAME }}` is a variable and not its value.

    Resolved as a template, the value would be part of the code location: in its
    snapshot, which Dagster stores.

    Raises:
        SessionError: A variable is not all that an option says.
    """
    return {
        name: _option(context.at_path(name), name, text)
        for name, text in options.items()
    }


def _option(context: dg.ResolutionContext, name: str, text: str) -> Any:
    if found := _VARIABLE.fullmatch(text):
        return dg.EnvVar(found["dotted"] or found["called"])
    if _TEMPLATE.search(text):
        raise SessionError(
            f"storage_options[{name!r}] is more than '{{{{ env.NAME }}}}'. The run "
            "reads such a variable, so that Dagster stores no secret, and cannot add "
            "to it: put the whole value into the variable."
        )
    return context.resolve_value(text)
