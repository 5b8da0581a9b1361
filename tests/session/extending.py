"""What tests of extensions share."""

from types import ModuleType

from datafusion import SessionContext

from dagster_dfsession.profile.extensions import Extension
from dagster_dfsession.session.ports import ExtensionBundle


class Said:
    """What every extension says of itself."""

    name, version, engine_major = "shop-rules", "1.2", 55


class Watcher(Said):
    """An extension that notes how it is called."""

    name = "watcher"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def install_tracing(self, ctx: SessionContext) -> None:
        assert isinstance(ctx, SessionContext), "what it wraps has the same name"
        self.calls.append(f"tracing {type(ctx).__name__}")

    def install_physical_expr_adapter(self, ctx: SessionContext) -> None:
        assert isinstance(ctx, SessionContext), "what it wraps has the same name"
        self.calls.append(f"adapter {type(ctx).__name__}")


def bundle(name: str, **parts: object) -> ExtensionBundle:
    return ExtensionBundle(name=name, version="1.0", engine_major=55, parts=parts)


def made(shop: ModuleType, **factories: object) -> tuple[Extension, ...]:
    """Put factories into a module; return the extensions that they make."""
    vars(shop).update(factories)
    return tuple(Extension(path=f"{shop.__name__}:{name}") for name in factories)
