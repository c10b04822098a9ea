"""The customers or loans behind a cell: exactly the n rows that the answer printed, or those of its numerator."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.metrics.definitions import metric_named
from analytics.metrics.query import Question, check
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.schemes import OPENINGS
from data.errors import UserError

# Columns by which a list may be put in order, the first by default; all descending.
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
_SHOWN = {
    "loan_month": (
        "loan_number.loan_id",
        "customer_number.customer_id",
        "product.product_id as product",
        "branch.branch_id as branch",
        "manager.manager_id as manager",
        "cast(page.channel as varchar) as channel",
        "page.balance",
        "page.days_past_due",
        "page.overdue_amount",
        "cast(page.loan_five as varchar) as loan_five",
        "page.principal",
        "page.disbursed_on",
        "page.matures_on",
    ),
    "customer_month": (
        "customer_number.customer_id",
        "branch.branch_id as branch",
        "manager.manager_id as manager",
        "page.loans_open",
        "page.loan_balance",
        "page.days_past_due",
        "page.overdue_amount",
        "page.deposit_balance",
        "page.products_held",
        "page.contribution_net_12m",
    ),
    "loan_life": (
        "loan_number.loan_id",
        "customer_number.customer_id",
        "product.product_id as product",
        "branch.branch_id as branch",
        "page.principal",
        "page.disbursed_on",
        "page.matures_on",
        "page.closed_on",
        "page.days_late_at_close",
        "cast(page.outcome as varchar) as outcome",
        "page.status_code as status",
    ),
}


def list_rows(
    bank,
    question: Question,
    cell: Mapping[str, str] = {},
    hit: bool = False,
    limit: int = 200,
    offset: int = 0,
    order: str | None = None,
) -> pd.DataFrame:
    """The rows behind one cell: bank numbers, masked name, the facts that matter, the class today and at the opening.

    cell   code of each split of the question, e.g. {"class": "C"}; splits left out are not narrowed
    hit    only the rows in the numerator
    order  one of ORDERS[source], descending, then by number
    Raises UserError as `ask` does, and for an order or a cell that is not known.
    """
    with bank.session() as view:
        where, writer = _where(view, question, cell, hit)
        metric = writer.metric
        source, key = metric.source.id, f"{metric.grain}_key"
        by = order or ORDERS[source][0]
        if by not in ORDERS[source]:
            raise UserError("unknown_list_order", by=by, orders_source=ORDERS[source])
        classes = []
        if source != "loan_life":
            classes = [f"    {writer.class_today()} as class_code,\n"]
            if question.opening in OPENINGS:
                classes.append(f"    {writer.expression('class')} as class_code_opening,\n")
        # Where customers are counted over loans, each is listed once, with the loan that comes first.
        single = ""
        if not metric.is_additive:
            first = f"partition by fact.customer_key order by fact.{by} desc nulls last, fact.{key}"
            single = f"    qualify row_number() over ({first}) = 1\n"
        shown = "".join(
            f"    cast(page.class_code{end} as varchar) as class{end},\n"
            for end in ("", "_opening")[: len(classes)]
        )
        sql = (
            f"with page as (\n    select\n    fact.*,\n{''.join(classes)}    from {source} as fact\n"
            + "".join(f"    {join}\n" for join in writer.joins.values())
            + f"    where {where}\n{single}    order by fact.{by} desc nulls last, fact.{key}\n"
            + "    limit $limit offset $offset\n),\n"
            "named as (\n    select customer_key, arg_max(name_masked, valid_from) as name_masked,\n    from customer\n"
            "    where customer_key in (select customer_key from page)\n    group by customer_key\n)\n"
            f"select\n    {_comma(_SHOWN[source])},\n    named.name_masked as name,\n{shown}from page\n"
            "left join customer_number on customer_number.customer_key = page.customer_key\n"
            + (
                "left join loan_number on loan_number.loan_key = page.loan_key\n"
                if metric.grain == "loan"
                else ""
            )
            + (
                "left join product on product.product_key = page.product_key\n"
                if metric.grain == "loan"
                else ""
            )
            + "left join branch on branch.branch_key = page.branch_key\n"
            + "left join manager on manager.manager_key = page.manager_key\n"
            f"left join named on named.customer_key = page.customer_key\norder by page.{by} desc nulls last, page.{key}"
        )
        return view.query(sql, None, **writer.params, limit=limit, offset=offset)


def count_rows(bank, question: Question, cell: Mapping[str, str] = {}, hit: bool = False) -> int:
    """How many rows `rows` gives without a limit."""
    with bank.session() as view:
        where, writer = _where(view, question, cell, hit)
        counted = (
            "count(distinct fact.customer_key)" if not writer.metric.is_additive else "count(*)"
        )
        sql = (
            f"select {counted} from {writer.metric.source.id} as fact\n"
            + "".join(f"{join}\n" for join in writer.joins.values())
            + f"where {where}"
        )
        return int(view.one(sql, None, **writer.params)[0])


def _where(view, question: Question, cell: Mapping[str, str], hit: bool) -> tuple[str, SqlBuilder]:
    for split in cell:
        if split not in question.by:
            raise UserError("cell_not_in_dimensions", split=split)
    asked = question.about(
        by=(),
        where=(*question.where, *((split, (code,)) for split, code in cell.items())),
        last=1,
        compare=None,
    )
    check(view, asked)
    writer = SqlBuilder(view, metric_named(question.metric), asked)
    metric = writer.metric
    told = [writer.conditions([asked.as_of]), f"({metric.rows})"]
    if hit:
        if not metric.hit:
            raise UserError("no_numerator_list", metric=metric.name)
        told.append(f"({metric.hit})")
    return "\n    and ".join(told), writer


def _comma(columns) -> str:
    return ",\n    ".join(columns)
