"""What a loan, and its customer, look like at each month end, told by plain loops over days with exact decimals.

Written from the definitions of the metrics, not from the marts: instalments that have fallen due are covered first in,
first out, interest before principal; money ahead of the schedule waits; a prepayment lowers the principal at once; an
instalment unpaid on its own due day is not late that day; a settled, sold or written-off loan has no balance.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

NOTHING = Decimal(0)
FEN = Decimal("0.01")


@dataclass
class Loan:
    """One loan as handed over: instalments (due day, number, principal, interest), payments (day, amount, kind)."""

    key: str
    customer: str
    principal: Decimal
    disbursed_on: date
    closed_on: date | None
    written_off_on: date | None
    sold_on: date | None
    rollover_of: str | None
    funding_rate: Decimal | None
    guarantee: str | None
    instalments: list = field(default_factory=list)
    payments: list = field(default_factory=list)


@dataclass
class State:
    """One loan at one month end."""

    days_past_due: int
    balance: Decimal
    overdue_amount: Decimal
    interest_so_far: Decimal
    written_off: Decimal
    settled: bool


def state(loan: Loan, as_of: date) -> State:
    """The loan on the evening of `as_of`: the days are lived through one event after the other."""
    days = sorted({day for day, *_ in loan.instalments + loan.payments if day <= as_of})
    received, prepaid = NOTHING, NOTHING
    for day in days:
        for paid_on, amount, kind in loan.payments:
            if paid_on == day and kind == "prepayment":
                prepaid += amount
            elif paid_on == day:
                received += amount
    purse, interest, principal_paid = received, NOTHING, NOTHING
    oldest, arrears = None, NOTHING
    for due_on, _, principal, due_interest in sorted(loan.instalments):
        if due_on > as_of:
            break
        to_interest = min(max(purse, NOTHING), due_interest)
        to_principal = min(max(purse, NOTHING) - to_interest, principal)
        purse -= to_interest + to_principal
        interest += to_interest
        principal_paid += to_principal
        missing = principal + due_interest - to_interest - to_principal
        if missing > 0 and due_on < as_of:
            oldest = oldest or due_on
            arrears += missing
    ended = any(day is not None and day <= as_of for day in (loan.closed_on, loan.sold_on))
    closed = loan.closed_on is not None and loan.closed_on <= as_of
    written = loan.written_off_on is not None and loan.written_off_on <= as_of
    owed = max(loan.principal - prepaid - principal_paid, NOTHING)
    if closed:
        # All that came beyond the principal was interest.
        interest = received + prepaid - loan.principal
    return State(
        days_past_due=0 if ended or oldest is None else (as_of - oldest).days,
        balance=NOTHING if ended or written else owed,
        overdue_amount=NOTHING if ended or written else arrears,
        interest_so_far=interest,
        written_off=owed if written and not ended else NOTHING,
        settled=closed and not written,
    )


def first_payment(loan: Loan, as_of: date, days: int = 30) -> tuple[date, bool] | None:
    """The day on which the first instalment was judged and whether it was missed; None if not judged by `as_of`."""
    first = [instalment for instalment in loan.instalments if instalment[1] == 1]
    if not first:
        # A first number above 1 carries what came before the records.
        return None
    due_on, _, principal, interest = first[0]
    judged_on = due_on + timedelta(days)
    if judged_on > as_of:
        return None
    came = sum(
        (
            amount
            for day, amount, kind in loan.payments
            if day <= judged_on and kind != "prepayment"
        ),
        NOTHING,
    )
    settled = loan.closed_on is not None and loan.closed_on <= judged_on
    return judged_on, came < principal + interest and not settled


def settlements(loans: list[Loan]) -> list[tuple[date, date | None]]:
    """Days on which this customer had settled all loans, each with the day of the next loan. Rollovers are neither."""
    rolled = {loan.rollover_of for loan in loans if loan.rollover_of}
    found = set()
    for loan in loans:
        if loan.closed_on is None or loan.written_off_on or loan.sold_on or loan.key in rolled:
            continue
        day = loan.closed_on
        still_owes = any(
            other.disbursed_on < day
            and (
                other.closed_on is None
                or other.closed_on > day
                or other.written_off_on
                or other.sold_on
            )
            for other in loans
        )
        if not still_owes:
            later = [
                o.disbursed_on
                for o in loans
                if o.disbursed_on >= day and o.rollover_of is None and o is not loan
            ]
            found.add((day, min(later, default=None)))
    return sorted(found, key=lambda pair: pair[0])


def reloaned(
    pairs: list[tuple[date, date | None]], as_of: date, opened: date, days: int
) -> tuple[bool, bool]:
    """Whether a settlement's window of `days` ran out after `opened` and by `as_of`, and a loan came within it."""
    judged = [(day, then) for day, then in pairs if opened < day + timedelta(days) <= as_of]
    return bool(judged), any(then is not None and (then - day).days <= days for day, then in judged)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(FEN, ROUND_HALF_UP)


def by_customer(loans: dict[str, Loan]) -> dict[str, list[Loan]]:
    found = defaultdict(list)
    for loan in loans.values():
        found[loan.customer].append(loan)
    return found
