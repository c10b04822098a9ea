"""Validates staged rows; failures go to history.rejected and are counted by reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from data.contract.formats import NULLS
from data.contract.schema import Contract, Table
from data.editions.part_writer import BuildSession
from data.loading.casting import shown_value, validation_query
from data.loading.reconciliation import LoadCounts
from data.messages import REASONS, reason


@dataclass(frozen=True)
class StagedTable:
    """One table as delivered: the relation `name` holds file, line, problem and the columns of `families`."""

    table: Table
    name: str
    families: Mapping[str, str]
    rows: int
    is_sorted: bool = False


@dataclass
class RowValidator:
    """Puts delivered relations into the part under construction. One per load."""

    session: BuildSession
    contract: Contract
    delivery: int
    as_of: dt.date
    last_as_of: dt.date | None
    secret: bytes
    formats: tuple[str, ...]
    nulls: tuple[str, ...] = NULLS
    counts_by_table: dict[str, LoadCounts] = field(default_factory=dict)

    def __post_init__(self):
        padded = self.secret.ljust(64, b"\0")
        self.session.run(
            "create or replace temp table reason_words as select unnest($codes) as code, unnest($words) as sentence",
            "reason_words",
            codes=list(REASONS),
            words=[reason(code) for code in REASONS],
        )
        self.params = {
            "nulls": [*self.nulls],
            "longest_null": max((len(word.encode()) for word in self.nulls), default=0),
            "as_of": self.as_of,
            "last_as_of": self.last_as_of,
            "delivery": self.delivery,
            "inner_key": bytes(byte ^ 0x36 for byte in padded),
            "outer_key": bytes(byte ^ 0x5C for byte in padded),
        }

    def run(self, sql: str, label: str, **more) -> None:
        self.session.run(sql, label, **self.params, **more)

    def one(self, sql: str, label: str, **more) -> tuple:
        return self.session.one(sql, label, **self.params, **more)

    def older(self, table: str, schema: str = "history") -> list[str]:
        return [f"{part}.{schema}.{table}" for part in self.session.older]

    def validation_query(
        self, staged: StagedTable, *, linked: bool = True, relation: str | None = None
    ) -> str:
        return validation_query(
            staged.table, relation or staged.name, staged.families, self.formats, linked=linked
        )

    def counts_for(self, staged: StagedTable) -> LoadCounts:
        return self.counts_by_table.setdefault(
            staged.table.name, LoadCounts(staged.table.name, read=staged.rows)
        )

    def reject(self, staged: StagedTable, rows: str, counts: LoadCounts) -> None:
        """Keep the faulty rows of `rows` (a validated SELECT) apart, and count them by reason."""
        into = f"""
insert into part.history.rejected
select
    $table_name, file, line, nullif(split_part(fault, '|', 1), ''), {shown_value(staged.table, staged.families)},
    split_part(fault, '|', 2), (select sentence from reason_words where code = split_part(fault, '|', 2)), $delivery
