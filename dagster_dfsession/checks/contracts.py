"""Asset checks that hold stored tables against the contracts of their assets."""

import dagster as dg

from dagster_dfsession.checks.building import (
    Assets,
    Judge,
    Verdict,
    asset_specs,
    checks_over,
    stored_by,
)
from dagster_dfsession.display import broken_rows_table, contract_table
from dagster_dfsession.materialization.stored_contract import check_stored
from dagster_dfsession.metadata.keys import BROKEN_ROWS, CONTRACT, TABLE_VERSION
from dagster_dfsession.steps.contracts import asset_contract
from dagster_dfsession.steps.partitions import plain_metadata

NAME = "contract"


def build_contract_checks(
    assets: Assets,
    *,
    blocking: bool = False,
    io_manager_key: str = "io_manager",
) -> list[dg.AssetChecksDefinition]:
    """Return a check for each asset with a `contract`: does its table keep it?

    A write of this package is held against the contract before it is committed; this
    is for tables that somebody else writes, and for rows that are older than the
    contract. Each table is read once, whole, at the version of the run.

    Args:
        assets: Those without a `contract` in their metadata have no check.
        blocking: Whether what is downstream in a run waits for the check, and does not
            run if it failed.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.

    Raises:
        UnsupportedTypeError: One of the assets is no asset.
        ContractError: A contract is none.

    Examples:
        >>> theirs = dg.AssetSpec("theirs", metadata={"contract": {"unique": ["id"]}})
        >>> [checks] = build_contract_checks([theirs, dg.AssetSpec("free")])
        >>> [key.to_user_string() for key in checks.check_keys]
        ['theirs:contract']
    """
    contracts = {
        key: contract
        for key, spec in asset_specs(assets, "build_contract_checks").items()
        if (
            contract := asset_contract(
                plain_metadata(spec.metadata), key.to_user_string()
            )
        )
    }

    def judging(context: dg.AssetCheckExecutionContext) -> Judge:
        session = stored_by(context, io_manager_key).working_session

        def judge(key: dg.AssetKey) -> Verdict:
            found = check_stored(
                contracts[key], tuple(key.path), session.run.tables, session.lease
            )
            rows = found.rows
            if not found.broken:
                said = f"None of {rows:,} rows breaks the contract."
            else:
                rules = ", ".join(
                    f"{each.rule} ({each.rows:,})" for each in found.broken
                )
                said = f"Of {rows:,} rows, some break the contract: {rules}."
            examples = {BROKEN_ROWS: broken_rows_table(found.broken)}
            return Verdict(
                passed=not found.broken,
                description=said,
                metadata={
                    CONTRACT: contract_table(found.rules),
                    TABLE_VERSION: found.version,
                    **(examples if found.broken else {}),
                },
            )

        return judge

    return checks_over(
        NAME,
        contracts,
        judging,
        description="Whether the stored table keeps the asset's contract.",
        blocking=blocking,
        resources=[io_manager_key],
    )
