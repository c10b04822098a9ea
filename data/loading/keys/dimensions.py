"""Keys and stored rows of the dimensions: branches, account managers and products."""

from __future__ import annotations

from collections.abc import Mapping

from data.contract.tables import DIMENSIONS, KEY_TYPES, enum_type
from data.errors import UserError
from data.loading.casting import cast
from data.loading.keys.duplicates import resolve_duplicates
from data.loading.reconciliation import LoadCounts
from data.loading.sql_files import load_sql
from data.loading.validation import RowValidator, StagedTable

MAX_KEY = {"smallint": 32_767, "integer": 2_147_483_647}


def load_dimensions(validator: RowValidator, delivered: Mapping[str, StagedTable]) -> None:
    """Create <dimension>_ref (id → key) and fill current.<dimension> for every dimension.

    Keys go to the members of older parts first, then to delivered members, then to identifiers that
    other tables use without a member.
    """
    for name in DIMENSIONS:
        staged = delivered.get(name)
        valid_rows = None
        if staged:
            valid_rows = validator.cast_rows(staged, linked=name != "branch")
            resolve_duplicates(validator, staged, valid_rows)
        _assign_keys(validator, name, valid_rows, delivered)
        _WRITERS[name](validator, valid_rows)
        if staged:
            counts = validator.counts_for(staged)
            counts.loaded = validator.count(valid_rows, name)


def _assign_keys(
    validator: RowValidator,
    name: str,
    valid_rows: str | None,
    delivered: Mapping[str, StagedTable],
) -> None:
    id = f"{name}_id"
    key = f"{name}_key"
    type = KEY_TYPES[name]
    older = validator.older(name, "current")[-1:]
    previous = f"(select null::varchar as {id}, null::{type} as {key} where false)"
    if older:
        previous = f"(select {id}, {key} from {older[0]})"
    own = "(select null::varchar as id, 0 as line where false)"
    if valid_rows:
        own = f"(select v_{id} as id, min(line) as line from {valid_rows} group by 1)"
    used = f"({_identifiers_in_use(validator, name, delivered)})"
    sql = load_sql("dimension_keys", dimension=name, previous=previous, own=own, used=used)
    validator.run(sql, f"{name}: keys")
    members, last, without_member = validator.one(
        f"select count(*), max({key}), count(*) filter (not is_known) from {name}_ref",
        f"{name}: counting",
    )
    if members and last > MAX_KEY[type]:
        raise UserError("too_many_members", table=name, most=MAX_KEY[type])
    validator.run(
        f"create or replace table {name}_ref as "
        f"select {id}, {key}::{type} as {key}, is_known from {name}_ref",
        name,
    )
    if without_member:
        code = "unknown_reference" if valid_rows or older else "dimension_made"
        validator.counts_by_table.setdefault(name, LoadCounts(name)).note(code, without_member)


def _identifiers_in_use(
    validator: RowValidator, name: str, delivered: Mapping[str, StagedTable]
) -> str:
    """Return the SELECT of all identifiers (`id`) of a dimension that delivered tables refer to."""
    selects: list[str] = []
    for staged in delivered.values():
        for column in staged.table.columns.values():
            if column.refers != name or column.name not in staged.families:
                continue
            table = f"used_{len(selects)}"
            # A table of its own, or the optimiser would push the cleaning below the distinct and
            # do it for every row delivered.
            validator.run(
                f'create or replace table {table} as select distinct "{column.name}" as raw '
                f"from {staged.name}",
                f"{name}: identifiers in use",
            )
            tidy = cast(column, staged.families[column.name]).tidy
            cleaned = tidy.replace(f'"{column.name}"', "raw")
            selects.append(f"select {cleaned} as id from {table}")
    return " union ".join(selects) or "select null::varchar as id where false"


def _write_branches(validator: RowValidator, valid_rows: str | None) -> None:
    """Fill current.branch with the tree and its levels.

    A single root (the head office) is level 0 and its children level 1; the roots of a forest are
    level 1.
    """
    rows = _branch_rows(validator, valid_rows)
    keys = {row["branch_id"]: row["branch_key"] for row in rows}
    # A parent that was never delivered does not exist; its child becomes a root.
    parents: dict[str, str | None] = {
        row["branch_id"]: row["parent_id"] if row["parent_id"] in keys else None for row in rows
    }
    declared = [row["branch_id"] for row in rows if row["age"] is not None]
    roots = [branch for branch in declared if parents[branch] is None]
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
        values = ", ".join(f"unnest(${column}) as {column}" for column in columns)
        validator.run(
            f"insert into part.current.branch by name select {values}",
            "branch",
            **{column: [branch[column] for branch in branches] for column in columns},
        )


def _branch_rows(validator: RowValidator, valid_rows: str | None) -> list[dict]:
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
    if valid_rows:
        declarations.append(
            f"select v_branch_id, v_parent_id, v_name, v_name_en, 0 from {valid_rows}"
        )
    sql = load_sql("branches", declarations=_union(declarations))
    return validator.session.table(sql, "branch: tree").to_pylist()


def lineage(branch: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return the branches from the root down to `branch` itself.

    Raises
    ------
    UserError
        When the tree has a circle.
    """
    line = [branch]
    while (parent := parents.get(line[0])) is not None:
        if parent in line:
            raise UserError("branch_circle", branch=branch)
        line.insert(0, parent)
    return line


def _write_managers(validator: RowValidator, valid_rows: str | None) -> None:
    declarations = [
        "select null::varchar as manager_id, null::smallint as branch_key, "
        "null::varchar as name_masked, 2 as age where false"
    ]
    if valid_rows:
        declarations.append(
            f"select v_manager_id, k_branch_id, masked_name(v_name), 0 from {valid_rows}"
        )
    for table in validator.older("manager", "current")[-1:]:
        declarations.append(f"select manager_id, branch_key, name_masked, 1 from {table}")
    validator.run(load_sql("managers", declarations=_union(declarations)), "manager")


def _write_products(validator: RowValidator, valid_rows: str | None) -> None:
    family = enum_type(validator.contract.tables["product"].columns["family"])
    declarations = [
        "select null::varchar as product_id, null::varchar as name, null::varchar as name_en, "
        f"null::{family} as family, 2 as age where false"
    ]
    if valid_rows:
        declarations.append(
            f"select v_product_id, v_name, v_name_en, v_family::{family}, 0 from {valid_rows}"
        )
    for table in validator.older("product", "current")[-1:]:
        declarations.append(f"select product_id, name, name_en, family, 1 from {table}")
    validator.run(load_sql("products", declarations=_union(declarations)), "product")


def _union(selects: list[str]) -> str:
    return f"({' union all '.join(selects)})"


_WRITERS = {
    "branch": _write_branches,
    "manager": _write_managers,
    "product": _write_products,
}
