"""The loan book, month by month: schedules, payments, arrears, settlement, new loans. Amounts are whole fen."""

import numpy as np

from data.demo import places as at
from data.demo.attributes import pick
from data.demo.delivery import NEVER
from data.demo.people import stream
from data.demo.story import (
    BURN_IN,
    DORMANT,
    FAILING_PROVINCE,
    PARTNER_PROVINCE,
    REVOLVER,
    STRETCHED,
    TRADER,
    first_day,
    last_day,
)
from data.demo.underwriting import excepted, on_credit

BRANCH, MOBILE, PARTNER, DEVELOPER, DEALER, DECORATOR = range(6)
CREDIT, GUARANTEED, PLEDGED, MORTGAGED = range(4)

# ---- products, one row for each of places.PRODUCTS
#           HM1      HM2      CS1     CS2     CS3     ED1     MD1     CR1      CR2     BS1      BS2      CD1    CD2
MEDIAN = [
    460_000,
    380_000,
    110_000,
    70_000,
    90_000,
    42_000,
    28_000,
    115_000,
    62_000,
    180_000,
    480_000,
    9_000,
    16_000,
]
SPREAD = [0.32, 0.32, 0.30, 0.40, 0.35, 0.35, 0.35, 0.25, 0.30, 0.45, 0.35, 0.45, 0.45]
RATE = [350, 360, 480, 780, 450, 520, 690, 420, 560, 520, 400, 1250, 1380]
"""Yearly rate of a middling customer, in units of 0.0001."""
TERMS = [
    (240, 300, 360),
    (180, 240, 300),
    (36, 48, 60),
    (24, 36, 48),
    (24, 36, 36),
    (36, 48, 60),
    (12, 18, 24),
    (36, 48, 60),
    (24, 36, 48),
    (12, 24, 36),
    (60, 84, 120),
    (6, 12, 18),
    (12, 18, 24),
]
RISK = [0.25, 0.28, 0.80, 1.20, 0.60, 0.80, 0.95, 0.65, 0.95, 1.00, 0.45, 1.05, 1.35]
GUARANTEE = [
    MORTGAGED,
    MORTGAGED,
    CREDIT,
    CREDIT,
    CREDIT,
    GUARANTEED,
    CREDIT,
    MORTGAGED,
    MORTGAGED,
    GUARANTEED,
    MORTGAGED,
    CREDIT,
    CREDIT,
]
CHANNEL = np.array(
    [  # branch, mobile, partner, developer, dealer, decorator
        [0.30, 0.05, 0.00, 0.65, 0.00, 0.00],
        [0.85, 0.15, 0.00, 0.00, 0.00, 0.00],
        [0.25, 0.20, 0.05, 0.00, 0.00, 0.50],
        [0.30, 0.50, 0.20, 0.00, 0.00, 0.00],
        [0.25, 0.75, 0.00, 0.00, 0.00, 0.00],
        [0.50, 0.35, 0.15, 0.00, 0.00, 0.00],
        [0.20, 0.40, 0.40, 0.00, 0.00, 0.00],
        [0.15, 0.10, 0.00, 0.00, 0.75, 0.00],
        [0.15, 0.10, 0.05, 0.00, 0.70, 0.00],
        [0.75, 0.20, 0.05, 0.00, 0.00, 0.00],
        [0.95, 0.05, 0.00, 0.00, 0.00, 0.00],
        [0.05, 0.95, 0.00, 0.00, 0.00, 0.00],
        [0.05, 0.90, 0.05, 0.00, 0.00, 0.00],
    ]
)

