"""Events and month-end facts into their kept tables: one pass for clean typed rows, a careful one for what is left."""

from __future__ import annotations

from data.contract.schema import Table
from data.contract.tables import EVENT_DATE, PLAIN_TYPES, REDELIVERED, kept_columns, kept_name
from data.loading.casting import EXACT, NOT_AFTER_AS_OF, NOT_BEFORE_DISBURSEMENT, ONLY_NEW, exact_code
from data.loading.reconciliation import Tally
from data.loading.validation import Delivered, Keeper

FAST_TYPES = ("key", "date", "month", "time", "money", "rate", "int", "number", "bool", "code")


def keep_events(keeper: Keeper, given: Delivered) -> None:
    """Fill kept.<table> with the sound rows, sorted by date; refuse the rest; see that no key stands twice."""
    tally = keeper.tally(given)
    rest = given
    if _is_typed(given):
        _keep_fast(keeper, given)
        if _count(keeper, given) == given.rows:
            rest = None
        else:
            rest = _rest(keeper, given)
    if rest:
        _keep_careful(keeper, given, rest, tally)
    _single(keeper, given, tally)
    _not_before(keeper, given, tally)
    tally.loaded = _count(keeper, given)


def _count(keeper: Keeper, given: Delivered) -> int:
    return keeper.one(f"select count(*) from part.kept.{given.table.name}", given.table.name)[0]


def _is_typed(given: Delivered) -> bool:
    """Every delivered column has the contract's very type, and none is missing that is required."""
    columns = given.table.columns
    typed = (columns[n].type in FAST_TYPES and EXACT[columns[n].type] == kind for n, kind in given.families.items())
    return all(typed) and all(name in given.families for name in given.table.required_columns)


def _fast(given: Delivered) -> tuple[str, str, str]:
    """(select list, joins, condition of soundness) over typed columns, without the tidying that clean rows do not need.

    A row that fails the condition is judged again, carefully; so the condition may be stricter than the rules,
    never laxer.
    """
    table, values, keys, sound, joins = given.table, {}, {}, [], []
    for name, column in table.columns.items():
        raw, to = f'given."{name}"', column.refers
        if name not in given.families:
            values[name] = "null"
            if to:
                keys[f"k_{name}"] = "null"
            continue
        values[name] = raw
        if to:
            keys[f"k_{name}"] = f"ref_{name}.{to}_key"
            joins.append(f"left join {to}_ref as ref_{name} on ref_{name}.{to}_id = {raw}")
            sound.append(f"ref_{name}.{to}_key is not null" + ("" if column.required else f" or {raw} is null"))
            continue
        if column.type == "key":
            # Printable, without a blank, no error of a spreadsheet, and longer than any word for nothing.
            conditions = [f"regexp_full_match({raw}, '[^#[:^graph:]][[:graph:]]*')", f"strlen({raw}) > :longest_null"]
        elif column.type == "code":
            values[name] = exact_code(column, raw)
            conditions = [f"{values[name]} is not null"]
        elif column.type in ("date", "month", "time"):
            values[name] = f"{raw}::date" if column.type == "time" else raw
            conditions = [f"{values[name]} >= date '1900-01-01'", f"{values[name]} <= {_latest(table, name)}"]
            if column.type == "month":
                conditions.append(f"last_day({raw}) = {raw}")
            if name in NOT_BEFORE_DISBURSEMENT.get(table.name, ()):
                conditions.append(f"coalesce({values[name]} >= ref_loan_id.disbursed_on, true)")
            if table.name in ONLY_NEW and name == EVENT_DATE[table.name]:
                conditions.append(f"coalesce({raw} > :last_as_of, true)")
        else:
            low, high = column.limits
            conditions = [f"{raw} >= {low}"] if low is not None else []
            conditions += [f"{raw} <= {high}"] if high is not None else []
            if column.type == "number":
                conditions.append(f"isfinite({raw})")
            if column.type == "int":
                values[name] = f"try_cast({raw} as {PLAIN_TYPES['int']})"
                conditions.append(f"{values[name]} is not null")
            conditions = conditions or ([f"{raw} is not null"] if column.required else [])
        both = " and ".join(conditions)
        if both:
            sound.append(both if column.required else f"{raw} is null or ({both})")
    sources = keys | {f"v_{name}": value for name, value in values.items()}
    made = [f"{sources.get(kept.made, kept.made)} as {kept.name}" for kept in kept_columns(table)]
    return ", ".join(made), " ".join(joins), " and ".join(f"({condition})" for condition in sound) or "true"


def _latest(table: Table, name: str) -> str:
    return ":as_of" if name in NOT_AFTER_AS_OF.get(table.name, ()) else "date '2200-12-31'"


