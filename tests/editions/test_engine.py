"""The engine: bound parameters, the workshop's walls, the locked reading connection, timeouts, memory, exact frames."""

import datetime
import platform
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from data.editions import connection
from data.editions.connection import Busy, QueryError, TooSlow
from data.editions.part_writer import open_build_session
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError
from tests.support.disk_faults import FEBRUARY, JANUARY, publish, small

ROOT = Path(__file__).parents[2]
SLOW = "select count(*) from range(100000000000) as r(i) where i % 7 = 3"


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    publish(home, 1)
    publish(home, 2, FEBRUARY, kind="increment")
    with_limit = Warehouse(home, memory="300MB", threads=2)
    yield with_limit
    with_limit.close()


@pytest.fixture
def work(tmp_path):
    made = open_build_session(tmp_path / "new.duckdb", memory="500MB", threads=2)
    yield made
    made.abandon()


def test_a_value_is_bound_and_never_read_as_sql(bank):
    text = "'; drop table loan_month; --"
    assert bank.one("select $text as t", text=text) == (text,)


def test_a_missing_parameter_is_refused_by_name(bank):
    with pytest.raises(QueryError, match="as_of"):
        bank.query("select * from loan_month where as_of = $as_of")


def test_a_parameter_that_the_text_does_not_use_is_refused(bank):
    # A filter that is given but not applied would be a wrong number.
    with pytest.raises(QueryError, match="branch"):
        bank.query("select count(*) from loan_month", branch=1)


def test_kept_tables_are_the_union_of_the_chain_and_head_tables_the_newest(bank):
    by_month = bank.query(
        "select as_of, max(load) as load, count(*) as n from loan_month group by all order by all"
    )
    assert by_month["load"].tolist() == [1, 2]
    assert by_month["n"].tolist() == [500, 500]
    assert bank.one("select max(load), count(*) from branch") == (2, 1)


def offers(folder, *parts: tuple[int, str]) -> EditionReader:
    """A view of parts with one row each: what `packed` holds, and the rule by which the price follows from it."""
    paths = [folder / f"{number}.duckdb" for number in range(len(parts))]
    for path, (value, rule) in zip(paths, parts, strict=True):
        made = open_build_session(path, memory="300MB", threads=1)
        made.run(
            "create table part.history.offer (packed integer); insert into part.history.offer values ($value);"
            "create table part.current.computed_columns "
            "(table_name varchar, number integer, column_name varchar, expression varchar);"
            "insert into part.current.computed_columns values "
            "('offer', 2, 'twice', 'price * 2'), ('offer', 1, 'price', $rule)",
            value=value,
            rule=rule,
        )
        made.close()
    return EditionReader(paths)


def test_columns_that_follow_from_others_stand_in_the_view_each_part_by_its_own_rule(tmp_path):
    # The first part keeps pence in `packed`, the second pounds, the third pence again: the view shows 5, 7 and 8.
    view = offers(tmp_path, (500, "packed / 100"), (7, "packed * 1.0"), (800, "packed / 100"))
    assert view.query("select price, twice from offer order by price").values.tolist() == [
        [5, 10],
        [7, 14],
        [8, 16],
    ]
    view.close()


def test_a_rule_that_many_parts_share_is_bound_once(tmp_path):
    """Every question binds all that a view says, whatever it asks: twelve parts would cost twelve times as much."""
    view = offers(tmp_path, (500, "packed / 100"), (700, "packed / 100"), (800, "packed / 100"))
    assert view.query("select price from offer order by price")["price"].tolist() == [5, 7, 8]
    assert view.one("select sql from duckdb_views() where view_name = 'offer'")[0].count("100") == 1
    view.close()


def test_frame_types_are_as_documented(bank):
    frame = bank.query(
        "select 1 as i, null::integer as n, date '2024-01-31' as d, 'x' as t, 'a'::enum('a', 'b') as e, "
        "1.25::decimal(18, 2) as m, sum(1::bigint) as s, count(*) as c"
    )
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds == {
        "i": "int32", "n": "Int32", "d": "datetime64[us]", "t": "str", "e": "category",
        "m": "float64", "s": "float64", "c": "int64",
    }  # fmt: skip


def test_a_money_sum_in_a_frame_is_exact_to_the_fen(bank):
    # 7,036 rows of 9,999,999,999.97 = 70,359,999,999,788.92, just below 2**46 = 70,368,744,177,664
    frame = bank.query("select sum(9999999999.97::decimal(18, 2)) as total from range(7036)")
    assert f"{frame['total'][0]:.2f}" == "70359999999788.92"
    table = bank.arrow("select sum(0.1::decimal(18, 2)) as total from range(1003)")
    assert table["total"][0].as_py() == Decimal("100.30")


