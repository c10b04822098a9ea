"""Rows of one key: identical ones are stored once, different ones are all rejected."""

from __future__ import annotations

from data.loading.sql_files import load_sql
from data.loading.validation import KeyPairs, RowValidator, StagedTable


def has_unique_key(validator: RowValidator, relation: str, key: str, name: str) -> bool:
    """Return whether no two rows of `relation` have the same hash of `key`.

    Then no two have the same key. False does not mean that two rows have the same key.
    """
    sql = load_sql("equal_key_hashes", key=key, relation=relation)
    return validator.one(sql, f"{name}: keys")[0] == 0


def resolve_duplicates(
    validator: RowValidator, staged: StagedTable, target: str, *, linked: bool = True
) -> None:
    """Resolve repeated keys in a table `target` of validated rows."""
    _resolve(
        validator,
        staged,
        target,
        key_pairs=[(f"v_{name}", f"v_{name}") for name in staged.table.key],
        content=[f"v_{name}" for name in staged.table.columns],
        sort_order="stored.file, stored.line",
        linked=linked,
    )


def resolve_stored_duplicates(
    validator: RowValidator, staged: StagedTable, key_pairs: KeyPairs, content: list[str]
) -> None:
    """Resolve repeated keys among the stored rows of history.<table>.

    Parameters
    ----------
    key_pairs
        (stored column, column of a validated row) of the key.
    content
        All stored columns.
    """
    _resolve(
        validator,
        staged,
        f"part.history.{staged.table.name}",
        key_pairs=key_pairs,
        content=content,
        sort_order="stored.rowid",
        linked=True,
    )


def _resolve(
    validator: RowValidator,
    staged: StagedTable,
    target: str,
    *,
    key_pairs: KeyPairs,
    content: list[str],
    sort_order: str,
    linked: bool,
) -> None:
    name = staged.table.name
    counts = validator.counts_for(staged)
    columns = [column for column, _ in key_pairs]
    key = ", ".join(columns)
    if has_unique_key(validator, target, key, name):
        return
    duplicates = f"duplicate_{name}"
    validator.run(
        load_sql("duplicate_keys", table=name, target=target, key=key, content=", ".join(content)),
        f"{name}: repeated keys",
    )
    identical, conflicting = validator.one(
        "select coalesce(sum(rows - 1) filter (versions = 1), 0), "
        f"count(*) filter (versions > 1) from {duplicates}",
        name,
    )
    if identical:
        counts.skipped["duplicate_same"] = int(identical)
        same_key = _equal_columns("stored", "duplicate", columns)
        sql = load_sql(
            "delete_identical_rows",
            table=name,
            target=target,
            same_key=same_key,
            partition_key=", ".join(f"stored.{column}" for column in columns),
            sort_order=sort_order,
        )
        validator.run(sql, f"{name}: identical rows")
    if conflicting:
        validator.reject_keys(
            staged, duplicates, "conflicting_duplicate", key_pairs, "versions > 1", linked=linked
        )
        delete_keys(validator, target, duplicates, columns, "versions > 1")


def delete_keys(
    validator: RowValidator,
    target: str,
    rejected: str,
    columns: list[str],
    condition: str = "true",
) -> None:
    """Delete the rows of table `target` whose key is in the table `rejected` under `condition`."""
    table = target.rpartition(".")[2]
    sql = load_sql(
        "delete_keys",
        target=target,
        rejected=rejected,
        condition=condition,
        same_key=_equal_columns("keys", table, columns),
    )
    validator.run(sql, f"{table}: rejected keys")


def _equal_columns(left: str, right: str, columns: list[str]) -> str:
    return " and ".join(
        f"{left}.{column} is not distinct from {right}.{column}" for column in columns
    )
