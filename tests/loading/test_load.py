"""Loading whole deliveries: stored rows, stable keys, increments, dry run, command line."""

import hmac
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.__main__ import main
from data.editions.hash_key import secret_key
from data.editions.manifest import Edition
from data.errors import UserError
from data.loading.events import load_events
from data.loading.keys.dimensions import lineage
from data.loading.pipeline import dry_run
from data.loading.validation import RowValidator, StagedTable
from tests.support.deliveries import CUSTOMER, LOAN, load_tiny, manifest, rows, write

Grown = tuple[Edition, Path]
ROOT = Path(__file__).parents[2]
APRIL = "as_of,loan_id,balance,days_past_due\n"
APRIL += "2024-04-30,L1,800.00,0\n2024-04-30,L2,2000.00,61\n2024-04-30,L3,500.00,0\n"


def command(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m data` with a home."""
    process = subprocess.run(
        [sys.executable, "-m", "data", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"LOAN_PANORAMA_HOME": str(home)},
    )
    assert "Traceback" not in process.stderr
    return process


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """A bank of March with the increment of April: customer C2 changed, C3 and loan L3 are new,
    loan L1 is settled.
    """
    folder = tmp_path_factory.mktemp("grown")
    branch = (
        "branch_id,parent_id,name\nHQ,,总行\nP1,HQ,澜江省分行\nC1,P1,江城分行\nO1,C1,江城路支行\n"
    )
    customer = "customer_id,valid_from,name,id_number,phone,branch_id\n"
    customer += "C1,2024-01-01,张三,990101199003071237,13812345678,O1\n"
    customer += "C2,2024-01-01,李四,,+86 138-1234-5679,P1\n"
    load_tiny(write(folder / "a", branch=branch, customer=customer), folder / "h")
    customer = "customer_id,valid_from,branch_id\nC2,2024-04-10,O2\nC3,2024-04-11,O1\n"
    loan = "loan_id,customer_id,principal,disbursed_on,closed_on\n"
    loan += "L3,C3,500.00,2024-04-12,\nL1,C1,1000.00,2024-01-10,2024-04-30\n"
    april = write(folder / "b", customer=customer, loan=loan, loan_snapshot=APRIL)
    edition = load_tiny(manifest(april, "2024-04-30", kind="increment"), folder / "h", as_of=None)
    return edition, folder / "h"


def ask(grown: Grown, sql: str) -> list[tuple]:
    """Run a query on the grown bank."""
    return [tuple(row.values()) for row in rows(*grown, sql)]


def test_keys_are_dense_and_stable_across_increments(grown: Grown) -> None:
    assert ask(grown, "select customer_key, customer_id from customer_number order by 1") == [
        (1, "C1"),
        (2, "C2"),
        (3, "C3"),
    ]
    assert ask(grown, "select loan_key, loan_id, customer_key from loan_number order by 1") == [
        (1, "L1", 1),
        (2, "L2", 2),
        (3, "L3", 3),
    ]


def test_a_loan_that_is_delivered_again_is_a_row_of_its_delivery(grown: Grown) -> None:
    assert ask(
        grown, "select loan_key, delivery, closed_on is not null from loan order by 1, 2"
    ) == [
        (1, 1, False),
        (1, 2, True),
        (2, 1, False),
        (3, 2, False),
    ]


def test_a_changed_customer_is_a_new_version(grown: Grown) -> None:
    result = ask(grown, "select customer_key, valid_from::varchar from customer order by 1, 2")
    assert result == [(1, "2024-01-01"), (2, "2024-01-01"), (2, "2024-04-10"), (3, "2024-04-11")]


def test_the_head_office_is_level_zero_and_each_branch_has_its_ancestors(grown: Grown) -> None:
    """O2 is in use but in no delivered tree: a child of the head office, named by its number."""
    tree = ask(
        grown,
        "select branch_id, level, branch_1, branch_2, branch_3, name"
        " from branch order by branch_key",
    )
    assert tree == [
        ("HQ", 0, None, None, None, "总行"),
        ("P1", 1, "P1", None, None, "澜江省分行"),
        ("C1", 2, "P1", "C1", None, "江城分行"),
        ("O1", 3, "P1", "C1", "O1", "江城路支行"),
        ("O2", 1, "O2", None, None, "O2"),
    ]


def test_a_circle_of_branches_is_refused() -> None:
    with pytest.raises(UserError, match="goes round in a circle"):
        lineage("A", {"A": "B", "B": "C", "C": "A"})


def test_personal_columns_are_masked_and_hashed_as_in_rfc_2104(grown: Grown) -> None:
    key = secret_key(grown[1])
    phones = [
        hmac.digest(key, number.encode(), "sha256") for number in ("13812345678", "13812345679")
    ]
    result = ask(
        grown,
        "select name_masked, id_number_masked, phone_masked, phone_hash from customer "
        "where valid_from < '2024-04-01' order by customer_key",
    )
    assert result == [
        ("张**", "9****************7", "138******78", phones[0]),
        ("李**", None, "138******79", phones[1]),
    ]


def test_nothing_personal_is_readable_in_any_file_of_the_home(grown: Grown) -> None:
    content = b"".join(
        path.read_bytes() for path in grown[1].rglob("*") if path.is_file() and path.name != "key"
    )
    for secret in ("张三", "李四", "990101199003071237", "13812345678", "13812345679"):
        assert secret.encode() not in content


def test_the_delivery_is_recorded_with_its_reconciliation(grown: Grown) -> None:
    result = ask(grown, "select delivery, kind, as_of::varchar, tables from delivery order by 1")
    assert [row[:3] for row in result] == [
        (1, "full", "2024-03-31"),
        (2, "increment", "2024-04-30"),
    ]
    assert json.loads(result[1][3])["loan"] | {"seconds": 0} == {
        "read": 2, "loaded": 2, "rejected": 0, "skipped": 0, "orphans": 0,
        "rejects": {}, "skips": {}, "totals": {"principal": "1500.00"}, "notes": [], "seconds": 0,
    }  # fmt: skip


def test_tables_that_are_not_delivered_exist_and_are_empty(grown: Grown) -> None:
    assert ask(grown, "select (select count(*) from payment), (select count(*) from survey)") == [
        (0, 0)
    ]


def test_two_kinds_of_history_are_refused(tmp_path: Path) -> None:
    events = {
        "instalment": "loan_id,number,due_on,principal\nL1,1,2024-02-10,1\n",
        "payment": "payment_id,loan_id,paid_at,amount\nP,L1,2024-02-10,1\n",
    }
    with pytest.raises(UserError, match="events and snapshots are both delivered"):
        load_tiny(write(tmp_path / "d", **events), tmp_path / "h")


def test_instalments_without_payments_are_refused(tmp_path: Path) -> None:
    instalment = "loan_id,number,due_on,principal\nL1,1,2024-02-10,1\n"
    with pytest.raises(UserError, match="no history"):
        load_tiny(write(tmp_path / "d", loan_snapshot=None, instalment=instalment), tmp_path / "h")


EVENTS = {
    "instalment": (
        "loan_id,number,due_on,principal\nL1,1,2024-02-10,100.00\nL2,1,2024-03-10,100.00\n"
    ),
    "payment": "payment_id,loan_id,paid_at,amount\nP1,L1,2024-02-10,100.00\n",
}


def test_tables_loaded_by_two_threads_are_reconciled_in_the_order_of_the_contract(
    tmp_path: Path,
) -> None:
    other_tables = {
        "survey": (
            "survey_id,customer_id,asked_on,score\n"
            "1,C1,2024-03-01,9\n2,C2,2024-03-01,9\n3,C2,2024-03-02,9\n"
        ),
        "deposit_balance": "as_of,customer_id,balance\n2024-03-31,C1,7.00\n",
    }
    edition = load_tiny(
        write(tmp_path / "a", loan_snapshot=None, **EVENTS, **other_tables), tmp_path / "h"
    )
    loaded = {name: table["loaded"] for name, table in edition.facts["tables"].items()}
    events = {"instalment": 2, "payment": 1, "deposit_balance": 1, "survey": 3}
    assert list(loaded.items())[-len(events) :] == list(events.items())


@pytest.mark.parametrize("failing", EVENTS)
def test_a_table_that_fails_in_either_thread_stops_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def load_or_fail(validator: RowValidator, staged: StagedTable) -> None:
        if staged.table.name == failing:
            raise UserError("no_table", table=failing)
        load_events(validator, staged)

    monkeypatch.setattr("data.loading.pipeline.load_events", load_or_fail)
    with pytest.raises(UserError, match=f"required table {failing}"):
        load_tiny(write(tmp_path / "a", loan_snapshot=None, **EVENTS), tmp_path / "h")
    assert not (tmp_path / "h" / "CURRENT").exists()


def test_an_event_that_an_increment_delivers_again_counts_once(tmp_path: Path) -> None:
    load_tiny(write(tmp_path / "a", loan_snapshot=None, **EVENTS), tmp_path / "h")
    again = {
        "customer": "customer_id,valid_from\nC9,2024-04-01\n",
        "loan": "loan_id,customer_id,principal,disbursed_on\nL9,C9,1.00,2024-04-01\n",
        "instalment": "loan_id,number,due_on,principal\nL1,2,2024-04-10,100.00\n",
        "payment": (
            "payment_id,loan_id,paid_at,amount\nP1,L1,2024-02-10,100.00\nP2,L1,2024-04-10,100.00\n"
        ),
    }
    later = manifest(
        write(tmp_path / "b", loan_snapshot=None, **again), "2024-04-30", kind="increment"
    )
    edition = load_tiny(later, tmp_path / "h", as_of=None, limits={"rejects": 1.0})
    assert edition.facts["tables"]["payment"]["rejects"] == {"already_delivered": 1}
    assert rows(edition, tmp_path / "h", "select sum(amount)::varchar as paid from payment") == [
        {"paid": "200.00"}
    ]


def test_a_dry_run_returns_the_facts_and_publishes_nothing(tmp_path: Path) -> None:
    facts = dry_run(manifest(write(tmp_path / "d")), "contract", tmp_path / "h")
    assert facts["tables"]["loan"]["loaded"] == 2
    assert not (tmp_path / "h" / "CURRENT").exists()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=10**13), min_size=1, max_size=30))
def test_amounts_are_stored_to_the_fen(
    tmp_path_factory: pytest.TempPathFactory, fen: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("fen")
    loan = "loan_id,customer_id,principal,disbursed_on\n"
    loan += "".join(
        f"L{number},C1,{amount // 100}.{amount % 100:02d},2024-01-10\n"
        for number, amount in enumerate(fen, 1)
    )
    snapshot = "as_of,loan_id,balance,days_past_due\n2024-03-31,L1,0,0\n"
    delivery = write(folder / "d", loan=loan, loan_snapshot=snapshot)
    edition = load_tiny(delivery, folder / "h", accepted_by="Li Wei")
    whole = sum(fen)
    assert (
        edition.facts["tables"]["loan"]["totals"]["principal"]
        == f"{whole // 100}.{whole % 100:02d}"
    )


SIZE = ("--customers", "100", "--months", "2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("load", "nowhere"), "there is no folder nowhere"),
        (("check", "nowhere"), "there is no folder nowhere"),
        (("load", "pyproject.toml"), "there is no folder pyproject.toml"),
        (("load", "tests", "--source", "nobank"), "there is no source named nobank"),
        (("load", "tests", "--limit", "luck=1"), "there is no limit named luck"),
        (("load", "tests", "--limit", "orphans=-1"), "NAME=SHARE"),
        (("load", "tests", "--limit", "orphans=nan"), "NAME=SHARE"),
        (("load", "tests", "--as-of", "31.3.2024"), "YYYY-MM-DD"),
        (("load", "tests", "--as-of", "2024-03-30"), "last day of a month"),
        (("load", "tests", "--encoding", "klingon"), "'klingon' is not one of"),
        (("load", "tests", "--memory", "lots"), "4GB"),
        (("load", "tests", "--threads", "0"), "above zero"),
        (("load", "tests", "--home", "pyproject.toml"), "is a file"),
        (("editions", "--rollback", "abc"), "abc"),
        (("demo", *SIZE, "--to", "pyproject.toml"), "is a file"),
        (("demo", *SIZE, "--to", "d", "--as-of", "2024-03-30"), "last day of a month"),
        (("demo", "--customers", "0", "--to", "d"), "at least 100"),
    ],
    ids=" ".join,
)
def test_an_invalid_request_is_one_line_and_exit_code_two(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(tmp_path / "h"))
    assert _exit_code(arguments) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


def test_a_rejected_delivery_is_one_line_and_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(tmp_path / "h"))
    delivery = write(tmp_path / "d", customer=CUSTOMER, loan=LOAN)
    (tmp_path / "closed").write_text("a file where a folder should come")
    for arguments in (
        ("load", str(delivery)),
        ("demo", *SIZE, "--to", str(tmp_path / "closed" / "d")),
    ):
        assert _exit_code(arguments) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_the_program_ends_with_the_exit_code_of_its_command(tmp_path: Path) -> None:
    process = command("load", "nowhere", home=tmp_path / "h")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1


def _exit_code(arguments: tuple[str, ...]) -> int:
    """Run a command in this process."""
    try:
        return main(list(arguments))
    except SystemExit as error:
        return int(error.code or 0)


def test_the_command_line_checks_loads_and_lists(tmp_path: Path) -> None:
    delivery, home = manifest(write(tmp_path / "d", customer=CUSTOMER, loan=LOAN)), tmp_path / "h"
    assert command("check", delivery, home=home).returncode == 0
    loaded = command("load", delivery, "--report", "json", home=home)
    report = json.loads(loaded.stdout)
    assert report["tables"]["loan"]["totals"] == {"principal": "3000.00"}
    again = command("load", delivery, home=home)
    assert again.returncode == 0
    assert report["edition"] in again.stdout
    assert report["edition"] in command("editions", home=home).stdout
