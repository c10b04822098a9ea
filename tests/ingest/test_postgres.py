"""A real PostgreSQL, started here from Debian's packages, as a source."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.errors import UserError
from tests.support.deliveries import AS_OF, LENIENT, load_tiny, refused, rows

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))

SCHEMA = """
create type kind_of_person as enum ('person', 'sme');
create table customer (
    customer_id text, valid_from date, kind kind_of_person, monthly_income numeric(12, 2), name text
);
insert into customer values
    ('C1', '2024-01-01', 'person', 5000.10, '张三'), ('C2', '2024-01-01', 'sme', null, '李四');
create table loan (loan_id varchar(20), customer_id text, principal numeric, disbursed_on date);
insert into loan values ('L1', 'C1', 1000.00, '2024-01-10'), ('L2', 'C2', 2000.00, '2024-02-10');
create table instalment (
    loan_id text, number smallint, due_on date, principal numeric(18, 2), interest numeric(18, 2)
);
insert into instalment values ('L1', 1, '2024-02-10', 100, 5), ('L2', 1, '2024-03-10', 100, 5);
create table payment (
    payment_id text, loan_id text, paid_at timestamptz, amount numeric(18, 2), kind text
);
insert into payment values ('P1', 'L1', '2024-02-10 16:30+00', 105, 'instalment');
"""


class Server:
    """A PostgreSQL server in a folder, reached by its socket."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self.binaries = binaries

    def run(self, program: str, *arguments: str, text: str | None = None) -> str:
        """Run a PostgreSQL program and return its output."""
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        process = subprocess.run(
            command, input=text, capture_output=True, text=True, cwd=self.folder, timeout=60
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def sql(self, text: str, database: str = "bank") -> None:
        """Run statements."""
        self.run(
            "psql",
            "-h",
            str(self.folder),
            "-U",
            "postgres",
            "-d",
            database,
            "-v",
            "ON_ERROR_STOP=1",
            "-q",
            text=text,
        )

    def address(self, user: str = "postgres", password: str = "") -> str:
        """Return the address of the database for a user."""
        return f"postgresql://{user}{':' + password if password else ''}@/bank?host={self.folder}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    running = Server(folder, BINARIES[-1].parent)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    running.run(
        "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "--auth-local=trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    )
    (folder / "data" / "pg_hba.conf").write_text(
        "local all guarded scram-sha-256\nlocal all all trust\n", encoding="utf-8"
    )
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    running.run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    running.sql("create database bank", "postgres")
    yield running
    running.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server: Server) -> Server:
    """The server with a fresh copy of the tables."""
    server.sql("drop schema public cascade; create schema public;" + SCHEMA)
    return server


def test_a_database_loads_like_files(database: Server, tmp_path: Path) -> None:
    edition = load_tiny(database.address(), tmp_path / "h")
    loans = rows(
        edition,
        tmp_path / "h",
        "select loan_id, principal from loan join loan_number using (loan_key) order by 1",
    )
    assert [(row["loan_id"], str(row["principal"])) for row in loans] == [
        ("L1", "1000.00"),
        ("L2", "2000.00"),
    ]
    people = rows(
        edition,
        tmp_path / "h",
        "select kind, name_masked, monthly_income from customer order by customer_key",
    )
    assert [(row["kind"], row["name_masked"], str(row["monthly_income"])) for row in people] == [
        ("person", "张**", "5000.10"),
        ("sme", "李**", "None"),
    ]
    # 16:30 UTC is half past midnight in Shanghai.
    assert (
        str(rows(edition, tmp_path / "h", "select paid_on from payment")[0]["paid_on"])
        == "2024-02-11"
    )


def test_a_bad_row_of_a_database_is_refused_with_its_number(
    database: Server, tmp_path: Path
) -> None:
    database.sql("insert into loan values ('L3', 'C1', 10.005, '2024-01-10')")
    edition = load_tiny(database.address(), tmp_path / "h", limits=LENIENT)
    assert refused(edition, tmp_path / "h") == [("loan", 3, "principal", "too_many_decimals")]


def test_after_a_broken_connection_everything_is_read_again_in_one_snapshot(
    database: Server, tmp_path: Path
) -> None:
    """Fault 81."""
    breaks = []

    def break_connection(step: str, count: int, seconds: float) -> None:
        if step == "loan: reading" and not breaks:
            breaks.append(step)
            database.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = 'bank' and pid <> pg_backend_pid();"
                "insert into payment values ('P2', 'L2', '2024-03-10', 105, 'instalment')"
            )

    edition = load_tiny(database.address(), tmp_path / "h", progress=break_connection)
    assert breaks
    assert edition.facts["tables"]["payment"]["loaded"] == 2


def test_a_table_that_takes_too_long_is_refused(database: Server, tmp_path: Path) -> None:
    """Fault 82."""
    from data.contract.schema import read_contract
    from data.ingest.postgres import DatabaseTable, stage_database

    database.sql(
        "alter table loan rename to slow; create view loan as select slow.* from slow, pg_sleep(5)"
    )
    tables = read_contract().tables
    selected = {
        name: DatabaseTable(name, tables[name], required=True) for name in ("customer", "loan")
    }
    with pytest.raises(UserError, match=r"did not finish table loan within 0\.3 seconds"):
        stage_database(
            database.address(), selected, tmp_path, lambda step, rows, seconds: None, timeout=0.3
        )


def test_a_wrong_password_is_refused_without_showing_it(database: Server, tmp_path: Path) -> None:
    """Fault 83."""
    database.sql("drop role if exists guarded; create role guarded login password 'right'")
    with pytest.raises(UserError, match="refused the user or password") as caught:
        load_tiny(database.address("guarded", "s3cret"), tmp_path / "h")
    assert "s3cret" not in str(caught.value)


def test_an_unreachable_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Fault 83."""
    with pytest.raises(UserError, match="the database cannot be reached") as caught:
        load_tiny(f"postgresql://me:s3cret@/bank?host={tmp_path}", tmp_path / "h")
    assert "s3cret" not in str(caught.value)


def test_a_column_whose_type_changed_is_refused(database: Server, tmp_path: Path) -> None:
    """Fault 84."""
    database.sql("alter table payment alter column payment_id type bigint using 1")
    with pytest.raises(
        UserError, match=r"column payment_id of payment is int; the contract wants key"
    ):
        load_tiny(database.address(), tmp_path / "h")


def test_rows_that_come_while_reading_belong_to_the_next_load(
    database: Server, tmp_path: Path
) -> None:
    """Fault 85."""

    def change_tables(step: str, count: int, seconds: float) -> None:
        if step == "customer: reading":
            database.sql(
                "insert into loan values ('L3', 'C1', 10, '2024-01-10'); delete from payment"
            )

    edition = load_tiny(database.address(), tmp_path / "h", progress=change_tables)
    assert edition.facts["tables"]["loan"]["loaded"] == 2
    assert edition.facts["tables"]["payment"]["loaded"] == 1
    assert edition.as_of == AS_OF
