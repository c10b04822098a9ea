"""Loans and customers at each month end, computed by plain loops over days with exact decimals.

Written from the definitions of the metrics, not from the marts. Instalments that have fallen due
are covered first in, first out, interest before principal; money ahead of the schedule waits; a
prepayment lowers the principal at once; an instalment unpaid on its own due date is not late on
that day; a loan that is settled, sold or written off has no balance. Amounts are in CNY.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

NOTHING = Decimal(0)
FEN = Decimal("0.01")

# Due date, number, principal, interest.
Instalment = tuple[date, int, Decimal, Decimal]
# Date, amount, kind.
Payment = tuple[date, Decimal, str | None]
# Date of the settlement, date of the next loan.
Settlement = tuple[date, date | None]


@dataclass
class Loan:
    """One loan as delivered."""

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
    instalments: list[Instalment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)


@dataclass
class State:
    """One loan at one month end."""

    days_past_due: int
    balance: Decimal
    overdue_amount: Decimal
    interest_so_far: Decimal
    written_off: Decimal


@dataclass
class Allocation:
    """What payments have covered by a day, and what is late on that day."""

    interest: Decimal = NOTHING
    principal: Decimal = NOTHING
    overdue_amount: Decimal = NOTHING
    oldest_due_on: date | None = None


def state(loan: Loan, as_of: date) -> State:
    """Return the state of a loan at the end of a day."""
    payments = [payment for payment in loan.payments if payment[0] <= as_of]
    prepayments = sum((p[1] for p in payments if p[2] == "prepayment"), NOTHING)
    receipts = sum((p[1] for p in payments if p[2] != "prepayment"), NOTHING)
    allocation = allocate(loan, receipts, as_of)
    is_closed = _is_past(loan.closed_on, as_of)
    has_ended = is_closed or _is_past(loan.sold_on, as_of)
    is_written_off = _is_past(loan.written_off_on, as_of)
    principal_owed = max(loan.principal - prepayments - allocation.principal, NOTHING)
    days_past_due = 0
    if allocation.oldest_due_on is not None and not has_ended:
        days_past_due = (as_of - allocation.oldest_due_on).days
    interest = allocation.interest
    if is_closed:
        # Everything received beyond the principal was interest.
        interest = receipts + prepayments - loan.principal
    return State(
        days_past_due=days_past_due,
        balance=NOTHING if has_ended or is_written_off else principal_owed,
        overdue_amount=NOTHING if has_ended or is_written_off else allocation.overdue_amount,
        interest_so_far=interest,
        written_off=principal_owed if is_written_off and not has_ended else NOTHING,
    )


def allocate(loan: Loan, receipts: Decimal, as_of: date) -> Allocation:
    """Allocate the receipts up to a day to the instalments due by that day, oldest first."""
    allocation = Allocation()
    remainder = receipts
    for due_on, _, principal, interest in sorted(loan.instalments):
        if due_on > as_of:
            break
        to_interest = min(max(remainder, NOTHING), interest)
        to_principal = min(max(remainder, NOTHING) - to_interest, principal)
        remainder -= to_interest + to_principal
        allocation.interest += to_interest
        allocation.principal += to_principal
        unpaid = principal + interest - to_interest - to_principal
        if unpaid > 0 and due_on < as_of:
            allocation.oldest_due_on = allocation.oldest_due_on or due_on
            allocation.overdue_amount += unpaid
    return allocation


def first_payment(loan: Loan, as_of: date, days: int = 30) -> tuple[date, bool] | None:
    """Return the assessment date of the first instalment and whether it was missed.

    None before the assessment date, and for a loan whose first delivered instalment has a number
    above 1, because the earlier ones precede the records.
    """
    first = [instalment for instalment in loan.instalments if instalment[1] == 1]
    if not first:
        return None
    due_on, _, principal, interest = first[0]
    assessed_on = due_on + timedelta(days)
    if assessed_on > as_of:
        return None
    amounts = [
        amount for day, amount, kind in loan.payments if day <= assessed_on and kind != "prepayment"
    ]
    is_closed = _is_past(loan.closed_on, assessed_on)
    return assessed_on, sum(amounts, NOTHING) < principal + interest and not is_closed


def settlements(loans: Iterable[Loan]) -> list[Settlement]:
    """Return the days on which a customer settled the last open loan, with the next loan's date.

    A rollover is neither a settlement nor a new loan: the debt goes on in it. A loan that is
    settled on the day itself belongs to the settlement.
    """
    loans = list(loans)
    rollovers: dict[str, date] = {}
    for loan in loans:
        if loan.rollover_of:
            rollovers[loan.rollover_of] = max(
                loan.disbursed_on, rollovers.get(loan.rollover_of, date.min)
            )
    settlements = set()
    for loan in loans:
        day = loan.closed_on
        if day is None or loan.written_off_on or loan.sold_on or loan.key in rollovers:
            continue
        if any(_is_owed_on(other, day, rollovers) for other in loans):
            continue
        later = [
            other.disbursed_on
            for other in loans
            if other.disbursed_on >= day
            and other.rollover_of is None
            and (other.key in rollovers or _is_owed_after(other, day))
        ]
        settlements.add((day, min(later, default=None)))
    return sorted(settlements, key=lambda settlement: settlement[0])


def reloaned(
    pairs: Iterable[Settlement], as_of: date, opening: date, days: int
) -> tuple[bool, bool]:
    """Return whether a settlement is assessed after `opening` and by `as_of`, and was a reloan.

    A settlement is assessed when its window of `days` is over; it was a reloan if a loan was
    disbursed within the window.
    """
    assessments = [
        (day, next_loan) for day, next_loan in pairs if opening < day + timedelta(days) <= as_of
    ]
    is_reloan = any(
        next_loan is not None and (next_loan - day).days <= days for day, next_loan in assessments
    )
    return bool(assessments), is_reloan


def cents(amount: Decimal) -> Decimal:
    """Round to fen, half a fen up."""
    return amount.quantize(FEN, ROUND_HALF_UP)


def by_customer(loans: Mapping[str, Loan]) -> dict[str, list[Loan]]:
    """Return the loans of each customer."""
    groups = defaultdict(list)
    for loan in loans.values():
        groups[loan.customer].append(loan)
    return groups


def _is_past(day: date | None, as_of: date) -> bool:
    return day is not None and day <= as_of


def _is_owed_on(loan: Loan, day: date, rollovers: Mapping[str, date]) -> bool:
    """Return whether a loan, or the debt that it was rolled over with, is owed after a day."""
    is_lent = loan.disbursed_on < day or (loan.rollover_of and loan.disbursed_on == day)
    is_rolled_over_later = rollovers.get(loan.key, date.min) > day
    return bool(is_lent) and (is_rolled_over_later or _is_owed_after(loan, day))


def _is_owed_after(loan: Loan, day: date) -> bool:
    """Return whether a loan was closed after a day or never (also if written off or sold)."""
    is_closed_later = loan.closed_on is None or loan.closed_on > day
    return is_closed_later or loan.written_off_on is not None or loan.sold_on is not None
