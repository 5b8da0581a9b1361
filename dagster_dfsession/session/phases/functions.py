"""User functions."""

from dagster_dfsession.session.functions.install import install_functions
from dagster_dfsession.session.site import Site

SPARK = "spark"


def install_user_functions(site: Site) -> tuple[str, ...]:
    """Register the functions that the plan names, in the plan's order.

    Raises:
        InstallError: The plan names a function that the library lacks.
    """
    spark: tuple[str, ...] = ()
    if site.plan.functions.spark and SPARK not in site.once:
        site.ctx.enable_spark_functions()
        site.once.add(SPARK)
        spark = (SPARK,)
    return spark + install_functions(site.ctx, site.library, site.plan.functions.names)
