"""What stands around the loans: deposits, fees, applications, signals, actions, surveys and targets, month by month."""

import numpy as np
import pyarrow as pa

from data.demo import delivery
from data.demo.attributes import pick
from data.demo.loan_book import BRANCH, CHANNEL, MEDIAN, MIX, PLEDGED
from data.demo.people import stream
from data.demo.story import (
    DORMANT,
    FAILING_PROVINCE,
    SILENT_PROVINCE,
    STEADY,
    TRADER,
    first_day,
    last_day,
)


def words(table: str, column: str) -> tuple[str, ...]:
    return tuple(delivery.CONTRACT[table]["column"][column]["values"])


# By type: share of customers with deposits, median balance in CNY, spread between customers.
HOLDS = np.array([0.88, 1.00, 0.02, 0.96, 0.01, 0.01])
DEPOSIT = np.array([21_000, 190_000, 1_800, 52_000, 900, 700])
TRADER_SEASON = (1.9, 0.75, 0.55, 0.7, 0.9, 1.0, 0.8, 0.6, 0.75, 1.1, 1.35, 1.7)
# By type: chance of a fee a month, kind of fee (card, wealth, insurance, settlement, advisory), median in CNY.
FEE = np.array([0.030, 0.25, 0.42, 0.32, 0.010, 0.002])
FEE_KIND = np.array(
    [
        [0.25, 0.15, 0.55, 0.00, 0.05],
        [0.03, 0.75, 0.17, 0.00, 0.05],
        [0.95, 0.01, 0.04, 0.00, 0.00],
        [0.06, 0.04, 0.05, 0.80, 0.05],
        [0.75, 0.00, 0.25, 0.00, 0.00],
        [0.70, 0.05, 0.25, 0.00, 0.00],
    ]
)
FEE_SIZE = np.array([28.0, 160.0, 120.0, 45.0, 300.0])
# The head office's own targets and red lines, the same every month: metric → target, red line.
PLANS = {
    "overdue_rate_30": (0.02, 0.025),
    "npl_ratio": (0.014, 0.02),
    "reloan_rate_90": (0.28, 0.22),
}
EPOCH = np.datetime64("1970-01-01", "us")


