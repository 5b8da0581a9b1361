"""What a session tells of itself in SQL."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from dagster_dfsession.plan.build import SYSTEM_TABLES
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.session.site import Site
from dagster_dfsession.session.system import SYSTEM_SCHEMA, Row

ENGINE_CACHES = ("file_statistics", "list_files", "metadata")
"""As the settings call them. DataFusion 55 tells nobody what is in them."""


def install_observability(site: Site) -> tuple[str, ...]:
    """Add the tables of the schema `dfsession`."""
    wanted = SYSTEM_TABLES if site.plan.reporting.system_tables else ()
    names = site.missing(Phase.OBSERVABILITY, wanted)
    for name in names:
        table = name.removeprefix(f"{SYSTEM_SCHEMA}.")
        site.catalog.system.add_rows(table, site.told.get(table, tuple))
        if table in _OWN:
            site.catalog.system.add_rows(table, _bound(_OWN[table], site))
    return site.installed(Phase.OBSERVABILITY, *names)


def _bound(
    rows: Callable[[Site], Iterable[Row]], site: Site
) -> Callable[[], Iterable[Row]]:
    return lambda: rows(site)


def _session(site: Site) -> Iterator[Row]:
    yield {
        "name": site.plan.name,
        "profile_hash": site.plan.profile_hash,
        "plan_fingerprint": site.plan.fingerprint,
        "memory_pool": site.runtime_env.memory_pool,
        "memory_bytes": site.runtime_env.memory_bytes,
    }


def _settings(site: Site) -> Iterator[Row]:
    planned = {each.key: each for each in site.plan.settings}
    default = default_settings()
    effective = site.observed.settings if site.observed else {}
    for key in sorted({*planned, *default, *effective}):
        asked = planned.get(key)
        wanted = default.get(key) if asked is None else asked.value
        yield {
            "key": key,
            "value": effective.get(key, wanted),
            "planned": None if asked is None else asked.value,
            "default": default.get(key),
            "source": "the engine" if asked is None else asked.source,
        }


def _functions(site: Site) -> Iterator[Row]:
    for each in site.observed.functions.entries if site.observed else ():
        yield {
            "name": each.name,
            "kind": each.kind,
            "signature": ", ".join(each.signature),
            "returns": each.returns,
            "volatility": each.volatility,
            "digest": each.digest,
            "origin": each.origin,
        }


def _tables(site: Site) -> Iterator[Row]:
    catalog = site.catalog
    told = {(row["schema"], row["name"]) for row in site.told.get("tables", tuple)()}
    for schema, name in sorted(catalog.known_names() - told):
        yield {
            "schema": schema,
            "name": name,
            "kind": catalog.kind((schema, name)),
        }


def _leases(site: Site) -> Iterator[Row]:
    for each in sorted(site.borrowers, key=lambda borrower: borrower.prefix):
        yield each.described


def _caches(site: Site) -> Iterator[Row]:
    effective = site.observed.settings if site.observed else default_settings()
    for name in ENGINE_CACHES:
        yield {
            "cache": name,
            "of": "the engine",
            "limit": effective.get(f"datafusion.runtime.{name}_cache_limit"),
        }


_OWN: Mapping[str, Callable[[Site], Iterable[Row]]] = MappingProxyType(
    {
        "session": _session,
        "settings": _settings,
        "functions": _functions,
        "tables": _tables,
        "leases": _leases,
        "caches": _caches,
    }
)
