"""Dense integer keys, assigned at load and stable across increments: dimensions, customers and loans."""

from __future__ import annotations

from collections.abc import Mapping

from data.contract.schema import Table
from data.contract.tables import DIMENSIONS, KEY_TYPES, enum_type, stored_columns
from data.errors import UserError
from data.loading.casting import cast
from data.loading.reconciliation import LoadCounts
from data.loading.validation import RowValidator, StagedTable

MAX_KEY = {"smallint": 32_767, "integer": 2_147_483_647}


def load_dimensions(validator: RowValidator, delivered: Mapping[str, StagedTable]) -> None:
    """Create <dimension>_ref (id → key) and fill current.<dimension> for every dimension.

    Keys go to the members of older parts first, then to delivered members, then to identifiers that
    other tables use without a member.
    """
    for name in DIMENSIONS:
        staged = delivered.get(name)
        good = None
        if staged:
            good = validator.cast_rows(staged, linked=name != "branch")
            validator.resolve_duplicates(staged, good, validator.counts_for(staged))
        _assign_dimension_keys(validator, name, good, delivered)
        _DIMENSION_WRITERS[name](validator, good)
        if staged:
            counts = validator.counts_for(staged)
            counts.loaded = validator.one(f"select count(*) from {good}", name)[0]


def _assign_dimension_keys(
    validator: RowValidator, name: str, good: str | None, delivered: Mapping[str, StagedTable]
) -> None:
    id = f"{name}_id"
    key = f"{name}_key"
    type = KEY_TYPES[name]
    previous = validator.older(name, "current")[-1:]
    before = f"select null::varchar as {id}, null::{type} as {key} where false"
    if previous:
        before = f"select {id}, {key} from {previous[0]}"
    own = "select null::varchar as id, 0 as line where false"
    if good:
        own = f"select v_{id} as id, min(line) as line from {good} group by 1"
    used = _identifiers_in_use(validator, name, delivered)
    validator.run(
        f"""
create or replace table {name}_ref as
with before as ({before}), own as ({own}), used as ({used}),
fresh as (
    select id, min(line) as line
    from (
        select id, line from own
        union all
        select id, null from used where not list_contains($nulls, lower(id))
    )
    where id is not null and id not in (select {id} from before)
    group by id
)
select {id}, {key}, true as is_known from before
union all
select
    id,
    (select coalesce(max({key}), 0) from before)
    + row_number() over (order by line nulls last, id),
    line is not null
from fresh""",
        f"{name}: numbering",
    )
    members, last, without_member = validator.one(
        f"select count(*), max({key}), count(*) filter (not is_known) from {name}_ref",
        f"{name}: counting",
    )
    if members and last > MAX_KEY[type]:
        raise UserError("too_many_members", table=name, most=MAX_KEY[type])
    validator.run(
        f"create or replace table {name}_ref as select {id}, {key}::{type} as {key}, is_known from {name}_ref",
        name,
    )
    if without_member:
        code = "unknown_reference" if good or previous else "dimension_made"
        validator.counts_by_table.setdefault(name, LoadCounts(name)).note(code, without_member)


def _identifiers_in_use(
    validator: RowValidator, name: str, delivered: Mapping[str, StagedTable]
) -> str:
    """Return the SELECT of all identifiers (`id`) of a dimension that delivered tables refer to."""
    selects = []
    for staged in delivered.values():
        for column in staged.table.columns.values():
            if column.refers != name or column.name not in staged.families:
                continue
            table = f"used_{len(selects)}"
            # A table of its own, or the optimiser would push the cleaning below the distinct and
            # do it for every row delivered.
            validator.run(
                f'create or replace table {table} as select distinct "{column.name}" as raw from {staged.name}',
                f"{name}: identifiers in use",
            )
            tidy = cast(column, staged.families[column.name]).tidy
            cleaned = tidy.replace(f'"{column.name}"', "raw")
            selects.append(f"select {cleaned} as id from {table}")
    return " union ".join(selects) or "select null::varchar as id where false"


