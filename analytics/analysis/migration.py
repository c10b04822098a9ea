"""Moves between two month ends: migration matrix, overdue roll-forward, 五级分类迁徙率.

Every count, amount and cell is a set of loans or customers that opens as a list (`list_rows`,
`count_rows`). The population is what has a balance, as in every metric of the book: by class and by
days past due alike. The matrix includes those who joined and those who left, so that its rows add
up to the opening book and its columns to the closing book. A filter
is applied at each month end: a loan or customer outside it at one of them has moved in or out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from analytics.analysis.attribution import validate_periods
from analytics.metrics.buckets import bucket_set_named
from analytics.metrics.definitions import metric_named
from analytics.metrics.list_layout import BRANCH, CUSTOMER, LOAN, NAME, PRODUCT, ListLayout
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from analytics.sql.templates import load
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

JOINED = "joined"
MOVED_IN = "moved_in"
EXITS = ("settled", "written_off", "sold", "gone", "left", "moved_out")
DAYS = (0, 30, 60, 90)
# The terms of the roll-forward between its opening and its closing stock, in order.
TERMS = (
    "rolled_in",
    "new",
    "moved_in",
    "cured",
    "settled",
    "written_off",
    "sold",
    "gone",
    "moved_out",
    "stayed",
)
RATES = ("normal_loans", "normal", "special_mention", "substandard", "doubtful")
_TERM_SQL = """case
            when before = 'late' and after = 'late' then 'stayed'
            when after = 'late' and before = 'joined' then 'new'
            when after = 'late' and before = 'moved_in' and days_past_due_before > $days
                then 'moved_in'
            when after = 'late' then 'rolled_in'
            when after = 'moved_out' and days_past_due > $days then 'moved_out'
            when after in ('current', 'moved_out') then 'cured'
            else after
        end"""
_STOCKS = {"opening": "before = 'late'", "closing": "after = 'late'"}
# Largest first: by the higher balance of the two days.
_LARGEST = "greatest(balance_before, balance) as largest"
_ORDER = ("largest desc", "key")
_MOVE = (
    "page.before",
    "page.after",
    "page.balance_before",
    "page.balance",
    "page.days_past_due_before",
    "page.days_past_due",
)
_LOANS = ListLayout(
    (
        *LOAN,
        *NAME,
        *PRODUCT,
        *BRANCH,
        "cast(life.channel as varchar) as channel",
        *_MOVE,
        "life.disbursed_on",
        "life.closed_on",
        "life.written_off_on",
    ),
    _ORDER,
    loan_key="key",
    branch_of="life",
    joins=("join loan_life as life on life.loan_key = page.key",),
)
_CUSTOMERS = ListLayout((*CUSTOMER, *NAME, *BRANCH, *_MOVE), _ORDER, branch_of="named")


@dataclass(frozen=True)
class MigrationQuery:
    """What is compared between `before` and the question's month end.

    Attributes
    ----------
    by
        The states: class (of the question's scheme), bucket (of `buckets`), or late (more than
        `days` past due, else current).
    """

    question: Question
    before: date
    by: str = "class"
    buckets: str = "months"
    days: int = 30

    @property
    def of_loans(self) -> bool:
        """Whether loans are counted: always except by a scheme that grades customers."""
        return self.by != "class" or schemes()[self.question.scheme].grain == "loan"


@dataclass(frozen=True)
class _Selection:
    """The rows behind one cell: `sql` up to and with the relation `source`, and their condition."""

    sql: str
    params: dict[str, Any]
    source: str = "moved"
    condition: str = "true"


def _moves(reader: EditionReader, query: MigrationQuery) -> _Selection:
    """Return the SQL up to and with `moved`: every loan or customer with its two states."""
    question = query.question.with_changes(
        "loans" if query.of_loans else "customers", by=(), opening=0, last=1, compare=None
    )
    validate_periods(reader, question, query.before)
    placeholders: dict[str, str] = {}
    params: dict[str, Any] = {"opening_on": query.before, "closing_on": question.as_of}
    for side, day in (("before", query.before), ("after", question.as_of)):
        at_day = question.with_changes(as_of=day)
        builder = SqlBuilder(reader, metric_named(question.metric), at_day, params)
        placeholders[f"state_{side}"] = _state_sql(builder, query)
        placeholders[f"filters_{side}"] = f"({builder.conditions([day])})"
        placeholders[f"joins_{side}"] = builder.joins_sql
    if query.by == "late":
        params["days"] = query.days
    name = "moved_loans" if query.of_loans else "moved_customers"
    return _Selection(load(f"questions/{name}", **placeholders).rstrip(), params)


def _state_sql(builder: SqlBuilder, query: MigrationQuery) -> str:
    if query.by == "late":
        if query.days not in DAYS:
            raise UserError("unknown_days_past_due", days=query.days)
        return "case when fact.days_past_due > $days then 'late' else 'current' end"
    if query.by == "bucket":
        return bucket_set_named(query.buckets).sql
    return f"coalesce(cast({builder.expression('class')} as varchar), 'unrated')"


def matrix(warehouse: Warehouse, query: MigrationQuery) -> pd.DataFrame:
    """Count moves by opening and closing state.

    Returns
    -------
    before, after, n, balance_before, balance (CNY; 0 before joining and after leaving), share (of
    the row's n), share_balance (closing balance ÷ the row's opening balance).
    """
    with warehouse.session() as reader:
        moves = _moves(reader, query)
        sql = f"{moves.sql}\n{load('questions/moved_matrix')}"
        frame = reader.query(sql, None, **moves.params)
    frame[["balance_before", "balance"]] = frame[["balance_before", "balance"]].fillna(0.0)
    rows = frame.groupby("before")
    opening = rows["balance_before"].transform("sum")
    return frame.assign(
        share=frame["n"] / rows["n"].transform("sum"),
        share_balance=(frame["balance"] / opening).where(opening > 0),
    )


@dataclass(frozen=True)
class OverdueRollforward:
    """The overdue balance from `opening` to `closing`, in CNY.

    Attributes
    ----------
    terms
        term, loans, customers, amount (signed as it enters the closing stock).
    residual
        closing − opening − Σ amount.
    loans_before, loans
        Number of overdue loans at the opening and at the closing.
    """

    opening: Decimal
    closing: Decimal
    terms: pd.DataFrame
    residual: Decimal
    loans_before: int
    loans: int


def overdue_rollforward(warehouse: Warehouse, query: MigrationQuery) -> OverdueRollforward:
    """Return the roll-forward of the overdue balance.

    Opening + rolled in − cured − settled or collected − written off ± balance change of those that
    stay = closing. `new` is overdue and was not in the book at the opening; `gone` has left it
    without a reason in the data (a bank that delivers snapshots only); `moved_in` and `moved_out`
    were overdue on the other day too, but outside the filter.

    Raises
    ------
    UserError
        As `ask`.
    """
    query = _late(query)
    with warehouse.session() as reader:
        moves = _moves(reader, query)
        sql = f"{moves.sql},\n\n{_terms_sql()}\n\n{load('questions/flow_sums')}"
        rows = reader.arrow(sql, None, **moves.params).to_pylist()
    sums = {row["term"]: row for row in rows}
    nothing = {"loans": 0, "customers": 0, "amount": Decimal(0)}
    opening = sums.get("opening", nothing)
    closing = sums.get("closing", nothing)
    lines = [
        {"term": term} | {name: sums.get(term, nothing)[name] for name in nothing} for term in TERMS
    ]
    explained = sum((line["amount"] for line in lines), Decimal(0))
    residual = closing["amount"] - opening["amount"] - explained
    types = {"amount": "float64", "loans": "int64", "customers": "int64"}
    return OverdueRollforward(
        opening["amount"],
        closing["amount"],
        pd.DataFrame(lines).astype(types),
        residual,
        opening["loans"],
        closing["loans"],
    )


def five_category_rates(warehouse: Warehouse, question: Question, before: date) -> pd.DataFrame:
    """Return the 五级分类迁徙率 between two month ends.

    Source: 商业银行风险监管核心指标 (2005); normal_loans is 正常贷款迁徙率, the others are by
    class.

    Returns
    -------
    rate (RATES), n (loans of the opening class), opening, decrease, numerator, denominator (CNY),
    value.
    """
    query = MigrationQuery(question.with_changes(scheme="loan_five"), before)
    with warehouse.session() as reader:
        moves = _moves(reader, query)
        sql = f"{moves.sql}\n{load('questions/five_rates')}"
        frame = reader.query(sql, None, **moves.params)
    frame = frame.set_index("rate").reindex(list(RATES)).rename_axis("rate").reset_index()
    sums = ["opening", "decrease", "numerator", "denominator"]
    frame[sums] = frame[sums].fillna(0.0)
    return frame.assign(n=frame["n"].fillna(0).astype("int64"))


def list_rows(
    warehouse: Warehouse,
    query: MigrationQuery,
    cell: Mapping[str, str],
    limit: int = 200,
    offset: int = 0,
) -> pd.DataFrame:
    """List the loans or customers behind one number, names masked.

    Parameters
    ----------
    cell
        {before: …, after: …} of the matrix (either may be left out), {term: …} of the roll-forward
        (opening and closing are its stocks), or {rate: …}: the opening loans of a rate.

    Raises
    ------
    UserError
        For an unknown cell or term.
    """
    is_of_loans = query.of_loans or "term" in cell or "rate" in cell
    layout = _LOANS if is_of_loans else _CUSTOMERS
    with warehouse.session() as reader:
        rows = _select(reader, query, cell)
        select = f"select *, {_LARGEST}\nfrom {rows.source}\nwhere {rows.condition}"
        sql = f"{rows.sql},\n\n{layout.sql(select)}"
        return reader.query(sql, None, **rows.params, limit=limit, offset=offset)


def count_rows(warehouse: Warehouse, query: MigrationQuery, cell: Mapping[str, str]) -> int:
    """Return the number of rows that `list_rows` gives without a limit."""
    with warehouse.session() as reader:
        rows = _select(reader, query, cell)
        sql = f"{rows.sql}\nselect count(*) from {rows.source} where {rows.condition}"
        row = reader.one(sql, None, **rows.params)
        return int(row[0]) if row else 0


def _select(reader: EditionReader, query: MigrationQuery, cell: Mapping[str, str]) -> _Selection:
    if unknown := set(cell) - {"before", "after", "term", "rate"}:
        raise UserError("unknown_matrix_cell", unknown=min(unknown))
    if "term" in cell:
        return _select_term(reader, query, cell["term"])
    if "rate" in cell:
        return _select_rate(reader, query, cell["rate"])
    moves = _moves(reader, query)
    conditions = [f"{side} = ${side}" for side in cell]
    condition = " and ".join(conditions) or "true"
    return _Selection(moves.sql, moves.params | dict(cell), condition=condition)


def _select_term(reader: EditionReader, query: MigrationQuery, term: str) -> _Selection:
    moves = _moves(reader, _late(query))
    if term not in (*TERMS, *_STOCKS):
        raise UserError("unknown_term", term=term, stock_terms=(*_STOCKS, *TERMS))
    sql = f"{moves.sql},\n\n{_terms_sql()}"
    if term in _STOCKS:
        return _Selection(sql, moves.params, "termed", _STOCKS[term])
    return _Selection(sql, moves.params | {"term": term}, "termed", "term = $term")


def _select_rate(reader: EditionReader, query: MigrationQuery, rate: str) -> _Selection:
    if rate not in RATES:
        raise UserError("unknown_rate", rate=rate, told=", ".join(RATES))
    question = query.question.with_changes(scheme="loan_five")
    moves = _moves(reader, MigrationQuery(question, query.before))
    opening = ("normal", "special_mention") if rate == "normal_loans" else (rate,)
    codes = ", ".join(f"'{code}'" for code in opening)
    return _Selection(moves.sql, moves.params, condition=f"was_in and before in ({codes})")


def _late(query: MigrationQuery) -> MigrationQuery:
    """The same days past due, with the states late and current."""
    return MigrationQuery(query.question, query.before, "late", days=query.days)


def _terms_sql() -> str:
    return load("questions/flow_terms", term=_TERM_SQL)
