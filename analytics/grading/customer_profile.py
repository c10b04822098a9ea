"""All that a risk officer reads about one customer at a month end; personal values are masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from analytics.grading import facts
from analytics.metrics.query import refusal
from analytics.rulebooks import NoEdition, Rulebook, Scheme
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError
from data.messages import LANGUAGES

MONTHS = 24
LINES = 60
PARTS = (
    "interest_12m",
    "fees_12m",
    "margin_12m",
    "funding_cost_12m",
    "expected_loss_12m",
    "operating_cost_12m",
)


@dataclass(frozen=True)
class CustomerProfile:
    """One customer at a month end.

    who       name (masked), branch, manager, kind, since_on, and the row of customer_month
    cases     one per scheme that grades customers, then one per loan and scheme that grades loans
    history   up to 24 month ends: as_of, days_past_due, loan_balance, one class column per scheme
    contribution_refusal   by language, why contribution is refused at the month end; empty if not
    loans, payments, products, warnings   as analytics/sql/questions/customer_*.sql say
    """

    customer_id: str
    as_of: date
    who: pd.Series
    cases: tuple[facts.GradingResult, ...]
    history: pd.DataFrame
    loans: pd.DataFrame
    payments: pd.DataFrame
    products: pd.DataFrame
    warnings: pd.DataFrame
    contribution_refusal: Mapping[str, str] = field(default_factory=dict)


def profile_of(
    warehouse: Warehouse, schemes: dict[str, Scheme], as_of: date, customer_id: str
) -> CustomerProfile:
    """Return the profile.

    Raises UserError for an unknown number and for a customer without a row.
    """
    since = month_end(as_of, -MONTHS)
    with warehouse.session() as reader:
        key = facts.customer_key_of(reader, customer_id)
        who = reader.query(load("questions/customer_who"), None, as_of=as_of, key=key)
        if who.empty:
            raise UserError("customer_not_yet_there", as_of=as_of)
        classes = ",\n    ".join(f"cast({scheme} as varchar) as {scheme}" for scheme in schemes)
        history = reader.query(
            load("questions/customer_history", classes=classes),
            None,
            key=key,
            as_of=as_of,
            since=since,
        )
        at = {"key": key, "as_of": as_of}
        cases = facts.explain_customer(reader, _books(schemes, as_of), as_of, customer_id)
        return CustomerProfile(
            customer_id,
            as_of,
            who.iloc[0],
            tuple(cases),
            history,
            reader.query(load("questions/customer_loans"), None, **at),
            reader.query(load("questions/customer_payments"), None, **at, limit=LINES),
            reader.query(
                load("questions/customer_products"),
                None,
                **at,
                year_before=month_end(as_of, -12),
            ),
            reader.query(load("questions/customer_warnings"), None, **at, since=since, limit=LINES),
            _contribution_refusal(reader, as_of),
        )


def _contribution_refusal(reader: EditionReader, as_of: date) -> dict[str, str]:
    error = refusal(reader, "contribution_net", as_of)
    return {language: error.text(language) for language in LANGUAGES} if error else {}


def _books(schemes: dict[str, Scheme], as_of: date) -> list[Rulebook]:
    """Return the editions in force, those that grade customers first."""
    books = []
    for scheme in sorted(schemes.values(), key=lambda scheme: scheme.grain != "customer"):
        try:
            books.append(scheme.edition(as_of))
        except NoEdition:
            continue
    return books


def example_customers(warehouse: Warehouse, scheme: str, as_of: date) -> pd.DataFrame:
    """Return one customer per class: class, customer_id."""
    return warehouse.query(load("questions/customer_examples", scheme=scheme), None, as_of=as_of)