def _write_branches(validator: RowValidator, good: str | None) -> None:
    """Fill current.branch with the tree and its levels.

    A single root (the head office) is level 0 and its children level 1; the roots of a forest are
    level 1.
    """
    rows = _branch_rows(validator, good)
    keys = {row["branch_id"]: row["branch_key"] for row in rows}
    # A parent that was never delivered does not exist; its child becomes a root.
    parents: dict[str, str | None] = {
        row["branch_id"]: row["parent_id"] if row["parent_id"] in keys else None for row in rows
    }
    delivered = [row["branch_id"] for row in rows if row["age"] is not None]
    roots = [branch for branch in delivered if parents[branch] is None]
    head_office = roots[0] if len(roots) == 1 and roots[0] in parents.values() else None
    if head_office:
        for row in rows:
            if row["age"] is None:
                parents[row["branch_id"]] = head_office
    branches = []
    for row in rows:
        path = lineage(row["branch_id"], parents)
        if head_office and path[0] == head_office:
            path = path[1:]
        levels = [path[depth] if depth < len(path) else None for depth in range(3)]
        branches.append(
            {
                "branch_key": row["branch_key"],
                "branch_id": row["branch_id"],
                "parent_key": keys.get(parents[row["branch_id"]]),
                "name": row["name"],
                "name_en": row["name_en"],
                "level": len(path),
                "branch_1": levels[0],
                "branch_2": levels[1],
                "branch_3": levels[2],
            }
        )
    if branches:
        columns = list(branches[0])
        validator.run(
            "insert into part.current.branch by name select "
            + ", ".join(f"unnest(${column}) as {column}" for column in columns),
            "branch",
            **{column: [branch[column] for branch in branches] for column in columns},
        )


def _branch_rows(validator: RowValidator, good: str | None) -> list[dict]:
    """Return every branch with its latest declaration; `age` is null when there is none."""
    # The empty first select names and types the columns.
    declarations = [
        "select null::varchar as branch_id, null::varchar as parent_id, null::varchar as name, "
        "null::varchar as name_en, 2 as age where false"
    ]
    for table in validator.older("branch", "current")[-1:]:
        declarations.append(
            "select old.branch_id, parent.branch_id, old.name, old.name_en, 1 "
            f"from {table} as old left join {table} as parent "
            "on parent.branch_key = old.parent_key"
        )
    if good:
        declarations.append(f"select v_branch_id, v_parent_id, v_name, v_name_en, 0 from {good}")
    return validator.session.table(
        f"""
with declared as ({" union all ".join(declarations)}),
latest as (
    select * from declared
    qualify row_number() over (partition by branch_id order by age) = 1
)
select
    ref.branch_id,
    ref.branch_key,
    latest.parent_id,
    coalesce(latest.name, ref.branch_id) as name,
    latest.name_en,
    latest.age
from branch_ref as ref
left join latest on latest.branch_id = ref.branch_id
order by ref.branch_key""",
        "branch: tree",
    ).to_pylist()


def lineage(branch: str, parents: Mapping[str, str | None]) -> list[str]:
    """From the top down to the branch itself. Raises UserError where the tree goes round in a circle."""
    line = [branch]
    while (parent := parents.get(line[0])) is not None:
        if parent in line:
            raise UserError("branch_circle", branch=branch)
        line.insert(0, parent)
    return line


def _write_managers(validator: RowValidator, good: str | None) -> None:
    _write_flat_dimension(
        validator,
        "manager",
        good,
        "k_branch_id as branch_key, masked_name(v_name) as name_masked",
        "branch_key, name_masked",
    )


def _write_products(validator: RowValidator, good: str | None) -> None:
    kind = enum_type(validator.contract.tables["product"].columns["family"])
    _write_flat_dimension(
        validator,
        "product",
        good,
        f"v_name as name, v_name_en as name_en, v_family::{kind} as family",
        "name, name_en, family",
    )