# ---- hidden types: steady, saver, revolver, trader, stretched, dormant
MIX = np.array(
    [
        [0.30, 0.16, 0.10, 0.05, 0.17, 0.05, 0.03, 0.12, 0.02, 0.00, 0.00, 0.00, 0.00],
        [0.28, 0.14, 0.20, 0.10, 0.08, 0.05, 0.05, 0.10, 0.00, 0.00, 0.00, 0.00, 0.00],
        [0.02, 0.02, 0.02, 0.12, 0.02, 0.03, 0.04, 0.02, 0.03, 0.00, 0.00, 0.45, 0.23],
        [0.02, 0.04, 0.00, 0.02, 0.00, 0.00, 0.00, 0.02, 0.02, 0.60, 0.28, 0.00, 0.00],
        [0.01, 0.03, 0.05, 0.51, 0.00, 0.04, 0.12, 0.02, 0.08, 0.03, 0.01, 0.02, 0.08],
        [0.25, 0.20, 0.10, 0.20, 0.00, 0.10, 0.05, 0.05, 0.05, 0.00, 0.00, 0.00, 0.00],
    ]
)
BORROWS = np.array([0.93, 0.34, 0.98, 0.96, 0.99, 0.06])
HAS_LOAN_AT_START = np.array([0.95, 0.70, 0.92, 0.92, 0.94, 0.60])
SECOND_LOAN = np.array([0.34, 0.04, 0.50, 0.32, 0.70, 0.00])
TYPE_RISK = np.array([0.55, 0.40, 1.00, 0.85, 2.30, 0.90])
EARLY = np.array([0.10, 0.45, 0.02, 0.55, 0.01, 0.05])
LATE_IN_MONTH = np.array([0.01, 0.01, 0.06, 0.05, 0.85, 0.15])
SPLIT = np.array([0.004, 0.004, 0.015, 0.02, 0.07, 0.01])
SETTLES_EARLY = np.array([0.006, 0.010, 0.010, 0.018, 0.003, 0.006])
RELOAN = np.array([0.17, 0.09, 0.35, 0.36, 0.30, 0.05])
LATER_LOAN = np.array([0.46, 0.28, 0.78, 0.75, 0.62, 0.08])

# ---- a month in arrears: rows are instalments behind 1, 2, 3, 4 or more
CURE = np.array([0.665, 0.46, 0.24, 0.030])
STAY = np.array([0.08, 0.10, 0.07, 0.020])
PART = np.array([0.04, 0.06, 0.07, 0.030])
HAZARD = 0.044
GRADE_RISK = np.array([0.62, 0.66, 1.75, 1.65])
PHI = 0.6180339887498949
STRATA = 6 * 4 * 2 * 2

LOAN_FIELDS = {
    "cust": np.int32,
    "product": np.int8,
    "channel": np.int8,
    "guarantee": np.int8,
    "principal": np.int64,
    "rate": np.int32,
    "funding": np.int32,
    "term": np.int16,
    "disbursed": np.int32,
    "matures": np.int32,
    "closed": np.int32,
    "written_off": np.int32,
    "sold": np.int32,
    "restructured": np.int32,
    "rollover": np.int32,
    "due_day": np.int8,
    "equal": np.bool_,
    "bad": np.bool_,
    "risk": np.float32,
    "limit": np.int8,
    "count": np.int16,
    "left": np.int64,
    "pay": np.int64,
    "due_principal": np.int64,
    "due_interest": np.int64,
    "arrears": np.int64,
    "behind": np.int16,
    "paid_principal": np.int64,
    "paid_interest": np.int64,
    "prepaid": np.int64,
    "clean": np.int32,
}
"""left: scheduled principal after the instalments issued; count: instalments issued; due_…: the instalment issued for
the coming month; clean: last month without arrears; paid_…: everything due in the months lived through, paid or not."""


def spread(rng, stratum, fine, phase) -> np.ndarray:
    """Uniform draws that cover (0, 1) evenly within each stratum, over its loans and over the months.

    A Weyl sequence runs through the loans of a stratum, ordered by `fine` (0..4095) and else at random, and goes on in
    the next month where it stopped (`phase`, one per stratum, changed in place). How many loans of a kind fall behind
    is then all but certain, so that the story reads the same at 20,000 customers as at a million, while which loans
    they are stays a matter of chance.
    """
    n = len(stratum)
    key = (
        (stratum.astype(np.int64) << 44)
        | (fine.astype(np.int64) << 32)
        | rng.integers(0, 1 << 31, n)
    )
    order = np.argsort(key)
    count = np.bincount(stratum, minlength=len(phase))
    place = np.arange(n) - np.repeat(np.cumsum(count) - count, count)
    draws = np.empty(n)
    draws[order] = (phase[stratum[order]] + place * PHI) % 1.0
    phase[:] = (phase + count * PHI) % 1.0
    return draws


