"""One month of payments: who pays when and how much, who falls behind, cures, settles or is written
off.
"""

from dataclasses import dataclass

import numpy as np

from data.demo import loans as loan_terms
from data.demo.loan_book import LoanBook
from data.demo.loans import annuity
from data.demo.people import stream
from data.demo.story import FAILING_PROVINCE, STEADY, STRETCHED, first_day, last_day

IMPROVEMENT = np.array([0.28, 0.14, 0.265, 0.38])
"""By grade group, at the anchor: how much less often loans fall behind and more often they cure."""
LARGE_LOAN = np.log2(200_000_00)
"""Binary logarithm of the balance in fen above which a loan is in a stratum of its own."""
GOLDEN_RATIO = 0.6180339887498949
INSTALMENT, PREPAYMENT, REVERSAL = range(3)
"""Positions of the kinds of payment in the contract's list of codes."""


@dataclass
class MonthOutcome:
    """What happened to the book in a month; loans as rows of the book, dates as days since
    1970-01-01.

    `two_unpaid` are the loans that reached two unpaid instalments, on day `two_unpaid_on`;
    `three_unpaid` those that reached three. `in_arrears` are all loans in arrears at the month end,
    with `instalments_unpaid` each.
    """

    payments: dict[str, np.ndarray]
    """loan, stamp (seconds since 1970-01-01), amount (fen) and kind, in order of time."""
    closed: np.ndarray
    written_off: np.ndarray
    two_unpaid: np.ndarray
    two_unpaid_on: np.ndarray
    three_unpaid: np.ndarray
    in_arrears: np.ndarray
    instalments_unpaid: np.ndarray
    interest: np.ndarray
    """Interest due in the month by province, fen; shape (8,)."""


