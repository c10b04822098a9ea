"""One home holds amounts of one currency: of the source or the manifest; CNY by default."""

import json
from pathlib import Path

import pytest

from data.contract.schema import read_contract
from data.errors import UserError
from data.ingest.source import read_source
from data.loading.pipeline import load
from tests.support.deliveries import manifest, write

MARCH = "2024-03-31"
APRIL = "2024-04-30"


def delivery(folder: Path, as_of: str, kind: str = "full", currency: str | None = None) -> Path:
    """Write a delivery; `currency` is named in its manifest."""
    write(
        folder,
        loan_snapshot=f"as_of,loan_id,balance,days_past_due\n{as_of},L1,900.00,0\n"
        + (f"{as_of},L9,10.00,0\n" if kind == "increment" else ""),
        customer=None if kind == "increment" else "customer_id,valid_from\nC1,2024-01-01\n",
        loan=None
        if kind == "increment"
        else "loan_id,customer_id,principal,disbursed_on\nL1,C1,1000.00,2024-01-10\n",
    )
    if kind == "increment":
        (folder / "customer.csv").write_text("customer_id,valid_from\nC9,2024-04-01\n")
        (folder / "loan.csv").write_text(
            "loan_id,customer_id,principal,disbursed_on\nL9,C9,10.00,2024-04-02\n"
        )
    manifest(folder, as_of, kind=kind)
    if currency:
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"currency": currency}))
    return folder


def test_an_edition_without_a_currency_is_in_cny(tmp_path: Path) -> None:
    edition = load(delivery(tmp_path / "a", MARCH), "contract", tmp_path / "home", build_marts=None)
    assert edition.facts["currency"] == "CNY"


def test_the_manifest_names_the_currency_and_an_increment_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    load(delivery(tmp_path / "a", MARCH, currency="USD"), "contract", home, build_marts=None)
    more = delivery(tmp_path / "b", APRIL, "increment", "USD")
    assert load(more, "contract", home, build_marts=None).facts["currency"] == "USD"


def test_a_second_currency_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    load(delivery(tmp_path / "a", MARCH, currency="USD"), "contract", home, build_marts=None)
    with pytest.raises(UserError) as refused:
        load(delivery(tmp_path / "b", APRIL, "increment"), "contract", home, build_marts=None)
    assert refused.value.code == "currency_changed"
    assert "USD" in refused.value.text("en")
    assert "CNY" in refused.value.text("zh-CN")


@pytest.mark.parametrize("currency", ["RMB", "cny", "€"])
def test_a_currency_is_an_iso_code(tmp_path: Path, currency: str) -> None:
    folder = delivery(tmp_path / "a", MARCH, currency=currency)
    with pytest.raises(UserError) as refused:
        load(folder, "contract", tmp_path / "home", build_marts=None)
    assert refused.value.code == "currency_unknown"


@pytest.mark.parametrize(
    ("name", "currency"),
    [("berka", "CZK"), ("contract", "CNY"), ("ondeck", "USD"), ("superlender", "NGN")],
)
def test_each_source_names_its_currency(name: str, currency: str) -> None:
    assert read_source(name, read_contract()).currency == currency
