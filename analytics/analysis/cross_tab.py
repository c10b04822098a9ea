"""Customers by two schemes at one month end: a table whose margins are each scheme's own counts."""

from __future__ import annotations

import pandas as pd

from analytics.metrics.definitions import metric_named
from analytics.metrics.query import check
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from data.editions.reader import Warehouse
from data.errors import UserError


def cross_tabulate(warehouse: Warehouse, question: Question, other: str) -> pd.DataFrame:
    """Count customers by the class of the question's scheme and by that of scheme `other`.

    The customers are those of the metric `customers` under the question's filters.

    Returns
    -------
    class_from, class_to (of `other`), n, balance (CNY); classes of the day itself.

    Raises
    ------
    UserError
        As `ask`.
    """
    if other not in schemes():
        raise UserError("unknown_scheme", scheme=other, known=schemes())
    metric = metric_named("customers")
    customers = question.with_changes(metric.id, by=(), opening=0, last=1, compare=None)
    with warehouse.session() as reader:
        check(reader, customers)
        builder = SqlBuilder(reader, metric, customers)
        columns = (
            f"cast(fact.{question.scheme} as varchar) as class_from",
            f"cast(fact.{other} as varchar) as class_to",
            "count(*) as n",
            "sum(fact.loan_balance)::double as balance",
        )
        relation = builder.relation([question.as_of], f"({metric.population})")
        sql = f"select {', '.join(columns)}\n{relation}\ngroup by 1, 2"
        return reader.query(sql, None, **builder.params)
