"""Every declared metric against numbers worked out by hand from tests/small_bank/README.md."""

from datetime import date

import pytest

from analytics.metrics.definitions import METRICS
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

TODAY = date(2026, 10, 31)
OCT_2025 = date(2025, 10, 31)
NOV_2025 = date(2025, 11, 30)
DEC_2025 = date(2025, 12, 31)
MAR, APR, JUN, JUL, AUG = (
    date(2026, month, day) for month, day in ((3, 31), (4, 30), (6, 30), (7, 31), (8, 31))
)
SEP = date(2026, 9, 30)
NO_DENOMINATOR = None

# metric, as of, where, numerator, denominator, n. Balances in the order of the README.
WORKED = [
    # C1, C2, C3, C4, C6, C7, C9 have a balance
    ("customers", TODAY, {}, 7, NO_DENOMINATOR, 7),
    ("borrowers", TODAY, {}, 7, NO_DENOMINATOR, 7),
    # consumer: L2 (C1), L5 (C3), L8 (C9), L10 (C6), L12 (C7)
    ("borrowers", TODAY, {"family": ("consumer",)}, 5, NO_DENOMINATOR, 5),
    # L1, L2, L3, L5, L6, L8, L10, L12
    ("loans", TODAY, {}, 8, NO_DENOMINATOR, 8),
    # 45,000 + 4,550 + 12,000 + 4,000 + 34,000 + 2,000 + 8,000 + 6,000
    ("balance", TODAY, {}, 115_550, NO_DENOMINATOR, 8),
    # L2 4,550 + L5 4,000 + L8 2,000 + L10 8,000 + L12 6,000
    ("balance", TODAY, {"family": ("consumer",)}, 24_550, NO_DENOMINATOR, 5),
    # L1 105,000 + L3 23,000 + L4 10,000 + L6 34,000 + L7 10,000 + L9 8,000; L11 settled six days
    # before
    ("balance", OCT_2025, {}, 190_000, NO_DENOMINATOR, 6),
    # paid ahead in November 2025: of L4's 12,000 only September, October and November fell due; the
    # rest is a credit
    (
        "balance",
        NOV_2025,
        {"family": ("consumer",), "channel": ("mobile",)},
        9_000,
        NO_DENOMINATOR,
        1,
    ),
    # L4 at the end of February: 12,000 - 6 due of 1,000 - 4,000 prepaid; L12 14,000, L14 2,000
    # (both mobile as well)
    (
        "balance",
        date(2026, 2, 28),
        {"channel": ("mobile",)},
        2_000 + 14_000 + 2_000,
        NO_DENOMINATOR,
        3,
    ),
    # signals from 2026-08-01 on: C1, C2 (of the day itself), C3, C6; C7's of 2026-07-31 is too old,
    # C10 has no loan
    ("warned_customers", TODAY, {}, 4, NO_DENOMINATOR, 4),
    # from 2026-07-01 to 2026-09-30: C1, C3, C6, C7
    ("warned_customers", SEP, {}, 4, NO_DENOMINATOR, 4),
    ("warned_customers", SEP, {"branch_1": ("N",)}, 3, NO_DENOMINATOR, 3),
    # C2 and C6 pay on the day; C1 (26 days) and C3 (16 days) are past due
    ("early_warning_rate", TODAY, {}, 2, 7, 7),
    # C2 and C3; C6's was handled on 2026-10-10
    ("silent_warnings", TODAY, {}, 2, NO_DENOMINATOR, 2),
    # C3, C7, and C6's, handled only in October
    ("silent_warnings", SEP, {}, 3, NO_DENOMINATOR, 3),
    ("silent_warning_rate", TODAY, {}, 2, 4, 4),
    ("silent_warning_rate", SEP, {}, 3, 4, 4),
    # C9's first loan came on 2026-01-15; C7's L12 of that month was not its first
    ("new_customers", date(2026, 1, 31), {}, 1, NO_DENOMINATOR, 1),
    # L5 9,000 + L10 8,000 + L13 3,000
    ("disbursed", APR, {}, 20_000, NO_DENOMINATOR, 3),
    ("disbursed", APR, {"rollover": ("no",)}, 12_000, NO_DENOMINATOR, 2),
    # L15 came in February and ended there; that its first instalment was due in May makes it no new
    # loan of May
    ("disbursed", date(2026, 5, 31), {}, 0, NO_DENOMINATOR, 0),
    ("disbursed", date(2026, 2, 28), {}, 5_000, NO_DENOMINATOR, 1),
    # by 2027-01-31: L5 4,000 + L8 2,000; L2 matures on 2027-02-05
    ("maturing_3m", TODAY, {}, 6_000, NO_DENOMINATOR, 2),
    # by 2027-10-31: L1 45,000 + L2 4,550 + L3 12,000 + L5 4,000 + L8 2,000 + L10 8,000 + L12 6,000
    ("maturing_12m", TODAY, {}, 81_550, NO_DENOMINATOR, 7),
    # L1 5,000 + L2 450 of the 500 that came + L5 1,000 + L8 2,000, late September's and October's
    # + L12 1,000
    ("principal_collected", TODAY, {}, 9_450, NO_DENOMINATOR, 5),
    # May 2026: L1 5,000, L3 1,000, L5 1,000, L12 1,000, L13 1,000; L7 was written off, not repaid
    ("principal_collected", date(2026, 5, 31), {}, 9_000, NO_DENOMINATOR, 5),
    # 500 + 50 + 45 + 25 + 25 + 75
    ("interest_collected", TODAY, {}, 720, NO_DENOMINATOR, 5),
    # three months before: C1 went from A to B with its grade BBB of 2026-03-15, C4 from C to D;
    # nobody went up
    ("net_upgraded", MAR, {}, -2, NO_DENOMINATOR, 2),
    # September to December 2025: C4 from B to C, C5 from C to D
    ("net_upgraded", DEC_2025, {}, -2, NO_DENOMINATOR, 2),
    # L2 4,550 (26 days) + L5 4,000 (16 days) + L6 34,000 (381 days)
    ("overdue_rate", TODAY, {}, 42_550, 115_550, 8),
    # the instalment of L3 due on 2026-02-28 itself is not late that day; L6 34,000 and L7 10,000
    # are
    (
        "overdue_rate",
        date(2026, 2, 28),
        {},
        44_000,
        85_000 + 20_000 + 2_000 + 34_000 + 10_000 + 8_000 + 14_000 + 2_000,
        8,
    ),
    ("overdue_rate_loans", TODAY, {}, 3, 8, 8),
    ("overdue_rate_customers", TODAY, {}, 3, 7, 7),
    # L6 only
    ("overdue_rate_30", TODAY, {}, 34_000, 115_550, 8),
    # L3, 31 days since 2026-02-28: 20,000; L6 34,000; L7 10,000. L4 has settled: 80,000 + 20,000 +
    # 34,000 +
    # 10,000 + 8,000 + 13,000 + 2,000
    ("overdue_rate_30", MAR, {}, 64_000, 167_000, 7),
    ("overdue_rate_30_loans", MAR, {}, 3, 7, 7),
    ("overdue_rate_30_customers", MAR, {}, 3, 7, 7),
    # paid on 2026-04-20: cured
    ("overdue_rate_30", APR, {"family": ("car",)}, 0, 17_000, 1),
    # L6: 46 days, L7: 117 days; balances 100,000 + 22,000 + 9,000 + 34,000 + 10,000 + 8,000
    ("overdue_rate_30", NOV_2025, {}, 44_000, 183_000, 6),
    ("overdue_rate_60", NOV_2025, {}, 10_000, 183_000, 6),
    # L6: 77 days, L7: 148 days; balances 95,000 + 21,000 + 8,000 + 34,000 + 10,000 + 8,000
    ("overdue_rate_60", DEC_2025, {}, 44_000, 176_000, 6),
    ("overdue_rate_60_loans", DEC_2025, {}, 2, 6, 6),
    ("overdue_rate_60_customers", DEC_2025, {}, 2, 6, 6),
    ("overdue_rate_90", DEC_2025, {}, 10_000, 176_000, 6),
    ("overdue_rate_90_loans", DEC_2025, {}, 1, 6, 6),
    ("overdue_rate_90_customers", DEC_2025, {}, 1, 6, 6),
    # L7: 87 days at the end of October
    ("overdue_rate_90", OCT_2025, {}, 0, 190_000, 6),
    # L5's July instalment was reversed on 3 August: 16 days since 15 August, which took what came
    # for July; L6;
    # L8 11 days
    ("overdue_rate", AUG, {}, 6_000 + 34_000 + 5_000, 135_000, 8),
    # before the reversal July was paid: only L6
    (
        "overdue_rate",
        JUL,
        {"family": ("consumer", "business")},
        34_000,
        6_000 + 34_000 + 5_000 + 8_000 + 9_000,
        5,
    ),
    # from 2025-11-30 on: C2 31 days on 2026-03-31, C4; C9 was 36 days late, but 11 at a month end
    ("ever_overdue_30_12m_customers", TODAY, {}, 2, 7, 7),
    ("ever_overdue_60_12m_customers", TODAY, {}, 1, 7, 7),
    ("ever_overdue_90_12m_customers", TODAY, {}, 1, 7, 7),
    # L6 34,000 + L7 10,000 - 1,900 of principal recovered
    ("overdue_rate_30_with_written_off", TODAY, {}, 42_100, 123_650, 9),
    ("npl_ratio_with_written_off", TODAY, {}, 42_100, 123_650, 9),
    # written off in May 2026, before the recovery
    ("npl_ratio_with_written_off", JUL, {"family": ("consumer",)}, 10_000, 28_000 + 10_000, 5),
    # L2 550; L5 1,045; L6 13 × 1,100; L3's instalment of the day itself is due, not late
    ("overdue_amount", TODAY, {}, 550 + 1_045 + 14_300, NO_DENOMINATOR, 3),
    # of L2 and L8, whose first instalments fell due from July to September, L8 paid after 36 days
    ("first_payment_default", TODAY, {}, 1, 2, 2),
    # L1, L4, L6, L7 and L11; L7 never paid
    ("first_payment_default", OCT_2025, {}, 1, 5, 5),
    # loss: L6
    ("npl_ratio", TODAY, {}, 34_000, 115_550, 8),
    ("npl_balance", TODAY, {}, 34_000, NO_DENOMINATOR, 1),
    ("recognition_deviation", TODAY, {}, 34_000, 34_000, 1),
    # 1 % of 115,550 + 2 % of (4,550 + 4,000 + 6,000) + 100 % of 34,000
    ("provision", TODAY, {}, 35_446.50, NO_DENOMINATOR, 8),
    # L6 doubtful (289 days): (1 % + 50 %) of 34,000; L12 (restructured) 3 % of 9,000; the rest 1 %
    # of 60,000 +
    # 14,000 + 6,000 + 5,000 + 8,000
    ("provision", JUL, {}, 17_340 + 270 + 930, NO_DENOMINATOR, 7),
    # both substandard in January (108 and 179 days): 26 % of 44,000; the rest 1 % of 90,000 +
    # 20,000 + 7,000 +
    # 8,000 + 15,000 + 2,000
    ("provision", date(2026, 1, 31), {}, 11_440 + 1_420, NO_DENOMINATOR, 8),
    ("coverage", TODAY, {}, 35_446.50, 34_000, 8),
    ("loan_provision_ratio", TODAY, {}, 35_446.50, 115_550, 8),
    # 30 days ran out on 08-01 for C9 (next loan after 18 days) and on 08-09 for C8 (none)
    ("reloan_rate_30", TODAY, {}, 1, 2, 2),
    # C3: settled 2026-03-25, next loan after 21 days; C8: settled 2026-02-25, next loan after 44
    # days, so not
    # within 30
    ("reloan_rate_30", APR, {}, 1, 2, 2),
    # the same two, 90 days: over on 06-23 and 05-26
    ("reloan_rate_90", JUN, {}, 2, 2, 2),
    ("reloan_rate_90", TODAY, {}, 1, 2, 2),
    ("reloan_rate_180", TODAY, {}, 2, 2, 2),
    # C7: settled 2025-10-25, next loan after 87 days
    ("reloan_rate_365", TODAY, {}, 1, 1, 1),
    # C7's 90 days are over on 2026-01-23, its 30 days were over on 2025-11-24 without a loan
    ("reloan_rate_90", date(2026, 1, 31), {}, 1, 1, 1),
    ("reloan_rate_30", DEC_2025, {}, 0, 1, 1),
    # C8: no loan, no deposit, no service
    ("lost_rate", TODAY, {}, 1, 2, 2),
    # C1 6,100, C2 880, C3 470, C4 0, C5 100, C6 400, C7 675, C8 93, C9 150
    ("contribution_interest", TODAY, {}, 8_868, NO_DENOMINATOR, 9),
    # 30.00 + 12.50 of C1; its 100.00 of 2025-10-20 is twelve months old, C10 never borrowed
    ("contribution_fees", TODAY, {}, 42.50, NO_DENOMINATOR, 9),
    # a thousandth of the balance each month: C1 12 × 20, C7 8 × 3, C9 4 × 0.50
    ("contribution_deposits", TODAY, {}, 266, NO_DENOMINATOR, 9),
    ("contribution_gross", TODAY, {}, 8_868 + 42.50 + 266, NO_DENOMINATOR, 9),
    # month-end balances × 0.002, L6 × 0.003: L1 870,000; L2 15,550; L3 202,000; L4 26,000; L5
    # 45,000; L7
    # 60,000; L8 16,000;
    # L9 40,000; L10 56,000; L12 105,000; L13 4,000; L14 9,000: 1,448,550 × 0.002 = 2,897.10; L6
    # 408,000 × 0.003
    # = 1,224
    ("cost_funding", TODAY, {}, 2_897.10 + 1_224, NO_DENOMINATOR, 9),
    # secondary education: C4, C5, C8. L6 in months: 2
    # × special mention
    # 34,000 × 8 % × 55 % ÷ 12 = 124.67; 6 × substandard 701.25; 3 × doubtful 1,168.75; 1 × loss
    # 1,558.33: 9,521.42.
    # L7, 6 × substandard 10,000 × 45 % × 55 % ÷ 12 = 206.25: 1,237.50. L13: 0.92 + 0.46 + special
    # mention 3.67: 5.05
    (
        "cost_expected_loss",
        TODAY,
        {"education": ("secondary",)},
        9_521.42 + 1_237.50 + 5.05,
        NO_DENOMINATOR,
        3,
    ),
    # the others: L1 181.26, L2 21.72, L3 71.26, L4 11.93, L5 68.76, L8 36.21, L9 and L10 12 × 3.67,
    # L12 176.47,
    # L14 4.14
    ("cost_expected_loss", TODAY, {}, 10_763.97 + 615.79, NO_DENOMINATOR, 9),
    # 12 × (12 + 3 + 12 + 4 + 7 + 12 + 6 + 4 + 5 + 7 + 10 + 3 + 6 = 91 loan months) + 1.50 × (12 + 8
    # + 4 deposit
    # months)
    ("cost_operating", TODAY, {}, 1_092 + 36, NO_DENOMINATOR, 9),
    # 9,176.50 - 4,121.10 - 11,379.76 - 1,128.00
    ("contribution_net", TODAY, {}, -7_452.36, NO_DENOMINATOR, 9),
    # C6: interest 400 - 12 × 8,000 × 0.002 - 12 × 3.67 - 12 × 12
    (
        "contribution_net",
        TODAY,
        {"education": ("master",)},
        400 - 192 - 44.04 - 144,
        NO_DENOMINATOR,
        1,
    ),
    ("contribution_net_per_customer", TODAY, {}, -7_452.36, 9, 9),
    # C1 home, consumer, deposits, insurance, card; C9 consumer, deposits; five others one each
    ("products_per_customer", TODAY, {}, 5 + 2 + 5, 7, 7),
    # C1, C9, C10 of ten, with or without a loan
    ("deposit_penetration", TODAY, {}, 3, 10, 10),
    # L4, L9, L11 good, L7 bad
    ("judged_loans", TODAY, {}, 4, NO_DENOMINATOR, 4),
    ("bad_rate", TODAY, {}, 1, 4, 4),
    # L4, L9, L11, L13, L14, L15; only L13 late, by 12 days
    ("settled_loans", TODAY, {}, 6, NO_DENOMINATOR, 6),
    ("settled_loans", TODAY, {"lateness": ("late_30",)}, 1, NO_DENOMINATOR, 1),
    ("settled_loans", DEC_2025, {}, 1, NO_DENOMINATOR, 1),
    # 120,000 + 6,000 + 24,000 + 12,000 + 9,000 + 36,000 + 10,000 + 5,000 + 8,000 + 8,000 + 3,000 +
    # 15,000 +
    # 3,000 + 2,000 + 5,000
    ("lent", TODAY, {}, 266_000, NO_DENOMINATOR, 15),
    # C3, C6, C7 and C9 settled one loan, C8 two
    ("repeat_rate", TODAY, {}, 1, 5, 5),
]


def _case_id(case: tuple) -> str:
    metric, as_of, where, *_ = case
    return "-".join(
        [metric, str(as_of), *(f"{split}={','.join(codes)}" for split, codes in where.items())]
    )


@pytest.mark.parametrize("case", WORKED, ids=_case_id)
def test_the_number_is_the_one_worked_out_by_hand(small_bank: Warehouse, case: tuple) -> None:
    metric, as_of, where, numerator, denominator, n = case
    answer = ask(small_bank, Question(metric, as_of, where=tuple(where.items()))).iloc[0]
    assert answer.numerator == pytest.approx(numerator, abs=0.001)
    assert answer.n == n
    if denominator is NO_DENOMINATOR:
        assert answer.value == pytest.approx(numerator, abs=0.001)
    else:
        assert answer.denominator == pytest.approx(denominator, abs=0.001)
        assert answer.value == pytest.approx(numerator / denominator, abs=1e-12)


def test_every_declared_metric_has_a_number_worked_out_by_hand() -> None:
    assert {case[0] for case in WORKED} == {
        metric.id for metric in METRICS.values() if not metric.retired
    }
