"""User functions."""

from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.site import Site

SPARK = "spark"


def install_user_functions(site: Site) -> tuple[str, ...]:
    """Register the functions that the plan names, in the plan's order.

    Raises:
        InstallError: The plan names a function that the library lacks.
    """
    spark = site.plan.functions.spark
    fresh = spark and SPARK not in site.once
    if fresh:
        site.ctx.enable_spark_functions()
        site.once.add(SPARK)
    names = site.plan.functions.names
    site.functions = install_functions(site.ctx, site.library, names, spark=spark)
    return ((SPARK,) if fresh else ()) + site.functions
