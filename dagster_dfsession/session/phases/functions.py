"""User functions."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.site import Site

SPARK = "spark"
LIBRARY = "the library"


def install_user_functions(site: Site) -> tuple[str, ...]:
    """Register the functions that the plan names.

    Raises:
        InstallError: The plan names a function that the library lacks.
    """
    wanted = site.plan.functions
    spark = site.missing(Phase.FUNCTIONS, (SPARK,) if wanted.spark else ())
    if spark:
        site.ctx.enable_spark_functions()
        site.installed(Phase.FUNCTIONS, *spark)
    if not site.missing(Phase.FUNCTIONS, [LIBRARY]):
        return spark
    site.functions = install_functions(
        site.ctx, site.library, wanted.names, spark=wanted.spark
    )
    site.installed(Phase.FUNCTIONS, LIBRARY)
    return spark + site.functions
