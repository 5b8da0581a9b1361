"""The columns of a table, with what its asset's definition says of them."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession.display import arrow_table_schema, bounded
from dagster_dfsession.metadata.keys import COLUMN_SCHEMA

DESCRIPTION_CHARS = 300


def declared_columns(metadata: Mapping[str, Any]) -> dg.TableSchema | None:
    """Return the columns that a definition describes; None: it describes none."""
    stated = metadata.get(COLUMN_SCHEMA)
    # Dagster refuses a definition with anything else there.
    return stated.schema if isinstance(stated, dg.TableSchemaMetadataValue) else stated


def described_columns(
    schema: pa.Schema, declared: dg.TableSchema | None
) -> dg.TableSchema:
    """Return a table's columns, described, constrained and tagged as declared.

    Dagster's page shows the columns of the last materialization, and takes from the
    definition the descriptions and tags alone: constraints would be lost.

    Examples:
        >>> said = dg.TableSchema([dg.TableColumn("a", description="Of a flight.")])
        >>> found = described_columns(pa.schema({"a": pa.int64()}), said)
        >>> found.columns[0].type, found.columns[0].description
        ('int64', 'Of a flight.')
    """
    made = arrow_table_schema(schema)
    if declared is None:
        return made
    said = {column.name: column for column in declared.columns}
    columns = [
        _described(column, said[column.name]) if column.name in said else column
        for column in made.columns
    ]
    return dg.TableSchema(columns, declared.constraints)


def _described(column: dg.TableColumn, said: dg.TableColumn) -> dg.TableColumn:
    text, nullable = said.description, column.constraints.nullable
    # Whether it may be NULL is the table's to say; what a check says is a tag beside.
    promised = ["not null"] if nullable and not said.constraints.nullable else []
    return dg.TableColumn(
        column.name,
        column.type,
        description=None if text is None else bounded(text, DESCRIPTION_CHARS),
        constraints=dg.TableColumnConstraints(
            nullable=nullable,
            unique=said.constraints.unique,
            other=[*promised, *said.constraints.other],
        ),
        tags=said.tags,
    )
