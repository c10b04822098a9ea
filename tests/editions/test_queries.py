"""Queries: bound parameters, documented types, time limits, slots and memory."""

import datetime
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from data.editions.connection import Busy, QueryError, TooSlow
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.support.disk_faults import publish

SLOW = "select count(*) from range(100000000000) as r(i) where i % 7 = 3"


def test_a_value_is_bound_and_never_read_as_sql(warehouse: Warehouse) -> None:
    text = "'; drop table loan_month; --"
    assert warehouse.one("select $text as t", text=text) == (text,)


def test_a_missing_parameter_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(QueryError, match="as_of"):
        warehouse.query("select * from loan_month where as_of = $as_of")


def test_a_parameter_that_the_text_does_not_use_is_refused(warehouse: Warehouse) -> None:
    # A filter that is given but not applied would be a wrong number.
    with pytest.raises(QueryError, match="branch"):
        warehouse.query("select count(*) from loan_month", branch=1)


def test_frame_types_are_as_documented(warehouse: Warehouse) -> None:
    frame = warehouse.query(
        "select 1 as i, null::integer as n, date '2024-01-31' as d, 'x' as t, "
        "'a'::enum('a', 'b') as e, 1.25::decimal(18, 2) as m, sum(1::bigint) as s, count(*) as c"
    )
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds == {
        "i": "int32",
        "n": "Int32",
        "d": "datetime64[us]",
        "t": "str",
        "e": "category",
        "m": "float64",
        "s": "float64",
        "c": "int64",
    }


def test_a_money_sum_in_a_frame_is_exact_to_the_fen(warehouse: Warehouse) -> None:
    # 7,036 rows of 9,999,999,999.97 = 70,359,999,999,788.92, just below 2**46 = 70,368,744,177,664
    frame = warehouse.query("select sum(9999999999.97::decimal(18, 2)) as total from range(7036)")
    assert f"{frame['total'][0]:.2f}" == "70359999999788.92"
    table = warehouse.arrow("select sum(0.1::decimal(18, 2)) as total from range(1003)")
    assert table["total"][0].as_py() == Decimal("100.30")


def test_a_day_boundary_is_that_of_shanghai(warehouse: Warehouse) -> None:
    # 2024-01-31 17:00 UTC is 01:00 on 1 February in Shanghai
    assert warehouse.one("select cast(timestamptz '2024-01-31 17:00:00+00' as date)") == (
        datetime.date(2024, 2, 1),
    )


def test_a_slow_query_is_stopped_soon_after_its_time_limit(warehouse: Warehouse) -> None:
    started = time.monotonic()
    with pytest.raises(TooSlow, match=r"0\.3 seconds"):
        warehouse.query(SLOW, 0.3)
    assert (
        time.monotonic() - started < 5
    )  # it would run for hours; a busy machine may be late to stop it
    assert warehouse.one("select count(*) from loan_month") == (1000,)


def test_a_third_query_waits_and_is_refused_as_busy(warehouse: Warehouse) -> None:
    slow = [
        threading.Thread(target=pytest.raises, args=(TooSlow, warehouse.query, SLOW, 1.0))
        for _ in range(2)
    ]
    for thread in slow:
        thread.start()
    time.sleep(0.2)
    with pytest.raises(Busy):
        warehouse.query("select 1", 0.1)
    for thread in slow:
        thread.join()
    assert warehouse.one("select 1") == (1,)


def test_exhausted_memory_is_an_error_and_the_warehouse_answers_afterwards(
    warehouse: Warehouse,
) -> None:
    with pytest.raises(QueryError, match="memory"):
        warehouse.query("select length(list(i::varchar)::varchar) from range(40000000) as r(i)")
    assert warehouse.one("select count(*) from loan_month") == (1000,)


def test_data_above_the_memory_limit_spills_and_leaves_no_file(tmp_path: Path) -> None:
    publish(tmp_path / "home", 1)
    spill = tmp_path / "spill"
    spill.mkdir()
    warehouse = Warehouse(tmp_path / "home", memory="120MB", threads=2, spill=spill)
    # 3 million strings of up to 99 characters do not fit 120 MB; the greatest is 'x' * 92 ||
    # '999999
    wide = "select i, repeat('x', 92) || i as t from range(3000000) as r(i) order by hash(i)"
    assert warehouse.one(
        f"select length(max(t)) from (select t, row_number() over () as n from ({wide}))"
    ) == (98,)
    warehouse.close()
    assert list(spill.iterdir()) == []


def test_each_thread_gets_its_own_answer(warehouse: Warehouse) -> None:
    wrong = []

    def ask(me: int) -> None:
        for turn in range(30):
            key = me * 50 + turn
            if warehouse.query(
                "select distinct loan_key from loan_month where loan_key = $key", key=key
            )["loan_key"].tolist() != [key]:
                wrong.append((me, turn))

    threads = [threading.Thread(target=ask, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_two_warehouses_over_one_home_can_be_open_in_one_process(warehouse: Warehouse) -> None:
    other = Warehouse(warehouse.home)
    assert other.one("select count(*) from loan_month") == warehouse.one(
        "select count(*) from loan_month"
    )
    other.close()
    with pytest.raises(UserError, match="closed"):
        other.query("select 1")
