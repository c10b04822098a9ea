"""SQL can reach neither files nor the network nor settings; only a single SELECT is accepted."""

from pathlib import Path

import pytest

from data.editions import connection
from data.editions.connection import QueryError
from data.editions.part_writer import open_build_session
from data.editions.reader import Warehouse


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
def test_a_select_cannot_reach_a_file_the_network_or_a_setting(
    warehouse: Warehouse, sql: str
) -> None:
    with pytest.raises(QueryError):
        warehouse.query(sql)


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
def test_the_reading_connection_itself_refuses(warehouse: Warehouse, sql: str) -> None:
    # The second wall: the locked connection, without the first one that lets only SELECT through.
    with warehouse.session() as reader:
        cursor = reader._root.cursor()
        with pytest.raises(connection.duckdb.Error):
            cursor.execute(sql)
        cursor.close()
    with pytest.raises(QueryError, match="single SELECT"):
        warehouse.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "create view v as select 1",
        "create temp table t as select 1",
        "drop view loan_month",
        "detach p0",
        "attach ':memory:' as m",
        "select 1; drop view loan_month",
        "explain analyze drop view loan_month",
        "prepare p as select 1",
        "begin",
        "checkpoint",
        "vacuum",
        "use p0",
        "set variable x = 1",
        "create macro f() as 1",
        "pivot loan_month on load using count(*)",
        "",
        "-- nothing",
    ],
)
def test_only_a_single_select_is_accepted(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(QueryError, match="single SELECT"):
        warehouse.query(sql)


def test_a_build_session_reads_files_of_the_delivery_only(tmp_path: Path) -> None:
    inbox = tmp_path / "it's"
    inbox.mkdir()
    (inbox / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("a\n2\n")
    (inbox / "link.csv").symlink_to(tmp_path / "b.csv")
    session = open_build_session(tmp_path / "new.duckdb", read_dirs=[inbox], threads=1)
    assert session.one("select a from read_csv($file)", file=str(inbox / "a.csv")) == (1,)
    for other in [tmp_path / "b.csv", inbox / ".." / "b.csv", inbox / "link.csv", "/etc/passwd"]:
        with pytest.raises(QueryError, match="Permission"):
            session.one("select * from read_text($file)", file=str(other))
    for statement in ["set threads = 9", "install httpfs", f"attach '{tmp_path}/c.duckdb'"]:
        with pytest.raises(QueryError):
            session.run(statement)
    session.abandon()
