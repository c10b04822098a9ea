"""The segments page prints the stored fit; its charts and its map are sound."""

import html
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analytics.i18n import text
from analytics.i18n.text import LANGUAGES
from analytics.presentation import plotly_figures, segment_charts
from analytics.segments.report import Segments
from data.editions.reader import Warehouse
from tests.segments.support import ROOT


def open_page(home: Path, monkeypatch: pytest.MonkeyPatch, **address: str) -> AppTest:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(home))
    page = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    page.switch_page("pages/analysis/segments.py").run()
    assert not page.exception
    return page


def body_of(page: AppTest) -> str:
    return "\n".join(block.proto.body for block in page.get("html"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_prints_the_stored_fit(
    fitted_home: Path,
    warehouse: Warehouse,
    segments: Segments,
    monkeypatch: pytest.MonkeyPatch,
    lang: str,
) -> None:
    body = body_of(open_page(fitted_home, monkeypatch, lang=lang))
    disagreements = segments.disagreements(warehouse, "abcd", "good_in_bad")
    balance = text.number(disagreements.balance, "money", lang)
    assert text.say("segments.list", lang, n=f"{len(disagreements):,}", balance=balance) in body
    assert text.say("segments.never", lang) in body
    assert html.escape(segments.headline("abcd", lang)) in body


@pytest.mark.parametrize(
    ("part", "title"),
    [
        ("weights", "most by "),
        ("rules", "A shallow tree"),
        ("map", "Map of customers: a sample of "),
    ],
)
def test_one_explanation_at_a_time_is_drawn(
    fitted_home: Path, monkeypatch: pytest.MonkeyPatch, part: str, title: str
) -> None:
    page = open_page(fitted_home, monkeypatch, lang="en", why=part)
    assert title in body_of(page)
    assert len(page.get("deck_gl_json_chart")) == (part == "map")


def test_no_page_imports_scikit_learn() -> None:
    program = (
        "import sys, pages.parts.sections.segments.segment_methods; "
        "sys.exit('sklearn' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("dark", [False, True])
def test_outcomes_and_validation_are_sound_figures(segments: Segments, dark: bool) -> None:
    outcomes = segment_charts.outcomes(segments.table(), 0.1, "en", dark=dark)
    assert len(plotly_figures.to_plotly(outcomes).data[0].x) == len(segments.order)
    rows = segments.validation("abcd")
    bars = plotly_figures.to_plotly(segment_charts.validation(rows, "en", dark=dark)).data
    assert [trace.name for trace in bars] == ["classes alone", "segments alone", "both"]
    assert list(bars[2].x) == rows["both_auc"].tolist()


def test_an_outcome_with_too_few_cases_says_so() -> None:
    rows = pd.DataFrame([{"outcome": "overdue", "n": 9, "events": 1, "verdict": "too_few"}])
    notes = segment_charts.validation(rows, "en")["layout"]["annotations"]
    assert "only 1 cases" in notes[0]["text"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_map_is_a_scene_of_dots_that_contacts_no_host(segments: Segments, lang: str) -> None:
    name_of = {code: segments.name(code, lang) for code in segments.payload["codes"]}
    points = segments.payload["map"]
    chart = segment_charts.customer_map(points, name_of, segments.order[0], lang)
    scene = json.loads(chart.to_json())
    layers = [layer for layer in scene["layers"] if layer["@@type"] == "ScatterplotLayer"]
    dots = [dot for layer in layers for dot in layer["data"]]
    assert sorted(dot["i"] for dot in dots) == list(range(len(points["x"])))
    assert all(-1 <= coordinate <= 1 for dot in dots for coordinate in dot["p"])
    labels = {dot["t"].replace("\n", " ") for dot in scene["layers"][-1]["data"]}
    assert labels == set(name_of.values())
    assert [entry["@@type"] for entry in scene["views"]] == ["OrthographicView"]
    assert (scene["mapStyle"], scene["mapProvider"]) == (None, None)
    assert "//" not in json.dumps(scene)
