"""One month of payments: who pays when and how much, who falls behind, cures, settles or is written off."""

from dataclasses import dataclass

import numpy as np

from data.demo import places as at
from data.demo.loan_book import (
    CURE,
    EARLY,
    LATE_IN_MONTH,
    LATER_LOAN,
    PART,
    RELOAN,
    SETTLES_EARLY,
    SPLIT,
    STAY,
    annuity,
    spread,
)
from data.demo.people import stream
from data.demo.story import FAILING_PROVINCE, STEADY, STRETCHED, first_day, last_day, month_of

IMPROVEMENT = np.array([0.28, 0.14, 0.265, 0.38])
"""By group of grades: how much less often loans fall behind, and how much more often they cure, at the anchor."""
LARGE = np.log2(200_000_00)
INSTALMENT, PREPAYMENT, REVERSAL = range(3)


@dataclass
class Month:
    """What happened to the book in a month; loans as rows of the book, dates as days since 1970-01-01."""

    payments: dict
    closed: np.ndarray
    written_off: np.ndarray
    fell_two: np.ndarray
    fell_two_on: np.ndarray
    fell_three: np.ndarray
    behind: np.ndarray
    behind_by: np.ndarray
    interest: np.ndarray
    """Interest due in the month by province, fen."""


def pay(book, month: int) -> Month:
    """Let the instalments due in `month` be paid, or not."""
    people, story, rng = book.people, book.story, stream(book.seed, 22, month)
    i = book.live
    n = len(i)
    start, length = int(first_day(month)), int(last_day(month) - first_day(month)) + 1
    due_principal, due_interest = book.due_principal[i], book.due_interest[i]
    due, old, behind = due_principal + due_interest, book.arrears[i], book.behind[i]
    owed, left = due + old, book.left[i]
    cust, day = book.cust[i], book.due_day[i].astype(np.int64)
    kind, bad, count = people.type[cust], book.bad[i], book.count[i]
    remaining = book.term[i] - count
    up = story.improvement(month)
    # The failing province does not take part.
    better = np.where(
        people.province[cust] == FAILING_PROVINCE, 0.0, up * IMPROVEMENT[book.group[cust]]
    )

    def draw():
        return rng.random(n, dtype=np.float32)

    size = np.log2((left + due).clip(1))
    large = size > LARGE
    stratum = (
        (np.minimum(behind, 5).astype(np.int64) * 4 + book.group[cust]) * 2 + large
    ) * 2 + bad
    u = spread(rng, stratum, kind.astype(np.int64) * 512 + (size * 8).astype(np.int64), book.phase)
    season = np.where(count <= 3, 0.6, np.where(count <= 24, 1.15, 0.9)) * (
        1.15 if month % 12 == 1 else 1.0
    )
    hazard = book.risk[i] * season * (1 - better)
    # A hidden bad customer in a good grade only pays late within the month until the day comes, then falls behind.
    turns = story.anchor - 30 + cust % 31
    hazard *= np.where(people.hidden_bad[cust], np.where(month >= turns, 2.4, 0.12), 1.0)
    hazard = np.where(bad, 0.110, hazard)

    clean = old == 0
    missed = clean & (due > 0) & (u < hazard)
    pays = clean & (due > 0) & ~missed
    row = np.clip(behind, 1, 4) - 1
    will = np.where(bad, 0.25, np.where(kind == STRETCHED, 0.85, 1.0)) * (1 + better)
    limit = CURE[row] * will
    cured = ~clean & (u < limit)
    stayed = ~clean & ~cured & (u < limit + STAY[row])
    some = ~clean & ~cured & ~stayed & (u < limit + STAY[row] + PART[row])
    some |= missed & (draw() < 0.2)
    share = 0.3 + 0.6 * draw()
    paid = np.where(pays, due, 0)
    paid = np.where(cured, owed, paid)
    paid = np.where(stayed, np.minimum(np.where(due > 0, due, owed * 3 // 10), owed), paid)
    paid = np.where(
        some, np.minimum((share * np.where(due > 0, due, owed)).astype(np.int64), owed), paid
    )
    rest = owed - paid

    final = remaining <= 0
    settles = pays & (remaining >= 2) & (draw() < _settling(book, i, kind, month))
    part_prepays = pays & ~settles & (remaining >= 6) & (draw() < 0.003)
    when = _days(
        rng, n, kind, day, length, pays & ~final & ~settles, pays & ~settles, cured | stayed | some
    )
    second = np.where(
        (draw() < 0.003) & pays & (when == day) & ~settles & (day + 2 <= length), REVERSAL, 0
    )
    split = pays & ~settles & (second == 0) & (paid > 1000) & (draw() < SPLIT[kind])
    when_split = np.minimum(when + (draw() * 4).astype(np.int64), length)
    when_again = np.minimum(day + 2 + (draw() * 4).astype(np.int64), length)
    back = second == REVERSAL
    final_day = np.where(split, when_split, np.where(back, when_again, when))

    clock = draw()
    automatic = pays & (when == day) & (kind == STEADY) & (clock < 0.8)
    seconds = np.where(
        automatic, 7200 + (clock * 3600).astype(np.int64), (clock * 86_000).astype(np.int64)
    )
    stamp = (start + when - 1) * 86_400 + seconds
    later = (draw() * 390).astype(np.int64) + 1
    first_part = np.where(split, (paid * (0.3 + 0.4 * share)).astype(np.int64), paid)
    prepaid = np.where(settles, left, 0)
    prepaid = np.where(
        part_prepays, (left * (0.1 + 0.3 * share)).astype(np.int64) // 10_000 * 10_000, prepaid
    )
    some_paid, ahead = paid > 0, prepaid > 0
    parts = [
        (some_paid, stamp, first_part, INSTALMENT),
        (
            split,
            np.maximum((start + when_split - 1) * 86_400 + seconds, stamp) + later,
            paid - first_part,
            INSTALMENT,
        ),
        (back, (start + day) * 86_400 + 32_400 + later, -paid, REVERSAL),
        (back, (start + when_again - 1) * 86_400 + 43_200 + later, paid, INSTALMENT),
        (ahead, stamp + later, prepaid, PREPAYMENT),
    ]
    payments = {
        "loan": np.concatenate([i[m] for m, *_ in parts]),
        "stamp": np.concatenate([s[m] for m, s, *_ in parts]),
        "amount": np.concatenate([a[m] for m, _, a, _ in parts]),
        "kind": np.concatenate([np.full(int(m.sum()), k, dtype=np.int8) for m, *_, k in parts]),
    }
    in_order = np.argsort(payments["stamp"], kind="stable")
    payments = {name: values[in_order] for name, values in payments.items()}

    # ---- the book after the month
    left = left - prepaid
    behind_now = np.where(rest == 0, 0, np.where(stayed, np.maximum(behind, 1), behind + 1)).astype(
        np.int16
    )
    closed = (rest == 0) & (left == 0) & (final | settles)
    gone = (behind_now >= book.limit[i]) & (paid == 0) & ~closed
    book.left[i], book.arrears[i], book.behind[i] = left, rest, behind_now
    book.clean[i[rest == 0]] = month
    book.paid_principal[i] += due_principal
    book.paid_interest[i] += due_interest
    book.prepaid[i] += prepaid
    j = i[part_prepays]
    months = (book.term[j] - book.count[j]).astype(np.int64)
    book.pay[j] = np.where(
        book.equal[j], book.left[j] // months, annuity(book.left[j], book.rate[j], months)
    )
    paid_on = start + final_day - 1
    book.closed[i[closed]] = paid_on[closed]
    again = cured & (behind >= 3) & ~closed & (share < 0.48)
    book.restructured[i[again]] = paid_on[again]
    sold = gone & (share > 0.82)
    ended = start + length - 1 - i % 5
    book.sold[i[sold]] = ended[sold]
    book.written_off[i[gone & ~sold]] = ended[gone & ~sold]
    book.barred[cust[gone]] = True
    np.subtract.at(book.active, cust[closed | gone], 1)
    book.live = i[~(closed | gone)]
    fell_two, fell_three = (behind_now == 2) & (behind < 2), (behind_now == 3) & (behind < 3)
    late = (behind_now > 0) & ~gone
    return Month(
        payments=payments,
        closed=i[closed],
        written_off=i[gone],
        fell_two=i[fell_two],
        fell_two_on=start + np.minimum(day[fell_two] + 1, length) - 1,
        fell_three=i[fell_three],
        behind=i[late],
        behind_by=behind_now[late],
        interest=np.bincount(people.province[cust], weights=due_interest, minlength=8),
    )


def _settling(book, i, kind, month) -> np.ndarray:
    """Chance of settling early this month; in the story's shift, good customers give their home loans back."""
    product = book.product[i]
    home = product <= at.HM2
    chance = SETTLES_EARLY[kind] * np.where(home, 0.4, np.where(product >= at.CD1, 1.2, 1.0))
    if month >= book.story.shift:
        chance = chance + np.where(home & (book.group[book.cust[i]] == 0), 0.018, 0.0)
    return np.where(book.bad[i], 0.0, chance)


def _days(rng, n, kind, day, length, may_be_early, on_schedule, in_arrears) -> np.ndarray:
    """Day of the month of the (first) payment."""
    u, v = rng.random(n, dtype=np.float32), rng.random(n, dtype=np.float32)
    early = may_be_early & (u < EARLY[kind]) & (day > 1)
    late = on_schedule & ~early & (1 - u < LATE_IN_MONTH[kind])
    when = np.where(early, day - np.minimum(1 + (v * 6).astype(np.int64), day - 1), day)
    when = np.where(late, np.minimum(day + 1 + (v * 11).astype(np.int64), length), when)
    return np.where(in_arrears, day + (v * (length - day + 1)).astype(np.int64), when).astype(
        np.int64
    )


def plan_after_settlement(book, month: int, closed: np.ndarray) -> dict:
    """Customers whose last loan is settled decide whether and when to borrow again.

    Returns customer, settled_on, again (within 90 days), called (by the win-back campaign), won (by it).
    """
    people, rng = book.people, stream(book.seed, 23, month)
    last = closed[book.active[book.cust[closed]] == 0]
    order = np.lexsort((book.closed[last], book.cust[last]))
    last = last[order]
    keep = np.ones(len(last), dtype=bool)
    keep[:-1] = book.cust[last][1:] != book.cust[last][:-1]
    last = last[keep]
    who, on = book.cust[last], book.closed[last]
    n = len(who)
    kind = people.type[who]
    u, v, w, x = rng.random(n), rng.random(n), rng.random(n), rng.random(n)
    chance = RELOAN[kind] * np.where(people.province[who] == FAILING_PROVINCE, 0.5, 1.0)
    again = (u < chance) & ~book.barred[who]
    in_campaign = month in book.story.campaign
    called = x < (0.88 if in_campaign else 0.05)
    won = (
        in_campaign
        & called
        & ~again
        & ~book.barred[who]
        & (v < np.clip(1.25 * chance / (1 - chance), 0, 0.8))
    )
    business = (book.product[last] == at.BS1) | (book.product[last] == at.BS2)
    roll = again & business & (w < 0.25)
    next_on = np.where(roll, on + (v * 4).astype(np.int64), on + 4 + (v * 84).astype(np.int64))
    next_on = np.where(won, on + 40 + (w * 48).astype(np.int64), next_on)
    later = ~again & ~won & (w < LATER_LOAN[kind])
    next_on = np.where(later, on + 95 + rng.exponential(250, n).astype(np.int64), next_on)
    plans = again | won | later
    book.next_on[who[plans]] = next_on[plans]
    book.rolls[who[roll]] = last[roll]
    return {
        "customer": who,
        "settled_on": on,
        "again": (again & ~roll) | won,
        "called": called,
        "won": won,
        "after": on + 3 + (u * 20).astype(np.int64),
    }


def keep_unpaid(book, month: int) -> None:
    """Remember the instalments of `month` of loans now in arrears: what is unpaid is delivered one by one."""
    i = book.live[book.arrears[book.live] > 0]
    i = i[book.due_principal[i] + book.due_interest[i] > 0]
    book.unpaid.append(
        (i, np.full(len(i), month), book.count[i], book.due_principal[i], book.due_interest[i])
    )


def brought_forward(book, month: int) -> tuple[dict, dict]:
    """Instalments and payments that carry what came before the window, as it stands at the end of `month`.

    One instalment per loan, numbered as the last one paid in full, holds all up to it and is paid on its due day;
    those not yet paid in full follow one by one.
    """
    size = book.size
    loan, when, number, principal, interest = (
        np.concatenate(part) for part in zip(*book.unpaid, strict=True)
    )
    alive = np.zeros(size, dtype=bool)
    alive[book.live] = True
    keep = alive[loan] & (book.arrears[loan] > 0) & (when > book.clean[loan])
    loan, when, number, principal, interest = (
        part[keep] for part in (loan, when, number, principal, interest)
    )
    sums = [np.zeros(size, dtype=np.int64) for _ in range(3)]
    for total, values in zip(
        sums, (principal, interest, np.ones(len(loan), dtype=np.int64)), strict=True
    ):
        np.add.at(total, loan, values)
    i = book.live
    before = book.count[i] - sums[2][i]
    i = i[before > 0]
    before = before[before > 0]

    def due(loans, numbers):
        return first_day(month_of(book.disbursed[loans]) + numbers) + book.due_day[loans] - 1

    whole = due(i, before)
    paid_principal, paid_interest = (
        book.paid_principal[i] - sums[0][i],
        book.paid_interest[i] - sums[1][i],
    )
    instalments = {
        "loan": np.concatenate([i, loan]),
        "number": np.concatenate([before, number]),
        "due_on": np.concatenate([whole, due(loan, number)]),
        "principal": np.concatenate([paid_principal, principal]),
        "interest": np.concatenate([paid_interest, interest]),
    }
    order = np.argsort(instalments["due_on"], kind="stable")
    partly = np.flatnonzero((sums[0] + sums[1])[: book.size] > 0)
    over = (sums[0] + sums[1] - book.arrears[:size])[partly]
    partly, over = partly[over > 0], over[over > 0]
    ahead = book.prepaid[i] > 0
    payments = {
        "loan": np.concatenate([i, i[ahead], partly]),
        "stamp": np.concatenate(
            [
                whole * 86_400 + 7_200,
                whole[ahead] * 86_400 + 9_000,
                np.full(len(partly), int(last_day(month)) * 86_400 + 54_000),
            ]
        ),
        "amount": np.concatenate([paid_principal + paid_interest, book.prepaid[i][ahead], over]),
        "kind": np.concatenate(
            [
                np.zeros(len(i)),
                np.full(ahead.sum(), PREPAYMENT),
                np.zeros(len(partly)),
            ]
        ).astype(np.int8),
    }
    in_order = np.argsort(payments["stamp"], kind="stable")
    return (
        {name: values[order] for name, values in instalments.items()},
        {name: values[in_order] for name, values in payments.items()},
    )
