"""Instalments and payments that stand for the months before the first delivered one."""

import numpy as np

from data.demo.loan_book import LoanBook
from data.demo.loans import UnpaidInstalments
from data.demo.payments import PREPAYMENT
from data.demo.story import first_day, last_day, month_of


def record_unpaid_instalments(book: LoanBook, month: int) -> None:
    """Remember the instalments of `month` of loans now in arrears: unpaid ones are delivered one by
    one.
    """
    loans = book.loans
    i = book.active[loans.arrears[book.active] > 0]
    i = i[loans.due_principal[i] + loans.due_interest[i] > 0]
    book.unpaid.append(
        UnpaidInstalments(
            loan=i,
            month=np.full(len(i), month),
            number=loans.instalments_issued[i],
            principal=loans.due_principal[i],
            interest=loans.due_interest[i],
        )
    )


def opening_entries(
    book: LoanBook, month: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return instalments and payments that explain the loan book at the end of `month`.

    One instalment per loan, numbered as the last one that was paid in full, holds all instalments
    up to it and is paid on its due day; those that are not yet paid in full follow one by one. Both
    results have arrays of equal length, in order of time: loan, number, due_on, principal and
    interest (fen) for instalments; loan, stamp (seconds since 1970-01-01), amount (fen) and kind
    for payments.
    """
    loans = book.loans
    unpaid = _open_instalments(book)
    unpaid_principal = _sum_by_loan(book, unpaid, unpaid.principal)
    unpaid_interest = _sum_by_loan(book, unpaid, unpaid.interest)
    unpaid_count = _sum_by_loan(book, unpaid, np.ones(len(unpaid.loan), dtype=np.int64))
    i = book.active
    number = loans.instalments_issued[i] - unpaid_count[i]
    i = i[number > 0]
    number = number[number > 0]
    due_on = _due_on(book, i, number)
    principal = loans.scheduled_principal_paid[i] - unpaid_principal[i]
    interest = loans.scheduled_interest_paid[i] - unpaid_interest[i]
    instalments = {
        "loan": np.concatenate([i, unpaid.loan]),
        "number": np.concatenate([number, unpaid.number]),
        "due_on": np.concatenate([due_on, _due_on(book, unpaid.loan, unpaid.number)]),
        "principal": np.concatenate([principal, unpaid.principal]),
        "interest": np.concatenate([interest, unpaid.interest]),
    }
    unpaid_total = unpaid_principal + unpaid_interest
    partly = np.flatnonzero(unpaid_total > 0)
    part_paid = (unpaid_total - loans.arrears[: book.size])[partly]
    partly = partly[part_paid > 0]
    part_paid = part_paid[part_paid > 0]
    has_prepaid = loans.prepaid[i] > 0
    month_end = int(last_day(month))
    stamps = [
        due_on * 86_400 + 7_200,
        due_on[has_prepaid] * 86_400 + 9_000,
        np.full(len(partly), month_end * 86_400 + 54_000),
    ]
    amounts = [principal + interest, loans.prepaid[i][has_prepaid], part_paid]
    kinds = [
        np.zeros(len(i)),
        np.full(has_prepaid.sum(), PREPAYMENT),
        np.zeros(len(partly)),
    ]
    payments = {
        "loan": np.concatenate([i, i[has_prepaid], partly]),
        "stamp": np.concatenate(stamps),
        "amount": np.concatenate(amounts),
        "kind": np.concatenate(kinds).astype(np.int8),
    }
    return _sort(instalments, "due_on"), _sort(payments, "stamp")


def _open_instalments(book: LoanBook) -> UnpaidInstalments:
    """Return the recorded instalments that are still unpaid, or paid in part."""
    loans = book.loans
    joined = UnpaidInstalments(
        *(np.concatenate(column) for column in zip(*book.unpaid, strict=True))
    )
    is_active = np.zeros(book.size, dtype=bool)
    is_active[book.active] = True
    is_open = is_active[joined.loan] & (loans.arrears[joined.loan] > 0)
    is_open &= joined.month > loans.last_clean_month[joined.loan]
    return UnpaidInstalments(*(column[is_open] for column in joined))


def _sum_by_loan(book: LoanBook, unpaid: UnpaidInstalments, values: np.ndarray) -> np.ndarray:
    sums = np.zeros(book.size, dtype=np.int64)
    np.add.at(sums, unpaid.loan, values)
    return sums


def _due_on(book: LoanBook, loan: np.ndarray, number: np.ndarray) -> np.ndarray:
    disbursed = month_of(book.loans.disbursed_on[loan])
    return first_day(disbursed + number) + book.loans.due_day[loan] - 1


def _sort(columns: dict[str, np.ndarray], by: str) -> dict[str, np.ndarray]:
    order = np.argsort(columns[by], kind="stable")
    return {name: values[order] for name, values in columns.items()}
