"""Roll rates by days past due: the roll matrix of two month ends, and stock roll rates by month."""

from __future__ import annotations

from datetime import date

import pandas as pd

from analytics.analysis.migration import MigrationQuery, matrix
from analytics.metrics.buckets import BucketSet, bucket_set_named
from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import check
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError


def roll_matrix(
    warehouse: Warehouse, question: Question, before: date, buckets: str = "months"
) -> pd.DataFrame:
    """Return `matrix` by days past due; the states are codes of `buckets`."""
    return matrix(warehouse, MigrationQuery(question, before, "bucket", buckets))


def stock_roll_rates(
    warehouse: Warehouse, question: Question, last: int = 12, buckets: str = "months"
) -> pd.DataFrame:
    """Return stock roll rates by month: bucket k+1 now ÷ bucket k one month ago.

    The last bucket has no upper edge: it holds loans of many months, and no rate leads into it.

    Returns
    -------
    as_of, bucket (k), into (k+1), n (loans in k one month ago), numerator, denominator (CNY),
    value; value_loans is the same in loans.

    Raises
    ------
    UserError
        For buckets that are not one month wide, and where the edition has one month end.
    """
    bucket_set = bucket_set_named(buckets)
    if not bucket_set.monthly:
        raise UserError("buckets_not_monthly", buckets=buckets)
    loans = question.with_changes("loans", by=(), opening=0, last=1, compare=None)
    with warehouse.session() as reader:
        check(reader, loans)
        first = month_end(loans.as_of, -last)
        months = [month for month in metadata(reader).months if first <= month <= loans.as_of]
        if len(months) < 2:
            raise UserError("roll_rate_needs_months")
        stocks = _stocks(reader, loans, months, bucket_set)
    return _divide_stocks(stocks, bucket_set)


def _stocks(
    reader: EditionReader, question: Question, months: list[date], bucket_set: BucketSet
) -> pd.DataFrame:
    """Loans and balance by bucket: as_of, bucket, n, balance."""
    builder = SqlBuilder(reader, metric_named("loans"), question)
    conditions = builder.conditions(months)
    text = load(
        "questions/bucket_stocks",
        state=bucket_set.sql,
        conditions=conditions,
        joins=builder.joins_sql,
    )
    return reader.query(text, None, **builder.params)


def _divide_stocks(stocks: pd.DataFrame, bucket_set: BucketSet) -> pd.DataFrame:
    """Divide each stock by that of the bucket before it one month earlier."""
    into = dict(zip(bucket_set.codes[:-2], bucket_set.codes[1:-1], strict=True))
    source = stocks[stocks["bucket"].isin(into)].rename(columns={"balance": "denominator"})
    source = source.assign(
        into=source["bucket"].map(into), as_of=source["as_of"] + pd.offsets.MonthEnd(1)
    )
    target = stocks.rename(
        columns={"bucket": "into", "n": "numerator_loans", "balance": "numerator"}
    )
    both = source.merge(target, on=["as_of", "into"], how="left")
    both = both[both["as_of"] <= stocks["as_of"].max()]
    both[["numerator", "numerator_loans"]] = both[["numerator", "numerator_loans"]].fillna(0.0)
    both = both.assign(
        value=both["numerator"] / both["denominator"].where(both["denominator"] > 0),
        value_loans=both["numerator_loans"] / both["n"].where(both["n"] > 0),
    )
    columns = ["as_of", "bucket", "into", "n", "numerator", "denominator", "value", "value_loans"]
    return both[columns].sort_values(["as_of", "bucket"]).reset_index(drop=True)
