"""The customers or loans behind a cell: the n rows of the answer, or those of its numerator."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.metrics.definitions import metric_named
from analytics.metrics.list_layout import BRANCH, CUSTOMER, LOAN, NAME, PRODUCT, ListLayout
from analytics.metrics.query import check, refusal
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.schemes import OPENINGS
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

# Left out where the metric is refused: too short a history, or a table that was not delivered.
_CONTRIBUTION = "contribution_net_12m"
# Columns by which the list of a mart can be ordered, the first by default; all descending.
ORDERS = {
    "loan_month": ("balance", "days_past_due", "overdue_amount", "principal", "disbursed_on"),
    "customer_month": (
        "loan_balance",
        "days_past_due",
        "overdue_amount",
        "deposit_balance",
        "contribution_net_12m",
    ),
    "loan_life": ("principal", "disbursed_on", "days_late_at_close"),
}
_COLUMNS = {
    "loan_month": (
        *LOAN,
        *PRODUCT,
        *BRANCH,
        "cast(page.channel as varchar) as channel",
        "page.balance",
        "page.days_past_due",
        "page.overdue_amount",
        "cast(page.loan_five as varchar) as loan_five",
        "page.principal",
        "page.disbursed_on",
        "page.matures_on",
        *NAME,
    ),
    "customer_month": (
        *CUSTOMER,
        *BRANCH,
        "page.loans_open",
        "page.loan_balance",
        "page.days_past_due",
        "page.overdue_amount",
        "page.deposit_balance",
        "page.products_held",
        "page.contribution_net_12m",
        *NAME,
    ),
    "loan_life": (
        *LOAN,
        *PRODUCT,
        "branch.branch_id as branch",
        "page.principal",
        "page.disbursed_on",
        "page.matures_on",
        "page.closed_on",
        "page.days_late_at_close",
        "cast(page.outcome as varchar) as outcome",
        "page.status_code as status",
        *NAME,
    ),
}


def list_rows(
    warehouse: Warehouse,
    question: Question,
    cell: Mapping[str, str] = {},
    hit: bool = False,
    limit: int = 200,
    offset: int = 0,
    order: str | None = None,
) -> pd.DataFrame:
    """List the rows behind one cell: numbers, masked name, figures, class today and at the opening.

    Parameters
    ----------
    cell
        Code by dimension, such as {"class": "C"}; a dimension left out is not filtered.
    hit
        Only the rows in the numerator.
    order
        One of ORDERS of the mart, descending, then by key.

    Raises
    ------
    UserError
        As `ask`, and for an unknown order or cell.
    """
    with warehouse.session() as reader:
        builder = _builder(reader, question, cell)
        conditions = _row_conditions(builder, hit)
        mart = builder.metric.source.id
        column = order or ORDERS[mart][0]
        if column not in ORDERS[mart]:
            raise UserError("unknown_list_order", by=column, orders_source=ORDERS[mart])
        if column == _CONTRIBUTION:
            check(reader, Question("contribution_net", question.as_of))
        key = f"{builder.metric.grain}_key"
        classes = _classes(builder)
        select = ["fact.*", *(f"{sql} as {name}_code" for name, sql in classes.items())]
        rows = f"select {', '.join(select)}\n{builder.relation([question.as_of], *conditions)}"
        if not builder.metric.is_additive:
            # Each customer is listed once, with the loan that comes first.
            first = f"fact.{column} desc nulls last, fact.{key}"
            window = f"partition by fact.customer_key order by {first}"
            rows += f"\nqualify row_number() over ({window}) = 1"
        layout = ListLayout(
            (
                *_COLUMNS[mart],
                *(f"cast(page.{name}_code as varchar) as {name}" for name in classes),
            ),
            (f"{column} desc nulls last", key),
            loan_key="loan_key" if builder.metric.grain == "loan" else None,
        )
        sql = f"with\n\n{layout.sql(rows)}"
        frame = reader.query(sql, None, **builder.params, limit=limit, offset=offset)
        if _CONTRIBUTION in frame and refusal(reader, "contribution_net", question.as_of):
            return frame.drop(columns=_CONTRIBUTION)
        return frame


def count_rows(
    warehouse: Warehouse, question: Question, cell: Mapping[str, str] = {}, hit: bool = False
) -> int:
    """Return the number of rows that `list_rows` gives without a limit."""
    with warehouse.session() as reader:
        builder = _builder(reader, question, cell)
        relation = builder.relation([question.as_of], *_row_conditions(builder, hit))
        count = "count(*)" if builder.metric.is_additive else "count(distinct fact.customer_key)"
        row = reader.one(f"select {count}\n{relation}", None, **builder.params)
        return int(row[0]) if row else 0


def _builder(reader: EditionReader, question: Question, cell: Mapping[str, str]) -> SqlBuilder:
    """The builder of the question without dimensions, filtered to one cell of its answer."""
    for name in cell:
        if name not in question.by:
            raise UserError("cell_not_in_dimensions", split=name)
    filters = tuple((name, (code,)) for name, code in cell.items())
    narrowed = question.with_changes(by=(), where=(*question.where, *filters), last=1, compare=None)
    check(reader, narrowed)
    return SqlBuilder(reader, metric_named(question.metric), narrowed)


def _row_conditions(builder: SqlBuilder, hit: bool) -> list[str]:
    """The conditions of the rows that n counts, or of those in the numerator."""
    metric = builder.metric
    if not hit:
        return [f"({metric.population})"]
    if not metric.numerator_filter:
        raise UserError("no_numerator_list", metric=metric.name)
    return [f"({metric.population})", f"({metric.numerator_filter})"]


def _classes(builder: SqlBuilder) -> dict[str, str]:
    """Column → SQL of the class on the day and at the opening; loan_life has neither."""
    if builder.metric.source.id == "loan_life":
        return {}
    classes = {"class": builder.class_today()}
    if builder.question.opening in OPENINGS:
        classes["class_opening"] = builder.expression("class")
    return classes
