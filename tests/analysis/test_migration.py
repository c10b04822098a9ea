"""Moves between two dates: the small bank by hand, invariants, ondeck's published matrix."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.analysis.migration import (
    EXITS,
    TERMS,
    MigrationQuery,
    count_rows,
    five_category_rates,
    list_rows,
    matrix,
    overdue_rollforward,
)
from analytics.analysis.roll_rates import roll_matrix, stock_roll_rates
from analytics.marts.build import build
from analytics.metrics.buckets import bucket_set_named
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import load
from tests.support.deliveries import write

Filters = tuple[tuple[str, tuple[str, ...]], ...]


REAL = Path(__file__).parents[3] / "shared" / "real"
OCT = date(2025, 10, 31)
NOV = date(2025, 11, 30)
MAR = date(2026, 3, 31)
APR = date(2026, 4, 30)
MAY = date(2026, 5, 31)
LAST = date(2026, 10, 31)
MONTHS = [date(2025, 8, 31), OCT, NOV, date(2026, 2, 28), APR, MAY, LAST]
PAIRS = [(a, b) for a in MONTHS for b in MONTHS if a < b]


@pytest.fixture(scope="module")
def bank(demo_home: Path) -> Iterator[Warehouse]:
    bank = Warehouse(demo_home, verify="fingerprint")
    yield bank
    bank.close()


@pytest.mark.parametrize(
    ("before", "after", "opening", "closing", "terms"),
    [
        # L6's instalment of 2025-10-15 is 46 days late in November; L7 stays late
        (OCT, NOV, 10_000, 44_000, {"rolled_in": (1, 34_000), "stayed": (1, 0)}),
        # L3 (20,000) paid on 2026-04-20; L6 and L7 stay
        (MAR, APR, 64_000, 44_000, {"cured": (1, -20_000), "stayed": (2, 0)}),
        # L7 (10,000) written off on 2026-05-20
        (APR, MAY, 44_000, 34_000, {"written_off": (1, -10_000), "stayed": (1, 0)}),
        # from October to October: L7 written off, L6 rolled in
        (OCT, LAST, 10_000, 34_000, {"rolled_in": (1, 34_000), "written_off": (1, -10_000)}),
    ],
)
def test_the_money_bridge_of_the_small_bank(
    small_bank: Warehouse,
    before: date,
    after: date,
    opening: int,
    closing: int,
    terms: dict[str, tuple[int, int]],
) -> None:
    result = overdue_rollforward(small_bank, MigrationQuery(Question("loans", after), before))
    assert (result.opening, result.closing, result.residual) == (opening, closing, 0)
    values = {
        row["term"]: (row["loans"], row["amount"])
        for row in result.terms.to_dict("records")
        if row["loans"]
    }
    assert values == terms


@settings(max_examples=20, deadline=None)
@given(
    pair=st.sampled_from(PAIRS),
    days=st.sampled_from([0, 30, 60, 90]),
    where=st.sampled_from(
        [
            (),
            (("age_band", ("from_25", "from_35")),),
            (("class", ("C", "D")),),
            (("product", ("CS2",)),),
        ]
    ),
)
def test_the_money_bridge_leaves_no_fen_and_each_term_opens_its_loans(
    demo_home: Path, pair: tuple[date, date], days: int, where: Filters
) -> None:
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        narrowed = MigrationQuery(
            Question("loans", pair[1], where=where), pair[0], "late", days=days
        )
        result = overdue_rollforward(bank, narrowed)
        assert result.residual == Decimal(0)
        for row in result.terms.to_dict("records"):
            assert count_rows(bank, narrowed, {"term": row["term"]}) == row["loans"]
        opening = list_rows(bank, narrowed, {"term": "opening"}, limit=10**6)
        assert len(opening) == result.loans_before
        assert float(opening["balance_before"].sum()) == pytest.approx(
            float(result.opening), abs=0.01
        )
    finally:
        bank.close()


@settings(max_examples=15, deadline=None)
@given(
    pair=st.sampled_from(PAIRS),
    scheme=st.sampled_from(["abcd", "loan_five", "consumer_five", "rating"]),
    where=st.sampled_from([(), (("branch_1", ("01", "03")),), (("payroll", ("yes",)),)]),
)
def test_rows_of_the_matrix_are_the_opening_and_columns_the_closing_counts(
    demo_home: Path, pair: tuple[date, date], scheme: str, where: Filters
) -> None:
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        question = Question(
            "loans" if scheme == "loan_five" else "customers", pair[1], where=where, scheme=scheme
        )
        result = matrix(bank, MigrationQuery(question, pair[0]))
        narrowed = question.with_changes(by=("class",), opening=0)
        sides = (("before", pair[0], ("joined", "moved_in")), ("after", pair[1], EXITS))
        for side, day, outside in sides:
            values = result[~result[side].isin(outside)].groupby(side)["n"].sum().to_dict()
            counts = ask(bank, narrowed.with_changes(as_of=day))
            assert values == dict(zip(counts["class"], counts["n"], strict=True))
            money = ask(bank, narrowed.with_changes("balance", as_of=day, by=()))["value"].iloc[0]
            column = "balance_before" if side == "before" else "balance"
            assert result[column].sum() == pytest.approx(money, abs=0.05)
    finally:
        bank.close()


def test_a_cell_of_the_matrix_opens_exactly_its_customers(bank: Warehouse) -> None:
    narrowed = MigrationQuery(Question("customers", LAST), APR)
    for row in matrix(bank, narrowed).to_dict("records"):
        cell = {"before": row["before"], "after": row["after"]}
        assert count_rows(bank, narrowed, cell) == row["n"]
        lines = list_rows(bank, narrowed, cell, limit=10**6)
        assert lines["customer_id"].nunique() == row["n"]
        assert float(lines["balance"].sum()) == pytest.approx(row["balance"], abs=0.01)


def test_the_migration_rates_of_the_small_bank(small_bank: Warehouse) -> None:
    # 2025-10-31: L6 34,000 (16 days) and L7 10,000 (87 days) special mention; L1 105,000, L3
    # 23,000, L4 10,000 and
    # L9 8,000 normal. A month later L7, 117 days, is substandard; L1 has paid 5,000, L3 1,000 and
    # L4 1,000
    result = five_category_rates(small_bank, Question("loans", NOV), OCT).set_index("rate")
    values = {
        rate: tuple(result.loc[rate, ["n", "opening", "decrease", "numerator", "denominator"]])
        for rate in ("normal_loans", "normal", "special_mention")
    }
    assert values == {
        "normal_loans": (6, 190_000, 7_000, 10_000, 183_000),
        "normal": (4, 146_000, 7_000, 0, 139_000),
        "special_mention": (2, 44_000, 0, 10_000, 44_000),
    }
    assert result.loc["special_mention", "value"] == pytest.approx(10 / 44)
    assert result.loc["substandard", "n"] == 0


def test_the_n_of_a_migration_rate_opens_the_loans_of_its_opening_classes(bank: Warehouse) -> None:
    narrowed = MigrationQuery(Question("loans", LAST, scheme="loan_five"), APR)
    for row in five_category_rates(bank, narrowed.question, APR).to_dict("records"):
        assert count_rows(bank, narrowed, {"rate": row["rate"]}) == row["n"]
        lines = list_rows(bank, narrowed, {"rate": row["rate"]}, limit=10**6)
        assert lines["loan_id"].nunique() == row["n"]
        assert float(lines["balance_before"].sum()) == pytest.approx(row["opening"], abs=0.01)


def test_the_stock_roll_rate_is_the_next_bucket_now_by_this_one_a_month_ago(
    bank: Warehouse,
) -> None:
    result = stock_roll_rates(bank, Question("loans", LAST), 3)
    stocks = {
        day: ask(bank, Question("balance", day, by=("bucket",))).set_index("bucket")["value"]
        for day in (date(2026, 9, 30), LAST)
    }
    row = result[(result["as_of"] == "2026-10-31") & (result["bucket"] == "m0")].iloc[0]
    assert row["value"] == pytest.approx(stocks[LAST]["m1"] / stocks[date(2026, 9, 30)]["m0"])


@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not there")
def test_the_published_roll_matrix_of_ondeck(tmp_path: Path) -> None:
    load(REAL / "ondeck", "ondeck", tmp_path / "home", build_marts=build)
    bank = Warehouse(tmp_path / "home", verify="fingerprint")
    result = roll_matrix(bank, Question("loans", date(2012, 11, 30)), date(2012, 10, 31), "short")
    # 474 loans, of which five have no balance in the one column of balances that is published
    assert result["n"].sum() == 469
    shares = result.set_index(["before", "after"])["share"].round(2)
    # rows 1–5, 5–10, 10–30, 30–60, 60+ of the published matrix, as far as printed
    published = {
        "d1_4": {"d0": 0.21, "d1_4": 0.41, "d5_9": 0.12, "d10_29": 0.25},
        "d5_9": {"d0": 0.06, "d1_4": 0.03, "d5_9": 0.38, "d10_29": 0.53},
        "d10_29": {"d0": 0.08, "d5_9": 0.02, "d10_29": 0.38, "d30_59": 0.53},
        # published .06 and .15: one and four loans without a balance that are no longer late;
        # tests/ingest/test_sources.py holds the matrix with them
        "d30_59": {"d0": 0.05, "d30_59": 0.47, "d60_up": 0.48},
        "d60_up": {"d0": 0.08, "d60_up": 0.92},
    }
    assert {row: shares[row].to_dict() for row in published} == published
    bank.close()


@pytest.mark.parametrize("buckets", ["months", "standard", "short"])
@pytest.mark.parametrize("pair", [(OCT, NOV), (APR, LAST)])
def test_rows_and_columns_of_the_roll_matrix_are_the_loans_by_bucket_of_each_day(
    bank: Warehouse, pair: tuple[date, date], buckets: str
) -> None:
    before, after = pair
    result = roll_matrix(bank, Question("loans", after), before, buckets)
    state = bucket_set_named(buckets).sql
    for side, day, outside in (("before", before, ("joined",)), ("after", after, EXITS)):
        values = result[~result[side].isin(outside)].groupby(side)["n"].sum().to_dict()
        counts = bank.query(
            f"select {state} as bucket, count(*) as n from loan_month as fact "
            "where as_of = $day and balance > 0 group by 1",
            day=day,
        )
        assert values == dict(zip(counts["bucket"], counts["n"], strict=True))
    query = MigrationQuery(Question("loans", after), before, "bucket", buckets)
    for row in result.to_dict("records"):
        assert (
            count_rows(bank, query, {name: row[name] for name in ("before", "after")}) == row["n"]
        )


def test_a_loan_without_a_balance_is_in_no_bucket(tmp_path: Path) -> None:
    # 29 Feb: L1 100 and 0 days, L2 60 and 18 days, L3 nothing and 20 days. 31 Mar: L1 80 and 35
    # days, L2 nothing and 49 days, L3 40 and 51 days, L4 lent in March. So L1 m0 to m2, L2 m1 to
    # settled, L3 and L4 had no balance at the opening
    folder = write(
        tmp_path / "delivery",
        loan="loan_id,customer_id,principal,disbursed_on\n"
        + "".join(f"L{n},C1,100.00,2024-01-10\n" for n in (1, 2, 3))
        + "L4,C2,100.00,2024-03-10\n",
        loan_snapshot="as_of,loan_id,balance,days_past_due\n"
        "2024-02-29,L1,100.00,0\n2024-02-29,L2,60.00,18\n2024-02-29,L3,0.00,20\n"
        "2024-03-31,L1,80.00,35\n2024-03-31,L2,0.00,49\n2024-03-31,L3,40.00,51\n"
        "2024-03-31,L4,100.00,0\n",
    )
    load(folder, "contract", tmp_path / "home", build_marts=build, as_of=date(2024, 3, 31))
    bank = Warehouse(tmp_path / "home")
    before, after = date(2024, 2, 29), date(2024, 3, 31)
    result = roll_matrix(bank, Question("loans", after), before)
    moves = result.set_index(["before", "after"])["n"].to_dict()
    expected = {
        ("m0", "m2"): 1,
        ("m1", "settled"): 1,
        ("joined", "m2"): 1,
        ("joined", "m0"): 1,
    }
    loans = ask(bank, Question("loans", after))["value"].iloc[0]
    rates = stock_roll_rates(bank, Question("loans", after), 1).set_index("bucket")
    bank.close()
    assert moves == expected
    assert loans == 3
    # m1 of February: L2 alone, 60.00; m2 of March: L1 80.00 + L3 40.00
    assert tuple(rates.loc["m1", ["n", "denominator", "numerator"]]) == (1, 60, 120)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda bank: matrix(bank, MigrationQuery(Question("loans", OCT), LAST)),
            "must lie before",
        ),
        (
            lambda bank: roll_matrix(bank, Question("loans", LAST), OCT, "weeks"),
            "no set of buckets",
        ),
        (
            lambda bank: stock_roll_rates(bank, Question("loans", LAST), 3, "short"),
            "not one month wide",
        ),
        (
            lambda bank: overdue_rollforward(
                bank, MigrationQuery(Question("loans", LAST), OCT, days=45)
            ),
            "0, 30, 60 or 90",
        ),
        (
            lambda bank: count_rows(
                bank, MigrationQuery(Question("loans", LAST), OCT), {"term": "lost"}
            ),
            "no term 'lost'",
        ),
        (
            lambda bank: count_rows(
                bank, MigrationQuery(Question("loans", LAST), OCT), {"colour": "red"}
            ),
            "no 'colour'",
        ),
    ],
)
def test_an_unknown_option_is_refused_by_name(
    bank: Warehouse, call: Callable[[Warehouse], object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        call(bank)


def test_every_term_is_listed_even_when_nothing_moved(bank: Warehouse) -> None:
    result = overdue_rollforward(bank, MigrationQuery(Question("loans", LAST), APR))
    assert list(result.terms["term"]) == list(TERMS)
