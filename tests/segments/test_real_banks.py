"""Segments of the real data sets, where they lie beside the project; their verdicts are printed."""

from pathlib import Path

import pytest

from analytics.marts.build import build
from analytics.segments import pipeline, report
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.segments.support import ROOT

REAL = ROOT.parent / "shared" / "real"


@pytest.mark.parametrize("source", ["superlender", "berka"])
def test_a_real_bank_is_fitted_and_its_verdict_printed(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (REAL / source).is_dir():
        pytest.skip(f"no {REAL / source}")
    load(REAL / source, source, tmp_path, build_marts=build)
    warehouse = Warehouse(tmp_path)
    pipeline.fit(warehouse)
    segments = report.read(warehouse)
    table = segments.table()
    with capsys.disabled():
        columns = ["en", "customers", "overdue", "reloan", "lift"]
        print(f"\n{source}: {segments.reason('en')}\n{table[columns].to_string()}")
        for scheme in segments.payload["schemes"]:
            if segments.base:
                print(scheme, segments.validation(scheme).to_string(), sep="\n")
            if segments.base or scheme == "abcd":
                print(segments.verdict(scheme, "en"))
    assert sum(table["customers"]) == segments.payload["customers"] > 200
    has_verdict = "cannot be validated" not in segments.verdict("abcd", "en")
    assert has_verdict or segments.base is None
