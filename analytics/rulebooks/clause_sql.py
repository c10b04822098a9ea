"""The clauses behind a class for all rows at once, as SQL: the same as `Decision.clauses` gives for one."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.rulebooks.conditions import Column, Group, Rule
from analytics.rulebooks.model import UNRATED
from analytics.rulebooks.rulebook import Rulebook

SEPARATOR = "；"
# A condition is a conjunction of SQL tests; nothing to test holds always.
Conditions = dict[str, list[tuple[str, ...]]]


def clauses_sql(book: Rulebook, decided: str, prefix: str | None = None) -> str:
    """One expression that gives the clauses applied, joined by SEPARATOR; empty for an unrated row.

    `decided` is a column with the class of the row, as `to_sql` gives it.
    """
    column = book.columns(prefix)
    lines = ["case", f"    when {decided} = '{UNRATED}' then ''"]
    if book.bars:
        held: Conditions = {}
        for bar in book.bars:
            _walk(bar, "", (), bar.sql(column), column, held)
        lines.append(f"    when {Group('any', book.bars).sql(column)} then {_told(held)}")
    for code in book.look:
        found = book.class_of(code)
        held = {}
        for member in found.rules.members:
            # who reached a class by `all` of its rules holds them all
            test = None if found.rules.kind == "all" else member.sql(column)
            _walk(member, found.note.clause, (), test, column, held)
        lines.append(f"    when {found.rules.sql(column)} then {_told(_downgraded(book, code, column, held))}")
    return "\n".join([*lines, f"    else {_told(_downgraded(book, book.otherwise, column, {}))}", "end"])


def _downgraded(book: Rulebook, code: str, column: Column, held: Conditions) -> Conditions:
    for downgrade in book.downgrades:
        if book.landing(code, downgrade) != code:
            _walk(downgrade.when, downgrade.note.clause, (), downgrade.when.sql(column), column, held)
    return held


def _walk(
    node: Rule | Group, clause: str, above: tuple[str, ...], test: str | None, column: Column, held: Conditions
) -> None:
    """Notes under which conditions the clauses of `node` and below apply. `above` holds for whoever comes here;
    `test` must hold besides, None where it is implied.
    """
    clause = node.note.clause or clause
    here = above if test is None else (*above, test)
    if clause:
        held.setdefault(clause, []).append(here)
    if isinstance(node, Group):
        for member in node.members:
            if node.kind == "all":
                _walk(member, clause, here, None, column, held)
            else:
                # one that holds makes the `any` hold: its own test says it all
                _walk(member, clause, above, member.sql(column), column, held)


def _told(held: Conditions) -> str:
    if not held:
        return "''"
    return f"concat_ws('{SEPARATOR}', {', '.join(_when(clause, ways) for clause, ways in held.items())})"


def _when(clause: str, ways: Iterable[tuple[str, ...]]) -> str:
    quoted = "'" + clause.replace("'", "''") + "'"
    ways = list(dict.fromkeys(ways))
    if () in ways:
        return quoted
    tests = " or ".join("(" + " and ".join(f"({test})" for test in way) + ")" for way in ways)
    return f"case when {tests} then {quoted} end"
