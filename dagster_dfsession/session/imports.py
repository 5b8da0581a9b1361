"""Objects by import path."""

import importlib
import operator
from typing import Any


def import_object(path: str) -> Any:
    """Return what `package.module:attribute`, or `package.module`, names.

    Raises:
        ImportError: The module cannot be imported, or lacks the attribute.

    Examples:
        >>> import_object("json:dumps")([1])
        '[1]'
    """
    module, _, attribute = path.partition(":")
    found = importlib.import_module(module)
    if not attribute:
        return found
    try:
        return operator.attrgetter(attribute)(found)
    except AttributeError:
        raise ImportError(f"module {module!r} has no attribute {attribute!r}") from None
