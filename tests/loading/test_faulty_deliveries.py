"""Faulty deliveries: repeated, late, incomplete, altered, of another size, two loads at once."""

import datetime as dt
import fcntl
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.editions import store
from data.errors import UserError
from data.loading.plan import SameDelivery
from tests.support.deliveries import CUSTOMER, LOAN, SNAPSHOT, load_tiny, manifest, rows, write

APRIL = "as_of,loan_id,balance,days_past_due\n2024-04-30,L1,800.00,0\n2024-04-30,L2,2000.00,61\n"


def test_the_same_delivery_again_is_recognised_and_loads_nothing(tmp_path: Path) -> None:
    """Fault 61."""
    edition = load_tiny(write(tmp_path / "d"), tmp_path / "h")
    with pytest.raises(SameDelivery, match=f"loaded before \\(edition {edition.id}\\)"):
        load_tiny(write(tmp_path / "again"), tmp_path / "h")
    assert len(store.history(tmp_path / "h")) == 1


def test_yesterdays_delivery_is_refused_by_its_as_of(tmp_path: Path) -> None:
    """Fault 62."""
    load_tiny(write(tmp_path / "d"), tmp_path / "h")
    february = SNAPSHOT.replace("2024-03-31", "2024-02-29")
    with pytest.raises(UserError, match="2024-02-29 is not later than the published 2024-03-31"):
        load_tiny(
            write(tmp_path / "old", loan_snapshot=february),
            tmp_path / "h",
            as_of=dt.date(2024, 2, 29),
        )


def test_a_listed_file_that_is_missing_stops_the_load(tmp_path: Path) -> None:
    """Fault 63."""
    delivery = manifest(write(tmp_path / "d"))
    (delivery / "loan_snapshot.csv").unlink()
    with pytest.raises(UserError, match=r"lacks file loan_snapshot\.csv"):
        load_tiny(delivery, tmp_path / "h")


