"""Events and month-end facts into their kept tables: one pass for clean typed rows, a careful one for what is left."""

from __future__ import annotations

from data.keeping import Delivered, Keeper
from data.quality import Tally
from data.rules import EXACT, casts, relations
from data.tables import EVENT_DATE, REDELIVERED, kept_columns, kept_name

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
    """Every delivered column has the contract's very type, and it refers to customers and loans by required columns only."""
    for name, family in given.families.items():
        column = given.table.columns[name]
        if column.type not in FAST_TYPES or EXACT.get(column.type) != family:
            return False
        if column.refers and not (column.required and column.refers in ("customer", "loan")):
            return False
    return all(name in given.families for name in given.table.required_columns)


def _fast(given: Delivered) -> tuple[str, str, str]:
    """(select list, joins, condition of soundness) over the delivered columns, without the tidying that clean rows do not need."""
    rules = casts(given.table, given.families, ())
    values, sound, joins = {}, [], []
    for name, column in given.table.columns.items():
        raw = f'given."{name}"'
        if name not in rules:
            values[name] = "null"
            continue
        typed = column.type in ("key", "code")
        values[name] = f"{raw}::date" if column.type == "time" else raw
        if column.refers:
            joins.append(f"join {column.refers}_ref as ref_{name} on ref_{name}.{column.refers}_id = {raw}")
        elif column.type == "key":
            sound.append(f"({raw} = trim({raw}, ' ') and strlen({raw}) = length({raw}) and {raw} <> '')")
        elif column.type == "code":
            values[name] = f"try_cast({raw} as {_enum(column)})"
            sound.append(f"({raw} is null or {values[name]} is not null)")
        if column.required and not column.refers:
            sound.append(f"{raw} is not null")
        if not typed:
            sound += [
                f"coalesce(not ({condition.replace(f'v_{name}', values[name]).replace(f't_{name}', raw)}), true)"
                for reason, condition in rules[name].faults
                if reason not in ("missing", "out_of_range")
            ]
            if column.type in ("date", "month", "time"):
                sound.append(f"coalesce({values[name]} <> date '9999-12-31', true)")
    for name, why, condition in relations(given.table, rules):
        if why == "before_disbursement":
            sound.append(f"coalesce({values[name]} >= ref_loan_id.disbursed_on, true)")
        elif why != "orphan":
            sound.append(f"coalesce(not ({condition.replace(f'v_{name}', values[name])}), true)")
    made = []
    for kept in kept_columns(given.table):
        sql = kept.made
        for name, column in given.table.columns.items():
            if sql == f"k_{name}":
                sql = f"ref_{name}.{column.refers}_key"
            elif sql == f"v_{name}":
                sql = values[name]
        made.append(f"{sql} as {kept.name}")
    return ", ".join(made), " ".join(joins), " and ".join(sound) or "true"


def _enum(column) -> str:
    from data.tables import enum

    return enum(column)


def _keep_fast(keeper: Keeper, given: Delivered) -> None:
    made, joins, sound = _fast(given)
    date = kept_name(given.table, EVENT_DATE[given.table.name])
    order = "" if given.is_sorted else f" order by {date}"
    keeper.run(
        f"insert into part.kept.{given.table.name} by name select {made} from {given.name} as given {joins} where {sound}{order}",
        f"{given.table.name}: keeping",
    )


def _rest(keeper: Keeper, given: Delivered) -> Delivered:
    """What the fast pass did not take, as a relation of its own."""
    _, joins, sound = _fast(given)
    keys = [
        f"ref_{name}.{column.refers}_key is not null" for name, column in given.table.columns.items() if column.refers
    ]
    name = f"rest_{given.table.name}"
    keeper.run(
        f"create or replace temp table {name} as select given.* from {given.name} as given {joins.replace('join', 'left join')} "
        f"where not ({' and '.join([*keys, sound])})",
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
        f"insert into part.kept.{given.table.name} by name select {made} from ({rows}) where fault is null order by {date}",
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
    packed = f"hash({key})" if len(pairs) > 1 or given.table.columns[given.table.key[0]].type == "key" else key
    rows, kinds = keeper.one(f"select count(*), count(distinct {packed}) from {target}", f"{name}: keys")
    if rows == kinds:
        return
    keeper.run(
        f"create or replace temp table double_{name} as select {key}, count(*) as rows, "
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
            f"delete from {target} where rowid in (select kept.rowid from {target} as kept join double_{name} as double on {match} "
            f"where kinds = 1 qualify row_number() over (partition by {partition} order by kept.rowid) > 1)",
            f"{name}: identical rows",
        )
    if keeper.one(f"select count(*) from double_{name} where kinds > 1", name)[0]:
        keeper.refuse_keys(given, f"double_{name}", "conflicting_duplicate", tally, pairs, where="kinds > 1")
        _delete(keeper, name, f"double_{name}", pairs, "kinds > 1")


def _not_before(keeper: Keeper, given: Delivered, tally: Tally) -> None:
    """Refuse keys that an older part holds already. An increment's rows are younger than all before, so little is read."""
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
        f"create or replace temp table known_{name} as select distinct {', '.join(f'fresh.{column}' for column, _ in pairs)} "
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
