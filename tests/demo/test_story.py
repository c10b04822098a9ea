"""The delivered tables of the demo bank show the planted story."""

import pandas as pd
import pytest

from data import demo
from tests.demo.delivered_bank import AS_OF, SEED, YEAR_BEFORE, DeliveredBank


def test_partner_loans_of_two_quarters_go_bad_in_one_province(bank: DeliveredBank) -> None:
    loans = bank.loan[bank.loan.disbursed_on.between("2025-01-01", "2025-06-30")].set_index(
        "loan_id"
    )
    late = set()
    for at in pd.date_range("2025-03-31", "2026-06-30", freq="ME"):
        positions = bank.loan_positions(at)
        late |= set(
            positions.index[
                (positions.days_past_due > 30)
                & (at <= positions.disbursed_on + pd.DateOffset(months=12))
            ]
        )
    went_bad = pd.Series(loans.index.isin(late), loans.index)
    partner = loans.channel == "partner"
    cangbei = loans.branch_id.str.startswith("03")
    assert (partner & cangbei).sum() > 100
    assert went_bad[partner & cangbei].mean() > 0.45
    assert went_bad[partner & cangbei].mean() > 1.5 * went_bad[partner & ~cangbei].mean()
    assert went_bad[~partner & cangbei].mean() < 0.2


@pytest.mark.parametrize("opening", [1, 3, 12])
def test_every_group_of_grades_improves_and_the_bank_gets_worse(
    bank: DeliveredBank, opening: int
) -> None:
    groups = {"AAA": 1, "AA": 1, "A": 2, "BBB": 2, "BB": 3, "B": 3, "C": 4, "D": 4}
    rates: list[pd.Series] = []
    shares: list[pd.Series] = []
    totals: list[float] = []
    for at in (YEAR_BEFORE, AS_OF):
        positions = bank.loan_positions(at)
        opened = at - pd.DateOffset(months=opening) + pd.offsets.MonthEnd(0)
        group = positions.customer_id.map(bank.grades(opened).map(groups))
        late = positions.balance * (positions.days_past_due > 30)
        rates.append(late.groupby(group).sum() / positions.balance.groupby(group).sum())
        shares.append(positions.balance.groupby(group).sum() / positions.balance.sum())
        totals.append(late.sum() / positions.balance.sum())
    assert (rates[1] < rates[0]).all()
    assert totals[1] > totals[0] + 0.0005
    assert shares[1][3] > shares[0][3] + 0.10
    mix = ((shares[1] - shares[0]) * (rates[0] + rates[1]) / 2).sum()
    assert mix > 0.002


def test_the_win_back_campaign_doubles_reloans_of_three_months(bank: DeliveredBank) -> None:
    settled = bank.settlements()
    again = settled.again.groupby(settled.closed_on.dt.to_period("M")).mean()
    campaign = again["2026-03":"2026-05"]
    usual = again["2024-01":"2026-02"]
    assert 0.2 < usual.mean() < 0.33
    assert campaign.mean() > 1.7 * usual.mean()
    assert campaign.min() > usual.max()
    called = bank.action[
        (bank.action.kind == "win_back") & bank.action.done_on.between("2026-04-01", "2026-06-30")
    ]
    assert len(called) > 0.4 * (bank.action.kind == "win_back").sum()


def test_hidden_customers_behave_against_their_grade(bank: DeliveredBank) -> None:
    good, bad = demo.hidden_misgraded(20_000, SEED)
    opening = bank.loan_positions(YEAR_BEFORE).groupby("customer_id").days_past_due.max()
    later = pd.concat(
        [bank.loan_positions(at) for at in pd.date_range("2025-11-30", AS_OF, freq="ME")]
    )
    worst = (
        later.groupby("customer_id")
        .days_past_due.max()
        .reindex(opening[opening == 0].index)
        .dropna()
    )
    grade = bank.grades(YEAR_BEFORE).reindex(worst.index)
    late = worst > 30
    high = grade.isin(["AAA", "AA", "A", "BBB"])
    low = grade.isin(["BB", "B", "C", "D"])
    is_good = worst.index.isin(good)
    is_bad = worst.index.isin(bad)
    assert (is_bad & high).sum() > 50
    assert (is_good & low).sum() > 50
    assert late[is_bad & high].mean() > 5 * late[~is_bad & high].mean()
    assert late[is_good & low].mean() < late[~is_good & low].mean() / 5


def test_one_provincial_branch_misses_its_targets_and_the_others_do_not(
    bank: DeliveredBank,
) -> None:
    positions = bank.loan_positions(AS_OF)
    province = positions.branch_id.str[:2]
    late = (positions.balance * (positions.days_past_due > 30)).groupby(
        province
    ).sum() / positions.balance.groupby(province).sum()
    target = bank.target[(bank.target.as_of == AS_OF) & (bank.target.branch_id != "00")]
    target = target.set_index(["metric", "branch_id"])
    overdue = target.loc["overdue_rate_30"]
    assert list(late[late > overdue.value].index) == ["06"]
    assert late["06"] > overdue.red_line["06"]
    settled = bank.settlements()
    settled = settled[settled.closed_on.between("2025-08-01", "2026-07-31")]
    again = settled.again.groupby(settled.branch_id.str[:2]).mean()
    reloan = target.loc["reloan_rate_90"]
    assert list(again[again < reloan.value].index) == ["06"]
    home = bank.customer.groupby("customer_id").branch_id.first().str[:2]
    customers = (
        positions[positions.balance > 0]
        .drop_duplicates("customer_id")
        .customer_id.map(home)
        .value_counts()
        .sort_index()
    )
    assert list(customers.index[customers < target.loc["customers"].value]) == ["06"]


def test_one_manager_leaves_warnings_unhandled(bank: DeliveredBank) -> None:
    manager = bank.customer.groupby("customer_id").manager_id.first()
    recent = bank.signal[bank.signal.raised_on > YEAR_BEFORE]
    silent = recent[recent.handled_on.isna()].customer_id.map(manager).value_counts()
    raised = recent.customer_id.map(manager).value_counts()
    assert silent.index[0] == "M00001"
    assert silent.iloc[0] > 2.5 * silent.iloc[1]
    assert silent.iloc[0] / raised["M00001"] > 0.85
