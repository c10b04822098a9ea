"""The features of every customer at a month end, and the outcomes of the twelve months after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import refusal
from analytics.segments.definitions import FEATURES
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader
from data.errors import UserError

TIMEOUT_SECONDS = 300.0
WINDOW = 12
"""Months over which features and outcomes are observed."""
OVERDUE_DAYS = 30
"""Days past due beyond which a customer counts as overdue in the outcomes."""
MIN_HISTORY = 6
"""Month ends that features need before the outcomes begin."""
ACTIVITY = ("months_with_loan", "loans_new", "deposits", "fees")
"""A customer for whom all of these are zero or missing is inactive."""


def features_at(reader: EditionReader, as_of: date) -> pd.DataFrame:
    """Compute the declared features of every customer at a month end.

    Returns
    -------
    DataFrame
        One row per customer: customer_key, then one column per feature in the order of the
        declaration. Rates are shares of one, money is CNY, a category is a code. Features that do
        not apply to the customer, or whose tables were not delivered, are missing.

    Raises
    ------
    UserError
        When the edition does not have the month end.
    """
    edition = metadata(reader)
    if as_of not in edition.months:
        raise UserError(
            "no_month_end", as_of=as_of, first=edition.months[0], last=edition.months[-1]
        )
    parameters = {
        "as_of": as_of,
        "year_before": month_end(as_of, -WINDOW),
        "half_year_before": month_end(as_of, -6),
        "has_deposits": "deposit_balance" in edition.nonempty_tables,
        "has_fees": "income" in edition.nonempty_tables,
    }
    rows = reader.query(load("segments/features"), TIMEOUT_SECONDS, **parameters)
    categories = {feature.id: "category" for feature in FEATURES.values() if feature.is_category}
    return rows[["customer_key", *FEATURES]].astype(categories)


def is_active(frame: pd.DataFrame) -> np.ndarray:
    """Return, per row, whether the customer had a loan, a deposit or a fee in the twelve months."""
    return (frame[list(ACTIVITY)].to_numpy(dtype=float, na_value=0) > 0).any(axis=1)


def outcomes_after(reader: EditionReader, as_of: date) -> pd.DataFrame:
    """Compute what happened to every customer of a month end in the twelve months after it.

    Returns
    -------
    DataFrame
        One row per customer, in the order of `features_at`:

        - overdue: 1 when more than 30 days past due at a later month end, else 0; missing without
          a later balance or when more than 30 days past due already
        - reloan: 1 when a new loan followed within 90 days of a settlement, else 0; missing
          without a settlement whose 90 days are over
        - contribution: net contribution of the twelve months, CNY; missing when the customer has
          no row at their end, and of all customers where the metric is refused at that month end
        - loan_balance: at `as_of`, CNY
    """
    rows = reader.query(
        load("segments/outcomes"),
        TIMEOUT_SECONDS,
        as_of=as_of,
        year_after=month_end(as_of, WINDOW),
        overdue=OVERDUE_DAYS,
    )
    if refusal(reader, "contribution_net", month_end(as_of, WINDOW)):
        rows["contribution"] = np.nan
    return rows.astype({"overdue": "float64", "reloan": "float64"})


def classes_at(reader: EditionReader, as_of: date, schemes: Sequence[str]) -> pd.DataFrame:
    """Read the class of every customer at a month end by every scheme.

    Returns
    -------
    DataFrame
        customer_key, loan_balance (CNY) and one column per scheme, in the order of `features_at`.
    """
    sql = load("segments/classes", schemes=", ".join(schemes))
    return reader.query(sql, TIMEOUT_SECONDS, as_of=as_of)


def base_month(months: tuple[date, ...], as_of: date) -> date | None:
    """Return the month end a year before `as_of`, whose outcomes are complete.

    None where fewer than `MIN_HISTORY` month ends lead up to it.
    """
    base = month_end(as_of, -WINDOW)
    history = [month for month in months if month <= base]
    if base not in months or len(history) < MIN_HISTORY:
        return None
    return base


def align(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `other` in the order of `frame`, matched by customer_key."""
    if len(frame) == len(other) and np.array_equal(frame["customer_key"], other["customer_key"]):
        return other.reset_index(drop=True)
    return frame[["customer_key"]].merge(other, on="customer_key", how="left")
