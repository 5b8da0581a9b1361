"""Whether an object is what it says: all of a port, or none of it."""

import typing
from collections.abc import Mapping
from types import MappingProxyType

from dagster_dfsession.errors import did_you_mean, listing
from dagster_dfsession.session.ports import BESIDE, CLAIM, METHODS, PORTS, ExtensionPort

SAID: Mapping[str, type] = MappingProxyType(typing.get_type_hints(ExtensionPort))
"""What an extension says of itself -> the type of it."""


def unsaid(given: object) -> tuple[str, ...]:
    """Return what an extension should say of itself and does not.

    Examples:
        >>> unsaid(object())
        ('name', 'version', 'engine_major')
        >>> from dagster_dfsession import ExtensionBundle
        >>> unsaid(ExtensionBundle(name="a", version="1", engine_major="55", parts={}))
        ("engine_major of type int (but '55')",)
    """
    return tuple(
        f"{name} of type {kind.__name__} (but {getattr(given, name)!r})"
        if hasattr(given, name)
        else name
        for name, kind in SAID.items()
        if not isinstance(getattr(given, name, None), kind)
    )


def ports_of(given: object, package: str) -> frozenset[str] | str:
    """Return the ports that an object is; a text says why it is none in full.

    Args:
        given: Any object, or a module.
        package: Where to get another version of it from, for the text.

    Examples:
        >>> from datafusion import SessionContext
        >>> "QueryPlannerExportable" in ports_of(SessionContext(), "datafusion")
        True
        >>> ports_of(object(), "nothing")
        'has no method of a port; ports are CatalogProviderExportable, ...'
    """
    claims = {
        name
        for name in dir(given)
        if CLAIM.fullmatch(name)
        and name not in BESIDE
        and callable(getattr(given, name, None))
    }
    if unknown := sorted(claims - METHODS):
        return (
            f"has {listing(unknown)}, which no port has."
            f"{did_you_mean(unknown[0], METHODS)} Install the version of {package} "
            "whose methods are those of this package"
        )
    for name, needs in PORTS.items():
        has = claims.intersection(needs)
        if has and has != {*needs}:
            return (
                f"has {listing(has)} of {name} and lacks {listing({*needs} - has)}; "
                f"install a version of {package} that has all of them"
            )
    ports = frozenset(name for name, needs in PORTS.items() if claims >= {*needs})
    return ports or f"has no method of a port; ports are {listing(PORTS)}"
