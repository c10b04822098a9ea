"""The declared facts of every customer at a month end, and what became of the customers in the
twelve months after.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from analytics.metrics.edition_metadata import metadata
from analytics.segments.definitions import FACTS
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader
from data.errors import UserError

SECONDS = 300.0
WINDOW = 12
OVERDUE = 30
"""Days past due beyond which a customer counts as overdue later."""
FEWEST_MONTHS = 6
"""Month ends that facts need before the outcomes begin."""
DEALINGS = ("months_with_loan", "loans_new", "deposits", "fees")
"""A customer with none of these in the twelve months has no behaviour to tell apart."""


def facts_at(view: EditionReader, as_of: date) -> pd.DataFrame:
    """One row per customer of the month end: customer_key, then the declared facts; what does not
    apply is missing.

    Rates are shares of one, money CNY; a category is a code. Facts of tables that were not
    delivered are missing throughout. Raises UserError for a month end that the edition does not
    have.
    """
    it = metadata(view)
    if as_of not in it.months:
        raise UserError("no_month_end", as_of=as_of, first=it.months[0], last=it.months[-1])
    bound = {
        "as_of": as_of,
        "year_before": month_end(as_of, -WINDOW),
        "half_year_before": month_end(as_of, -6),
        "has_deposits": "deposit_balance" in it.filled,
        "has_fees": "income" in it.filled,
    }
    found = view.query(load("segments/facts"), SECONDS, **bound)[["customer_key", *FACTS]]
    return found.astype({fact.id: "category" for fact in FACTS.values() if fact.is_category})


def is_active(frame: pd.DataFrame) -> np.ndarray:
    """Which customers had a loan, a deposit or a fee in the twelve months."""
    return (frame[list(DEALINGS)].to_numpy(dtype=float, na_value=0) > 0).any(axis=1)


def outcomes_after(view: EditionReader, as_of: date) -> pd.DataFrame:
    """What came in the twelve months after, one row per customer of the month end, in the order of `facts_at`.

    overdue       more than 30 days past due at a month end; missing where there was no balance, or the customer was
                  more than 30 days past due already
    reloan        borrowed again within 90 days of a settlement; missing where nothing was settled or the days are not
                  over
    contribution  net contribution of the twelve months, CNY; missing where the customer has no row any more
    loan_balance  at `as_of`, CNY
    """
    bound = {"as_of": as_of, "year_after": month_end(as_of, WINDOW), "overdue": OVERDUE}
    found = view.query(load("segments/outcomes"), SECONDS, **bound)
    return found.astype({"overdue": "float64", "reloan": "float64"})


def classes_at(view: EditionReader, as_of: date, schemes: list[str]) -> pd.DataFrame:
    """customer_key, loan_balance and the class by every scheme at the month end, in the order of
    `facts_at`.
    """
    columns = ", ".join(schemes)
    return view.query(
        f"select customer_key, loan_balance::double as loan_balance, {columns} from customer_month "
        "where as_of = $as_of order by customer_key",
        SECONDS,
        as_of=as_of,
    )


def base_month(months: tuple[date, ...], as_of: date) -> date | None:
    """The month end a year before, from which outcomes are known; None where the history is too
    short.
    """
    base = month_end(as_of, -WINDOW)
    return (
        base if base in months and len([m for m in months if m <= base]) >= FEWEST_MONTHS else None
    )


def aligned(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """`other` in the rows of `frame`, by customer_key."""
    if len(frame) == len(other) and np.array_equal(frame["customer_key"], other["customer_key"]):
        return other.reset_index(drop=True)
    return frame[["customer_key"]].merge(other, on="customer_key", how="left")
