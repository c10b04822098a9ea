"""Customers by two schemes at once, at one month end: a table whose margins are the two schemes' own counts."""

from __future__ import annotations

import pandas as pd

from analytics.metrics.definitions import metric_named
from analytics.metrics.query import Question, check
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from data.errors import UserError


def crossed(bank, question: Question, other: str) -> pd.DataFrame:
    """One row per class of the question's scheme and of `other` on the day: class_from, class_to, n, balance (CNY).

    The customers are those of the metric `customers` under the question's filters. Raises UserError as `ask` does.
    """
    if other not in schemes():
        raise UserError("unknown_scheme", scheme=other, known=schemes())
    asked = question.about("customers", by=(), opening=0, last=1, compare=None)
    metric = metric_named("customers")
    with bank.session() as view:
        check(view, asked)
        writer = SqlBuilder(view, metric, asked)
        where = writer.conditions([asked.as_of])
        return view.query(
            f"select cast(fact.{asked.scheme} as varchar) as class_from, cast(fact.{other} as varchar) as class_to,\n"
            "    count(*) as n, sum(fact.loan_balance)::double as balance\n"
            "from customer_month as fact\n"
            + "".join(f"{join}\n" for join in writer.joins.values())
            + f"where {where} and ({metric.rows})\ngroup by 1, 2",
            None,
            **writer.params,
        )
