"""Monthly targets of the provincial branches, within reach of all but the failing one, and of the
whole bank.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.demo import delivery
from data.demo.loan_book import LoanBook
from data.demo.loans import PLEDGED
from data.demo.payments import MonthOutcome
from data.demo.people import People
from data.demo.places import BranchNetwork
from data.demo.related_tables import CustomerAmounts
from data.demo.story import FAILING_PROVINCE, last_day

HEAD_OFFICE_TARGETS = {
    "overdue_rate_30": (0.02, 0.025),
    "npl_ratio": (0.014, 0.02),
    "reloan_rate_90": (0.28, 0.22),
}
"""The head office's own target and red line of each metric, the same every month."""


class Target(NamedTuple):
    """One row of the table target; rates as share of one, contribution in CNY."""

    branch_id: str
    metric: str
    value: float
    red_line: float


class _MonthFigures(NamedTuple):
    """Figures of a month by province, shape (8,)."""

    contribution: np.ndarray
    """Fen."""
    settled: np.ndarray
    """Customers whose last loan was settled."""
    again: np.ndarray
    """Those of them who borrow again within 90 days."""


class TargetSetter:
    """Sets the targets of one month after another from the figures of the months before."""

    def __init__(self, people: People, network: BranchNetwork) -> None:
        self.people = people
        self.network = network
        self.history: list[_MonthFigures] = []

    def targets(
        self,
        month: int,
        book: LoanBook,
        outcome: MonthOutcome,
        settlements: dict[str, np.ndarray],
        deposits: CustomerAmounts,
        fees: CustomerAmounts,
    ) -> dict[str, pa.Array]:
        """Return the table target of a month."""
        people = self.people
        i = book.active
        province = people.province[book.loans.customer[i]]
        balance = book.loans.outstanding[i] + book.loans.arrears[i] * 0.85
        is_overdue = book.loans.instalments_unpaid[i] >= 2
        overdue = np.bincount(province, weights=balance * is_overdue, minlength=8)
        total = np.bincount(province, weights=balance, minlength=8)
        settled_in = people.province[settlements["customer"]]
        figures = _MonthFigures(
            contribution=self._contribution(book, outcome, province, balance, deposits, fees),
            settled=np.bincount(settled_in, minlength=8),
            again=np.bincount(settled_in[settlements["again"]], minlength=8),
        )
        self.history.append(figures)
        contribution = np.sum([row.contribution for row in self.history[-12:]], axis=0) / 100
        matured = self.history[-15:-3] or self.history
        settled = np.sum([row.settled for row in matured], axis=0)
        again = np.sum([row.again for row in matured], axis=0)
        borrowers = np.unique(book.loans.customer[i])
        customers = np.bincount(people.province[borrowers], minlength=8)
        rows: list[Target] = []
        for p, branch in enumerate(self.network.branch_ids[self.network.province_branch]):
            is_failing = p == FAILING_PROVINCE
            rows += [
                _overdue_target(branch, overdue, total, p, is_failing),
                _reloan_target(branch, again, settled, p, is_failing),
                _contribution_target(branch, contribution[p], is_failing),
                _customer_target(branch, customers[p], is_failing),
            ]
        rows += self._head_office_targets(rows, customers)
        return {
            "as_of": delivery.day(np.full(len(rows), last_day(month))),
            "branch_id": pa.array([str(row.branch_id) for row in rows]),
            "metric": pa.array([row.metric for row in rows]),
            "value": pa.array(np.array([row.value for row in rows], dtype=float)),
            "red_line": pa.array(np.array([row.red_line for row in rows], dtype=float)),
        }

    def _head_office_targets(self, rows: list[Target], customers: np.ndarray) -> list[Target]:
        head_office = str(self.network.branch_ids[0])
        result = [
            Target(head_office, metric, value, red_line)
            for metric, (value, red_line) in HEAD_OFFICE_TARGETS.items()
        ]
        for metric in ("contribution_net", "customers"):
            value = sum(row.value for row in rows if row.metric == metric)
            result.append(Target(head_office, metric, value, round(value * 0.9)))
        # No net downgrades, on balance.
        red_line = -round(customers.sum() * 0.02)
        result.append(Target(head_office, "net_upgraded", 0.0, red_line))
        return result

    def _contribution(
        self,
        book: LoanBook,
        outcome: MonthOutcome,
        province: np.ndarray,
        balance: np.ndarray,
        deposits: CustomerAmounts,
        fees: CustomerAmounts,
    ) -> np.ndarray:
        """Return the contribution of the month by province in fen, of all customers who ever
        borrowed.

        An approximation of data/assumptions.toml: a target only has to be near. `province` and
        `balance` (fen) are those of the active loans.
        """
        people = self.people
        loans = book.loans
        i = book.active
        has_borrowed = np.zeros(len(people), dtype=bool)
        has_borrowed[loans.customer] = True

        def by_province(customer: np.ndarray, amount: np.ndarray | None = None) -> np.ndarray:
            return np.bincount(people.province[customer], weights=amount, minlength=8)

        rows = has_borrowed[deposits.customer]
        depositors = deposits.customer[rows]
        deposit = deposits.amount[rows]
        rows = has_borrowed[fees.customer]
        fee = by_province(fees.customer[rows], fees.amount[rows])
        unpaid = loans.instalments_unpaid[i]
        loss_given_default = np.where(loans.guarantee[i] >= PLEDGED, 0.25, 0.55)
        default_rate = np.where(unpaid > 0, 0.08, 0.01)
        default_rate = np.where(unpaid >= 4, 0.7, default_rate)
        yearly_rate = default_rate * loss_given_default + loans.funding_rate[i] / 1e6
        loss = np.bincount(province, weights=balance * yearly_rate / 12, minlength=8)
        cost = np.bincount(province, minlength=8) * 1200.0 + by_province(depositors) * 150.0
        margin = by_province(depositors, deposit) * 0.012 / 12
        return outcome.interest * 0.97 + fee + margin - loss - cost


def _overdue_target(
    branch: str, overdue: np.ndarray, total: np.ndarray, province: int, is_failing: bool
) -> Target:
    """Set the highest overdue rate (30 days) from the balances by province in fen."""
    bank = overdue.sum() / max(total.sum(), 1)
    own = max(overdue[province] / max(total[province], 1) * 1.20, bank * 0.8)
    value = bank if is_failing else own
    return Target(
        branch, "overdue_rate_30", np.ceil(value * 1000) / 1000, np.ceil(value * 1250) / 1000
    )


def _reloan_target(
    branch: str, again: np.ndarray, settled: np.ndarray, province: int, is_failing: bool
) -> Target:
    """Set the lowest reloan rate (90 days) from the customers by province."""
    bank = again.sum() / max(settled.sum(), 1)
    own = min(again[province] / max(settled[province], 1) * 0.88, bank * 1.05)
    value = bank if is_failing else own
    return Target(
        branch, "reloan_rate_90", np.floor(value * 200) / 200, np.floor(value * 160) / 200
    )


def _contribution_target(branch: str, contribution: float, is_failing: bool) -> Target:
    """Set the lowest contribution from that of the last 12 months in CNY."""
    size = abs(contribution)
    value = size * 1.45 if is_failing else contribution - size * 0.10
    return Target(branch, "contribution_net", round(value, -4), round(value * 0.8, -4))


def _customer_target(branch: str, customers: int, is_failing: bool) -> Target:
    """Set the lowest number of customers with a loan."""
    value = round(customers * (1.04 if is_failing else 0.985))
    return Target(branch, "customers", float(value), float(round(value * 0.95)))
