"""Build sessions: statements, registered data, worker sessions, memory limits, the part."""

import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from data.editions.connection import QueryError
from data.editions.part_writer import BuildSession, open_build_session
from tests.support.disk_faults import JANUARY, small

SLOW = "select count(*) from range(100000000000) as r(i) where i % 7 = 3"


def test_a_worker_session_sees_tables_of_its_session_but_no_temp_tables(
    session: BuildSession,
) -> None:
    session.run(
        "create table seen as select 1 as a; create temp table own as select 2 as a;"
        "create table part.history.t (a int)"
    )
    with session.worker_session() as worker:
        worker.run("insert into part.history.t select a from seen")
        with pytest.raises(QueryError, match="own"):
            worker.run("select a from own")
    assert session.one("select sum(a) from part.history.t") == (1,)


def test_an_error_in_the_session_stops_the_statement_of_its_worker_session(
    session: BuildSession,
) -> None:
    events = []

    def second(worker: BuildSession) -> None:
        try:
            worker.run(SLOW)
        except KeyboardInterrupt:
            events.append("stopped")

    def both() -> None:
        with session.worker_session() as worker:
            thread.append(threading.Thread(target=second, args=(worker,)))
            thread[0].start()
            time.sleep(0.5)
            session.run("select * from missing")

    thread: list[threading.Thread] = []
    with pytest.raises(QueryError, match="missing"):
        both()
    thread[0].join(10)
    assert events == ["stopped"]


def test_an_error_names_file_number_and_text_of_the_statement(
    session: BuildSession, tmp_path: Path
) -> None:
    file = tmp_path / "staging.sql"
    file.write_text("create table a as select $n as n;\nselect nothing from a;")
    with pytest.raises(QueryError, match=r"^staging.sql, statement 2: .*nothing") as refusal:
        session.run(file, n=1)
    assert "select nothing from a" in refusal.value.sql
    with pytest.raises(QueryError, match=r"^broken.sql: .*syntax error"):
        session.run("selec 1", "broken.sql")


def test_each_statement_takes_the_parameters_that_it_uses(session: BuildSession) -> None:
    session.run("create table a as select $x as v; insert into a select $y", x=1, y=2)
    assert session.frame("select v from a order by v")["v"].tolist() == [1, 2]


def test_registered_data_is_read_by_its_name(session: BuildSession) -> None:
    schema = pa.schema([("x", pa.int64())])
    batches = pa.RecordBatchReader.from_batches(
        schema, iter([pa.record_batch({"x": [1, 2]}), pa.record_batch({"x": [3]})])
    )
    session.register(batches, "delivered")
    session.run("create table part.history.t as select x from delivered")
    session.unregister("delivered")
    assert session.table("select sum(x)::bigint as s from part.history.t")["s"].to_pylist() == [6]
    with pytest.raises(QueryError, match="delivered"):
        session.run("select * from delivered")


def test_order_by_holds_in_the_part_though_insertion_order_is_not_preserved(
    session: BuildSession,
) -> None:
    session.run(
        "create table part.history.t as select hash(i) as h from range(1000000) as r(i) order by h"
    )
    assert session.one(
        "select count(*) from "
        "(select h, lag(h) over (order by rowid) as before from part.history.t) where h < before"
    ) == (0,)


def test_a_finished_part_has_no_write_ahead_log(tmp_path: Path) -> None:
    session = open_build_session(tmp_path / "new.duckdb")
    small(1, JANUARY)(session)
    session.close()
    assert [path.name for path in Path(tmp_path).iterdir()] == ["new.duckdb"]
