"""The tables around the loans, month by month: deposits, fees, applications, signals, actions and
surveys.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.demo import delivery
from data.demo.attributes import draw_categories
from data.demo.delivery import code_values
from data.demo.loan_book import LoanBook
from data.demo.loans import BRANCH, CHANNEL_SHARE, MEDIAN_PRINCIPAL, PRODUCT_SHARE
from data.demo.payments import MonthOutcome
from data.demo.people import People, draw_days, stream
from data.demo.places import BranchNetwork
from data.demo.story import (
    DORMANT,
    FAILING_PROVINCE,
    SILENT_PROVINCE,
    STEADY,
    TRADER,
    first_day,
    last_day,
)

Table = dict[str, pa.Array]

# By type: share of customers with deposits, median balance in CNY, spread between customers.
DEPOSIT_SHARE = np.array([0.88, 1.00, 0.02, 0.96, 0.01, 0.01])
DEPOSIT_MEDIAN = np.array([21_000, 190_000, 1_800, 52_000, 900, 700])
TRADER_SEASON = (1.9, 0.75, 0.55, 0.7, 0.9, 1.0, 0.8, 0.6, 0.75, 1.1, 1.35, 1.7)
# By type: chance of a fee a month, kind of fee (card, wealth, insurance, settlement, advisory),
# median in CNY.
FEE_PROBABILITY = np.array([0.030, 0.25, 0.42, 0.32, 0.010, 0.002])
FEE_KIND_SHARE = np.array(
    [
        [0.25, 0.15, 0.55, 0.00, 0.05],
        [0.03, 0.75, 0.17, 0.00, 0.05],
        [0.95, 0.01, 0.04, 0.00, 0.00],
        [0.06, 0.04, 0.05, 0.80, 0.05],
        [0.75, 0.00, 0.25, 0.00, 0.00],
        [0.70, 0.05, 0.25, 0.00, 0.00],
    ]
)
FEE_MEDIAN = np.array([28.0, 160.0, 120.0, 45.0, 300.0])
ACTION_SHARE = np.array(
    [
        [0.80, 0.20, 0.00, 0.00, 0.00, 0.00],
        [0.15, 0.75, 0.08, 0.00, 0.02, 0.00],
        [0.00, 0.40, 0.45, 0.05, 0.08, 0.02],
        [0.00, 0.20, 0.20, 0.42, 0.06, 0.12],
    ]
)
"""Share of each collection action (columns) by 1, 2, 3, 4 or more unpaid instalments (rows)."""
RESULT_SHARE = np.array(
    [
        [0.45, 0.35, 0.00, 0.00, 0.02, 0.18],
        [0.30, 0.35, 0.00, 0.00, 0.05, 0.30],
        [0.25, 0.25, 0.00, 0.00, 0.15, 0.35],
        [0.15, 0.15, 0.00, 0.00, 0.30, 0.40],
    ]
)
"""Share of each result of such an action, by the same rows."""


class CustomerAmounts(NamedTuple):
    """Customers and an amount in fen for each; arrays of one length."""

    customer: np.ndarray
    amount: np.ndarray


class RelatedTables:
    """Draws the tables around the loans of one month after another.

    Between months it keeps the deposit levels and the win-back calls of the coming month.
    """

    def __init__(self, people: People, network: BranchNetwork, seed: int) -> None:
        self.people = people
        self.network = network
        self.seed = seed
        rng = stream(seed, 30)
        has_deposits = rng.random(len(people)) < DEPOSIT_SHARE[people.type]
        self.depositors = np.flatnonzero(has_deposits)
        kind = people.type[self.depositors]
        level = np.log(DEPOSIT_MEDIAN[kind]) + 0.55 * rng.standard_normal(len(kind))
        is_failing = people.province[self.depositors] == FAILING_PROVINCE
        self.deposit_level = level - 0.15 * is_failing
        manager_province = network.province_of_outlet[network.manager_outlet]
        self.silent_manager = int(np.flatnonzero(manager_province == SILENT_PROVINCE)[0])
        self.calls = np.empty(0, dtype=np.int64)
        self.calls_won = np.empty(0, dtype=bool)

    def draw_deposits(self, month: int) -> CustomerAmounts:
        """Draw the balances of the customers with deposits at the end of the month."""
        rng = stream(self.seed, 31, month)
        who = self.depositors
        kind = self.people.type[who]
        drift = np.array([0.010, 0.004, 0.0, 0.0, -0.01, 0.0])[kind]
        self.deposit_level = self.deposit_level + drift + 0.05 * rng.standard_normal(len(who))
        has_joined = self.people.since[who] <= last_day(month)
        noise = np.array([0.10, 0.04, 0.35, 0.18, 0.5, 0.3])[kind] * rng.standard_normal(len(who))
        season = np.where(kind == TRADER, TRADER_SEASON[month % 12], 1.0)
        fen = np.rint(np.exp(self.deposit_level + noise) * season * 100)
        balance = np.maximum(fen, 1).astype(np.int64)
        return CustomerAmounts(who[has_joined], balance[has_joined])

    def draw_income(self, month: int) -> tuple[CustomerAmounts, Table]:
        """Draw the fees of the month; also return them as the table income."""
        rng = stream(self.seed, 32, month)
        people = self.people
        has_joined = people.since <= first_day(month)
        u = rng.random(len(people), dtype=np.float32)
        who = np.flatnonzero(has_joined & (u < FEE_PROBABILITY[people.type]))
        kind = draw_categories(rng, FEE_KIND_SHARE, people.type[who])
        size = FEE_MEDIAN[kind] * np.exp(0.5 * rng.standard_normal(len(who)))
        day = draw_days(rng, len(who), month)
        order = np.argsort(day, kind="stable")
        fees = CustomerAmounts(who[order], np.rint(size[order] * 100).astype(np.int64))
        return fees, {
            "income_id": _month_keys("I", month, len(who)),
            "customer_id": delivery.key("C", fees.customer + 1, 8),
            "booked_on": delivery.day(day[order]),
            "kind": delivery.code(kind[order], code_values("income", "kind")),
            "amount": delivery.money(fees.amount),
        }

    def applications(self, month: int, book: LoanBook, rows: np.ndarray) -> Table:
        """Return one application for each loan disbursed (`rows` of the book), and the unsuccessful
        ones.
        """
        rng = stream(self.seed, 33, month)
        people = self.people
        loans = book.loans
        n = len(rows)
        start = int(first_day(month))
        others = int(n * 0.42)
        candidates = np.flatnonzero((people.since <= start) & (people.type != DORMANT))
        demand = np.exp(-0.5 * people.standing[candidates])
        limits = np.cumsum(demand / demand.sum())
        position = np.searchsorted(limits, rng.random(others)).clip(0, len(candidates) - 1)
        unsuccessful = candidates[position]
        who = np.concatenate([loans.customer[rows], unsuccessful])
        total = len(who)
        other_product = draw_categories(rng, PRODUCT_SHARE, people.type[unsuccessful])
        product = np.concatenate([loans.product[rows], other_product])
        other_channel = draw_categories(rng, CHANNEL_SHARE, product[n:])
        channel = np.concatenate([loans.channel[rows], other_channel])
        is_lent = np.arange(total) < n
        size = MEDIAN_PRINCIPAL[product[n:]] * np.exp(0.5 * rng.standard_normal(others))
        size = np.maximum(np.rint(size / 1000), 2).astype(np.int64) * 100_000
        principal = np.concatenate([loans.principal[rows], size])
        wants_more = is_lent & (rng.random(total) < 0.25)
        larger = principal * 12 // 10 // 100_000 * 100_000
        amount = np.where(wants_more, larger, principal)
        end = np.concatenate([loans.disbursed_on[rows], draw_days(rng, others, month)])
        at_counter = (channel == BRANCH) | (channel >= 3)
        stages = _draw_stages(rng, end, start, at_counter)
        outcome = rng.random(total)
        approval = np.where(outcome < 0.88, 0, 1)
        refusal = np.where(outcome < 0.70, 2, np.where(outcome < 0.86, 0, -1))
        decision = np.where(is_lent, approval, refusal)
        is_withdrawn = decision < 0
        order = np.lexsort((who, stages.applied))
        loan = np.concatenate([rows, np.zeros_like(unsuccessful)])

        def dates(values: np.ndarray, is_null: np.ndarray) -> pa.Array:
            return delivery.day(np.where(is_null, delivery.NEVER, values)[order])

        return {
            "application_id": _month_keys("A", month, total),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "product_id": self.network.product_ids(product[order]),
            "branch_id": self.network.branches_of(people.outlet[who[order]]),
            "channel": delivery.code(channel[order], code_values("application", "channel")),
            "amount": delivery.money(amount[order]),
            "applied_on": delivery.day(stages.applied[order]),
            "accepted_on": dates(stages.accepted, is_withdrawn & (outcome > 0.95)),
            "surveyed_on": dates(stages.surveyed, is_withdrawn),
            "decided_on": dates(stages.decided, is_withdrawn),
            "decision": delivery.code(decision[order], code_values("application", "decision")),
            "signed_on": dates(stages.signed, ~is_lent),
            "disbursed_on": dates(end, ~is_lent),
            "loan_id": delivery.key("L", loan[order] + 1, 9, is_lent[order]),
        }

    def signals(self, month: int, book: LoanBook, outcome: MonthOutcome) -> Table:
        """Return warnings; about 85 % are handled within the month, those of the silent manager
        hardly ever.
        """
        rng = stream(self.seed, 34, month)
        people = self.people
        customer = book.loans.customer
        borrowers = np.unique(customer[book.active])
        rate = np.array([0.0007, 0.0004, 0.0020, 0.0016, 0.0090, 0.0005])[people.type[borrowers]]
        is_silent = people.manager[borrowers] == self.silent_manager
        rate = np.where(is_silent, np.maximum(rate * 5, 0.020), rate)
        soft = borrowers[rng.random(len(borrowers)) < rate]
        soft_share = np.array([0.0, 0.16, 0.04, 0.46, 0.16, 0.06, 0.05, 0.07])
        soft_kind = draw_categories(rng, soft_share, soft)
        u = rng.random(len(outcome.three_unpaid))
        court = customer[outcome.three_unpaid[u < 0.10]]
        two_unpaid = outcome.two_unpaid
        others = len(soft) + len(court)
        who = np.concatenate([customer[two_unpaid], soft, court])
        loan = np.concatenate([two_unpaid, np.full(others, -1)])
        arrears_kind = np.zeros(len(two_unpaid), dtype=np.int64)
        kind = np.concatenate([arrears_kind, soft_kind, np.full(len(court), 5)])
        raised_on = np.concatenate([outcome.two_unpaid_on, draw_days(rng, others, month)])
        is_silent = people.manager[who] == self.silent_manager
        is_handled = rng.random(len(who)) < np.where(is_silent, 0.05, 0.86)
        days = (rng.random(len(who)) * 9).astype(np.int64)
        handled_on = np.minimum(raised_on + days, int(last_day(month)))
        handled_on = np.where(is_handled, handled_on, delivery.NEVER)
        order = np.lexsort((who, raised_on))
        return {
            "signal_id": _month_keys("S", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "loan_id": delivery.key("L", loan[order] + 1, 9, loan[order] >= 0),
            "raised_on": delivery.day(raised_on[order]),
            "kind": delivery.code(kind[order], code_values("signal", "kind")),
            "handled_on": delivery.day(handled_on[order]),
        }

    def actions(
        self,
        month: int,
        book: LoanBook,
        outcome: MonthOutcome,
        settlements: dict[str, np.ndarray],
    ) -> Table:
        """Return collection by stage of arrears, win-back calls to those settled last month, a few
        rewards.
        """
        rng = stream(self.seed, 35, month)
        people = self.people
        start = int(first_day(month))
        unpaid = np.minimum(outcome.instalments_unpaid, 4) - 1
        is_collected = rng.random(len(unpaid)) < np.array([0.30, 0.60, 0.60, 0.14])[unpaid]
        loan = outcome.in_arrears[is_collected]
        stage = unpaid[is_collected]
        collection = draw_categories(rng, ACTION_SHARE, stage)
        collection_result = draw_categories(rng, RESULT_SHARE, stage)
        u = rng.random(len(people), dtype=np.float32)
        is_steady = (people.type == STEADY) & (people.since <= start)
        rewards = np.flatnonzero(is_steady & (u < 0.0012))
        calls = self.calls
        u = rng.random(len(calls))
        call_result = np.where(u < 0.45, 4, np.where(u < 0.75, 0, 5))
        call_result = np.where(self.calls_won, 3, call_result)
        called = settlements["called"]
        self.calls = settlements["customer"][called]
        self.calls_won = settlements["won"][called]
        others = len(calls) + len(rewards)
        who = np.concatenate([book.loans.customer[loan], calls, rewards])
        loans = np.concatenate([loan, np.full(others, -1)])
        kind = np.concatenate([collection, np.full(len(calls), 6), np.full(len(rewards), 7)])
        result = np.concatenate([collection_result, call_result, np.full(len(rewards), 3)])
        days = [
            draw_days(rng, len(loan), month),
            start + (rng.random(len(calls)) * 8).astype(np.int64),
            draw_days(rng, len(rewards), month),
        ]
        done_on = np.concatenate(days)
        order = np.lexsort((who, done_on))
        return {
            "action_id": _month_keys("V", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "loan_id": delivery.key("L", loans[order] + 1, 9, loans[order] >= 0),
            "manager_id": delivery.key("M", people.manager[who[order]] + 1, 5),
            "done_on": delivery.day(done_on[order]),
            "kind": delivery.code(kind[order], code_values("action", "kind")),
            "result": delivery.code(result[order], code_values("action", "result")),
        }

    def surveys(self, month: int) -> Table:
        """Return the satisfaction surveys of the month, scores 0 to 10."""
        rng = stream(self.seed, 36, month)
        people = self.people
        u = rng.random(len(people), dtype=np.float32)
        who = np.flatnonzero((people.since <= first_day(month)) & (u < 0.005))
        mean = np.array([8.1, 8.5, 7.4, 7.6, 5.9, 6.8])[people.type[who]]
        mean = mean - 0.9 * (people.province[who] == FAILING_PROVINCE)
        score = np.rint(mean + 1.4 * rng.standard_normal(len(who))).clip(0, 10).astype(np.int32)
        day = draw_days(rng, len(who), month)
        order = np.argsort(day, kind="stable")
        return {
            "survey_id": _month_keys("Q", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "asked_on": delivery.day(day[order]),
            "score": pa.array(score[order]),
        }


class _Stages(NamedTuple):
    """Dates of the stages of applications, days since 1970-01-01; shape (applications,)."""

    applied: np.ndarray
    accepted: np.ndarray
    surveyed: np.ndarray
    decided: np.ndarray
    signed: np.ndarray


def _draw_stages(
    rng: np.random.Generator, end: np.ndarray, start: int, at_counter: np.ndarray
) -> _Stages:
    """Draw the dates of applications that end on day `end`.

    All of them lie in the month, from `start` on, so that an increment never changes an old
    application.
    """
    total = len(end)
    lead = np.where(at_counter, 3 + rng.random(total) * 11, rng.random(total) * 4).astype(np.int64)
    lead = np.minimum(lead, end - start)
    share = np.sort(rng.random((total, 4)), axis=1)
    elapsed = (lead[:, None] * share).astype(np.int64)
    applied = end - lead
    accepted = applied + np.minimum(elapsed[:, 0], 2 + (share[:, 3] > 0.97) * 2)
    surveyed = np.maximum(applied + elapsed[:, 1], accepted)
    decided = np.maximum(applied + elapsed[:, 2], surveyed)
    signed = np.maximum(applied + elapsed[:, 3], decided)
    return _Stages(applied, accepted, surveyed, decided, signed)


def deposit_table(month: int, deposits: CustomerAmounts) -> Table:
    """Return the table deposit_balance of a month end."""
    return {
        "customer_id": delivery.key("C", deposits.customer + 1, 8),
        "as_of": delivery.day(np.full(len(deposits.customer), last_day(month))),
        "balance": delivery.money(deposits.amount),
    }


def _month_keys(letter: str, month: int, n: int) -> pa.Array:
    prefix = f"{letter}{1970 + month // 12:04d}{month % 12 + 1:02d}"
    return delivery.key(prefix, np.arange(n) + 1, 7)