def annuity(principal, rate, months) -> np.ndarray:
    """Fixed payment a month in fen: P·r/(1-(1+r)^-n); `rate` in millionths a year."""
    r = rate / 12e6
    return np.rint(principal * r / -np.expm1(-months * np.log1p(r))).astype(np.int64)


class Book:
    """All loans as arrays (`self.<field>[:size]`) and the borrowing plans of the customers."""

    def __init__(self, people, customers, seed, story, first_month):
        self.customers, self.people, self.seed, self.story = customers, people, seed, story
        self.first_month = first_month
        self.start = first_month - BURN_IN
        self.size = 0
        self.room = max(1024, int(len(people) * 1.1))
        for name, kind in LOAN_FIELDS.items():
            setattr(self, name, np.zeros(self.room, dtype=kind))
        self.live = np.empty(0, dtype=np.int64)
        self.active = np.zeros(len(people), dtype=np.int16)
        self.next_on = np.full(len(people), NEVER, dtype=np.int32)
        self.rolls = np.full(len(people), -1, dtype=np.int32)
        self.group = np.minimum(people.grade.clip(0) // 2, 3)
        self.barred = np.zeros(len(people), dtype=bool)
        self.unpaid = []
        self.phase = stream(seed, 24).random(STRATA)
        self._begin()

    def _begin(self):
        """The stock of loans and the plans at the start of the burn-in."""
        people, rng = self.people, stream(self.seed, 20)
        n = len(people)
        borrows = rng.random(n) < BORROWS[people.type]
        here = people.since < first_day(self.start)
        has = borrows & here & (rng.random(n) < HAS_LOAN_AT_START[people.type])
        who = np.concatenate(
            [np.flatnonzero(has), np.flatnonzero(has & (rng.random(n) < SECOND_LOAN[people.type]))]
        )
        new = self._draw(rng, who, np.zeros(len(who), dtype=np.int32), self.start - 1)
        age = 1 + (rng.random(len(who)) * np.minimum(new["term"] * 0.92, 110)).astype(np.int64)
        months = self.start - age
        new["disbursed"] = (first_day(months) + new["due_day"] - 1).astype(np.int32)
        new["matures"] = (first_day(months + new["term"]) + new["due_day"] - 1).astype(np.int32)
        done = age - 1
        r = new["rate"] / 12e6
        grown = np.expm1(done * np.log1p(r))
        left = new["principal"] * (1 + grown) - new["pay"] * grown / r
        left = np.where(new["equal"], new["principal"] - new["pay"] * done, np.rint(left)).astype(
            np.int64
        )
        left = np.clip(left, 100, new["principal"])
        new["paid_principal"] = new["principal"] - left
        flat = np.rint((new["principal"] + left) / 2 * r * done)
        new["paid_interest"] = np.where(
            new["equal"], flat, np.maximum(new["pay"] * done - new["paid_principal"], 0)
        ).astype(np.int64)
        new["left"], new["count"] = left, done
        self._append(new)
        self.clean[: self.size] = self.start - 1
        later = borrows & ~has
        horizon = int(last_day(self.story.anchor)) - int(first_day(self.start))
        wait = np.where(here, rng.random(n) * horizon * 1.5, 5 + rng.exponential(70, n))
        day = np.maximum(people.since, first_day(self.start)) + wait
        self.next_on[later] = day[later]
        self._more(rng, who, np.full(len(who), first_day(self.start)))
        self.issue(self.start - 1)

    def _more(self, rng, who, day):
        """A further loan beside the ones held, for some types."""
        u, wait = rng.random(len(who)), 20 + rng.exponential(260, len(who))
        again = u < SECOND_LOAN[self.people.type[who]] * 0.55
        self.next_on[who[again]] = (day + wait)[again]

    # ---- new loans

    def _draw(self, rng, who, day, month, product=None, channel=None, factor=1.0) -> dict:
        people = self.people
        n = len(who)
        kind = people.type[who]
        if product is None:
            product = pick(rng, MIX, kind)
            product = np.where(
                people.hidden_bad[who] & (product <= at.HM2), at.CS2, product
            ).astype(np.int8)
        if channel is None:
            channel = pick(rng, CHANNEL, product)
            # Young and hurried customers borrow by telephone or through partners; older ones at the counter.
            u = rng.random(n)
            online = (channel == BRANCH) & (kind == REVOLVER) & (u < 0.7)
            channel = np.where(online, MOBILE, channel)
            partner = ((channel == BRANCH) | (channel == MOBILE)) & (kind == STRETCHED) & (u < 0.36)
            channel = np.where(
                partner & (product >= at.CS2) & (product <= at.MD1), PARTNER, channel
            )
        standing = people.standing[who]
        size = (
            np.array(MEDIAN)[product]
            * np.exp(
                np.array(SPREAD)[product] * rng.standard_normal(n) + 0.10 * np.clip(standing, -2, 2)
            )
            * factor
        )
        principal = np.maximum((size / 500).astype(np.int64) * 500, 2_000) * 100
        term = np.array(TERMS, dtype=np.int16)[product, (rng.random(n) * 3).astype(np.int64)]
        rate = np.array(RATE)[product] - np.rint(28 * np.clip(standing, -2.5, 2.0)).astype(np.int64)
        rate = np.maximum((rate + (rng.random(n) * 40).astype(np.int64) - 20) // 5 * 5, 280) * 100
        guarantee = np.array(GUARANTEE, dtype=np.int8)[product]
        pledged = (rng.random(n) < 0.06) & (guarantee != MORTGAGED)
        guarantee = np.where(pledged, PLEDGED, guarantee)
        consumer = (product >= at.CS1) & (product <= at.CS3) & (guarantee == CREDIT)
        bare = consumer & ~on_credit(people, who, day) & ~excepted(who, month, channel == PARTNER)
        guarantee = np.where(bare, np.where(product == at.CS1, MORTGAGED, PLEDGED), guarantee)
        long = term > 60
        funding = np.where(long, 21_500, 18_500) + (rng.random(n) * 20).astype(np.int64) * 100
        equal = (term >= 120) & (rng.random(n) < 0.3)
        risk = TYPE_RISK[kind] * np.exp(-0.30 * standing) * GRADE_RISK[self.group[who]]
        risk = HAZARD * np.array(RISK)[product] * np.where(people.hidden_good[who], 0.12, risk)
        risk = risk * np.where(people.province[who] == FAILING_PROVINCE, 1.6, 1.0)
        bad = (
            (channel == PARTNER)
            & (people.province[who] == PARTNER_PROVINCE)
            & (month in self.story.partner)
        )
        due_day = (
            (day - first_day(month) + 1).clip(1, 28)
            if month >= self.start
            else 1 + (rng.random(n) * 28)
        )
        due_day = np.asarray(due_day).astype(np.int8)
        new = {name: np.zeros(n, dtype=kind_) for name, kind_ in LOAN_FIELDS.items()}
        new |= {
            "cust": who,
            "product": product,
            "channel": channel,
            "guarantee": guarantee,
            "principal": principal,
            "rate": rate,
            "funding": funding,
            "term": term,
            "disbursed": day,
            "due_day": due_day,
            "equal": equal,
            "matures": first_day(month + term) + due_day - 1,
            "bad": bad,
            "risk": np.minimum(risk, 0.30),
            "limit": 13 + (rng.random(n) * 6),
            "left": principal,
            "clean": np.full(n, month),
            "pay": np.where(equal, principal // term, annuity(principal, rate, term)),
        }
        for name in ("closed", "written_off", "sold", "restructured"):
            new[name] = np.full(n, NEVER)
        new["rollover"] = np.full(n, -1)
        return new

    def _append(self, new) -> np.ndarray:
        n = len(new["cust"])
        if self.size + n > self.room:
            self.room = int(self.room * 1.3) + n
            for name in LOAN_FIELDS:
                setattr(self, name, np.resize(getattr(self, name), self.room))
        rows = np.arange(self.size, self.size + n)
        for name in LOAN_FIELDS:
            getattr(self, name)[self.size : self.size + n] = new[name]
        self.size += n
        self.live = np.concatenate([self.live, rows])
        np.add.at(self.active, new["cust"], 1)
        return rows

    def disburse(self, month) -> np.ndarray:
        """The loans of a month: plans that come due, the partner boom and the shift to weaker grades."""
        people, story, rng = self.people, self.story, stream(self.seed, 21, month)
        start, end = int(first_day(month)), int(last_day(month))
        in_trouble = self.barred.copy()
        in_trouble[self.cust[self.live[self.arrears[self.live] > 0]]] = True
        who = np.flatnonzero((self.next_on <= end) & ~in_trouble)
        day = np.maximum(self.next_on[who], start)
        rolls = self.rolls[who]
        self.next_on[self.next_on <= end] = NEVER
        self.rolls[who] = -1
        new = self._draw(rng, who, day, month)
        rolling = rolls >= 0
        for name in ("product", "principal", "rate", "term", "channel", "guarantee"):
            new[name] = np.where(rolling, getattr(self, name)[rolls.clip(0)], new[name])
        new["rollover"], new["left"] = rolls, new["principal"]
        new["matures"] = first_day(month + new["term"]) + new["due_day"] - 1
        new["equal"] = new["equal"] & ~rolling
        new["pay"] = np.where(
            new["equal"],
            new["principal"] // new["term"],
            annuity(new["principal"], new["rate"], new["term"]),
        )
        rows = [self._append(new)]
        self._more(rng, who, day)

        free = ~in_trouble & (people.since < start) & (self.next_on == NEVER)
        if month in story.partner:
            pool = np.flatnonzero(
                free
                & (people.province == PARTNER_PROVINCE)
                & ((people.type == REVOLVER) | (people.type == STRETCHED))
            )
            chosen = self._some(rng, pool, self.customers * 0.0011)
            new = self._draw(
                rng,
                chosen,
                self._days(rng, chosen, start, end),
                month,
                product=np.full(len(chosen), at.CS2),
                channel=np.full(len(chosen), PARTNER),
                factor=0.55,
            )
            rows.append(self._append(new))
        if month >= story.shift:
            # Towards the grades BB, B and C.
            weak = (people.grade >= 4) & (people.grade <= 6) & ~people.hidden_good
            pool = np.flatnonzero(free & weak & (people.type != DORMANT) & (self.active <= 1))
            chosen = self._some(rng, pool, self.customers * 0.0108)
            trader = people.type[chosen] == TRADER
            new = self._draw(
                rng,
                chosen,
                self._days(rng, chosen, start, end),
                month,
                product=np.where(trader, at.BS1, at.CS1),
                channel=np.where(trader, BRANCH, MOBILE),
                factor=np.where(trader, 2.3, 3.0),
            )
            rows.append(self._append(new))
        return np.concatenate(rows)

    def _some(self, rng, pool, count):
        count = min(len(pool), int(count + rng.random()))
        return np.sort(rng.choice(pool, count, replace=False)) if count else pool[:0]

    def _days(self, rng, who, start, end):
        return start + (rng.random(len(who)) * (end - start + 1)).astype(np.int32)

    # ---- the schedule

    def issue(self, month) -> dict:
        """Fix the instalments due in month + 1 for every loan on the book; returns them in order of due_on."""
        i = self.live
        left, count = self.left[i], self.count[i]
        remaining = self.term[i] - count
        interest = np.rint(left * (self.rate[i] / 12e6)).astype(np.int64)
        principal = np.where(self.equal[i], self.pay[i], self.pay[i] - interest)
        principal = np.clip(principal, 0, left)
        principal = np.where(remaining == 1, left, principal)
        going = remaining > 0
        principal, interest = np.where(going, principal, 0), np.where(going, interest, 0)
        self.due_principal[i], self.due_interest[i] = principal, interest
        self.left[i] = left - principal
        self.count[i] = count + going
        due_on = first_day(month + 1) + self.due_day[i] - 1
        rows = np.flatnonzero(going)
        rows = rows[np.argsort(self.due_day[i][rows], kind="stable")]
        return {
            "loan": i[rows],
            "number": self.count[i][rows],
            "due_on": due_on[rows],
            "principal": principal[rows],
            "interest": interest[rows],
        }
