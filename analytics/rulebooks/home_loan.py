"""Home-loan arithmetic: the longest term by age and the two repayment ratios (exam questions 2 and
3; parameters of rulebook home_loan).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from analytics.rulebooks.rulebook import Rulebook

Amount = Decimal | int


def longest_term(book: Rulebook, ages: Sequence[int], customer_class: str) -> int:
    """The longest term in whole years, 0 where none is left.

    `ages` are the applicants' ages, the main borrower's first; `customer_class` is the main
    borrower's class in consumer_five. Age and term may add up to 65, for classes one and two to 70;
    the oldest applicant counts, for classes one to three the youngest may. Raises ValueError
    without an age.
    """
    if not ages:
        raise ValueError("the term needs at least one applicant's age")
    value = {name: parameter.value for name, parameter in book.parameters.items()}
    limit = (
        value["max_age_plus_term_class_one_two"]
        if customer_class in ("one", "two")
        else value["max_age_plus_term"]
    )
    counted = min(ages) if customer_class in value["younger_age_classes"] else max(ages)
    return max(0, min(limit - counted, value["max_term_years"]))


def repayment_ratio(
    book: Rulebook,
    payment: Amount,
    property_fee: Amount,
    incomes: Sequence[Amount],
    *,
    other_debts: Amount = 0,
    short_debts: Amount = 0,
    assets_shown: Amount = 0,
    provident_fund: Amount = 0,
    offset: bool | None = None,
    fund: bool | None = None,
) -> Decimal | None:
    """Return the total repayment ratio (收入还贷比), a share of one, exact to six decimals.

    It is None without any income.

    All amounts are CNY a month, `assets_shown` CNY. `incomes` are after tax, the spouse's among
    them. `other_debts` are debts that run for more than a year; `short_debts` (card overdraft,
    debts with a year or less to run) are left out as far as the assets shown cover them. Without
    debts the figure is this loan's own ratio. `offset` and `fund` override the rulebook's two
    switches. Raises ValueError for a negative amount.
    """
    amounts = [
        payment,
        property_fee,
        other_debts,
        short_debts,
        assets_shown,
        provident_fund,
        *incomes,
    ]
    if any(amount < 0 for amount in amounts):
        raise ValueError("amounts of a repayment ratio are not negative")
    offset = book.parameters["offset_debts_by_assets"].value if offset is None else offset
    fund = book.parameters["count_provident_fund"].value if fund is None else fund
    income = Decimal(sum(incomes)) + (provident_fund if fund else 0)
    if income == 0:
        return None
    left = max(Decimal(short_debts) - assets_shown, Decimal(0)) if offset else short_debts
    return ((Decimal(payment) + property_fee + other_debts + left) / income).quantize(
        Decimal("0.000001")
    )


# What a rulebook's worked cases of the arithmetic may ask for.
CALCULATIONS = {"longest_term": longest_term, "repayment_ratio": repayment_ratio}
