"""SQL for the clauses behind a class, for all rows at once; `Decision.clauses` for one row."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.rulebooks.conditions import ColumnSql, Group, Rule
from analytics.rulebooks.model import UNRATED
from analytics.rulebooks.rulebook import Rulebook

SEPARATOR = "；"
# Clause → alternative conditions, each a conjunction of SQL tests; an empty one is always true.
Conditions = dict[str, list[tuple[str, ...]]]


def clauses_sql(book: Rulebook, class_column: str, prefix: str | None = None) -> str:
    """Return an expression with the clauses applied, joined by SEPARATOR; empty for an unrated row.

    `class_column` holds the class of the row, as `to_sql` computes it; the facts are columns,
    qualified by `prefix` where given.
    """
    column = book.columns(prefix)
    lines = ["case", f"    when {class_column} = '{UNRATED}' then ''"]
    if book.exclusions:
        conditions: Conditions = {}
        for exclusion in book.exclusions:
            _collect(exclusion, "", (), exclusion.sql(column), column, conditions)
        test = Group("any", book.exclusions).sql(column)
        lines.append(f"    when {test} then {_clauses_text_sql(conditions)}")
    for code in book.evaluation_order:
        rules = book.rules_of(code)
        clause = book.class_of(code).note.clause
        conditions = {}
        for member in rules.members:
            # A row that reached the class by `all` of its rules meets each of them.
            member_test = None if rules.kind == "all" else member.sql(column)
            _collect(member, clause, (), member_test, column, conditions)
        _add_downgrades(book, code, column, conditions)
        lines.append(f"    when {rules.sql(column)} then {_clauses_text_sql(conditions)}")
    conditions = {}
    _add_downgrades(book, book.otherwise, column, conditions)
    return "\n".join([*lines, f"    else {_clauses_text_sql(conditions)}", "end"])


def _add_downgrades(book: Rulebook, code: str, column: ColumnSql, conditions: Conditions) -> None:
    for downgrade in book.downgrades:
        if book.target_class(code, downgrade) != code:
            test = downgrade.when.sql(column)
            _collect(downgrade.when, downgrade.note.clause, (), test, column, conditions)


def _collect(
    node: Rule | Group,
    clause: str,
    above: tuple[str, ...],
    test: str | None,
    column: ColumnSql,
    conditions: Conditions,
) -> None:
    """Add the conditions under which the clauses of `node` and of its members apply.

    `above` are the tests that every row here has passed; `test` comes on top, None where it is
    implied.
    """
    clause = node.note.clause or clause
    tests = above if test is None else (*above, test)
    if clause:
        conditions.setdefault(clause, []).append(tests)
    if isinstance(node, Group):
        for member in node.members:
            if node.kind == "all":
                _collect(member, clause, tests, None, column, conditions)
            else:
                # A member that is true makes the `any` true: its own test is enough.
                _collect(member, clause, above, member.sql(column), column, conditions)


def _clauses_text_sql(conditions: Conditions) -> str:
    if not conditions:
        return "''"
    clauses = ", ".join(_clause_when_sql(clause, ways) for clause, ways in conditions.items())
    return f"concat_ws('{SEPARATOR}', {clauses})"


def _clause_when_sql(clause: str, ways: Iterable[tuple[str, ...]]) -> str:
    quoted = "'" + clause.replace("'", "''") + "'"
    ways = list(dict.fromkeys(ways))
    if () in ways:
        return quoted
    tests = " or ".join("(" + " and ".join(f"({test})" for test in way) + ")" for way in ways)
    return f"case when {tests} then {quoted} end"