@pytest.mark.parametrize(
    ("table", "message"),
    [("loan", "lacks the required table loan"), ("loan_snapshot", "no history")],
)
def test_a_required_table_that_is_missing_stops_the_load(
    tmp_path: Path, table: str, message: str
) -> None:
    """Fault 63."""
    with pytest.raises(UserError, match=message):
        load_tiny(write(tmp_path / "d", **{table: None}), tmp_path / "h")


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Fault 64."""
    delivery = write(tmp_path / "d")

    def still_copying(step: str, count: int, seconds: float) -> None:
        if step == "loan":
            with (delivery / "customer.csv").open("a") as file:
                file.write("C3,2024-01-01\n")

    with pytest.raises(UserError, match=r"customer\.csv changed while it was read"):
        load_tiny(delivery, tmp_path / "h", progress=still_copying)


def test_a_file_whose_sha256_differs_is_refused(tmp_path: Path) -> None:
    """Fault 65."""
    delivery = manifest(write(tmp_path / "d"))
    (delivery / "loan.csv").write_text(LOAN.replace("1000.00", "1001.00"), encoding="utf-8")
    with pytest.raises(UserError, match=r"sha256 of loan\.csv differs"):
        load_tiny(delivery, tmp_path / "h")


def test_a_row_count_that_differs_is_refused(tmp_path: Path) -> None:
    """Fault 66."""
    with pytest.raises(UserError, match=r"loan\.csv holds 2 rows, manifest\.json says 3"):
        load_tiny(manifest(write(tmp_path / "d"), rows={"loan": 3}), tmp_path / "h")


def test_a_total_that_differs_by_one_fen_is_refused(tmp_path: Path) -> None:
    """Fault 66."""
    with pytest.raises(
        UserError, match=r"loan\.principal sums to 3000\.00, the control total says 3000\.01"
    ):
        load_tiny(
            manifest(write(tmp_path / "d"), totals={"loan": {"principal": "3000.01"}}),
            tmp_path / "h",
        )


def customers(count: int) -> str:
    """Return a file of customers."""
    return "customer_id,valid_from\n" + "".join(
        f"C{number},2024-01-01\n" for number in range(1, count + 1)
    )


def test_a_loss_of_a_fifth_of_the_customers_must_be_approved_by_name(tmp_path: Path) -> None:
    """Fault 67: 1,300 to 1,000 is 23 % less."""
    load_tiny(write(tmp_path / "a", customer=customers(1300)), tmp_path / "h")
    fewer = write(tmp_path / "b", customer=customers(1000))
    with pytest.raises(
        UserError, match=r"customer: rows went from 1300 to 1000, beyond ±20%.*--accept-volume"
    ):
        load_tiny(fewer, tmp_path / "h")
    assert load_tiny(fewer, tmp_path / "h", volume_by="Li Wei").facts["overrides"] == {
        "volume_by": "Li Wei"
    }


def test_parquet_files_of_one_table_must_agree_on_their_types(tmp_path: Path) -> None:
    """Fault 68."""
    delivery = write(tmp_path / "d", customer=None)
    day = pa.array([dt.date(2024, 1, 1)])
    pq.write_table(
        pa.table({"customer_id": pa.array(["C1"]), "valid_from": day}), delivery / "a.parquet"
    )
    pq.write_table(
        pa.table({"customer_id": pa.array([2]), "valid_from": day}), delivery / "b.parquet"
    )
    manifest(delivery)
    path = delivery / "manifest.json"
    text = path.read_text(encoding="utf-8")
    body = json.loads(text)
    body["tables"]["customer"] = {
        "files": [*body["tables"].pop("a")["files"], *body["tables"].pop("b")["files"]]
    }
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"column customer_id of b\.parquet is int, but text in a\.parquet"
    ):
        load_tiny(delivery, tmp_path / "h")


def test_a_second_load_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """Fault 69."""
    store.preflight(tmp_path / "h")
    with (tmp_path / "h" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="Another load is running"):
            load_tiny(write(tmp_path / "d"), tmp_path / "h")


def test_an_increment_that_leaves_a_month_out_is_refused(tmp_path: Path) -> None:
    """Fault 69."""
    load_tiny(write(tmp_path / "a"), tmp_path / "h")
    may = write(tmp_path / "b", loan_snapshot=APRIL.replace("04-30", "05-31"))
    with pytest.raises(
        UserError, match="starts with 2024-05-31, which does not follow the published 2024-03-31"
    ):
        load_tiny(
            manifest(may, "2024-05-31", kind="increment", first="2024-05-31"),
            tmp_path / "h",
            as_of=None,
        )


def test_editions_are_ordered_by_number_when_the_clock_jumps_back(tmp_path: Path) -> None:
    """Fault 70."""
    noon = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    first = load_tiny(write(tmp_path / "a"), tmp_path / "h", now=noon)
    customer = "customer_id,valid_from\nC1,2024-04-02\nC2,2024-04-02\n"
    later = manifest(
        write(tmp_path / "b", customer=customer, loan_snapshot=APRIL),
        "2024-04-30",
        kind="increment",
    )
    second = load_tiny(later, tmp_path / "h", as_of=None, now=noon - dt.timedelta(days=400))
    assert (first.number, second.number) == (1, 2)
    assert store.history(tmp_path / "h")[-1].id == second.id


def test_a_link_within_a_delivery_is_refused(tmp_path: Path) -> None:
    delivery = write(tmp_path / "d", customer=None)
    (tmp_path / "elsewhere.csv").write_text(CUSTOMER, encoding="utf-8")
    (delivery / "customer.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(UserError, match=r"customer\.csv is no regular file"):
        load_tiny(delivery, tmp_path / "h")


def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    delivery = manifest(write(tmp_path / "d"))
    path = delivery / "manifest.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"loan.csv"', '"../loan.csv"'), encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"\.\./loan\.csv in manifest\.json is not a plain name"):
        load_tiny(delivery, tmp_path / "h")


def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    delivery = manifest(write(tmp_path / "d"))
    (delivery / "income.csv").write_text("income_id\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"income\.csv is not listed in manifest\.json"):
        load_tiny(delivery, tmp_path / "h")


def test_the_published_edition_remains_after_a_refused_delivery(tmp_path: Path) -> None:
    first = load_tiny(write(tmp_path / "a"), tmp_path / "h")
    with pytest.raises(UserError):
        load_tiny(write(tmp_path / "b", loan=LOAN.replace("1000.00", "x")), tmp_path / "h")
    assert [edition.id for edition in store.history(tmp_path / "h")] == [first.id]
    assert rows(first, tmp_path / "h", "select count(*) as loans from loan") == [{"loans": 2}]
    assert not list((tmp_path / "h" / "building").iterdir())
