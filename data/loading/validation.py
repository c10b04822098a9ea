"""The keeper of one load: judges delivered rows in a workshop; refused ones are kept apart, counted by reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from data.contract.formats import NULLS
from data.contract.schema import Contract, Table
from data.editions.engine import BuildSession
from data.loading.casting import judged, shown_value
from data.loading.reconciliation import Tally
from data.messages import REASONS, reason


@dataclass(frozen=True)
class Delivered:
    """One table as delivered: the relation `name` holds file, line, problem and the columns of `families`."""

    table: Table
    name: str
    families: Mapping[str, str]
    rows: int
    is_sorted: bool = False


@dataclass
class Keeper:
    """Puts delivered relations into the part under construction. One per load."""

    shop: BuildSession
    contract: Contract
    delivery: int
    as_of: dt.date
    last_as_of: dt.date | None
    secret: bytes
    formats: tuple[str, ...]
    nulls: tuple[str, ...] = NULLS
    tallies: dict[str, Tally] = field(default_factory=dict)

    def __post_init__(self):
        padded = self.secret.ljust(64, b"\0")
        self.shop.run(
            "create or replace temp table reason_words as select unnest(:codes) as code, unnest(:words) as sentence",
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
        self.shop.run(sql, label, **self.params, **more)

    def one(self, sql: str, label: str, **more) -> tuple:
        return self.shop.one(sql, label, **self.params, **more)

    def older(self, table: str, schema: str = "kept") -> list[str]:
        return [f"{part}.{schema}.{table}" for part in self.shop.older]

    def judged(self, given: Delivered, *, linked: bool = True, relation: str | None = None) -> str:
        return judged(given.table, relation or given.name, given.families, self.formats, linked=linked)

    def tally(self, given: Delivered) -> Tally:
        return self.tallies.setdefault(given.table.name, Tally(given.table.name, read=given.rows))

    def reject(self, given: Delivered, rows: str, tally: Tally) -> None:
        """Keep the faulty rows of `rows` (a judged SELECT) apart, and count them by reason."""
        into = f"""
insert into part.kept.rejected
select
    :table_name, file, line, nullif(split_part(fault, '|', 1), ''), {shown_value(given.table, given.families)},
    split_part(fault, '|', 2), (select sentence from reason_words where code = split_part(fault, '|', 2)), :delivery
from ({rows}) as judged
where fault is not null"""
        self.run(into, f"{tally.name}: refused rows", table_name=tally.name)
        found = self.shop.table(
            "select reason, count(*) as rows from part.kept.rejected where table_name = :name group by "
            "reason order by 2 desc",
            f"{tally.name}: reasons",
            name=tally.name,
        )
        tally.rejects = dict(zip(found["reason"].to_pylist(), found["rows"].to_pylist(), strict=True))

    def stage(
        self, given: Delivered, *, linked: bool = True, target: str | None = None, keep: str | None = None
    ) -> str:
        """Judge every row into a table of typed columns in memory; refused rows go to kept.rejected. Returns the
        table's name."""
        target = target or f"good_{given.table.name}"
        columns = [f"v_{name}" for name in given.table.columns]
        if linked:
            columns += [f"k_{name}" for name, column in given.table.columns.items() if self._links(given.table, name)]
        made = keep or ", ".join(columns)
        rows = self.judged(given, linked=linked)
        self.run(
            f"create or replace table {target} as select file, line, {made} from ({rows}) where fault is null",
            f"{given.table.name}: judging",
        )
        if self.one(f"select count(*) from {target}", given.table.name)[0] < given.rows:
            tally = self.tallies.setdefault(given.table.name, Tally(given.table.name, read=given.rows))
            self.reject(given, rows, tally)
        return target

    @staticmethod
    def _links(table: Table, name: str) -> bool:
        column = table.columns[name]
        to = "loan" if name == "rollover_of" else column.refers
        return bool(to) and table.name not in ("branch", to)

    def stands_once(self, relation: str, key: str, name: str) -> bool:
        """Whether no two rows of `relation` have the same hash of `key`, and so no two the same key. False decides
        nothing. Sorting hashes takes half the time of counting distinct ones."""
        hashes = f"select hash({key}) as own from {relation}"
        pairs = f"select own, lag(own) over (order by own) as before from ({hashes})"
        return self.one(f"select count(*) from ({pairs}) where own = before", f"{name}: keys")[0] == 0

    def single(self, given: Delivered, good: str, tally: Tally, *, linked: bool = True) -> None:
        """Of rows with one key in `good`: identical ones are kept once, different ones are all refused."""
        key = ", ".join(f"v_{name}" for name in given.table.key)
        if self.stands_once(good, key, tally.name):
            return
        content = ", ".join(f"v_{name}" for name in given.table.columns)
        double = f"double_{given.table.name}"
        self.run(
            f"create or replace table {double} as select {key}, count(*) as rows, count(distinct "
            f"hash({content})) as kinds "
            f"from {good} group by {key} having count(*) > 1",
            f"{tally.name}: double keys",
        )
        match = " and ".join(f"{good}.v_{name} is not distinct from {double}.v_{name}" for name in given.table.key)
        same = self.one(f"select coalesce(sum(rows - 1), 0) from {double} where kinds = 1", tally.name)[0]
        if same:
            tally.skipped["duplicate_same"] = int(same)
            self.run(
                f"delete from {good} where rowid in (select {good}.rowid from {good} join {double} on {match} "
                f"where kinds = 1 "
                f"qualify row_number() over (partition by {', '.join(f'{good}.v_{name}' for name in given.table.key)} "
                f"order by {good}.file, {good}.line) > 1)",
                f"{tally.name}: identical rows",
            )
        if self.one(f"select count(*) from {double} where kinds > 1", tally.name)[0]:
            pairs = [(f"v_{name}", f"v_{name}") for name in given.table.key]
            self.refuse_keys(given, double, "conflicting_duplicate", tally, pairs, "kinds > 1", linked)
            self.run(
                f"delete from {good} where exists (select 1 from {double} where kinds > 1 and {match})",
                f"{tally.name}: conflicting rows",
            )

    def refuse_keys(
        self,
        given: Delivered,
        keys: str,
        why: str,
        tally: Tally,
        pairs: list[tuple[str, str]],
        where: str = "true",
        linked: bool = True,
    ) -> None:
        """Refuse the sound rows of `given` whose key is in table `keys`; pairs: (its column, column of a judged
        row)."""
        match = " and ".join(f"keys.{column} is not distinct from judged.{made}" for column, made in pairs)
        rows = f"""
select judged.* replace ('{given.table.key[0]}|{why}' as fault) from ({self.judged(given, linked=linked)}) as judged
where fault is null and exists (select 1 from {keys} as keys where {where} and {match})"""
        self.reject(given, rows, tally)
