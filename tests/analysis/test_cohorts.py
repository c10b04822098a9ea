"""Vintage, first-payment default and reloan curve of the small bank by hand; the forecast."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.analysis.cohorts import (
    CohortQuery,
    count_rows,
    first_payment,
    list_rows,
    vintage,
)
from analytics.analysis.forecast import forecast
from analytics.analysis.migration import MigrationQuery, matrix
from analytics.analysis.reloan_curve import curve, survival_curve
from analytics.marts.build import build
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import load

REAL = Path(__file__).parents[3] / "shared" / "real"
LAST = date(2026, 10, 31)
ASKED = Question("loans", LAST)


@pytest.fixture(scope="module")
def bank(demo_home: Path) -> Iterator[Warehouse]:
    bank = Warehouse(demo_home, verify="fingerprint")
    yield bank
    bank.close()


def cohort_of(result: pd.DataFrame, year: int) -> pd.DataFrame:
    return result[result["cohort"] == pd.Timestamp(year, 1, 1)].set_index("month")


# Lent in 2025: L1 120,000, L3 24,000, L4 12,000, L6 36,000, L7 10,000, L9 8,000, L11 3,000 =
# 213,000 in 7 loans;
# the youngest, L9 of October, has been on book for 12 months.
# Over 30 days late at a month end: L7 from 2025-09-30 (56 days, month 2), L6 from 2025-11-30 (46
# days, month 4,
# 34,000 owed), L3 at 2026-03-31 only (31 days, month 6, 20,000 owed).
@pytest.mark.parametrize(
    ("month", "loans", "owed"),
    [
        (1, 0, 0),
        (2, 1, 10_000),
        (3, 1, 10_000),
        (4, 2, 44_000),
        (5, 2, 44_000),
        (6, 3, 64_000),
        (12, 3, 64_000),
    ],
)
def test_vintage_ever_counts_loans_late_at_any_month_end(
    small_bank: Warehouse, month: int, loans: int, owed: int
) -> None:
    row = cohort_of(vintage(small_bank, ASKED, period="year"), 2025).loc[month]
    assert (row["n"], row["denominator"]) == (7, 213_000)
    assert (row["numerator_loans"], row["numerator"]) == (loans, owed)
    assert row["value"] == pytest.approx(owed / 213_000)


# L3 paid in April 2026 (month 7); L7, written off in May 2026 (month 10), stays with what is owed
# of it
@pytest.mark.parametrize(
    ("month", "loans", "owed"), [(6, 3, 64_000), (7, 2, 44_000), (12, 2, 44_000)]
)
def test_vintage_now_drops_cured_loans_and_includes_written_off_loans(
    small_bank: Warehouse, month: int, loans: int, owed: int
) -> None:
    row = cohort_of(vintage(small_bank, ASKED, late="now", period="year"), 2025).loc[month]
    assert (row["numerator_loans"], row["numerator"]) == (loans, owed)


def test_a_cohort_goes_as_far_as_its_youngest_loan(small_bank: Warehouse) -> None:
    result = vintage(small_bank, ASKED, period="year")
    # 2025: the youngest of October 2025, 12 months; 2026: L2 of August 2026, 2 months
    assert result.groupby("cohort")["month"].max().to_list() == [12, 2]


def test_vintage_by_a_split_adds_up_to_the_whole(small_bank: Warehouse) -> None:
    whole = cohort_of(vintage(small_bank, ASKED, period="year"), 2025).loc[6]
    parts = vintage(small_bank, ASKED.with_changes(by=("product",)), period="year")
    parts = parts[(parts["cohort"] == pd.Timestamp(2025, 1, 1))]
    # every loan of the cohort is in one part; a part goes as far as its own youngest loan
    at = parts[parts["month"] == 6]
    assert (at["n"].sum(), at["numerator"].sum()) == (whole["n"], whole["numerator"])


def test_first_payment_default_by_cohort(small_bank: Warehouse) -> None:
    result = first_payment(small_bank, ASKED, "year").set_index(["cohort"])
    # 2025: of seven judged only L7 missed its first instalment by over 30 days.
    # 2026: L8 missed; L10 is due in 2027 and not judged: 7 of 8
    actual = result[["numerator", "n", "loans"]].to_numpy().tolist()
    assert actual == [[1, 7, 7], [1, 7, 8]]


def test_the_reloan_curve_of_the_small_bank(small_bank: Warehouse) -> None:
    points = curve(small_bank, ASKED).points.set_index("days")["value"]
    # settled: C9 back after 18 days, C3 after 21, C8 after 44 and once never (113 days by then), C7
    # after 87
    assert points.to_dict() == pytest.approx({0: 0, 18: 0.2, 21: 0.4, 44: 0.6, 87: 0.8})


def test_the_curve_says_nothing_of_fewer_than_thirty(small_bank: Warehouse) -> None:
    row = curve(small_bank, ASKED).summary.iloc[0]
    assert (row["n"], row["back"]) == (5, 4)
    assert np.isnan(row["value_30"])


def test_the_curve_is_the_daily_product_limit_estimate(bank: Warehouse) -> None:
    spells = bank.query(
        "select settled_on, next_disbursed_on from settlement "
        "where settled_on > date '2025-06-30' and settled_on <= $until",
        None,
        until=LAST,
    )
    days = (spells["next_disbursed_on"] - spells["settled_on"]).dt.days
    cut = (pd.Timestamp(LAST) - spells["settled_on"]).dt.days
    back = days.notna() & (days <= cut)
    actual = curve(bank, ASKED).summary.iloc[0]
    assert (actual["n"], actual["back"]) == (len(spells), int(back.sum()))
    risk = len(spells)
    alive = 1.0
    ends = pd.DataFrame({"day": days.where(back, cut), "back": back}).sort_values("day")
    for _, same in ends[ends["day"] <= 90].groupby("day"):
        alive *= 1 - same["back"].sum() / risk
        risk -= len(same)
    assert actual["value_90"] == pytest.approx(1 - alive)


def test_the_curve_agrees_with_the_fixed_window_without_censoring() -> None:
    # eighty settled, nobody cut off before day 90: Kaplan-Meier of day 90 is the plain share, 36 of
    # 80
    days = np.array([10] * 16 + [60] * 20 + [120] * 24 + [200] * 20)
    back = np.array([1] * 60 + [0] * 20)
    _, line = survival_curve(days, back)
    assert line["value_90"] == pytest.approx(36 / 80)


# The loans of 2025 over 30 days late: L7 from month 2, L6 from month 4, L3 at month 6 only (see
# above)
@pytest.mark.parametrize(
    ("late", "month", "loans"),
    [
        ("ever", 1, set()),
        ("ever", 4, {"L6", "L7"}),
        ("ever", 7, {"L3", "L6", "L7"}),
        ("now", 7, {"L6", "L7"}),
    ],
)
def test_a_point_of_the_vintage_opens_the_loans_that_were_late(
    small_bank: Warehouse, late: str, month: int, loans: set[str]
) -> None:
    narrowed = CohortQuery(ASKED, "vintage", 30, late, "year")
    cell = {"cohort": "2025-01-01", "month": str(month)}
    assert set(list_rows(small_bank, narrowed, cell)["loan_id"]) == loans
    assert count_rows(small_bank, narrowed, cell) == len(loans)


def test_the_first_payments_of_a_cohort_open_as_lists(small_bank: Warehouse) -> None:
    narrowed = CohortQuery(ASKED, "first", period="year")
    cell = {"cohort": "2026-01-01"}
    # 8 lent, 7 judged, L8 missed
    assert [count_rows(small_bank, narrowed, cell | more) for more in ({}, {"judged": "yes"})] == [
        8,
        7,
    ]
    assert list(list_rows(small_bank, narrowed, cell | {"judged": "missed"})["loan_id"]) == ["L8"]


@settings(max_examples=25, deadline=None)
@given(
    by=st.sampled_from([(), ("channel",), ("education",), ("class",)]),
    late=st.sampled_from(["ever", "now"]),
    days=st.sampled_from([0, 30]),
    period=st.sampled_from(["month", "quarter", "year"]),
    data=st.data(),
)
def test_any_cell_of_a_cohort_opens_exactly_its_loans(
    demo_home: Path, by: tuple[str, ...], late: str, days: int, period: str, data: st.DataObject
) -> None:
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        question = ASKED.with_changes(by=by)
        result = vintage(bank, question, days, late, period)
        row = result.iloc[data.draw(st.integers(0, len(result) - 1))]
        cell = {"cohort": str(row["cohort"])[:10], "part": row["part"]}
        narrowed = CohortQuery(question, "vintage", days, late, period)
        assert count_rows(bank, narrowed, cell) == row["n"]
        late_ones = cell | {"month": str(row["month"])}
        assert count_rows(bank, narrowed, late_ones) == row["numerator_loans"]
        assert (
            list_rows(bank, narrowed, late_ones, limit=10**6)["loan_id"].nunique()
            == row["numerator_loans"]
        )
        firsts = first_payment(bank, question, period)
        row = firsts.iloc[data.draw(st.integers(0, len(firsts) - 1))]
        cell = {"cohort": str(row["cohort"])[:10], "part": row["part"]}
        narrowed = CohortQuery(question, "first", period=period)
        actual = [
            count_rows(bank, narrowed, cell | more)
            for more in ({}, {"judged": "yes"}, {"judged": "missed"})
        ]
        assert actual == [row["loans"], row["n"], row["numerator"]]
    finally:
        bank.close()


def test_a_curve_opens_into_its_settlements(bank: Warehouse) -> None:
    narrowed = CohortQuery(ASKED.with_changes("customers", by=("class",)), "curve")
    for row in curve(bank, narrowed.question).summary.to_dict("records"):
        assert count_rows(bank, narrowed, {"part": row["part"]}) == row["n"]
        back = list_rows(bank, narrowed, {"part": row["part"], "back": "yes"}, limit=10**6)
        assert len(back) == row["back"]
        assert back["next_disbursed_on"].notna().all()


def test_a_forecast_is_the_pooled_matrix_of_twelve_months_applied_three_times(
    bank: Warehouse,
) -> None:
    question = Question("customers", LAST)
    codes = [*"ABCD", "unrated"]
    opening, moved, joined = np.zeros(5), np.zeros((5, 5)), np.zeros(5)
    for back in range(12):
        at, before = month_end(LAST, -back), month_end(LAST, -back - 1)
        result = matrix(bank, MigrationQuery(question.with_changes(as_of=at), before))
        counts = result.pivot_table(index="before", columns="after", values="n", fill_value=0)
        cells = counts.reindex(index=codes, columns=codes, fill_value=0).to_numpy()
        opening += counts.sum(axis=1).reindex(codes, fill_value=0).to_numpy()
        moved += cells
        joined += counts.loc["joined"].reindex(codes, fill_value=0).to_numpy() / 12
    stock = cells_of_today(bank, codes)
    for _ in range(3):
        stock = stock @ (moved / np.where(opening > 0, opening, 1)[:, None]) + joined
    ahead = forecast(bank, question).ahead
    actual = ahead[ahead["horizon"] == 3].set_index("state")["share"]
    assert actual.to_dict() == pytest.approx(dict(zip(codes, stock / stock.sum(), strict=True)))


def cells_of_today(bank: Warehouse, codes: list[str]) -> np.ndarray:
    counts = ask(bank, Question("customers", LAST, by=("class",), opening=0)).set_index("class")[
        "n"
    ]
    return counts.reindex(codes, fill_value=0).to_numpy(dtype=float)


@pytest.fixture(scope="module")
def superlender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    if not REAL.exists():
        pytest.skip("../shared/real is not there")
    home = tmp_path_factory.mktemp("superlender")
    load(REAL / "superlender", "superlender", home, build_marts=build)
    bank = Warehouse(home, verify="fingerprint")
    yield bank
    bank.close()


@pytest.mark.parametrize("split", ["education", "account_type"])
def test_superlenders_cohorts_and_curves_contain_every_loan_and_settlement(
    superlender: Warehouse, split: str
) -> None:
    question = Question("loans", date(2017, 7, 31), by=(split,))
    result = vintage(superlender, question)
    # 18,183 earlier and 4,368 current loans, each in one cohort and one part
    assert result[result["month"] == 0]["n"].sum() == 18_183 + 4_368
    actual = curve(superlender, question.with_changes("customers")).summary.set_index("part")
    assert actual.loc["all", "n"] == actual["n"].drop("all").sum() > 15_000
    assert (actual["back"] <= actual["n"]).all()
    assert actual.loc[actual["n_90"] < 30, "value_90"].isna().all()


@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not there")
def test_the_reloan_curve_is_refused_for_a_bank_of_snapshots(tmp_path: Path) -> None:
    load(REAL / "ondeck", "ondeck", tmp_path / "home", build_marts=build)
    bank = Warehouse(tmp_path / "home", verify="fingerprint")
    with pytest.raises(UserError, match="snapshots only"):
        curve(bank, Question("customers", date(2012, 11, 30)))
    bank.close()


def test_a_forecast_starts_from_the_stock_of_today(bank: Warehouse) -> None:
    result = forecast(bank, Question("customers", LAST))
    counts = ask(bank, Question("customers", LAST, by=("class",), opening=0)).set_index("class")[
        "n"
    ]
    now = result.ahead[result.ahead["horizon"] == 3].set_index("state")["share_now"]
    for code, share in now.items():
        assert share == pytest.approx(counts[code] / counts.sum())
    for _, actual in result.ahead.groupby("horizon"):
        assert actual["share"].sum() == pytest.approx(1)
        assert (actual["low"] <= actual["high"]).all()


def test_the_back_test_uses_only_the_data_of_its_day(bank: Warehouse) -> None:
    early, late = date(2026, 7, 31), LAST
    # the forecast of July over three months, made now for the test, is the one that July itself
    # made
    months_ahead = forecast(bank, Question("customers", early)).ahead
    shares = months_ahead[months_ahead["horizon"] == 3].set_index("state")["share"]
    came = ask(bank, Question("customers", late, by=("class",), opening=0)).set_index("class")["n"]
    error = (shares - came / came.sum()).abs().mean()
    tests = forecast(bank, Question("customers", late)).tests.set_index("horizon")
    assert tests.loc[3, "forecasts"] > 3
    assert 0 < tests.loc[3, "error"] < 1
    assert error < 0.2
    assert tests.loc[3, "beats"] == (tests.loc[3, "error"] < tests.loc[3, "error_naive"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda bank: forecast(bank, Question("customers", date(2025, 9, 30))),
            "needs 4 month ends; there are 3",
        ),
        (lambda bank: forecast(bank, ASKED, "branch"), "by class, bucket"),
        (lambda bank: vintage(bank, ASKED, 45), "days has no value 45"),
        (
            lambda bank: vintage(bank, ASKED.with_changes(by=("product", "channel"))),
            "at most one split",
        ),
        (lambda bank: vintage(bank, ASKED.with_changes(by=("bucket",))), "changes month by month"),
        (
            lambda bank: curve(bank, ASKED.with_changes(by=("product",))),
            "may not honestly be split",
        ),
        (
            lambda bank: count_rows(bank, CohortQuery(ASKED), {"cohort": "2025Q3"}),
            "named by its first day",
        ),
        (
            lambda bank: count_rows(
                bank, CohortQuery(ASKED), {"cohort": "2025-07-01", "month": "six"}
            ),
            "is a number",
        ),
        (lambda bank: count_rows(bank, CohortQuery(ASKED), {"judged": "yes"}), "no 'judged'"),
        (
            lambda bank: count_rows(bank, CohortQuery(ASKED, "first"), {"judged": "perhaps"}),
            "no value 'perhaps'",
        ),
        (lambda bank: count_rows(bank, CohortQuery(ASKED, "shoes"), {}), "no value 'shoes'"),
    ],
)
def test_an_unknown_option_of_a_cohort_is_refused_by_name(
    bank: Warehouse, call: Callable[[Warehouse], object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        call(bank)
