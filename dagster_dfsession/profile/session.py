"""The whole description of a session."""

from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.bootstrap import BootstrapProfile
from dagster_dfsession.profile.cache import CACHE_PRESETS, CacheProfile
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.extensions import Extension, RulesProfile
from dagster_dfsession.profile.features import FeaturesProfile
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hardening import HARDENING_PRESETS, HardeningProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.joins import JoinsProfile
from dagster_dfsession.profile.materialization import MaterializationProfile
from dagster_dfsession.profile.named import resolved
from dagster_dfsession.profile.runtime import RuntimeProfile
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.profile.sql import SqlProfile


class SessionProfile(Frozen, frozen=True):
    """What session is wanted: a part for each concern, and a name for people.

    Attributes:
        cache: A `CacheProfile`, or the name of one of `CACHE_PRESETS`.
        hardening: A `HardeningProfile`, or the name of one of `HARDENING_PRESETS`.
        settings: DataFusion's own keys, as strings; they win over every part.

    Raises:
        ProfileError: A field breaks its type or bound, or a name is unknown.

    Examples:
        >>> from dagster_dfsession import SessionProfile
        >>> SessionProfile(name="dev", cache="isolated").cache.metadata_limit
        0
    """

    name: Annotated[
        str, Meta(min_length=1, max_length=64, description="Name, for people.")
    ]
    execution: Annotated[
        ExecutionProfile, Meta(description="Parallelism, batches, Parquet reading.")
    ] = ExecutionProfile()
    joins: Annotated[JoinsProfile, Meta(description="How hash joins are divided.")] = (
        JoinsProfile()
    )
    runtime: Annotated[RuntimeProfile, Meta(description="Memory and disk.")] = (
        RuntimeProfile()
    )
    catalog: Annotated[
        CatalogProfile, Meta(description="Catalog and schema names.")
    ] = CatalogProfile()
    sql: Annotated[SqlProfile, Meta(description="Dialect and policy.")] = SqlProfile()
    cache: Annotated[
        CacheProfile | str,
        Meta(description="The engine's caches: limits, or the name of a preset."),
    ] = CacheProfile()
    delta: Annotated[
        DeltaProfile, Meta(description="How Delta tables are written.")
    ] = DeltaProfile()
    materialization: Annotated[
        MaterializationProfile, Meta(description="How rows become files.")
    ] = MaterializationProfile()
    functions: Annotated[FunctionsProfile, Meta(description="User functions.")] = (
        FunctionsProfile()
    )
    extensions: Annotated[
        tuple[Extension, ...],
        Meta(description="What others made for the engine, installed in this order."),
    ] = ()
    rules: Annotated[RulesProfile, Meta(description="Rules of the optimizer.")] = (
        RulesProfile()
    )
    hooks: Annotated[
        HooksProfile, Meta(description="User code around sessions, queries, writes.")
    ] = HooksProfile()
    diagnostics: Annotated[
        DiagnosticsProfile, Meta(description="What a session says of itself.")
    ] = DiagnosticsProfile()
    bootstrap: Annotated[
        BootstrapProfile, Meta(description="How far a zero-row bootstrap goes.")
    ] = BootstrapProfile()
    hardening: Annotated[
        HardeningProfile | str,
        Meta(description="Types and zones: values, or the name of a preset."),
    ] = HardeningProfile()
    features: Annotated[
        FeaturesProfile, Meta(description="Feature gates of the optimizer.")
    ] = FeaturesProfile()
    sail: Annotated[SailProfile, Meta(description="Queries that run in Sail.")] = (
        SailProfile()
    )
    settings: Annotated[
        dict[str, str],
        Meta(description="DataFusion settings by key, for what has no field."),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        force_setattr(
            self, "cache", resolved("cache preset", self.cache, CACHE_PRESETS)
        )
        force_setattr(
            self,
            "hardening",
            resolved("hardening preset", self.hardening, HARDENING_PRESETS),
        )
        super().__post_init__()
