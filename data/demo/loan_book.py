"""The loan book, month by month: new loans and their schedules. Amounts are whole fen, dates days
since 1970-01-01.
"""

import numpy as np

from data.demo import loans as loan_terms
from data.demo.attributes import draw_categories
from data.demo.delivery import NEVER
from data.demo.loans import Loans, UnpaidInstalments, annuity, draw_rates
from data.demo.people import People, draw_days, stream
from data.demo.story import (
    BURN_IN,
    DORMANT,
    FAILING_PROVINCE,
    PARTNER_PROVINCE,
    REVOLVER,
    STRETCHED,
    TRADER,
    Story,
    first_day,
    last_day,
)
from data.demo.underwriting import is_eligible_for_credit, is_exception

STRATA = 6 * 4 * 2 * 2
"""Strata of the draw of arrears: unpaid instalments (0 to 5), grade group, large, bad partner."""


class LoanBook:
    """All loans and the borrowing plans of the customers.

    `loans` has spare rows at its end: the loans are the first `size` rows. `active` holds the
    indices of the loans with a balance. Arrays over customers: `open_loans` (number),
    `next_loan_on` (day of the next planned loan, NEVER for none), `renewed_loan` (loan that it
    continues, -1 for none), `grade_group` (0 to 3), `is_barred` (a loan was written off: no further
    credit).
    """

    def __init__(
        self, people: People, customers: int, seed: int, story: Story, first_month: int
    ) -> None:
        self.customers = customers
        self.people = people
        self.seed = seed
        self.story = story
        self.start = first_month - BURN_IN
        self.size = 0
        self.loans = Loans.of(max(1024, int(len(people) * 1.1)))
        self.active = np.empty(0, dtype=np.int64)
        self.open_loans = np.zeros(len(people), dtype=np.int16)
        self.next_loan_on = np.full(len(people), NEVER, dtype=np.int32)
        self.renewed_loan = np.full(len(people), -1, dtype=np.int32)
        self.grade_group = np.minimum(people.grade.clip(0) // 2, 3)
        self.is_barred = np.zeros(len(people), dtype=bool)
        self.unpaid: list[UnpaidInstalments] = []
        self.phase = stream(seed, 24).random(STRATA)
        self._open()

    def _open(self) -> None:
        """Draw the stock of loans and the borrowing plans at the start of the burn-in."""
        people = self.people
        rng = stream(self.seed, 20)
        n = len(people)
        borrows = rng.random(n) < loan_terms.BORROWER_SHARE[people.type]
        has_joined = people.since < first_day(self.start)
        has_loan = (
            borrows & has_joined & (rng.random(n) < loan_terms.LOAN_AT_START_SHARE[people.type])
        )
        has_second = has_loan & (rng.random(n) < loan_terms.SECOND_LOAN_SHARE[people.type])
        who = np.concatenate([np.flatnonzero(has_loan), np.flatnonzero(has_second)])
        new = self._draw(rng, who, np.zeros(len(who), dtype=np.int32), self.start - 1)
        age = 1 + (rng.random(len(who)) * np.minimum(new.term_months * 0.92, 110)).astype(np.int64)
        self._age(new, age)
        self._append(new)
        self.loans.last_clean_month[: self.size] = self.start - 1
        later = borrows & ~has_loan
        horizon = int(last_day(self.story.anchor)) - int(first_day(self.start))
        wait = np.where(has_joined, rng.random(n) * horizon * 1.5, 5 + rng.exponential(70, n))
        day = np.maximum(people.since, first_day(self.start)) + wait
        self.next_loan_on[later] = day[later]
        self._plan_second_loans(rng, who, np.full(len(who), first_day(self.start)))
        self.issue_instalments(self.start - 1)

    def _age(self, new: Loans, age: np.ndarray) -> None:
        """Turn `new` loans into loans of `age` months (1 or more) with all due instalments paid."""
        months = self.start - age
        new.disbursed_on[:] = first_day(months) + new.due_day - 1
        new.matures_on[:] = first_day(months + new.term_months) + new.due_day - 1
        issued = age - 1
        r = new.rate / 12e6
        growth = np.expm1(issued * np.log1p(r))
        annuity_left = np.rint(new.principal * (1 + growth) - new.level_payment * growth / r)
        equal_left = new.principal - new.level_payment * issued
        left = np.where(new.equal_principal, equal_left, annuity_left).astype(np.int64)
        left = np.clip(left, 100, new.principal)
        principal_paid = new.principal - left
        equal_interest = np.rint((new.principal + left) / 2 * r * issued)
        annuity_interest = np.maximum(new.level_payment * issued - principal_paid, 0)
        new.scheduled_principal_paid[:] = principal_paid
        new.scheduled_interest_paid[:] = np.where(
            new.equal_principal, equal_interest, annuity_interest
        )
        new.outstanding[:] = left
        new.instalments_issued[:] = issued

    def _plan_second_loans(
        self, rng: np.random.Generator, who: np.ndarray, day: np.ndarray
    ) -> None:
        """Plan a further loan beside the existing ones for some of the customers `who`."""
        u = rng.random(len(who))
        wait = 20 + rng.exponential(260, len(who))
        again = u < loan_terms.SECOND_LOAN_SHARE[self.people.type[who]] * 0.55
        self.next_loan_on[who[again]] = (day + wait)[again]

    # ---- new loans

    def _draw(
        self,
        rng: np.random.Generator,
        who: np.ndarray,
        day: np.ndarray,
        month: int,
        product: np.ndarray | None = None,
        channel: np.ndarray | None = None,
        factor: np.ndarray | float = 1.0,
    ) -> Loans:
        """Draw a new loan for each of the customers `who`; `factor` multiplies the principal."""
        people = self.people
        n = len(who)
        if product is None:
            product = self._draw_product(rng, who)
        if channel is None:
            channel = self._draw_channel(rng, who, product)
        standing = people.standing[who]
        log_size = loan_terms.PRINCIPAL_SPREAD[product] * rng.standard_normal(n)
        log_size = log_size + 0.10 * np.clip(standing, -2, 2)
        size = loan_terms.MEDIAN_PRINCIPAL[product] * np.exp(log_size) * factor
        principal = np.maximum((size / 500).astype(np.int64) * 500, 2_000) * 100
        term_months = loan_terms.TERMS[product, (rng.random(n) * 3).astype(np.int64)]
        rate = draw_rates(rng, product, standing)
        guarantee = self._draw_guarantee(rng, who, day, month, product, channel)
        funding_rate = np.where(term_months > 60, 21_500, 18_500)
        funding_rate = funding_rate + (rng.random(n) * 20).astype(np.int64) * 100
        equal_principal = (term_months >= 120) & (rng.random(n) < 0.3)
        due_day = self._draw_due_day(rng, day, month)
        equal_payment = principal // term_months
        return Loans.of(
            n,
            customer=who,
            product=product,
            channel=channel,
            guarantee=guarantee,
            principal=principal,
            rate=rate,
            funding_rate=funding_rate,
            term_months=term_months,
            disbursed_on=day,
            due_day=due_day,
            equal_principal=equal_principal,
            matures_on=first_day(month + term_months) + due_day - 1,
            bad_partner=(channel == loan_terms.PARTNER)
            & (people.province[who] == PARTNER_PROVINCE)
            & (month in self.story.partner_months),
            hazard=self._hazard(who, product),
            write_off_after=13 + (rng.random(n) * 6),
            outstanding=principal,
            last_clean_month=month,
            level_payment=np.where(
                equal_principal, equal_payment, annuity(principal, rate, term_months)
            ),
            closed_on=NEVER,
            written_off_on=NEVER,
            sold_on=NEVER,
            restructured_on=NEVER,
            rollover_of=-1,
        )

    def _draw_due_day(self, rng: np.random.Generator, day: np.ndarray, month: int) -> np.ndarray:
        """Return the day of disbursement, 1 to 28; a random one for loans from before the
        simulation.
        """
        if month >= self.start:
            return (day - first_day(month) + 1).clip(1, 28).astype(np.int8)
        return (1 + rng.random(len(day)) * 28).astype(np.int8)

    def _draw_product(self, rng: np.random.Generator, who: np.ndarray) -> np.ndarray:
        product = draw_categories(rng, loan_terms.PRODUCT_SHARE, self.people.type[who])
        no_home_loan = self.people.hidden_bad[who] & (product <= loan_terms.HM2)
        return np.where(no_home_loan, loan_terms.CS2, product).astype(np.int8)

    def _draw_channel(
        self, rng: np.random.Generator, who: np.ndarray, product: np.ndarray
    ) -> np.ndarray:
        kind = self.people.type[who]
        channel = draw_categories(rng, loan_terms.CHANNEL_SHARE, product)
        # Young and hurried customers borrow by telephone or through partners; older ones at the
        # counter.
        u = rng.random(len(who))
        online = (channel == loan_terms.BRANCH) & (kind == REVOLVER) & (u < 0.7)
        channel = np.where(online, loan_terms.MOBILE, channel)
        own_channel = (channel == loan_terms.BRANCH) | (channel == loan_terms.MOBILE)
        partner = own_channel & (kind == STRETCHED) & (u < 0.36)
        partner &= (product >= loan_terms.CS2) & (product <= loan_terms.MD1)
        return np.where(partner, loan_terms.PARTNER, channel)

    def _draw_guarantee(
        self,
        rng: np.random.Generator,
        who: np.ndarray,
        day: np.ndarray,
        month: int,
        product: np.ndarray,
        channel: np.ndarray,
    ) -> np.ndarray:
        guarantee = loan_terms.PRODUCT_GUARANTEE[product]
        pledged = (rng.random(len(who)) < 0.06) & (guarantee != loan_terms.MORTGAGED)
        guarantee = np.where(pledged, loan_terms.PLEDGED, guarantee)
        is_consumer = (product >= loan_terms.CS1) & (product <= loan_terms.CS3)
        refused = is_consumer & (guarantee == loan_terms.CREDIT)
        refused &= ~is_eligible_for_credit(self.people, who, day)
        refused &= ~is_exception(who, month, channel == loan_terms.PARTNER)
        security = np.where(product == loan_terms.CS1, loan_terms.MORTGAGED, loan_terms.PLEDGED)
        return np.where(refused, security, guarantee)

    def _hazard(self, who: np.ndarray, product: np.ndarray) -> np.ndarray:
        people = self.people
        factor = loan_terms.TYPE_RISK[people.type[who]] * np.exp(-0.30 * people.standing[who])
        factor = factor * loan_terms.GRADE_RISK[self.grade_group[who]]
        factor = np.where(people.hidden_good[who], 0.12, factor)
        hazard = loan_terms.BASE_HAZARD * loan_terms.PRODUCT_RISK[product] * factor
        hazard = hazard * np.where(people.province[who] == FAILING_PROVINCE, 1.6, 1.0)
        return np.minimum(hazard, 0.30)

    def _append(self, new: Loans) -> np.ndarray:
        n = len(new)
        if self.size + n > len(self.loans):
            self.loans.resize(int(len(self.loans) * 1.3) + n)
        rows = np.arange(self.size, self.size + n)
        self.loans.write(self.size, new)
        self.size += n
        self.active = np.concatenate([self.active, rows])
        np.add.at(self.open_loans, new.customer, 1)
        return rows

    def disburse(self, month: int) -> np.ndarray:
        """Add the loans of a month: due plans, the partner boom and the shift to weaker grades;
        return their rows.
        """
        people = self.people
        story = self.story
        rng = stream(self.seed, 21, month)
        in_trouble = self.is_barred.copy()
        in_arrears = self.active[self.loans.arrears[self.active] > 0]
        in_trouble[self.loans.customer[in_arrears]] = True
        rows = [self._disburse_plans(rng, month, in_trouble)]
        has_plan = self.next_loan_on != NEVER
        free = ~in_trouble & (people.since < int(first_day(month))) & ~has_plan
        if month in story.partner_months:
            rows.append(self._disburse_partner_boom(rng, month, free))
        if month >= story.shift_month:
            rows.append(self._disburse_weak_grades(rng, month, free))
        return np.concatenate(rows)

    def _disburse_plans(
        self, rng: np.random.Generator, month: int, in_trouble: np.ndarray
    ) -> np.ndarray:
        end = int(last_day(month))
        who = np.flatnonzero((self.next_loan_on <= end) & ~in_trouble)
        day = np.maximum(self.next_loan_on[who], int(first_day(month)))
        renewed = self.renewed_loan[who]
        self.next_loan_on[self.next_loan_on <= end] = NEVER
        self.renewed_loan[who] = -1
        new = self._draw(rng, who, day, month)
        is_renewal = renewed >= 0
        for name in ("product", "principal", "rate", "term_months", "channel", "guarantee"):
            former = getattr(self.loans, name)[renewed.clip(0)]
            column = getattr(new, name)
            column[:] = np.where(is_renewal, former, column)
        new.rollover_of[:] = renewed
        new.outstanding[:] = new.principal
        new.matures_on[:] = first_day(month + new.term_months) + new.due_day - 1
        new.equal_principal &= ~is_renewal
        new.level_payment[:] = np.where(
            new.equal_principal,
            new.principal // new.term_months,
            annuity(new.principal, new.rate, new.term_months),
        )
        rows = self._append(new)
        self._plan_second_loans(rng, who, day)
        return rows

    def _disburse_partner_boom(
        self, rng: np.random.Generator, month: int, free: np.ndarray
    ) -> np.ndarray:
        people = self.people
        hurried = (people.type == REVOLVER) | (people.type == STRETCHED)
        pool = np.flatnonzero(free & (people.province == PARTNER_PROVINCE) & hurried)
        who = _sample(rng, pool, self.customers * 0.0011)
        day = draw_days(rng, len(who), month)
        product = np.full(len(who), loan_terms.CS2)
        channel = np.full(len(who), loan_terms.PARTNER)
        return self._append(self._draw(rng, who, day, month, product, channel, factor=0.55))

    def _disburse_weak_grades(
        self, rng: np.random.Generator, month: int, free: np.ndarray
    ) -> np.ndarray:
        """Lend to the grades BB, B and C."""
        people = self.people
        weak = (people.grade >= 4) & (people.grade <= 6) & ~people.hidden_good
        pool = np.flatnonzero(free & weak & (people.type != DORMANT) & (self.open_loans <= 1))
        who = _sample(rng, pool, self.customers * 0.0108)
        is_trader = people.type[who] == TRADER
        day = draw_days(rng, len(who), month)
        product = np.where(is_trader, loan_terms.BS1, loan_terms.CS1)
        channel = np.where(is_trader, loan_terms.BRANCH, loan_terms.MOBILE)
        factor = np.where(is_trader, 2.3, 3.0)
        return self._append(self._draw(rng, who, day, month, product, channel, factor))

    # ---- the schedule

    def issue_instalments(self, month: int) -> dict[str, np.ndarray]:
        """Fix the instalments due in `month` + 1 for every active loan; return them in order of
        due_on.
        """
        i = self.active
        loans = self.loans
        left = loans.outstanding[i]
        issued = loans.instalments_issued[i]
        remaining = loans.term_months[i] - issued
        interest = np.rint(left * (loans.rate[i] / 12e6)).astype(np.int64)
        payment = loans.level_payment[i]
        principal = np.where(loans.equal_principal[i], payment, payment - interest)
        principal = np.clip(principal, 0, left)
        principal = np.where(remaining == 1, left, principal)
        is_running = remaining > 0
        principal = np.where(is_running, principal, 0)
        interest = np.where(is_running, interest, 0)
        loans.due_principal[i] = principal
        loans.due_interest[i] = interest
        loans.outstanding[i] = left - principal
        loans.instalments_issued[i] = issued + is_running
        due_on = first_day(month + 1) + loans.due_day[i] - 1
        rows = np.flatnonzero(is_running)
        rows = rows[np.argsort(loans.due_day[i][rows], kind="stable")]
        return {
            "loan": i[rows],
            "number": loans.instalments_issued[i][rows],
            "due_on": due_on[rows],
            "principal": principal[rows],
            "interest": interest[rows],
        }


def _sample(rng: np.random.Generator, pool: np.ndarray, mean: float) -> np.ndarray:
    """Draw about `mean` elements of `pool` without replacement, in order."""
    count = min(len(pool), int(mean + rng.random()))
    if not count:
        return pool[:0]
    return np.sort(rng.choice(pool, count, replace=False))


def plan_next_loans(book: LoanBook, month: int, closed: np.ndarray) -> dict[str, np.ndarray]:
    """Decide whether and when customers whose last loan was settled in `month` borrow again.

    Returns arrays of shape (settled customers,): customer, again (within 90 days), called (by the
    win-back campaign) and won (by it).
    """
    people = book.people
    rng = stream(book.seed, 23, month)
    customer = book.loans.customer
    settled_on = book.loans.closed_on
    last = closed[book.open_loans[customer[closed]] == 0]
    last = last[np.lexsort((settled_on[last], customer[last]))]
    is_latest = np.ones(len(last), dtype=bool)
    is_latest[:-1] = customer[last][1:] != customer[last][:-1]
    last = last[is_latest]
    who = customer[last]
    day = settled_on[last]
    n = len(who)
    kind = people.type[who]
    u, v, w, x = (rng.random(n) for _ in range(4))
    probability = loan_terms.RELOAN[kind]
    probability = probability * np.where(people.province[who] == FAILING_PROVINCE, 0.5, 1.0)
    again = (u < probability) & ~book.is_barred[who]
    in_campaign = month in book.story.campaign_months
    called = x < (0.88 if in_campaign else 0.05)
    won = in_campaign & called & ~again & ~book.is_barred[who]
    won &= v < np.clip(1.25 * probability / (1 - probability), 0, 0.8)
    product = book.loans.product[last]
    is_business = (product == loan_terms.BS1) | (product == loan_terms.BS2)
    renews = again & is_business & (w < 0.25)
    later = ~again & ~won & (w < loan_terms.LATER_LOAN[kind])
    after = np.where(renews, (v * 4).astype(np.int64), 4 + (v * 84).astype(np.int64))
    after = np.where(won, 40 + (w * 48).astype(np.int64), after)
    after = np.where(later, 95 + rng.exponential(250, n).astype(np.int64), after)
    plans = again | won | later
    book.next_loan_on[who[plans]] = (day + after)[plans]
    book.renewed_loan[who[renews]] = last[renews]
    return {"customer": who, "again": (again & ~renews) | won, "called": called, "won": won}
