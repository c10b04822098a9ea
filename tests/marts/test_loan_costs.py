"""Costs of loans, on arrays worked out by hand."""

import duckdb
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.marts.columns import MaskedArray, money, nulls, number
from analytics.marts.loan_costs import ClassValues, costs, product_bits, round_to_fen


def fen(*values: int) -> MaskedArray:
    return money(np.array(values, np.int64))


def test_a_loan_costs_what_its_class_and_the_assumptions_imply() -> None:
    values = ClassValues(np.array([0, 1.0]), np.array([0.02, 0.5]), np.array([0.01, 0.25]))
    rates = {
        "funding_rate": 0.03,
        "lgd_secured": 0.2,
        "lgd_unsecured": 0.6,
        "operating_cost_loan": 12.5,
    }
    loans = {"balance": fen(120_000, 120_000, 0), "funding_rate": nulls(3)}
    is_secured = np.array([True, False, False])
    columns = costs(loans, np.array([0, 1, 1]), values, is_secured, rates)
    # 1,200 × 1 % = 12; × 25 % = 300
    assert columns["provision"].values.tolist() == [1_200, 30_000, 0]
    # 1,200 × 3 % / 12 = 3
    assert columns["funding_cost"].values.tolist() == [300, 300, 0]
    # 1,200 × 2 % × 0.2 / 12 = 0.40; 1,200 × 50 % × 0.6 / 12 = 30
    assert columns["expected_loss"].values.tolist() == [40, 3_000, 0]
    assert columns["operating_cost"].values.tolist() == [1_250, 1_250, 0]
    # without a balance a loan is neither performing nor non-performing
    assert columns["is_npl"].values[:2].tolist() == [False, True]
    assert columns["is_npl"].is_valid.tolist() == [True, True, False]


def test_a_loan_without_a_balance_counts_for_no_product_family() -> None:
    loans = {"balance": fen(1, 0), "product_key": number(np.array([2, 2]))}
    # product 2 is of family 3: the fourth bit
    assert product_bits(loans, np.array([0, 0, 3])).values.tolist() == [8, 0]


def test_half_a_fen_is_rounded_up() -> None:
    amounts = np.array([0.005, 0.0049, 1.115, 2.675])
    assert round_to_fen(amounts).tolist() == [1, 0, 112, 268]


@given(st.integers(0, 10**11), st.integers(0, 4_000))
def test_amounts_are_rounded_as_a_query_rounds_them(balance: int, rate: int) -> None:
    amount = balance / 100 * (rate / 10_000) / 12
    [by_query] = duckdb.execute(
        "select (round($a + 5e-10, 2)::decimal(15, 2) * 100)::bigint", {"a": amount}
    ).fetchall()
    assert round_to_fen(np.array([amount])).tolist() == list(by_query)
