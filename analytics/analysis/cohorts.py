"""Cohorts of loans: vintage, first-payment default, and the lists behind all cohort charts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from analytics.analysis.reloan_curve import (
    WHOLE,
    Relation,
    narrow_question,
    part_sql,
    settlement_spells,
)
from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.list_layout import BRANCH, CUSTOMER, LOAN, NAME, PRODUCT, ListLayout
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

PERIODS = ("month", "quarter", "year")
DAYS = (0, 30, 60, 90)
LATE = ("ever", "now")
FIRST_PAYMENT_OUTCOMES = {"yes": "is_missed is not null", "missed": "is_missed"}
_IS_LATE_SQL = "((fact.balance > 0 and fact.days_past_due > $days) or fact.balance_written_off > 0)"
# Each loan once, at the first month on book at which it was late.
_FIRST_LATE_SQL = (
    "(select cohort, part, loan_key, min(month) as month, arg_min(owed, month) as owed"
    " from state group by all)"
)
_LOANS = ListLayout(
    (
        *LOAN,
        *NAME,
        *PRODUCT,
        *BRANCH,
        "cast(life.channel as varchar) as channel",
        "page.principal",
        "page.disbursed_on",
        "today.balance",
        "today.days_past_due",
        "life.closed_on",
        "life.written_off_on",
    ),
    ("principal desc", "loan_key"),
    loan_key="loan_key",
    branch_of="life",
    joins=(
        "join loan_life as life on life.loan_key = page.loan_key",
        "left join loan_month as today on today.loan_key = page.loan_key and today.as_of = $until",
    ),
)
_SETTLEMENTS = ListLayout(
    (
        *CUSTOMER,
        *NAME,
        *BRANCH,
        "page.settled_on",
        "case when page.is_back = 1 then page.next_disbursed_on end as next_disbursed_on",
        "page.days as days_since_settled",
    ),
    ("days desc", "customer_key", "settled_on"),
    branch_of="named",
)


@dataclass(frozen=True)
class CohortQuery:
    """The options of a table of cohorts. `kind`: vintage, first (payment) or curve."""

    question: Question
    kind: str = "vintage"
    days: int = 30
    late: str = "ever"
    period: str = "quarter"


# The parts of a cell that each kind has.
_CELL_KEYS = {
    "vintage": ("cohort", "part", "month"),
    "first": ("cohort", "part", "judged"),
    "curve": ("part", "back"),
}


def vintage(
    warehouse: Warehouse,
    question: Question,
    days: int = 30,
    late: str = "ever",
    period: str = "quarter",
) -> pd.DataFrame:
    """Return the share of each cohort that was more than `days` past due by months on book.

    A cohort is the loans disbursed in one period. It goes as far as its youngest loan, so that all
    of its loans are compared at equal months on book.

    Parameters
    ----------
    late
        "ever" by that month, or "now", in that month.

    Returns
    -------
    cohort (first day), part (code of question.by, or all), month (on book), n (loans), numerator
    (CNY late), denominator (CNY disbursed), value, numerator_loans, value_loans (÷ n).

    Raises
    ------
    UserError
        As `ask`, and where no loan was disbursed within the records.
    """
    _check_option("late", late, LATE)
    _check_option("days", days, DAYS)
    with warehouse.session() as reader:
        cohort = _cohort(reader, question, "loans", period)
        sql = f"{cohort.sql},\n\n{_vintage_sql(late == 'ever')}"
        params = cohort.params | {"days": days, "until": question.as_of}
        frame = _nonempty(reader.query(sql, None, **params), reader, question)
    return frame.assign(
        value=frame["numerator"] / frame["denominator"].where(frame["denominator"] > 0),
        value_loans=frame["numerator_loans"] / frame["n"],
    )


def _vintage_sql(is_cumulative: bool) -> str:
    if not is_cumulative:
        return load(
            "questions/vintage",
            is_late=_IS_LATE_SQL,
            late="state",
            sum_loans="counted.loans",
            sum_owed="counted.owed",
            window="",
        )
    return load(
        "questions/vintage",
        is_late=_IS_LATE_SQL,
        late=_FIRST_LATE_SQL,
        sum_loans="sum(counted.loans) over life",
        sum_owed="sum(counted.owed) over life",
        window="window life as (partition by grid.cohort, grid.part order by grid.month)",
    )


def first_payment(warehouse: Warehouse, question: Question, period: str = "month") -> pd.DataFrame:
    """Return first-payment default by disbursement cohort.

    Returns
    -------
    cohort, part, n (loans assessed), loans (all), numerator, denominator, value.

    Raises
    ------
    UserError
        As `ask`, also where the bank delivers no schedule and payments.
    """
    metric = "first_payment_default"
    with warehouse.session() as reader:
        cohort = _cohort(reader, question, metric, period)
        outcomes = load("questions/first_payment_outcomes").rstrip()
        sql = f"{cohort.sql},\n\n{outcomes}\n\n{load('questions/first_payment_cohorts')}"
        params = cohort.params | {"until": question.as_of}
        return _nonempty(reader.query(sql, None, **params), reader, question)


def _nonempty(frame: pd.DataFrame, reader: EditionReader, question: Question) -> pd.DataFrame:
    if frame.empty:
        first = metadata(reader).months[0]
        raise UserError("no_disbursements", first=first, as_of=question.as_of)
    return frame


def _cohort(reader: EditionReader, question: Question, metric: str, period: str) -> Relation:
    """Return the table expression `cohort`: the loans disbursed within the records."""
    _check_option("period", period, PERIODS)
    narrowed = narrow_question(reader, question, metric)
    months = [day for day in metadata(reader).months if day <= narrowed.as_of]
    builder = SqlBuilder(reader, metric_named(metric), narrowed)
    part = part_sql(builder)
    conditions = builder.conditions(months)
    text = load(
        "questions/cohort",
        period=period,
        part=part,
        conditions=conditions,
        joins=builder.joins_sql,
    )
    params = builder.params | {"records_from": month_end(months[0], -1)}
    return Relation(text.rstrip(), params)


def list_rows(
    warehouse: Warehouse,
    query: CohortQuery,
    cell: Mapping[str, str],
    limit: int = 200,
    offset: int = 0,
) -> pd.DataFrame:
    """List the loans or settlements behind one cell, names masked.

    Parameters
    ----------
    cell
        {cohort: first day, part: code} for the loans of a cohort. Of a vintage, with month: those
        late by it (ever) or in it (now). Of first payments, with judged: yes, or missed. Of a curve
        {part: code}: one row per settlement; with back=yes, those who borrowed again.

    Raises
    ------
    UserError
        For an unknown cell.
    """
    layout = _SETTLEMENTS if query.kind == "curve" else _LOANS
    with warehouse.session() as reader:
        rows = _select(reader, query, cell)
        page = layout.sql("select *\nfrom cell_rows")
        sql = f"{rows.sql},\n\n{page}"
        params = rows.params | {"until": query.question.as_of, "limit": limit, "offset": offset}
        return reader.query(sql, None, **params)


def count_rows(warehouse: Warehouse, query: CohortQuery, cell: Mapping[str, str]) -> int:
    """Return the number of rows that `list_rows` gives without a limit."""
    with warehouse.session() as reader:
        rows = _select(reader, query, cell)
        params = rows.params
        if "$until" in rows.sql:
            params = params | {"until": query.question.as_of}
        row = reader.one(f"{rows.sql}\nselect count(*) from cell_rows", None, **params)
        return int(row[0]) if row else 0


def _select(reader: EditionReader, query: CohortQuery, cell: Mapping[str, str]) -> Relation:
    """Return the text up to and with the table expression `cell_rows`, the rows of the cell."""
    _check_option("kind", query.kind, _CELL_KEYS)
    if unknown := set(cell) - set(_CELL_KEYS[query.kind]):
        raise UserError("unknown_cohort_cell", unknown=min(unknown), kind=query.kind)
    if query.kind == "curve":
        return _select_settlements(reader, query, cell)
    return _select_loans(reader, query, cell)


def _select_settlements(
    reader: EditionReader, query: CohortQuery, cell: Mapping[str, str]
) -> Relation:
    spells = settlement_spells(reader, query.question)
    params = dict(spells.params)
    conditions = []
    if cell.get("back"):
        conditions.append("is_back = 1")
    if cell.get("part", WHOLE) != WHOLE:
        conditions.append("part = $part")
        params["part"] = cell["part"]
    sql = f"with\n\nspells as (\n{spells.sql}\n)"
    return Relation(f"{sql},\n\n{_cell_rows_sql('spells', conditions)}", params)


def _select_loans(reader: EditionReader, query: CohortQuery, cell: Mapping[str, str]) -> Relation:
    metric = "first_payment_default" if query.kind == "first" else "loans"
    cohort = _cohort(reader, query.question, metric, query.period)
    sql = cohort.sql
    params = dict(cohort.params)
    conditions = []
    if "month" in cell:
        _check_option("late", query.late, LATE)
        _check_option("days", query.days, DAYS)
        params |= {"days": query.days, "month": _number(cell["month"])}
        comparison = "<=" if query.late == "ever" else "="
        conditions.append(
            "loan_key in (select loan_key from loan_month as fact where fact.as_of <= $until"
            f" and {_IS_LATE_SQL} and fact.months_on_book {comparison} $month)"
        )
    if "judged" in cell:
        _check_option("judged", cell["judged"], FIRST_PAYMENT_OUTCOMES)
        sql += f",\n\n{load('questions/first_payment_outcomes').rstrip()}"
        outcome = FIRST_PAYMENT_OUTCOMES[cell["judged"]]
        conditions.append(f"loan_key in (select loan_key from outcome where {outcome})")
    if "cohort" in cell:
        conditions.append("cohort = $cohort")
        params["cohort"] = _day(cell["cohort"])
    if "part" in cell:
        conditions.append("part = $part")
        params["part"] = cell["part"]
    return Relation(f"{sql},\n\n{_cell_rows_sql('cohort', conditions)}", params)


def _cell_rows_sql(source: str, conditions: list[str]) -> str:
    where = "\n        and ".join(conditions) or "true"
    return f"cell_rows as (\n    select *\n    from {source}\n    where {where}\n)"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError("cohort_not_a_date", text_=text) from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UserError("month_on_book_not_a_number", text_=text)
    return int(text)


def _check_option(name: str, value: object, options: Collection[object]) -> None:
    if value not in options:
        raise UserError(
            "unknown_option", name=name, value=value, told=", ".join(str(one) for one in options)
        )