from ({rows}) as validated
where fault is not null"""
        self.run(into, f"{counts.name}: refused rows", table_name=counts.name)
        found = self.session.table(
            "select reason, count(*) as rows from part.history.rejected where table_name = $name group by "
            "reason order by 2 desc",
            f"{counts.name}: reasons",
            name=counts.name,
        )
        counts.rejects = dict(
            zip(found["reason"].to_pylist(), found["rows"].to_pylist(), strict=True)
        )

    def cast_rows(
        self,
        staged: StagedTable,
        *,
        linked: bool = True,
        target: str | None = None,
        keep: str | None = None,
    ) -> str:
        """Judge every row into a table of typed columns in memory; refused rows go to history.rejected. Returns the
        table's name."""
        target = target or f"good_{staged.table.name}"
        columns = [f"v_{name}" for name in staged.table.columns]
        if linked:
            columns += [
                f"k_{name}"
                for name, column in staged.table.columns.items()
                if self._links(staged.table, name)
            ]
        made = keep or ", ".join(columns)
        rows = self.validation_query(staged, linked=linked)
        self.run(
            f"create or replace table {target} as select file, line, {made} from ({rows}) where fault is null",
            f"{staged.table.name}: judging",
        )
        if self.one(f"select count(*) from {target}", staged.table.name)[0] < staged.rows:
            counts = self.counts_by_table.setdefault(
                staged.table.name, LoadCounts(staged.table.name, read=staged.rows)
            )
            self.reject(staged, rows, counts)
        return target

    @staticmethod
    def _links(table: Table, name: str) -> bool:
        column = table.columns[name]
        to = "loan" if name == "rollover_of" else column.refers
        return bool(to) and table.name not in ("branch", to)

    def has_unique_key(self, relation: str, key: str, name: str) -> bool:
        """Whether no two rows of `relation` have the same hash of `key`, and so no two the same key. False decides
        nothing. Sorting hashes takes half the time of counting distinct ones."""
        hashes = f"select hash({key}) as own from {relation}"
        pairs = f"select own, lag(own) over (order by own) as before from ({hashes})"
        return (
            self.one(f"select count(*) from ({pairs}) where own = before", f"{name}: keys")[0] == 0
        )

    def resolve_duplicates(
        self, staged: StagedTable, good: str, counts: LoadCounts, *, linked: bool = True
    ) -> None:
        """Of rows with one key in `good`: identical ones are kept once, different ones are all refused."""
        key = ", ".join(f"v_{name}" for name in staged.table.key)
        if self.has_unique_key(good, key, counts.name):
            return
        content = ", ".join(f"v_{name}" for name in staged.table.columns)
        double = f"double_{staged.table.name}"
        self.run(
            f"create or replace table {double} as select {key}, count(*) as rows, count(distinct "
            f"hash({content})) as kinds "
            f"from {good} group by {key} having count(*) > 1",
            f"{counts.name}: double keys",
        )
        match = " and ".join(
            f"{good}.v_{name} is not distinct from {double}.v_{name}" for name in staged.table.key
        )
        same = self.one(
            f"select coalesce(sum(rows - 1), 0) from {double} where kinds = 1", counts.name
        )[0]
        if same:
            counts.skipped["duplicate_same"] = int(same)
            self.run(
                f"delete from {good} where rowid in (select {good}.rowid from {good} join {double} on {match} "
                f"where kinds = 1 "
                f"qualify row_number() over (partition by {', '.join(f'{good}.v_{name}' for name in staged.table.key)} "
                f"order by {good}.file, {good}.line) > 1)",
                f"{counts.name}: identical rows",
            )
        if self.one(f"select count(*) from {double} where kinds > 1", counts.name)[0]:
            pairs = [(f"v_{name}", f"v_{name}") for name in staged.table.key]
            self.reject_keys(
                staged, double, "conflicting_duplicate", counts, pairs, "kinds > 1", linked
            )
            self.run(
                f"delete from {good} where exists (select 1 from {double} where kinds > 1 and {match})",
                f"{counts.name}: conflicting rows",
            )

    def reject_keys(
        self,
        staged: StagedTable,
        keys: str,
        why: str,
        counts: LoadCounts,
        pairs: list[tuple[str, str]],
        where: str = "true",
        linked: bool = True,
    ) -> None:
        """Refuse the sound rows of `staged` whose key is in table `keys`; pairs: (its column, column of a validated
        row)."""
        match = " and ".join(
            f"keys.{column} is not distinct from validated.{made}" for column, made in pairs
        )
        validated = self.validation_query(staged, linked=linked)
        rows = f"""
select validated.* replace ('{staged.table.key[0]}|{why}' as fault) from ({validated}) as validated
where fault is null and exists (select 1 from {keys} as keys where {where} and {match})"""
        self.reject(staged, rows, counts)