class _Position:
    """The active loans before the payments of a month; all arrays of shape (active loans,)."""

    def __init__(self, book: LoanBook, month: int) -> None:
        loans = book.loans
        i = book.active
        self.loan = i
        self.month = month
        self.start = int(first_day(month))
        self.length = int(last_day(month) - first_day(month)) + 1
        self.due_principal = loans.due_principal[i]
        self.due_interest = loans.due_interest[i]
        self.due = self.due_principal + self.due_interest
        self.arrears = loans.arrears[i]
        self.unpaid = loans.instalments_unpaid[i]
        self.owed = self.due + self.arrears
        self.outstanding = loans.outstanding[i]
        self.customer = loans.customer[i]
        self.due_day = loans.due_day[i].astype(np.int64)
        self.kind = book.people.type[self.customer]
        self.bad_partner = loans.bad_partner[i]
        self.issued = loans.instalments_issued[i]
        self.remaining = loans.term_months[i] - self.issued
        self.grade_group = book.grade_group[self.customer]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return one uniform number for each loan."""
        return rng.random(len(self.loan), dtype=np.float32)


@dataclass
class _Behaviour:
    """How much is paid on each loan; arrays of shape (active loans,), amounts in fen."""

    pays_due: np.ndarray
    """Without arrears, pays the instalment of the month."""
    cures: np.ndarray
    """Pays all arrears."""
    keeps_level: np.ndarray
    """Pays one instalment and stays as far behind as before."""
    pays_part: np.ndarray
    share: np.ndarray
    """Random share between 0.3 and 0.9 that sizes all partial amounts."""
    amount: np.ndarray
    settles: np.ndarray
    """Gives the whole loan back early."""
    prepays_part: np.ndarray
    prepaid: np.ndarray


@dataclass
class _Timing:
    """When the payments of each loan are made; arrays of shape (active loans,)."""

    first_day: np.ndarray
    """Day of the month of the first payment."""
    is_split: np.ndarray
    second_day: np.ndarray
    """Day of the second part of a split payment."""
    is_reversed: np.ndarray
    repeated_day: np.ndarray
    """Day on which a reversed payment is made again."""
    seconds: np.ndarray
    """Second of the day of the first payment."""
    delay: np.ndarray
    """Seconds from one payment of a loan to the next on the same day."""

    @property
    def last_day(self) -> np.ndarray:
        """Day of the month of the last payment."""
        unsplit = np.where(self.is_reversed, self.repeated_day, self.first_day)
        return np.where(self.is_split, self.second_day, unsplit)


def simulate_payments(book: LoanBook, month: int) -> MonthOutcome:
    """Let the instalments due in `month` be paid, or not, and update the book."""
    rng = stream(book.seed, 22, month)
    position = _Position(book, month)
    behaviour = _draw_behaviour(rng, book, position)
    timing = _draw_timing(rng, position, behaviour)
    payments = _payment_rows(position, behaviour, timing)
    return _update_book(book, position, behaviour, timing, payments)


def _draw_behaviour(rng: np.random.Generator, book: LoanBook, position: _Position) -> _Behaviour:
    due = position.due
    owed = position.owed
    improvement = _improvement(book, position)
    u = _draw_arrears(rng, book, position)
    hazard = _hazard(book, position, improvement)

    clean = position.arrears == 0
    misses = clean & (due > 0) & (u < hazard)
    pays_due = clean & (due > 0) & ~misses
    row = np.clip(position.unpaid, 1, 4) - 1
    willingness = np.where(position.kind == STRETCHED, 0.85, 1.0)
    willingness = np.where(position.bad_partner, 0.25, willingness) * (1 + improvement)
    limit = loan_terms.CURE[row] * willingness
    cures = ~clean & (u < limit)
    keeps_level = ~clean & ~cures & (u < limit + loan_terms.STAY[row])
    pays_part = ~clean & ~cures & ~keeps_level
    pays_part &= u < limit + loan_terms.STAY[row] + loan_terms.PARTIAL[row]
    pays_part |= misses & (position.draw(rng) < 0.2)
    share = 0.3 + 0.6 * position.draw(rng)
    one_instalment = np.where(due > 0, due, owed * 3 // 10)
    part = (share * np.where(due > 0, due, owed)).astype(np.int64)
    amount = np.where(pays_due, due, 0)
    amount = np.where(cures, owed, amount)
    amount = np.where(keeps_level, np.minimum(one_instalment, owed), amount)
    amount = np.where(pays_part, np.minimum(part, owed), amount)

    settles = pays_due & (position.remaining >= 2)
    settles &= position.draw(rng) < _settlement_probability(book, position)
    prepays_part = pays_due & ~settles & (position.remaining >= 6)
    prepays_part &= position.draw(rng) < 0.003
    part = (position.outstanding * (0.1 + 0.3 * share)).astype(np.int64) // 10_000 * 10_000
    prepaid = np.where(settles, position.outstanding, 0)
    prepaid = np.where(prepays_part, part, prepaid)
    return _Behaviour(
        pays_due=pays_due,
        cures=cures,
        keeps_level=keeps_level,
        pays_part=pays_part,
        share=share,
        amount=amount,
        settles=settles,
        prepays_part=prepays_part,
        prepaid=prepaid,
    )


def _improvement(book: LoanBook, position: _Position) -> np.ndarray:
    """Return the improvement of each loan; the failing province does not take part."""
    improvement = book.story.improvement(position.month) * IMPROVEMENT[position.grade_group]
    province = book.people.province[position.customer]
    return np.where(province == FAILING_PROVINCE, 0.0, improvement)


def _draw_arrears(rng: np.random.Generator, book: LoanBook, position: _Position) -> np.ndarray:
    size = np.log2((position.outstanding + position.due).clip(1))
    stratum = np.minimum(position.unpaid, 5).astype(np.int64) * 4 + position.grade_group
    stratum = (stratum * 2 + (size > LARGE_LOAN)) * 2 + position.bad_partner
    order = position.kind.astype(np.int64) * 512 + (size * 8).astype(np.int64)
    return stratified_uniform(rng, stratum, order, book.phase)


def stratified_uniform(
    rng: np.random.Generator, stratum: np.ndarray, order: np.ndarray, phase: np.ndarray
) -> np.ndarray:
    """Return uniform draws that cover (0, 1) evenly within each stratum, over its loans and over
    the months.

    A Weyl sequence runs through the loans of a stratum, ordered by `order` (0..4095) and else at
    random, and continues next month where it stopped (`phase`, one per stratum, changed in place).
    The number of loans of a kind that fall behind is then nearly fixed, so that the story reads the
    same at 20,000 customers as at a million, while which loans they are stays random.
    """
    n = len(stratum)
    key = (
        (stratum.astype(np.int64) << 44)
        | (order.astype(np.int64) << 32)
        | rng.integers(0, 1 << 31, n)
    )
    positions = np.argsort(key)
    count = np.bincount(stratum, minlength=len(phase))
    rank = np.arange(n) - np.repeat(np.cumsum(count) - count, count)
    draws = np.empty(n)
    draws[positions] = (phase[stratum[positions]] + rank * GOLDEN_RATIO) % 1.0
    phase[:] = (phase + count * GOLDEN_RATIO) % 1.0
    return draws


def _hazard(book: LoanBook, position: _Position, improvement: np.ndarray) -> np.ndarray:
    """Return the probability that a loan without arrears misses its instalment."""
    month = position.month
    season = np.where(position.issued <= 24, 1.15, 0.9)
    season = np.where(position.issued <= 3, 0.6, season)
    season = season * (1.15 if month % 12 == 1 else 1.0)
    hazard = book.loans.hazard[position.loan] * season * (1 - improvement)
    # A hidden bad customer in a good grade only pays late within the month until a month of their
    # own, then falls behind.
    turns_bad = book.story.anchor - 30 + position.customer % 31
    factor = np.where(month >= turns_bad, 2.4, 0.12)
    hazard *= np.where(book.people.hidden_bad[position.customer], factor, 1.0)
    return np.where(position.bad_partner, 0.110, hazard)


def _settlement_probability(book: LoanBook, position: _Position) -> np.ndarray:
    """Return the probability of early settlement this month.

    From the story's shift on, good customers give their home loans back.
    """
    product = book.loans.product[position.loan]
    is_home = product <= loan_terms.HM2
    factor = np.where(product >= loan_terms.CD1, 1.2, 1.0)
    factor = np.where(is_home, 0.4, factor)
    probability = loan_terms.EARLY_SETTLEMENT[position.kind] * factor
    if position.month >= book.story.shift_month:
        probability = probability + np.where(is_home & (position.grade_group == 0), 0.018, 0.0)
    return np.where(position.bad_partner, 0.0, probability)


def _draw_timing(rng: np.random.Generator, position: _Position, behaviour: _Behaviour) -> _Timing:
    day = position.due_day
    length = position.length
    pays_due = behaviour.pays_due
    first = _draw_first_day(rng, position, behaviour)
    is_reversed = (position.draw(rng) < 0.003) & pays_due & (first == day)
    is_reversed &= ~behaviour.settles & (day + 2 <= length)
    is_split = pays_due & ~behaviour.settles & ~is_reversed & (behaviour.amount > 1000)
    is_split &= position.draw(rng) < loan_terms.SPLIT_PAYMENT[position.kind]
    second = np.minimum(first + (position.draw(rng) * 4).astype(np.int64), length)
    repeated = np.minimum(day + 2 + (position.draw(rng) * 4).astype(np.int64), length)
    clock = position.draw(rng)
    automatic = pays_due & (first == day) & (position.kind == STEADY) & (clock < 0.8)
    early_morning = 7200 + (clock * 3600).astype(np.int64)
    seconds = np.where(automatic, early_morning, (clock * 86_000).astype(np.int64))
    delay = (position.draw(rng) * 390).astype(np.int64) + 1
    return _Timing(
        first_day=first,
        is_split=is_split,
        second_day=second,
        is_reversed=is_reversed,
        repeated_day=repeated,
        seconds=seconds,
        delay=delay,
    )


def _draw_first_day(
    rng: np.random.Generator, position: _Position, behaviour: _Behaviour
) -> np.ndarray:
    """Draw the day of the month of the first payment."""
    day = position.due_day
    length = position.length
    u = position.draw(rng)
    v = position.draw(rng)
    on_schedule = behaviour.pays_due & ~behaviour.settles
    early = on_schedule & (position.remaining > 0)
    early &= (u < loan_terms.EARLY_PAYMENT[position.kind]) & (day > 1)
    late = on_schedule & ~early & (1 - u < loan_terms.LATE_IN_MONTH[position.kind])
    early_day = day - np.minimum(1 + (v * 6).astype(np.int64), day - 1)
    late_day = np.minimum(day + 1 + (v * 11).astype(np.int64), length)
    any_later_day = day + (v * (length - day + 1)).astype(np.int64)
    first = np.where(early, early_day, day)
    first = np.where(late, late_day, first)
    in_arrears = behaviour.cures | behaviour.keeps_level | behaviour.pays_part
    return np.where(in_arrears, any_later_day, first).astype(np.int64)


def _payment_rows(
    position: _Position, behaviour: _Behaviour, timing: _Timing
) -> dict[str, np.ndarray]:
    midnight = (position.start + timing.first_day - 1) * 86_400
    stamp = midnight + timing.seconds
    second_stamp = (position.start + timing.second_day - 1) * 86_400 + timing.seconds
    reversal_stamp = (position.start + position.due_day) * 86_400 + 32_400
    repeated_stamp = (position.start + timing.repeated_day - 1) * 86_400 + 43_200
    amount = behaviour.amount
    split_amount = (amount * (0.3 + 0.4 * behaviour.share)).astype(np.int64)
    first_amount = np.where(timing.is_split, split_amount, amount)
    parts = [
        (amount > 0, stamp, first_amount, INSTALMENT),
        (
            timing.is_split,
            np.maximum(second_stamp, stamp) + timing.delay,
            amount - first_amount,
            INSTALMENT,
        ),
        (timing.is_reversed, reversal_stamp + timing.delay, -amount, REVERSAL),
        (timing.is_reversed, repeated_stamp + timing.delay, amount, INSTALMENT),
        (behaviour.prepaid > 0, stamp + timing.delay, behaviour.prepaid, PREPAYMENT),
    ]
    payments = {
        "loan": np.concatenate([position.loan[rows] for rows, *_ in parts]),
        "stamp": np.concatenate([stamps[rows] for rows, stamps, *_ in parts]),
        "amount": np.concatenate([amounts[rows] for rows, _, amounts, _ in parts]),
        "kind": np.concatenate(
            [np.full(int(rows.sum()), kind, dtype=np.int8) for rows, *_, kind in parts]
        ),
    }
    order = np.argsort(payments["stamp"], kind="stable")
    return {name: values[order] for name, values in payments.items()}


def _update_book(
    book: LoanBook,
    position: _Position,
    behaviour: _Behaviour,
    timing: _Timing,
    payments: dict[str, np.ndarray],
) -> MonthOutcome:
    loans = book.loans
    i = position.loan
    before = position.unpaid
    start = position.start
    left = position.outstanding - behaviour.prepaid
    arrears = position.owed - behaviour.amount
    unpaid = np.where(behaviour.keeps_level, np.maximum(before, 1), before + 1)
    unpaid = np.where(arrears == 0, 0, unpaid).astype(np.int16)
    is_last = position.remaining <= 0
    closed = (arrears == 0) & (left == 0) & (is_last | behaviour.settles)
    written_off = (unpaid >= loans.write_off_after[i]) & (behaviour.amount == 0) & ~closed
    loans.outstanding[i] = left
    loans.arrears[i] = arrears
    loans.instalments_unpaid[i] = unpaid
    loans.last_clean_month[i[arrears == 0]] = position.month
    loans.scheduled_principal_paid[i] += position.due_principal
    loans.scheduled_interest_paid[i] += position.due_interest
    loans.prepaid[i] += behaviour.prepaid
    _recompute_payment(book, i[behaviour.prepays_part])
    paid_on = start + timing.last_day - 1
    loans.closed_on[i[closed]] = paid_on[closed]
    restructured = behaviour.cures & (before >= 3) & ~closed & (behaviour.share < 0.48)
    loans.restructured_on[i[restructured]] = paid_on[restructured]
    sold = written_off & (behaviour.share > 0.82)
    unsold = written_off & ~sold
    ended_on = start + position.length - 1 - i % 5
    loans.sold_on[i[sold]] = ended_on[sold]
    loans.written_off_on[i[unsold]] = ended_on[unsold]
    book.is_barred[position.customer[written_off]] = True
    np.subtract.at(book.open_loans, position.customer[closed | written_off], 1)
    book.active = i[~(closed | written_off)]
    two_unpaid = (unpaid == 2) & (before < 2)
    three_unpaid = (unpaid == 3) & (before < 3)
    in_arrears = (unpaid > 0) & ~written_off
    day = np.minimum(position.due_day[two_unpaid] + 1, position.length)
    province = book.people.province[position.customer]
    return MonthOutcome(
        payments=payments,
        closed=i[closed],
        written_off=i[written_off],
        two_unpaid=i[two_unpaid],
        two_unpaid_on=start + day - 1,
        three_unpaid=i[three_unpaid],
        in_arrears=i[in_arrears],
        instalments_unpaid=unpaid[in_arrears],
        interest=np.bincount(province, weights=position.due_interest, minlength=8),
    )


def _recompute_payment(book: LoanBook, prepaid: np.ndarray) -> None:
    """Spread the rest of partly prepaid loans over the months that remain."""
    loans = book.loans
    months = (loans.term_months[prepaid] - loans.instalments_issued[prepaid]).astype(np.int64)
    outstanding = loans.outstanding[prepaid]
    loans.level_payment[prepaid] = np.where(
        loans.equal_principal[prepaid],
        outstanding // months,
        annuity(outstanding, loans.rate[prepaid], months),
    )
