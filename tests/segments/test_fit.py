"""Fits are reproducible, refuse bad input, and are complete with poor data."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analytics.segments import definitions, features, pipeline, report, store
from analytics.segments.report import Segments
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.segments.support import LAST, ROOT, run_module, scalar


def without_durations(payload: dict[str, Any]) -> dict[str, Any]:
    copy = json.loads(json.dumps(payload))
    del copy["seconds"]
    for entry in (*copy["candidates"], copy["reason"]):
        entry.pop("seconds", None)
    return copy


def test_two_fits_with_one_seed_are_identical(
    fitted_home: Path, segments: Segments, tmp_path: Path
) -> None:
    warehouse = Warehouse(fitted_home)
    warehouse.home = tmp_path
    again = pipeline.fit(warehouse, monthly=True)
    warehouse.close()
    assert without_durations(again) == without_durations(dict(segments.payload))


def test_inactive_customers_are_a_segment_by_rule_that_no_method_sees(
    warehouse: Warehouse, segments: Segments, frame: pd.DataFrame
) -> None:
    members = segments.members.set_index("customer_key")
    inactive = set(frame["customer_key"][~features.is_active(frame)])
    assert inactive == set(members.index[members["segment"] == 0])
    assert segments.payload["idle"] == len(inactive) > 0
    assert segments.order[-1] == definitions.INACTIVE
    assert definitions.INACTIVE not in segments.payload["codes"]
    assert (members.loc[list(inactive), "fact_1"] == -1).all()
    assert not inactive & set(segments.payload["map"]["key"])
    # by hand: no month with a loan, no fee
    customer = {"key": min(inactive), "since": month_end(LAST, -12), "last": LAST}
    loan_months = scalar(
        warehouse,
        "select count(*) from loan_month where customer_key = $key and balance > 0 "
        "and as_of > $since and as_of <= $last",
        **customer,
    )
    bookings = scalar(
        warehouse,
        "select count(*) from income where customer_key = $key "
        "and booked_on > $since and booked_on <= $last",
        **customer,
    )
    assert (loan_months, bookings) == (0, 0)


def test_too_few_customers_are_refused(small_home: Path) -> None:
    with pytest.raises(UserError, match=r"少于 200.*200 or more"):
        pipeline.fit(Warehouse(small_home))


def test_a_month_end_that_the_edition_lacks_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(UserError, match="no month end 2031-01-31"):
        pipeline.fit(warehouse, date(2031, 1, 31))


def test_a_month_that_was_never_fitted_is_refused_with_the_fitted_ones(
    warehouse: Warehouse,
) -> None:
    message = r"2026-05-31 was never fitted; fitted month ends: 2026-10-31"
    with pytest.raises(UserError, match=message):
        report.read(warehouse, date(2026, 5, 31))


def test_an_edition_without_a_fit_says_what_to_run(demo_home: Path) -> None:
    with pytest.raises(UserError, match="segments fit"):
        report.read(Warehouse(demo_home))


def test_a_damaged_table_is_refused(segments: Segments, tmp_path: Path) -> None:
    folder = tmp_path / store.FOLDER / segments.payload["edition"]
    folder.mkdir(parents=True)
    (folder / segments.payload["table"]).write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="missing or damaged"):
        store.members(tmp_path, segments.payload)


@pytest.fixture(scope="module")
def poor_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank without deposits, without fees, and with ten month ends too few for outcomes."""
    folder = tmp_path_factory.mktemp("poor")
    delivery = folder / "delivery"
    home = folder / "home"
    size = ("--customers", "700", "--months", "8", "--seed", "5")
    demo = run_module("data", "demo", *size, "--format", "csv", "--to", str(delivery))
    assert demo.returncode == 0, demo.stderr[-2000:]
    manifest = json.loads((delivery / "manifest.json").read_text())
    for table in ("deposit_balance", "income"):
        for file in manifest["tables"].pop(table)["files"]:
            (delivery / file["name"]).unlink()
    (delivery / "manifest.json").write_text(json.dumps(manifest))
    load = run_module("data", "load", str(delivery), "--source", "contract", "--home", str(home))
    assert load.returncode == 0, load.stderr[-2000:]
    return home


def test_a_bank_without_deposits_fees_and_history_has_segments_and_a_page(
    poor_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = run_module("analytics", "segments", "fit", "--home", str(poor_home))
    assert fit.returncode == 0, fit.stderr[-2000:]
    warehouse = Warehouse(poor_home)
    segments = report.read(warehouse)
    axes = {axis["fact"] for axis in segments.payload["space"]["axes"]}
    assert not {"deposits", "fees", "fee_kind"} & axes
    assert len(segments.payload["codes"]) >= 2
    notes = " ".join(segments.notes("en"))
    assert "Fewer than 18 month ends of history" in notes
    assert "Not used, missing throughout: " in notes
    use_of = segments.features("en").set_index("fact")["used"]
    assert use_of["deposits"] == "not used: missing throughout"
    assert use_of["loan_balance"] == "used"
    warehouse.close()
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(poor_home))
    page = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    page.query_params["lang"] = "en"
    page.run()
    page.switch_page("pages/analysis/segments.py").run()
    assert not page.exception
    body = "\n".join(block.proto.body for block in page.get("html"))
    assert "the history is too short for outcomes of the year after" in body
    assert "no disagreement can be listed" in body
