"""Values of customers in memory: put in their places, spread over all, read back by a query."""

import datetime as dt
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from analytics.marts.columns import (
    ActiveLoans,
    CustomerIndex,
    MaskedArray,
    columns,
    dates,
    money,
    number,
    to_arrow_table,
)

ANSWER = """
select * from (
    values
        (7, 12.34::decimal(15, 2), date '2026-02-28', true, 'east', 'gold'::enum('silver', 'gold')),
        (3, null, null, null, null, null),
        (5, -0.01, date '1969-12-31', false, 'west', 'silver')
) as t (customer_key, amount, day, flag, word, grade)
"""


@pytest.fixture
def root():
    root = duckdb.connect()
    # As a workshop hands out money.
    root.execute("set arrow_output_version='1.5'")
    return root


def answer(root, sql: str) -> pa.Table:
    return root.sql(sql).to_arrow_table()


def rows(root, table: pa.Table) -> list[tuple]:
    root.register("given", table)
    return root.sql(
        "select customer_key, amount, day, flag, word, grade from given order by customer_key"
    ).fetchall()


def kept(roster: CustomerIndex) -> pa.Table:
    return to_arrow_table({"customer_key": number(roster.keys), **roster.columns})


def test_what_is_put_is_read_back_value_by_value_and_null_by_null(root):
    roster = CustomerIndex(9)
    roster.put(answer(root, ANSWER))
    assert rows(root, kept(roster)) == [
        (3, None, None, None, None, None),
        (5, Decimal("-0.01"), dt.date(1969, 12, 31), False, "west", "silver"),
        (7, Decimal("12.34"), dt.date(2026, 2, 28), True, "east", "gold"),
    ]


def test_a_later_answer_replaces_the_values_of_its_customers_and_adds_new_ones(root):
    roster = CustomerIndex(9)
    roster.put(answer(root, ANSWER))
    roster.put(
        answer(
            root,
            "select 7::integer as customer_key, null::decimal(15, 2) as amount, date '2026-03-31' as day, "
            "false as flag, 'north' as word, 'silver' as grade union all "
            "select 9, 1.00, null, true, 'east', 'bronze'",
        )
    )
    assert rows(root, kept(roster)) == [
        (3, None, None, None, None, None),
        (5, Decimal("-0.01"), dt.date(1969, 12, 31), False, "west", "silver"),
        (7, None, dt.date(2026, 3, 31), False, "north", "silver"),
        (9, Decimal("1.00"), None, True, "east", "bronze"),
    ]


def test_columns_that_an_answer_does_not_have_stay_and_are_not_known_of_new_customers(root):
    roster = CustomerIndex(9)
    roster.put(answer(root, "select 1::integer as customer_key, 5::integer as age"))
    roster.put(answer(root, "select 2::integer as customer_key, true as flag"))
    assert roster.columns["age"].is_known.tolist() == [True, False]
    assert roster.columns["flag"].is_known.tolist() == [False, True]


def test_an_answer_is_spread_over_all_places_and_leaves_out_who_has_none(root):
    roster = CustomerIndex(9)
    roster.put(answer(root, "select unnest([4, 2, 8])::integer as customer_key"))
    found = roster.spread(
        answer(
            root, "select unnest([8, 9])::integer as customer_key, unnest([3, 1])::integer as loans"
        )
    )
    # places: 4, 2, 8; customer 9 has none
    assert found["loans"].values.tolist() == [0, 0, 3]
    assert found["loans"].is_known.tolist() == [False, False, True]
    assert found["loans"].filled(-1).tolist() == [-1, -1, 3]


def test_a_value_that_is_not_known_is_nought_in_memory(root):
    found = CustomerIndex(9)
    found.put(answer(root, ANSWER))
    # the customer with the key 3 came second
    assert [column.values[1] for column in found.columns.values()] == [0, 0, 0, 0, 0]


def test_an_answer_of_nobody_spreads_to_columns_of_which_nothing_is_known(root):
    roster = CustomerIndex(9)
    roster.put(answer(root, "select 4::integer as customer_key"))
    found = roster.spread(
        answer(
            root, "select 1::integer as customer_key, 'x' as word, 1.5::decimal(15, 2) as m limit 0"
        )
    )
    assert [column.is_known.tolist() for column in found.values()] == [[False], [False]]


def test_a_relation_is_cut_into_batches_that_threads_can_share():
    table = to_arrow_table({"customer_key": number(np.arange(300_000, dtype=np.int32))})
    assert [len(batch) for batch in table.to_batches()] == [122_880, 122_880, 54_240]


def test_some_places_of_a_column_keep_what_is_known_of_them():
    column = (
        money(np.array([100, 0, 300])),
        dates(np.array([1, 0, 3], np.int32), np.array([True, False, True])),
    )
    assert column[0].at(np.array([2, 0])).values.tolist() == [300, 100]
    assert column[1].at(np.array([1, 2])).is_known.tolist() == [False, True]


def test_money_wider_than_sixty_four_bits_is_not_cut_off(root):
    with pytest.raises(pa.ArrowInvalid):
        MaskedArray.read(answer(root, "select 1::decimal(20, 2) as m")["m"])


def test_loans_that_stay_keep_their_values_and_those_that_come_stand_after_them(root):
    running = "select unnest([4, 2, 8])::integer as loan_key, unnest(['a', 'b', 'a']) as word"
    loans = ActiveLoans(9, columns(answer(root, running)))
    before = loans.columns["word"]
    # the loan at the second place goes; 5 comes with a word of its own
    come = "select 5::integer as loan_key, 'c' as word union all select 6, 'a'"
    loans.turn(np.array([0, 2]), columns(answer(root, come)))
    word = loans.columns["word"]
    assert loans.keys.tolist() == [4, 8, 5, 6]
    assert [word.words[number] for number in word.values] == ["a", "a", "c", "a"]
    # what was handed out stays as it was
    assert [before.words[number] for number in before.values] == ["a", "b", "a"]


def test_rows_of_loans_without_a_place_are_left_out(root):
    loans = ActiveLoans(9, columns(answer(root, "select unnest([4, 2])::integer as loan_key")))
    found = loans.placed(np.array([2, 9, 2]), amount=np.array([10, 20, 30]))
    assert found["place"].tolist() == [1, 1]
    assert found["amount"].tolist() == [10, 30]