def test_a_day_boundary_is_that_of_shanghai(bank):
    # 2024-01-31 17:00 UTC is 01:00 on 1 February in Shanghai
    assert bank.one("select cast(timestamptz '2024-01-31 17:00:00+00' as date)") == (
        datetime.date(2024, 2, 1),
    )


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from read_parquet('/tmp/x.parquet')",
        "select * from read_json('/etc/passwd')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from parquet_metadata('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from '/etc/passwd'",
        "select * from '/etc/hosts.csv'",
        "select * from read_csv('https://localhost/x.csv')",
        "select * from enable_logging()",
        "select * from query('drop view loan_month')",
        "select getenv('HOME')",
    ],
)
def test_a_select_cannot_reach_a_file_the_network_or_a_setting(bank, sql):
    with pytest.raises(QueryError):
        bank.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "copy loan_month to '/tmp/leak.csv'",
        "copy (select 1) to '/tmp/leak.parquet' (format parquet)",
        "export database '/tmp/leak'",
        "import database '/tmp/leak'",
        "attach '/tmp/leak.duckdb'",
        "attach '/etc/passwd' as p (type sqlite)",
        "install httpfs",
        "force install httpfs from 'https://localhost'",
        "load httpfs",
        "load '/tmp/x.duckdb_extension'",
        "set memory_limit = '100GB'",
        "set threads = 64",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set allowed_directories = ['/']",
        "set temp_directory = '/tmp'",
        "set timezone = 'UTC'",
        "reset threads",
        "pragma enable_profiling",
        "pragma memory_limit = '9GB'",
        "call enable_logging()",
        "create secret s (type s3)",
        "create table p0.history.x (i integer)",
        "insert into p0.current.branch values (9, 9)",
        "update p0.current.branch set load = 9",
        "delete from p0.current.branch",
        "drop table p0.current.branch",
    ],
)
def test_the_reading_connection_itself_refuses(bank, sql):
    # The second wall: the locked connection, without the first one that lets only SELECT through.
    with bank.session() as view:
        cursor = view._root.cursor()
        with pytest.raises(connection.duckdb.Error):
            cursor.execute(sql)
        cursor.close()
    with pytest.raises(QueryError, match="single SELECT"):
        bank.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "create view v as select 1", "create temp table t as select 1", "drop view loan_month", "detach p0",
        "attach ':memory:' as m", "select 1; drop view loan_month", "explain analyze drop view loan_month",
        "prepare p as select 1", "begin", "checkpoint", "vacuum", "use p0", "set variable x = 1",
        "create macro f() as 1",
        "pivot loan_month on load using count(*)", "", "-- nothing",
    ],
)  # fmt: skip
def test_only_a_single_select_may_be_asked(bank, sql):
    with pytest.raises(QueryError, match="single SELECT"):
        bank.query(sql)


def test_a_slow_question_is_stopped_soon_after_its_time(bank):
    begun = time.monotonic()
    with pytest.raises(TooSlow, match=r"0\.3 seconds"):
        bank.query(SLOW, 0.3)
    assert (
        time.monotonic() - begun < 5
    )  # it would run for hours; a busy machine may be late to stop it
    assert bank.one("select count(*) from loan_month") == (1000,)


def test_a_third_question_waits_and_is_told_that_the_bank_is_busy(bank):
    slow = [
        threading.Thread(target=pytest.raises, args=(TooSlow, bank.query, SLOW, 1.0))
        for _ in range(2)
    ]
    for thread in slow:
        thread.start()
    time.sleep(0.2)
    with pytest.raises(Busy):
        bank.query("select 1", 0.1)
    for thread in slow:
        thread.join()
    assert bank.one("select 1") == (1,)


def test_used_up_memory_is_an_error_and_the_bank_answers_afterwards(bank):
    with pytest.raises(QueryError, match="memory"):
        bank.query("select length(list(i::varchar)::varchar) from range(40000000) as r(i)")
    assert bank.one("select count(*) from loan_month") == (1000,)


def test_what_does_not_fit_memory_spills_and_leaves_no_file(tmp_path):
    publish(tmp_path / "home", 1)
    spill = tmp_path / "spill"
    spill.mkdir()
    small_bank = Warehouse(tmp_path / "home", memory="120MB", threads=2, spill=spill)
    # 3 million strings of up to 99 characters do not fit 120 MB; the greatest is 'x' * 92 || '999999
    wide = "select i, repeat('x', 92) || i as t from range(3000000) as r(i) order by hash(i)"
    assert small_bank.one(
        f"select length(max(t)) from (select t, row_number() over () as n from ({wide}))"
    ) == (98,)
    small_bank.close()
    assert list(spill.iterdir()) == []