def _keep_fast(keeper: Keeper, given: Delivered) -> None:
    made, joins, sound = _fast(given)
    date = kept_name(given.table, EVENT_DATE[given.table.name])
    order = "" if given.is_sorted else f" order by {date}"
    keeper.run(
        f"insert into part.kept.{given.table.name} by name select {made} from {given.name} as given "
        f"{joins} where {sound}{order}",
        f"{given.table.name}: keeping",
    )


def _rest(keeper: Keeper, given: Delivered) -> Delivered:
    """What the fast pass did not take, as a relation of its own."""
    _, joins, sound = _fast(given)
    name = f"rest_{given.table.name}"
    keeper.run(
        f"create or replace table {name} as select given.* from {given.name} as given "
        f"{joins} where ({sound}) is not true",
        f"{given.table.name}: the rest",
    )
    rows = keeper.one(f"select count(*) from {name}", given.table.name)[0]
    return Delivered(given.table, name, given.families, rows)


def _keep_careful(keeper: Keeper, given: Delivered, rest: Delivered, tally: Tally) -> None:
    before = _count(keeper, given)
    made = ", ".join(f"{kept.made} as {kept.name}" for kept in kept_columns(given.table))
    rows = keeper.judged(rest)
    date = f"v_{EVENT_DATE[given.table.name]}"
    keeper.run(
        f"insert into part.kept.{given.table.name} by name select {made} from ({rows}) where fault is "
        f"null order by {date}",
        f"{given.table.name}: keeping carefully",
    )
    if _count(keeper, given) - before < rest.rows:
        keeper.reject(rest, rows, tally)


def _key_pairs(given: Delivered) -> list[tuple[str, str]]:
    """(kept column, column of a judged row) of the table's key."""
    made = {kept.name: kept.made for kept in kept_columns(given.table)}
    return [(kept_name(given.table, name), made[kept_name(given.table, name)]) for name in given.table.key]


def _single(keeper: Keeper, given: Delivered, tally: Tally) -> None:
    name, target = given.table.name, f"part.kept.{given.table.name}"
    pairs = _key_pairs(given)
    key = ", ".join(column for column, _ in pairs)
    if keeper.stands_once(target, key, name):
        return
    keeper.run(
        f"create or replace table double_{name} as select {key}, count(*) as rows, "
        f"count(distinct hash({', '.join(kept.name for kept in kept_columns(given.table))})) as kinds "
        f"from {target} group by {key} having count(*) > 1",
        f"{name}: double keys",
    )
    match = " and ".join(f"double.{column} is not distinct from kept.{column}" for column, _ in pairs)
    same = keeper.one(f"select coalesce(sum(rows - 1), 0) from double_{name} where kinds = 1", name)[0]
    if same:
        tally.skipped["duplicate_same"] = int(same)
        partition = ", ".join(f"kept.{column}" for column, _ in pairs)
        keeper.run(
            f"delete from {target} where rowid in (select kept.rowid from {target} as kept join "
            f"double_{name} as double on {match} "
            f"where kinds = 1 qualify row_number() over (partition by {partition} order by kept.rowid) > 1)",
            f"{name}: identical rows",
        )
    if keeper.one(f"select count(*) from double_{name} where kinds > 1", name)[0]:
        keeper.refuse_keys(given, f"double_{name}", "conflicting_duplicate", tally, pairs, where="kinds > 1")
        _delete(keeper, name, f"double_{name}", pairs, "kinds > 1")


def _not_before(keeper: Keeper, given: Delivered, tally: Tally) -> None:
    """Refuse keys that an older part holds already. An increment's rows are younger than all before, so little is
    read."""
    name = given.table.name
    if not keeper.shop.older or name in REDELIVERED or not _count(keeper, given):
        return
    date, pairs = kept_name(given.table, EVENT_DATE[name]), _key_pairs(given)
    key = ", ".join(column for column, _ in pairs)
    old = " union all ".join(
        f"select {key} from {table} where {date} >= (select min({date}) from part.kept.{name})"
        for table in keeper.older(name)
    )
    match = " and ".join(f"old.{column} is not distinct from fresh.{column}" for column, _ in pairs)
    keeper.run(
        f"create or replace table known_{name} as select distinct "
        f"{', '.join(f'fresh.{column}' for column, _ in pairs)} "
        f"from part.kept.{name} as fresh join ({old}) as old on {match}",
        f"{name}: delivered before",
    )
    if keeper.one(f"select count(*) from known_{name}", name)[0]:
        keeper.refuse_keys(given, f"known_{name}", "already_delivered", tally, pairs)
        _delete(keeper, name, f"known_{name}", pairs, "true")


def _delete(keeper: Keeper, name: str, keys: str, pairs: list[tuple[str, str]], where: str) -> None:
    match = " and ".join(f"keys.{column} is not distinct from {name}.{column}" for column, _ in pairs)
    keeper.run(
        f"delete from part.kept.{name} where exists (select 1 from {keys} as keys where {where} and {match})",
        f"{name}: refused keys",
    )