class Around:
    """Draws the tables around the loans of one month after another; keeps deposit levels and running targets."""

    def __init__(self, people, places, seed, story, first_month):
        self.people, self.places, self.seed, self.story = people, places, seed, story
        self.first_month = first_month
        rng = stream(seed, 30)
        n = len(people)
        holds = rng.random(n) < HOLDS[people.type]
        self.holder = np.flatnonzero(holds)
        kind = people.type[self.holder]
        level = np.log(DEPOSIT[kind]) + 0.55 * rng.standard_normal(len(kind))
        self.level = level - 0.15 * (people.province[self.holder] == FAILING_PROVINCE)
        self.head_office = places.tables["branch"]["branch_id"][0]
        manager_province = places.province_of_outlet[places.manager_outlet]
        self.silent = int(np.flatnonzero(manager_province == SILENT_PROVINCE)[0])
        self.pending = None
        self.history = []

    # ---- deposits and fees

    def deposits(self, month) -> dict:
        rng, who = stream(self.seed, 31, month), self.holder
        kind = self.people.type[who]
        drift = np.array([0.010, 0.004, 0.0, 0.0, -0.01, 0.0])[kind]
        self.level = self.level + drift + 0.05 * rng.standard_normal(len(who))
        here = self.people.since[who] <= last_day(month)
        noise = np.array([0.10, 0.04, 0.35, 0.18, 0.5, 0.3])[kind] * rng.standard_normal(len(who))
        season = np.where(kind == TRADER, TRADER_SEASON[month % 12], 1.0)
        balance = np.maximum(np.rint(np.exp(self.level + noise) * season * 100), 1).astype(
            np.int64
        )[here]
        who = who[here]
        self.held = who, balance
        return {
            "customer_id": delivery.key("C", who + 1, 8),
            "as_of": delivery.day(np.full(len(who), last_day(month))),
            "balance": delivery.money(balance),
        }

    def income(self, month) -> dict:
        rng, people = stream(self.seed, 32, month), self.people
        here = people.since <= first_day(month)
        who = np.flatnonzero(here & (rng.random(len(people), dtype=np.float32) < FEE[people.type]))
        kind = pick(rng, FEE_KIND, people.type[who])
        size = FEE_SIZE[kind] * np.exp(0.5 * rng.standard_normal(len(who)))
        on = self._days(rng, len(who), month)
        order = np.argsort(on, kind="stable")
        who, kind, fen, on = (
            who[order],
            kind[order],
            np.rint(size[order] * 100).astype(np.int64),
            on[order],
        )
        self.booked = who, fen
        return {
            "income_id": self._ids("I", month, len(who)),
            "customer_id": delivery.key("C", who + 1, 8),
            "booked_on": delivery.day(on),
            "kind": delivery.code(kind, words("income", "kind")),
            "amount": delivery.money(fen),
        }

    # ---- applications

    def applications(self, month, book, rows) -> dict:
        """One for each loan disbursed, and those that were refused, withdrawn or not signed."""
        rng, people = stream(self.seed, 33, month), self.people
        n, start = len(rows), int(first_day(month))
        other = int(n * 0.42)
        here = np.flatnonzero((people.since <= start) & (people.type != DORMANT))
        want = np.exp(-0.5 * people.standing[here])
        limits = np.cumsum(want / want.sum())
        refused = here[np.searchsorted(limits, rng.random(other)).clip(0, len(here) - 1)]
        who = np.concatenate([book.cust[rows], refused])
        total = len(who)
        product = np.concatenate([book.product[rows], pick(rng, MIX, people.type[refused])])
        channel = np.concatenate([book.channel[rows], pick(rng, CHANNEL, product[n:])])
        lent = np.arange(total) < n
        amount = np.concatenate(
            [
                book.principal[rows],
                np.maximum(
                    np.rint(
                        np.array(MEDIAN)[product[n:]]
                        * np.exp(0.5 * rng.standard_normal(other))
                        / 1000
                    ),
                    2,
                ).astype(np.int64)
                * 100_000,
            ]
        )
        asked = np.where(
            lent & (rng.random(total) < 0.25), amount * 12 // 10 // 100_000 * 100_000, amount
        )
        end = np.concatenate([book.disbursed[rows], self._days(rng, other, month)])
        # All dates of an application lie in the month in which it ends, so that an increment never touches an old one.
        counter = (channel == BRANCH) | (channel >= 3)
        lead = np.where(counter, 3 + rng.random(total) * 11, rng.random(total) * 4).astype(np.int64)
        lead = np.minimum(lead, end - start)
        stage = np.sort(rng.random((total, 4)), axis=1)
        applied = end - lead
        accepted = applied + np.minimum(
            (lead * stage[:, 0]).astype(np.int64), 2 + (stage[:, 3] > 0.97) * 2
        )
        surveyed = np.maximum(applied + (lead * stage[:, 1]).astype(np.int64), accepted)
        decided = np.maximum(applied + (lead * stage[:, 2]).astype(np.int64), surveyed)
        signed = np.maximum(applied + (lead * stage[:, 3]).astype(np.int64), decided)
        fate = rng.random(total)
        decision = np.where(
            lent,
            np.where(fate < 0.88, 0, 1),
            np.where(fate < 0.70, 2, np.where(fate < 0.86, 0, -1)),
        )
        withdrawn = decision < 0
        order = np.lexsort((who, applied))
        number = self._ids("A", month, total)

        def dates(values, void):
            return delivery.day(np.where(void, delivery.NEVER, values)[order])

        return {
            "application_id": number,
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "product_id": self._products().take(pa.array(product[order])),
            "branch_id": self._outlets(who[order]),
            "channel": delivery.code(channel[order], words("application", "channel")),
            "amount": delivery.money(asked[order]),
            "applied_on": delivery.day(applied[order]),
            "accepted_on": dates(accepted, withdrawn & (fate > 0.95)),
            "surveyed_on": dates(surveyed, withdrawn),
            "decided_on": dates(decided, withdrawn),
            "decision": delivery.code(decision[order], words("application", "decision")),
            "signed_on": dates(signed, ~lent),
            "disbursed_on": dates(end, ~lent),
            "loan_id": delivery.key(
                "L", np.concatenate([rows, np.zeros_like(refused)])[order] + 1, 9, lent[order]
            ),
        }

    # ---- signals and actions

    def signals(self, month, book, happened) -> dict:
        """Warnings; about 85 % are handled within the month, those of the silent manager hardly ever."""
        rng, people = stream(self.seed, 34, month), self.people
        last = int(last_day(month))
        holders = np.unique(book.cust[book.live])
        kind_of = people.type[holders]
        rate = np.array([0.0007, 0.0004, 0.0020, 0.0016, 0.0090, 0.0005])[kind_of]
        rate = np.where(people.manager[holders] == self.silent, np.maximum(rate * 5, 0.020), rate)
        soft = holders[rng.random(len(holders)) < rate]
        kinds = pick(rng, np.array([0.0, 0.16, 0.04, 0.46, 0.16, 0.06, 0.05, 0.07]), soft)
        court = book.cust[happened.fell_three[rng.random(len(happened.fell_three)) < 0.10]]
        who = np.concatenate([book.cust[happened.fell_two], soft, court])
        loan = np.concatenate([happened.fell_two, np.full(len(soft) + len(court), -1)])
        kind = np.concatenate(
            [np.zeros(len(happened.fell_two), dtype=np.int64), kinds, np.full(len(court), 5)]
        )
        on = np.concatenate([happened.fell_two_on, self._days(rng, len(soft) + len(court), month)])
        silent = people.manager[who] == self.silent
        handled = rng.random(len(who)) < np.where(silent, 0.05, 0.86)
        soon = np.minimum(on + (rng.random(len(who)) * 9).astype(np.int64), last)
        handled_on = np.where(handled, soon, delivery.NEVER)
        order = np.lexsort((who, on))
        return {
            "signal_id": self._ids("S", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "loan_id": delivery.key("L", loan[order] + 1, 9, loan[order] >= 0),
            "raised_on": delivery.day(on[order]),
            "kind": delivery.code(kind[order], words("signal", "kind")),
            "handled_on": delivery.day(handled_on[order]),
        }

    def actions(self, month, book, happened, settled) -> dict:
        """Collection by stage of arrears, win-back calls to those settled last month, a few rewards."""
        rng, people = stream(self.seed, 35, month), self.people
        start = int(first_day(month))
        behind = np.minimum(happened.behind_by, 4) - 1
        chosen = rng.random(len(behind)) < np.array([0.30, 0.60, 0.60, 0.14])[behind]
        loan, stage = happened.behind[chosen], behind[chosen]
        kind = pick(
            rng,
            np.array(
                [
                    [0.80, 0.20, 0.00, 0.00, 0.00, 0.00],
                    [0.15, 0.75, 0.08, 0.00, 0.02, 0.00],
                    [0.00, 0.40, 0.45, 0.05, 0.08, 0.02],
                    [0.00, 0.20, 0.20, 0.42, 0.06, 0.12],
                ]
            ),
            stage,
        )
        result = pick(
            rng,
            np.array(
                [
                    [0.45, 0.35, 0.00, 0.00, 0.02, 0.18],
                    [0.30, 0.35, 0.00, 0.00, 0.05, 0.30],
                    [0.25, 0.25, 0.00, 0.00, 0.15, 0.35],
                    [0.15, 0.15, 0.00, 0.00, 0.30, 0.40],
                ]
            ),
            stage,
        )
        reward = np.flatnonzero(
            (people.type == STEADY)
            & (people.since <= start)
            & (rng.random(len(people), dtype=np.float32) < 0.0012)
        )
        back = self.pending or {
            "customer": np.empty(0, dtype=np.int64),
            "won": np.empty(0, dtype=bool),
        }
        won, u = back["won"], rng.random(len(back["won"]))
        answer = np.where(won, 3, np.where(u < 0.45, 4, np.where(u < 0.75, 0, 5)))
        called = settled["called"]
        self.pending = {"customer": settled["customer"][called], "won": settled["won"][called]}
        who = np.concatenate([book.cust[loan], back["customer"], reward])
        loans = np.concatenate([loan, np.full(len(back["customer"]) + len(reward), -1)])
        kinds = np.concatenate([kind, np.full(len(won), 6), np.full(len(reward), 7)])
        results = np.concatenate([result, answer, np.full(len(reward), 3)])
        on = np.concatenate(
            [
                self._days(rng, len(loan), month),
                start + (rng.random(len(won)) * 8).astype(np.int64),
                self._days(rng, len(reward), month),
            ]
        )
        order = np.lexsort((who, on))
        return {
            "action_id": self._ids("V", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "loan_id": delivery.key("L", loans[order] + 1, 9, loans[order] >= 0),
            "manager_id": delivery.key("M", people.manager[who[order]] + 1, 5),
            "done_on": delivery.day(on[order]),
            "kind": delivery.code(kinds[order], words("action", "kind")),
            "result": delivery.code(results[order], words("action", "result")),
        }

    def surveys(self, month) -> dict:
        rng, people = stream(self.seed, 36, month), self.people
        asked = (people.since <= first_day(month)) & (
            rng.random(len(people), dtype=np.float32) < 0.005
        )
        who = np.flatnonzero(asked)
        mean = np.array([8.1, 8.5, 7.4, 7.6, 5.9, 6.8])[people.type[who]]
        mean = mean - 0.9 * (people.province[who] == FAILING_PROVINCE)
        score = np.rint(mean + 1.4 * rng.standard_normal(len(who))).clip(0, 10).astype(np.int32)
        on = self._days(rng, len(who), month)
        order = np.argsort(on, kind="stable")
        return {
            "survey_id": self._ids("Q", month, len(who)),
            "customer_id": delivery.key("C", who[order] + 1, 8),
            "asked_on": delivery.day(on[order]),
            "score": pa.array(score[order]),
        }

    # ---- targets

    def targets(self, month, book, happened, settled) -> dict:
        """Targets of each provincial branch, within reach of all but the failing one, and of the whole bank."""
        people = self.people
        i = book.live
        province = people.province[book.cust[i]]
        balance = book.left[i] + book.arrears[i] * 0.85
        overdue = np.bincount(province, weights=balance * (book.behind[i] >= 2), minlength=8)
        total = np.bincount(province, weights=balance, minlength=8)
        net = self._net(book, happened, province, balance)
        where = people.province[settled["customer"]]
        self.history.append(
            (
                net,
                np.bincount(where, minlength=8),
                np.bincount(where[settled["again"]], minlength=8),
            )
        )
        net_year = np.sum([row[0] for row in self.history[-12:]], axis=0) / 100
        ended = np.sum([row[1] for row in self.history[-15:-3] or self.history], axis=0)
        came = np.sum([row[2] for row in self.history[-15:-3] or self.history], axis=0)
        customers = np.bincount(people.province[np.unique(book.cust[i])], minlength=8)
        rows, failing = [], FAILING_PROVINCE
        bank_overdue, bank_reloan = (
            overdue.sum() / max(total.sum(), 1),
            came.sum() / max(ended.sum(), 1),
        )
        sums = {"contribution_net": 0.0, "customers": 0.0}
        for p, branch in enumerate(self.places.branch_ids[self.places.province_branch]):
            bad = p == failing
            plan = (
                bank_overdue
                if bad
                else max(overdue[p] / max(total[p], 1) * 1.20, bank_overdue * 0.8)
            )
            rows.append(
                (
                    branch,
                    "overdue_rate_30",
                    np.ceil(plan * 1000) / 1000,
                    np.ceil(plan * 1250) / 1000,
                )
            )
            plan = (
                bank_reloan if bad else min(came[p] / max(ended[p], 1) * 0.88, bank_reloan * 1.05)
            )
            rows.append(
                (branch, "reloan_rate_90", np.floor(plan * 200) / 200, np.floor(plan * 160) / 200)
            )
            plan = abs(net_year[p]) * 1.45 if bad else net_year[p] - abs(net_year[p]) * 0.10
            rows.append((branch, "contribution_net", round(plan, -4), round(plan * 0.8, -4)))
            sums["contribution_net"] += round(plan, -4)
            plan = round(customers[p] * (1.04 if bad else 0.985))
            rows.append((branch, "customers", float(plan), float(round(plan * 0.95))))
            sums["customers"] += plan
        rows += [(self.head_office, metric, *plan) for metric, plan in PLANS.items()]
        rows += [
            (self.head_office, metric, plan, round(plan * 0.9)) for metric, plan in sums.items()
        ]
        rows.append((self.head_office, "net_upgraded", 0.0, -round(customers.sum() * 0.02)))
        branch, metric, value, red_line = zip(*rows, strict=True)
        return {
            "as_of": delivery.day(np.full(len(rows), last_day(month))),
            "branch_id": pa.array([str(b) for b in branch]),
            "metric": pa.array(metric),
            "value": pa.array(np.array(value, dtype=float)),
            "red_line": pa.array(np.array(red_line, dtype=float)),
        }

    def _net(self, book, happened, province, balance):
        """Contribution of the month by province in fen, as data/assumptions.toml has it, of all who ever borrowed.
        Roughly: a target only has to be near."""
        people, i = self.people, book.live

        def by_province(who, weights=None):
            return np.bincount(people.province[who], weights=weights, minlength=8)

        borrowed = np.zeros(len(people), dtype=bool)
        borrowed[book.cust] = True
        (holders, deposits), (payers, fees) = self.held, self.booked
        held, paid = borrowed[holders], borrowed[payers]
        holders, deposits, payers, fees = holders[held], deposits[held], payers[paid], fees[paid]
        behind = book.behind[i]
        given = np.where(book.guarantee[i] >= PLEDGED, 0.25, 0.55)
        risk = np.where(behind >= 4, 0.7, np.where(behind > 0, 0.08, 0.01)) * given
        lost = np.bincount(
            province, weights=balance * (risk + book.funding[i] / 1e6) / 12, minlength=8
        )
        cost = np.bincount(province, minlength=8) * 1200.0 + by_province(holders) * 150.0
        income = (
            happened.interest * 0.97
            + by_province(payers, fees)
            + by_province(holders, deposits) * 0.012 / 12
        )
        return income - lost - cost

    # ---- small helpers

    def _days(self, rng, n, month):
        start = int(first_day(month))
        return start + (rng.random(n) * (int(last_day(month)) - start + 1)).astype(np.int64)

    def _ids(self, letter, month, n):
        return delivery.key(
            f"{letter}{1970 + month // 12:04d}{month % 12 + 1:02d}", np.arange(n) + 1, 7
        )

    def _products(self):
        return self.places.tables["product"]["product_id"]

    def _outlets(self, who):
        return pa.array(self.places.branch_ids).take(
            pa.array(self.places.outlet_branch[self.people.outlet[who]])
        )