def _write_flat_dimension(
    validator: RowValidator, name: str, good: str | None, made: str, columns: str
) -> None:
    known = validator.older(name, "current")[-1:]
    told = []
    if good:
        told.append(f"select v_{name}_id as {name}_id, {made}, 0 as age from {good}")
    if known:
        told.append(f"select {name}_id, {columns}, 1 as age from {known[0]}")
    if name == "product":
        columns = "coalesce(latest.name, ref.product_id) as name, latest.name_en, latest.family"
        empty = "null::varchar as name, null::varchar as name_en, null as family"
    else:
        columns = "latest.branch_key, latest.name_masked"
        empty = "null::smallint as branch_key, null::varchar as name_masked"
    told = told or [f"select null::varchar as {name}_id, {empty}, 0 as age where false"]
    validator.run(
        f"""
insert into part.current.{name}
with latest as (
    select * from ({" union all by name ".join(told)}) qualify row_number() over (partition by {name}_id order by
    age) = 1
)
select ref.{name}_key, ref.{name}_id, {columns}
from {name}_ref as ref left join latest on latest.{name}_id = ref.{name}_id
order by ref.{name}_key""",
        name,
    )


_DIMENSION_WRITERS = {
    "branch": _write_branches,
    "manager": _write_managers,
    "product": _write_products,
}


def load_customers(validator: RowValidator, staged: StagedTable) -> None:
    """Fill history.customer_number and history.customer; make the view customer_ref (customer_id → customer_key)."""
    counts = validator.counts_for(staged)
    good = validator.cast_rows(staged)
    validator.resolve_duplicates(staged, good, counts)
    _assign_keys(validator, "customer", good, "")
    ids = " union all ".join(
        f"select customer_id, customer_key from {book}"
        for book in [*validator.older("customer_number"), "part.history.customer_number"]
    )
    validator.run(f"create or replace view customer_ref as {ids}", "customer: numbers")
    rows = (
        f"select good.*, ref.customer_key as k_customer_id from {good} as good "
        "join customer_ref as ref on ref.customer_id = good.v_customer_id"
    )
    before = " union all ".join(
        f"select customer_key, valid_from from {older}" for older in validator.older("customer")
    )
    if before:
        validator.run(
            f"create or replace table known_customer as select good.v_customer_id, good.v_valid_from "
            f"from ({rows}) as good "
            f"join ({before}) as old on old.customer_key = good.k_customer_id and old.valid_from = good.v_valid_from",
            "customer: delivered before",
        )
        if validator.one("select count(*) from known_customer", "customer")[0]:
            pairs = [("v_customer_id", "v_customer_id"), ("v_valid_from", "v_valid_from")]
            validator.reject_keys(staged, "known_customer", "already_delivered", counts, pairs)
            rows += (
                " where not exists (select 1 from known_customer as known "
                "where known.v_customer_id = good.v_customer_id and known.v_valid_from = good.v_valid_from)"
            )
    made = ", ".join(f"{kept.made} as {kept.name}" for kept in stored_columns(staged.table))
    validator.run(
        f"insert into part.history.customer by name select {made} from ({rows}) order by k_customer_id, v_valid_from",
        "customer: keeping",
    )
    counts.loaded = validator.one("select count(*) from part.history.customer", "customer")[0]
    _note_identity_numbers(validator, staged, counts, good)
    _note_unknown_codes(validator, staged, counts)


def _assign_keys(validator: RowValidator, name: str, good: str, more: str) -> None:
    books = validator.older(f"{name}_number")
    last = (
        " union all ".join(f"select max({name}_key) as last from {book}" for book in books)
        or "select 0 as last"
    )
    known = "".join(
        f" and not exists (select 1 from {book} as old where old.{name}_id = good.v_{name}_id)"
        for book in books
    )
    validator.run(
        f"""
insert into part.history.{name}_number by name
with fresh as (select v_{name}_id as {name}_id, min(file) as file, min(line) as line{more} from {good} as good
where true{known} group by v_{name}_id)
select
    ((select coalesce(max(last), 0) from ({last})) + row_number() over (order by file, line))::integer as {name}_key,
    * exclude (file, line)
from fresh
order by 1""",
        f"{name}: numbering",
    )


