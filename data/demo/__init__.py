"""A seeded invented bank of any size with a story to find: 澄岸银行, Cheng'an Bank.

`write` simulates the bank month by month from 26 months before the first delivered month end, so
that arrears, settlements and new loans are in a steady state when the records begin, and writes
the requested months as one full delivery of source `contract`. `write_next` writes the month
after as an increment: the same bank, one month older. Nobody in it exists: identity numbers lie
in area 99, which GB/T 2260 does not have, and telephone numbers begin with 100.

The months before the records: a loan disbursed before the window begins with one instalment
numbered as the last one paid in full before it, which holds all due up to it and is paid on its
due day in the month before the window or earlier; instalments unpaid by then follow one by one.

Size, per million customers and 36 months: 1.1 M loans (0.55 M with a balance in a month), 19 M
instalments, 17 M payments, 15 M deposit balances, 5 M fees, 1.1 M customer rows (9 % of the
customers are assessed anew at least once). Levels: overdue (balance) 4-5 %, over 30 days about 2
%, over 90 days 1.4 %, 59 % of the customers ever borrow.

Customers have a hidden behavioural type (`hidden_types`, for tests only, never delivered) that
drives products, channels, deposits, fees, early and late payment and overdue: steady (22 %,
salaried, home and consumer loans, pays on the day), saver (15 %, large deposits, wealth fees,
little credit), revolver (22 %, card instalments by telephone, card fees, no deposits), trader (8
%, seasonal deposits, business loans, settles early), stretched (10 %, partner loans, several at
once, pays days late or not at all), dormant (23 %, hardly anything). Credit grade and score
follow the type imperfectly.

The story, for the default as-of 2026-10-31; its dates are relative to the anchor (`as_of` of the
full delivery). Sizes are those of 20,000 customers, seed 7; at any size and seed they are near.

1. A partner channel goes bad. Partner-channel loans disbursed in 2025Q1 and Q2 (the two calendar
   quarters that end at least 15 months before the anchor) in 沧北省分行 Cangbei (branch 03), mostly
   综合消费贷 CS2: about 150 loans, of which over half are more than 30 days late within 12 months,
   against a quarter of other partner loans and an eighth of all. Find it: vintage by channel and
   province; `ask overdue_rate_30 --by channel --where branch_1=03`.
2. Every tier improves and the bank gets worse (Simpson). From 2025-07 (15 months before the
   anchor) the bank lends far more to grades BB, B and C (经营 BS1, 装修 CS1, by 网点 and 手机银行,
   in all provinces), while AAA and AA give home loans back early. Over the last 12 months the share
   of balance of BB/B rises from 25 to 40 %, of AAA/AA falls from 30 to 21 %. overdue_rate_30 of
   every opening tier of scheme abcd falls (12 months: A 0.6 to 0.3, B 1.2 to 0.8, C 4.1 to 3.5, D
   6.1 to 5.6 %), the total rises from 2.0 to 2.1 %. Find it: the bridge of overdue_rate_30 against
   a year ago, opening 1, 3 or 12 months: rate effects negative, mix effects positive. At 20,000
   customers one tier may differ by chance under another seed; the mix effects do not depend on it.
3. A win-back campaign. Of the customers who settled their last loan in 2026-03, 04 and 05 (7 to
   5 months before the anchor), 88 % were called (action win_back, 1st to 8th of the following
   month) and 50-60 % borrowed again within 90 days, against 25-30 % of the cohorts before and
   after. Find it: reloan_rate_90 by settlement month; the reloan curve.
4. Hidden good and hidden bad (`hidden_misgraded`). 5 % of steady and savers have grades BB to D
   and hardly ever fall behind; 12 % of stretched have AA to BBB: they pay late within the month,
   then on a month of their own in the last 30 start to fall behind: of those with no arrears at
   2025-10-31, a fifth to a third is 30+ days late within the year, 6 to 17 times as often as
   others of their grades. Find it: grade against behaviour (segments).
5. A branch that misses its targets. 霁东省分行 Jidong (branch 06) misses every target in nearly
   every
   month (overdue_rate_30, reloan_rate_90, contribution_net, customers), the first two beyond the
   red line; its loans fall behind 1.6 times as often, it takes no part in the improvement, half
   as many customers come back and few join. The others meet nearly all of theirs. The head
   office (branch 00) has targets and red lines of its own: the sums of the branches' for
   `contribution_net` and `customers`, fixed ones for overdue_rate_30, npl_ratio, reloan_rate_90,
   and none to lose on balance for net_upgraded. Find it: `ask overdue_rate_30 --by branch_1
   --targets`.
6. A manager with silent warnings. Manager M00001 of 澜江省分行 Lanjiang (branch 01): some 40
   signals
   in the last 12 months, 19 in 20 of them never handled; the next most silent manager leaves
   about a dozen. Find it: `ask silent_warnings --by manager`; `ask silent_warning_rate --by
   manager`.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from data.demo.delivery import key
from data.demo.people import MAX_LATER_MONTHS, draw_types
from data.demo.simulation import Simulation, SimulationPeriod
from data.demo.story import TYPES, month_of

__all__ = ["TYPES", "hidden_misgraded", "hidden_types", "write", "write_next"]

DEFAULT_AS_OF = date(2026, 10, 31)
FORMS = ("parquet", "csv")

Progress = Callable[[int, int], None]
"""Called after each simulated month with the number of months done and their total."""


def write(
    to: Path,
    customers: int,
    months: int,
    seed: int,
    as_of: date = DEFAULT_AS_OF,
    form: str = "parquet",
    progress: Progress | None = None,
    anchor: date | None = None,
) -> dict[str, Any]:
    """Write the full delivery of `months` month ends up to `as_of` into folder `to`; return its
    manifest.

    Parameters
    ----------
    anchor
        The month end to which the dates of the story are relative; default `as_of`. A later `as_of`
        with the same anchor is the same bank some months later.

    Raises
    ------
    ValueError
        If a size, date or format is out of range.
    """
    last = _check_arguments(customers, months, seed, as_of, form)
    story_month = last if anchor is None else _month_of_end(anchor)
    if not 0 <= last - story_month <= MAX_LATER_MONTHS:
        raise ValueError(
            f"anchor is {anchor}: it must lie 0 to {MAX_LATER_MONTHS} months before as_of {as_of}"
        )
    period = SimulationPeriod(last - months + 1, story_month, last)
    return Simulation(customers, seed, period).run(to, form, progress)


def write_next(
    to: Path,
    customers: int,
    months: int,
    seed: int,
    as_of: date = DEFAULT_AS_OF,
    form: str = "parquet",
    progress: Progress | None = None,
    step: int = 1,
) -> dict[str, Any]:
    """Write the increment that follows `write(...)` of the same arguments: the month `step` months
    after `as_of`.

    It contains the new events, new and changed customers and loans, and all branches, managers and
    products. Raises ValueError as `write` does.
    """
    last = _check_arguments(customers, months, seed, as_of, form)
    if not 1 <= step <= MAX_LATER_MONTHS:
        raise ValueError(
            f"step is {step}: an increment lies 1 to {MAX_LATER_MONTHS} months after as_of"
        )
    period = SimulationPeriod(last - months + 1, last, last + step, increment=True)
    return Simulation(customers, seed, period).run(to, form, progress)


def hidden_types(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for tests only, customer_id and behavioural type (words of TYPES) of the customers of
    `write(...)`.
    """
    kind, _, _ = draw_types(customers, seed)
    ids = key("C", np.arange(customers) + 1, 8).to_numpy(zero_copy_only=False)
    return ids, np.array(TYPES)[kind]


def hidden_misgraded(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for tests only, customer_id of the hidden good in low grades and of the hidden bad in
    high grades.
    """
    ids, _ = hidden_types(customers, seed)
    _, good, bad = draw_types(customers, seed)
    return ids[good], ids[bad]


def _check_arguments(customers: int, months: int, seed: int, as_of: date, form: str) -> int:
    """Check the arguments of a delivery and return the month of `as_of`."""
    if customers < 100:
        raise ValueError(f"customers is {customers}: a demo bank needs at least 100")
    if not 1 <= months <= 240:
        raise ValueError(f"months is {months}: between 1 and 240 can be written")
    if seed < 0:
        raise ValueError(f"seed is {seed}: it must not be negative")
    if form not in FORMS:
        raise ValueError(f"form is {form!r}: it must be one of {', '.join(FORMS)}")
    return _month_of_end(as_of)


def _month_of_end(day: date) -> int:
    month = int(month_of(np.datetime64(day, "D").astype(np.int64)))
    if np.datetime64(day, "D") + 1 != np.datetime64(month + 1, "M").astype("datetime64[D]"):
        raise ValueError(f"{day} is not the last day of a month: as-of dates are month ends")
    return month
