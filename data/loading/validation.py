"""Validates staged rows; failures go to history.rejected and are counted by reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data.contract.formats import NULLS
from data.contract.schema import Contract, Table
from data.editions.part_writer import BuildSession
from data.loading.reconciliation import LoadCounts
from data.loading.sql_files import load_sql
from data.loading.validation_query import masked_value, referenced_table, validation_query
from data.messages import REASONS, reason

KeyPairs = list[tuple[str, str]]
"""(column of a table of keys, column of a validated row) for each column of a key."""


@dataclass(frozen=True)
class StagedTable:
    """One table as delivered.

    Parameters
    ----------
    name
        The relation that holds file, line, problem and the columns of `families`.
    families
        The SQL type family of each delivered column.
    is_sorted
        Whether the rows lie in the order of the table's date.
    """

    table: Table
    name: str
    families: Mapping[str, str]
    rows: int
    is_sorted: bool = False


@dataclass
class RowValidator:
    """Validates delivered relations for the part under construction; one per load.

    Parameters
    ----------
    delivery
        Number of the delivery in the chain of parts.
    last_as_of
        The last month end of the older parts; None for a full load.
    secret
        32 bytes, the key of the hashes of personal values.
    formats
        strptime patterns of dates.
    nulls
        Words in lower case that stand for no value.
    """

    session: BuildSession
    contract: Contract
    delivery: int
    as_of: dt.date
    last_as_of: dt.date | None
    secret: bytes
    formats: tuple[str, ...]
    nulls: tuple[str, ...] = NULLS
    counts_by_table: dict[str, LoadCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        padded = self.secret.ljust(64, b"\0")
        self.session.run(
            "create or replace temp table reason_words as "
            "select unnest($codes) as code, unnest($words) as sentence",
            "reason_words",
            codes=list(REASONS),
            words=[reason(code) for code in REASONS],
        )
        self.parameters: dict[str, Any] = {
            "nulls": [*self.nulls],
            "longest_null": max((len(word.encode()) for word in self.nulls), default=0),
            "as_of": self.as_of,
            "last_as_of": self.last_as_of,
            "delivery": self.delivery,
            "inner_key": bytes(byte ^ 0x36 for byte in padded),
            "outer_key": bytes(byte ^ 0x5C for byte in padded),
        }

    def run(self, sql: str, label: str, **parameters: Any) -> None:
        """Run statements with the parameters of the load and those given."""
        self.session.run(sql, label, **self.parameters, **parameters)

    def one(self, sql: str, label: str, **parameters: Any) -> tuple:
        """Run as `run`; return the only row of a query that always has one."""
        row = self.session.one(sql, label, **self.parameters, **parameters)
        if row is None:
            raise AssertionError(f"{label}: the query returned no row")
        return row

    def count(self, relation: str | None, label: str) -> int:
        """Return the number of rows of a relation."""
        return self.one(f"select count(*) from {relation}", label)[0]

    def older(self, table: str, schema: str = "history") -> list[str]:
        """Return the names of a table in the older parts, oldest first."""
        return [f"{part}.{schema}.{table}" for part in self.session.older]

    def validation_query(self, staged: StagedTable, *, linked: bool = True) -> str:
        """Return the query of the validated rows of a staged table."""
        return validation_query(
            staged.table, staged.name, staged.families, self.formats, linked=linked
        )

    def counts_for(self, staged: StagedTable) -> LoadCounts:
        """Return the counts of a staged table, created on first use."""
        name = staged.table.name
        return self.counts_by_table.setdefault(name, LoadCounts(name, read=staged.rows))

    def cast_rows(self, staged: StagedTable, *, linked: bool = True) -> str:
        """Validate every row; store valid ones as typed columns in a table in memory.

        Returns the table's name; rejected rows go to history.rejected.
        """
        target = f"valid_{staged.table.name}"
        columns = [f"v_{name}" for name in staged.table.columns]
        if linked:
            columns += [
                f"k_{name}"
                for name, column in staged.table.columns.items()
                if referenced_table(staged.table, column)
            ]
        query = self.validation_query(staged, linked=linked)
        self.run(
            f"create or replace table {target} as "
            f"select file, line, {', '.join(columns)} from ({query}) where fault is null",
            f"{staged.table.name}: validation",
        )
        if self.count(target, staged.table.name) < staged.rows:
            self.reject(staged, query)
        return target

    def reject(self, staged: StagedTable, query: str) -> None:
        """Store the faulty rows of `query`, validated rows, as rejected; count them by reason."""
        counts = self.counts_for(staged)
        sql = load_sql(
            "rejected_rows",
            masked_value=masked_value(staged.table, staged.families),
            validated=f"({query})",
        )
        self.run(sql, f"{counts.name}: rejected rows", table_name=counts.name)
        reasons = self.session.table(
            "select reason, count(*) as rows from part.history.rejected "
            "where table_name = $name group by reason order by rows desc",
            f"{counts.name}: reasons",
            name=counts.name,
        )
        counts.rejects = dict(
            zip(reasons["reason"].to_pylist(), reasons["rows"].to_pylist(), strict=True)
        )

    def reject_keys(
        self,
        staged: StagedTable,
        keys: str,
        code: str,
        key_pairs: KeyPairs,
        condition: str = "true",
        *,
        linked: bool = True,
    ) -> None:
        """Reject the valid rows whose key is in the table `keys` under `condition`.

        Parameters
        ----------
        code
            The reason.
        key_pairs
            (column of `keys`, column of a validated row).
        """
        same_key = " and ".join(
            f"keys.{column} is not distinct from validated.{validated}"
            for column, validated in key_pairs
        )
        validated = self.validation_query(staged, linked=linked)
        self.reject(
            staged,
            f"select validated.* replace ('{staged.table.key[0]}|{code}' as fault) "
            f"from ({validated}) as validated where fault is null "
            f"and exists (select 1 from {keys} as keys where {condition} and {same_key})",
        )