def _note_identity_numbers(
    validator: RowValidator, staged: StagedTable, counts: LoadCounts, good: str
) -> None:
    """Notes only: a wrong check digit, and one identity number held by two customers, are for people to look at."""
    if "id_number" in staged.families:
        wrong = validator.one(
            f"select count(*) from {good} where regexp_full_match(v_id_number, '[0-9]{{17}}[0-9X]') and not "
            f"id_is_sound(v_id_number)",
            "customer: check digits",
        )[0]
        counts.note("id_checksum", wrong)
        shared = validator.one(
            "select count(*) from (select id_number_hash from part.history.customer where id_number_hash is not null "
            "group by 1 having min(customer_key) <> max(customer_key))",
            "customer: shared identity numbers",
        )[0]
        counts.note("same_id_two_customers", shared)
        for older in validator.older("customer"):
            changed = validator.one(
                f"select count(distinct old.customer_key) from {older} as old join part.history.customer as new "
                "on new.customer_key = old.customer_key and new.id_number_hash <> old.id_number_hash",
                "customer: changed identity numbers",
            )[0]
            counts.note("identity_changed", changed)


def _note_unknown_codes(validator: RowValidator, staged: StagedTable, counts: LoadCounts) -> None:
    """How many values of each code column the contract does not know."""
    schema = "current" if staged.table.name in DIMENSIONS else "history"
    codes = [
        column
        for column in staged.table.columns.values()
        if column.type == "code" and column.name in staged.families
    ]
    if not codes:
        return
    values = validator.one(
        f"select {', '.join(f'count(*) filter ({column.name} = $$other$$)' for column in codes)} from "
        f"part.{schema}.{staged.table.name}",
        f"{staged.table.name}: codes",
    )
    for column, count in zip(codes, values, strict=True):
        if count:
            declared_other = validator.one(
                f'select count(*) from {staged.name} where lower(clean("{column.name}")) = $$other$$',
                f"{staged.table.name}: codes",
            )[0]
            counts.note("unknown_code", max(0, count - declared_other), column=column.name)


def load_loans(validator: RowValidator, staged: StagedTable) -> None:
    """history.loan_number, history.loan and the view loan_ref (loan_id → loan_key, customer_key, disbursed_on).
    UserError: a loan number twice."""
    counts = validator.counts_for(staged)
    good = validator.cast_rows(staged)
    _refuse_double_loans(validator, staged)
    _assign_keys(validator, "loan", good, ", any_value(k_customer_id) as customer_key")
    ids = " union all ".join(
        [
            f"select loan_id, loan_key, customer_key, null::date as disbursed_on from {book}"
            for book in validator.older("loan_number")
        ]
        + [
            "select book.loan_id, book.loan_key, book.customer_key, good.v_disbursed_on as disbursed_on "
            f"from part.history.loan_number as book join {good} as good on good.v_loan_id = book.loan_id"
        ]
    )
    made_as = "view" if validator.session.older else "table"
    validator.run(f"create or replace {made_as} loan_ref as {ids}", "loan: numbers")
    made = ", ".join(f"{kept.made} as {kept.name}" for kept in stored_columns(staged.table))
    validator.run(
        f"""
insert into part.history.loan by name
select {made}
from (
    select good.*, ref.loan_key as k_loan_id, origin.loan_key as k_rollover_of
    from {good} as good
    join loan_ref as ref on ref.loan_id = good.v_loan_id
    left join loan_ref as origin on origin.loan_id = good.v_rollover_of
)
order by k_loan_id""",
        "loan: keeping",
    )
    counts.loaded, lost = validator.one(
        f"select (select count(*) from part.history.loan), (select count(v_rollover_of) from {good}) - "
        f"(select count(rollover_of_key) from part.history.loan)",
        "loan",
    )
    counts.note("unknown_rollover", lost)
    _note_unknown_codes(validator, staged, counts)


def _refuse_double_loans(validator: RowValidator, staged: StagedTable) -> None:
    tidy = cast(staged.table.columns["loan_id"], staged.families["loan_id"]).tidy
    if validator.has_unique_key(f"{staged.name} where problem is null", tidy, "loan"):
        return
    count, file, line = validator.one(
        f"""
with double as (select {tidy} as id, max(file) as file, max(line) as line from {staged.name} where problem is null
group by 1 having count(*) > 1)
select count(*), min(file), min(line) from double where id is not null""",
        "loan: double keys",
    )
    if count:
        raise UserError("loan_duplicate", count=count, file=file, line=line)


def columns_of(table: Table) -> str:
    return ", ".join(f"v_{name}" for name in table.columns)
