"""Control totals: sums of the delivered rows against those of manifest and trailer lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from data.contract.schema import Table
from data.errors import UserError
from data.loading.casting import casts
from data.loading.reconciliation import LoadCounts
from data.loading.validation import RowValidator, StagedTable


def delivered_totals(
    validator: RowValidator, staged: StagedTable, counts: LoadCounts
) -> dict[str, Decimal]:
    """Return the exact sum of each money column over all delivered rows, in CNY."""
    table = staged.table
    money = [
        column.name
        for column in table.columns.values()
        if column.type == "money" and column.name in staged.families
    ]
    if not money:
        return {}
    if counts.loaded == staged.rows:
        sums = ", ".join(f"sum({name})" for name in money)
        sql = f"select {sums} from part.history.{table.name}"
    else:
        cast_by_column = casts(table, staged.families, validator.formats)
        tidy = ", ".join(f"{cast_by_column[name].tidy} as t_{name}" for name in money)
        sums = ", ".join(f"sum({cast_by_column[name].value})" for name in money)
        sql = f"select {sums} from (select {tidy} from {staged.name})"
    totals = validator.one(sql, f"{table.name}: totals")
    return {
        name: Decimal("0.00") if total is None else total
        for name, total in zip(money, totals, strict=True)
    }


def trailer_totals(trailers: Iterable[Mapping[str, str]], table: Table) -> dict[str, str]:
    """Return the sums that trailer lines state of money and number columns."""
    sums: dict[str, Decimal] = {}
    for trailer in trailers:
        for column, text in trailer.items():
            if table.columns[column].type not in ("money", "number"):
                continue
            try:
                amount = Decimal((text or "").replace(",", "").strip())
            except InvalidOperation:
                continue
            sums[column] = sums.get(column, Decimal(0)) + amount
    return {column: str(total) for column, total in sums.items()}


def check_totals(table: str, totals: Mapping[str, Decimal], expected: Mapping[str, str]) -> None:
    """Raise UserError when a control total differs, be it by one fen."""
    for column, want in expected.items():
        got = totals.get(column, Decimal(0))
        try:
            is_equal = got == Decimal(str(want).replace(",", ""))
        except InvalidOperation:
            is_equal = False
        if not is_equal:
            raise UserError("total_differs", table=table, column=column, got=got, want=want)
