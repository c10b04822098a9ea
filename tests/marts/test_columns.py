"""The column store: rows scattered into slots, aligned with all slots, and read by a query."""

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
    dates,
    money,
    number,
    read_columns,
    to_arrow_table,
)

CUSTOMERS = """
select * from (
    values
        (7, 12.34::decimal(15, 2), date '2026-02-28', true, 'east', 'gold'::enum('silver', 'gold')),
        (3, null, null, null, null, null),
        (5, -0.01, date '1969-12-31', false, 'west', 'silver')
) as t (customer_key, amount, day, flag, word, grade)
"""
UPDATE = """
select
    7::integer as customer_key, null::decimal(15, 2) as amount, date '2026-03-31' as day,
    false as flag, 'north' as word, 'silver' as grade
union all
select 9, 1.00, null, true, 'east', 'bronze'
"""


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # As in a build session, where money arrives as decimal64.
    connection.execute("set arrow_output_version='1.5'")
    return connection


def result(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    relation = connection.sql(sql)
    assert relation is not None
    return relation.to_arrow_table()


def rows_of(connection: duckdb.DuckDBPyConnection, index: CustomerIndex) -> list[tuple]:
    table = to_arrow_table({"customer_key": number(index.keys), **index.columns})
    connection.register("customers", table)
    sql = "select customer_key, amount, day, flag, word, grade from customers order by all"
    return connection.execute(sql).fetchall()


def test_stored_rows_are_read_by_a_query_value_by_value_and_null_by_null(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, CUSTOMERS))
    assert rows_of(connection, index) == [
        (3, None, None, None, None, None),
        (5, Decimal("-0.01"), dt.date(1969, 12, 31), False, "west", "silver"),
        (7, Decimal("12.34"), dt.date(2026, 2, 28), True, "east", "gold"),
    ]


def test_a_later_row_replaces_the_values_of_its_customer_and_new_customers_are_added(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, CUSTOMERS))
    index.upsert(result(connection, UPDATE))
    assert rows_of(connection, index) == [
        (3, None, None, None, None, None),
        (5, Decimal("-0.01"), dt.date(1969, 12, 31), False, "west", "silver"),
        (7, None, dt.date(2026, 3, 31), False, "north", "silver"),
        (9, Decimal("1.00"), None, True, "east", "bronze"),
    ]


def test_columns_that_a_result_lacks_stay_and_are_null_for_new_customers(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, "select 1::integer as customer_key, 5::integer as age"))
    index.upsert(result(connection, "select 2::integer as customer_key, true as flag"))
    assert index.columns["age"].is_valid.tolist() == [True, False]
    assert index.columns["flag"].is_valid.tolist() == [False, True]


def test_aligned_rows_have_a_value_per_slot_and_leave_out_customers_without_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, "select unnest([4, 2, 8])::integer as customer_key"))
    sql = "select unnest([8, 9])::integer as customer_key, unnest([3, 1])::integer as loans"
    loans = index.align(result(connection, sql))["loans"]
    # slots: 4, 2, 8; customer 9 has none
    assert loans.values.tolist() == [0, 0, 3]
    assert loans.is_valid.tolist() == [False, False, True]
    assert loans.fill_null(-1).tolist() == [-1, -1, 3]


def test_the_value_of_a_null_is_zero_in_memory(connection: duckdb.DuckDBPyConnection) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, CUSTOMERS))
    # the customer with the key 3 has the second slot
    assert [column.values[1] for column in index.columns.values()] == [0, 0, 0, 0, 0]


def test_a_result_without_rows_aligns_to_nulls(connection: duckdb.DuckDBPyConnection) -> None:
    index = CustomerIndex(9)
    index.upsert(result(connection, "select 4::integer as customer_key"))
    sql = "select 1::integer as customer_key, 'x' as word, 1.5::decimal(15, 2) as m limit 0"
    columns = index.align(result(connection, sql))
    assert [column.is_valid.tolist() for column in columns.values()] == [[False], [False]]


def test_a_table_is_cut_into_batches_that_threads_can_share() -> None:
    table = to_arrow_table({"customer_key": number(np.arange(300_000, dtype=np.int32))})
    assert [len(batch) for batch in table.to_batches()] == [122_880, 122_880, 54_240]


def test_some_slots_of_a_column_are_taken_in_the_given_order() -> None:
    amounts = money(np.array([100, 0, 300]))
    days = dates(np.array([1, 0, 3], np.int32), np.array([True, False, True]))
    assert amounts.take(np.array([2, 0])).values.tolist() == [300, 100]
    assert days.take(np.array([1, 2])).is_valid.tolist() == [False, True]


def test_money_wider_than_sixty_four_bits_is_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(pa.ArrowInvalid):
        MaskedArray.from_arrow(result(connection, "select 1::decimal(20, 2) as m")["m"])


def texts(column: MaskedArray) -> list[str]:
    return [column.categories[position] for position in column.values]


def test_surviving_loans_keep_their_values_and_originated_ones_follow_them(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    active = "select unnest([4, 2, 8])::integer as loan_key, unnest(['a', 'b', 'a']) as word"
    loans = ActiveLoans(9, read_columns(result(connection, active)))
    before = loans.columns["word"]
    # the loan in the second slot is dropped; 5 comes with a text of its own
    originated = "select 5::integer as loan_key, 'c' as word union all select 6, 'a'"
    loans.replace(np.array([0, 2]), read_columns(result(connection, originated)))
    assert loans.keys.tolist() == [4, 8, 5, 6]
    assert texts(loans.columns["word"]) == ["a", "a", "c", "a"]
    # a column handed out before is not modified
    assert texts(before) == ["a", "b", "a"]


def test_rows_of_loans_without_a_slot_are_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    active = "select unnest([4, 2])::integer as loan_key"
    loans = ActiveLoans(9, read_columns(result(connection, active)))
    rows = loans.align(np.array([2, 9, 2]), amount=np.array([10, 20, 30]))
    assert rows["slot"].tolist() == [1, 1]
    assert rows["amount"].tolist() == [10, 30]