_FAULTS = """
import resource
import numpy as np
{first}
def made():
    return [np.ones(3_000_000) for _ in range(4)]
made(), made()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    made()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep what is let go of"
)
def test_arrays_made_after_others_were_let_go_of_fetch_no_pages_from_the_system():
    def faults(first: str) -> int:
        told = [sys.executable, "-c", _FAULTS.format(first=first)]
        return int(
            subprocess.run(told, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        )

    # 40 arrays of 24 MB.
    assert faults("") > 5000
    assert (
        faults("from data.editions.memory import retain_freed_memory; retain_freed_memory()") < 100
    )


def test_a_workshop_keeps_its_blocks_up_to_its_limit_of_memory(work):
    limit, kept = work.one(
        "select parse_formatted_bytes(current_setting('memory_limit')), "
        "parse_formatted_bytes(current_setting('block_allocator_memory'))"
    )
    assert limit == pytest.approx(500_000_000, rel=0.01)
    assert kept == pytest.approx(limit, rel=0.01)


def test_a_view_names_its_newest_part(tmp_path):
    publish(tmp_path, 1)
    edition = publish(tmp_path, 2, FEBRUARY, kind="increment")
    view = EditionReader(edition.paths(tmp_path))
    assert view.one(
        f"select count(distinct as_of), min(as_of) from {view.newest}.history.loan_month"
    ) == (1, FEBRUARY)
    view.close()


def test_each_thread_gets_its_own_answer(bank):
    wrong = []

    def ask(me: int) -> None:
        for turn in range(30):
            key = me * 50 + turn
            if bank.query(
                "select distinct loan_key from loan_month where loan_key = $key", key=key
            )["loan_key"].tolist() != [key]:
                wrong.append((me, turn))

    threads = [threading.Thread(target=ask, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_two_banks_over_one_home_live_in_one_process(bank):
    other = Warehouse(bank.home)
    assert other.one("select count(*) from loan_month") == bank.one(
        "select count(*) from loan_month"
    )
    other.close()
    with pytest.raises(UserError, match="closed"):
        other.query("select 1")


@pytest.mark.parametrize(
    ("delivered", "given", "at_most"),
    [(1_000_000, None, 5_000_000_000), (1_000_000, "300MB", 300_000_000)],
)
def test_a_load_takes_no_more_memory_than_serves_it(tmp_path, delivered, given, at_most):
    made = open_build_session(tmp_path / "new.duckdb", memory=given, input_bytes=delivered)
    limit = made.one("select parse_formatted_bytes(current_setting('memory_limit'))")[0]
    made.abandon()
    assert limit <= at_most


def test_a_large_delivery_may_take_more_memory(tmp_path):
    """8 times a delivery that no machine could hold: the limit stays that of the machine."""
    limits = []
    for delivered in (0, 10**15):
        made = open_build_session(tmp_path / f"{delivered}.duckdb", input_bytes=delivered)
        limits.append(made.one("select current_setting('memory_limit')")[0])
        made.abandon()
    assert limits[0] == limits[1]


def test_a_second_hand_sees_the_tables_of_the_first_but_not_its_temp_tables(work):
    work.run(
        "create table seen as select 1 as a; create temp table own as select 2 as a;"
        "create table part.history.t (a int)"
    )
    with work.worker_session() as hand:
        hand.run("insert into part.history.t select a from seen")
        with pytest.raises(QueryError, match="own"):
            hand.run("select a from own")
    assert work.one("select sum(a) from part.history.t") == (1,)


def test_a_fault_of_the_first_hand_stops_what_the_second_is_running(work):
    heard = []

    def second(hand):
        try:
            hand.run(SLOW)
        except KeyboardInterrupt:
            heard.append("stopped")

    def both():
        with work.worker_session() as hand:
            thread.append(threading.Thread(target=second, args=(hand,)))
            thread[0].start()
            time.sleep(0.5)
            work.run("select * from missing")

    thread: list[threading.Thread] = []
    with pytest.raises(QueryError, match="missing"):
        both()
    thread[0].join(10)
    assert heard == ["stopped"]


def test_the_workshop_reads_only_from_the_delivery(tmp_path):
    inbox = tmp_path / "it's"
    inbox.mkdir()
    (inbox / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("a\n2\n")
    (inbox / "link.csv").symlink_to(tmp_path / "b.csv")
    work = open_build_session(tmp_path / "new.duckdb", read_dirs=[inbox], threads=1)
    assert work.one("select a from read_csv($file)", file=str(inbox / "a.csv")) == (1,)
    for other in [tmp_path / "b.csv", inbox / ".." / "b.csv", inbox / "link.csv", "/etc/passwd"]:
        with pytest.raises(QueryError, match="Permission"):
            work.one("select * from read_text($file)", file=str(other))
    for statement in ["set threads = 9", "install httpfs", f"attach '{tmp_path}/c.duckdb'"]:
        with pytest.raises(QueryError):
            work.run(statement)
    work.abandon()


def test_a_failing_statement_is_named_with_its_file_number_and_text(work, tmp_path):
    file = tmp_path / "staging.sql"
    file.write_text("create table a as select $n as n;\nselect nothing from a;")
    with pytest.raises(QueryError, match=r"^staging.sql, statement 2: .*nothing") as caught:
        work.run(file, n=1)
    assert "select nothing from a" in caught.value.sql
    with pytest.raises(QueryError, match=r"^broken.sql: .*syntax error"):
        work.run("selec 1", "broken.sql")


def test_each_statement_takes_the_parameters_that_it_names(work):
    work.run("create table a as select $x as v; insert into a select $y", x=1, y=2)
    assert work.frame("select v from a order by v")["v"].tolist() == [1, 2]


def test_arrow_data_is_read_under_its_name(work):
    schema = pa.schema([("x", pa.int64())])
    reader = pa.RecordBatchReader.from_batches(
        schema, iter([pa.record_batch({"x": [1, 2]}), pa.record_batch({"x": [3]})])
    )
    work.register(reader, "delivered")
    work.run("create table part.history.t as select x from delivered")
    work.unregister("delivered")
    assert work.table("select sum(x)::bigint as s from part.history.t")["s"].to_pylist() == [6]
    with pytest.raises(QueryError, match="delivered"):
        work.run("select * from delivered")


def test_a_column_that_older_parts_lack_is_null_there(tmp_path):
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    first = open_build_session(old)
    first.run(
        "create table part.history.t as select 1 as a; create table part.current.h as select 1 as v"
    )
    first.close()
    second = open_build_session(new, [old])
    assert second.views() == ["h", "t"]
    second.run("create table part.history.t as select 'x' as b, 2 as a")
    second.views()
    assert second.frame("select a, b from t order by a").values.tolist()[1] == [2, "x"]
    assert second.one("select count(*) from t where b is null") == (1,)
    # current.h was not delivered again: the older part's is still the newest
    assert second.one("select v from h") == (1,)
    second.close()
    view = EditionReader([old, new])
    assert view.tables == ("h", "t")
    assert view.one("select sum(a)::int from t") == (3,)
    view.close()


def test_an_enum_of_all_parts_stays_an_enum(tmp_path):
    parts = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    for part in parts:
        work = open_build_session(part)
        work.run(
            "create table part.history.t as select 'low'::enum('low', 'high', 'other') as level"
        )
        work.close()
    view = EditionReader(parts)
    # In the declared order low < high; as text 'high' < 'low', and a bare literal makes the comparison one of texts.
    kind = "enum('low', 'high', 'other')"
    assert view.one("select count(*) from t where typeof(level) like 'ENUM(%low%high%other%)'") == (
        2,
    )
    assert view.one(f"select count(*) from t where level < cast('high' as {kind})") == (2,)
    assert view.one("select count(*) from t where level < 'high'") == (0,)
    view.close()


def test_a_table_cannot_be_kept_in_one_part_and_head_in_another(tmp_path):
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    for part, schema in [(old, "history"), (new, "current")]:
        work = open_build_session(part)
        work.run(f"create table part.{schema}.t as select 1 as a")
        work.close()
    with pytest.raises(UserError, match="Table t"):
        EditionReader([old, new])


def test_order_by_holds_in_the_part_though_order_is_not_preserved_elsewhere(work):
    work.run(
        "create table part.history.t as select hash(i) as h from range(1000000) as r(i) order by h"
    )
    assert work.one(
        "select count(*) from (select h, lag(h) over (order by rowid) as before from part.history.t) where h < before"
    ) == (0,)


def test_a_finished_part_has_no_write_ahead_log(tmp_path):
    work = open_build_session(tmp_path / "new.duckdb")
    small(1, JANUARY)(work)
    work.close()
    assert [path.name for path in Path(tmp_path).iterdir()] == ["new.duckdb"]
