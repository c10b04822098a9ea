"""Segments from month to month: names continue, splits and ends are noted, shifts are measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analytics.i18n.text import LANGUAGES
from analytics.segments import pipeline, report, store, tracking
from analytics.segments.report import Segments
from data.dates import month_end
from data.editions.reader import Warehouse
from tests.segments.support import CUSTOMERS, LAST, MONTHS, SEED, run_module


def test_names_are_kept_over_twelve_refits(segments: Segments) -> None:
    history = segments.payload["history"]
    months = [str(month_end(LAST, -back)) for back in range(12, -1, -1)]
    assert [record["as_of"] for record in history] == months
    assert all(record["names"] == history[0]["names"] for record in history)
    assert not any(record["events"] for record in history)


def test_names_are_distinct_in_both_languages(segments: Segments) -> None:
    for lang in LANGUAGES:
        names = [segments.name(code, lang) for code in segments.order]
        assert len(set(names)) == len(names)


def test_a_fit_takes_over_the_names_of_the_edition_before(
    fitted_home: Path, tmp_path: Path
) -> None:
    """The next month is loaded as an increment and fitted."""
    home = tmp_path / "home"
    for source in [path for path in fitted_home.rglob("*") if path.is_file()]:
        target = home / source.relative_to(fitted_home)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    (home / "key").chmod(0o600)
    increment = str(tmp_path / "next")
    size = ("--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", str(SEED))
    assert run_module("data", "demo", *size, "--next", "--to", increment).returncode == 0
    load = run_module("data", "load", increment, "--source", "contract", "--home", str(home))
    assert load.returncode == 0, load.stderr
    before = report.read(Warehouse(fitted_home)).payload
    warehouse = Warehouse(home)
    earlier = store.previous_fit(warehouse.home, warehouse.edition, LAST)
    fit = pipeline.fit(warehouse)
    assert earlier is not None
    assert earlier["names"] == before["names"]
    assert fit["reason"]["key"] == "reason_kept"
    assert fit["names"] == before["names"]


def test_a_segment_that_lost_more_than_half_of_its_members_has_split() -> None:
    before = np.array([[0.0, 0], [9, 0]])
    now = np.array([[-5.0, 0], [9, 0], [5, 0]])
    # Old 0 had 100 members: 50 stay (new 0), 50 go to new 2; old 1 stays as it is.
    old = np.repeat([0, 1], [100, 100])
    new = np.repeat([0, 2, 1], [50, 50, 100])
    pairs, events = tracking.match_centroids(before, now, old, new)
    # new 0 and old 0 share 50 of 100: half, so it is the same segment; new 2 is new
    assert pairs == {0: 0, 1: 1}
    assert events == [{"key": "event_new", "new": [2]}]
    new = np.repeat([0, 2, 1], [49, 51, 100])
    new[:2] = 1
    pairs, events = tracking.match_centroids(before, now, old, new)
    # 47 of 100 are less than half: old 0 ends, its members went to two new segments
    assert 0 not in pairs or pairs[0] != 0
    assert {"key": "event_split", "old": 0, "new": [0, 2]} in events


def test_a_segment_whose_members_went_elsewhere_has_ended() -> None:
    old = np.repeat([0, 1, 2], [100, 100, 10])
    new = np.repeat([0, 1, 1], [100, 100, 10])
    before = np.array([[0.0], [5], [9]])
    now = np.array([[0.0], [5]])
    _, events = tracking.match_centroids(before, now, old, new)
    assert events == [{"key": "event_died", "old": 2, "new": [1]}]


def test_psi_of_two_distributions_by_hand() -> None:
    index = tracking.psi([500, 500], [600, 400])
    # (0.6 − 0.5)·ln(0.6/0.5) + (0.4 − 0.5)·ln(0.4/0.5) = 0.018232 + 0.022314
    assert index["psi"] == pytest.approx(0.040547, abs=1e-6)
    # χ²(1) at 95 % is 3.8415; 3.8415 × 2/1000
    assert index["critical"] == pytest.approx(0.007683, abs=1e-6)


def test_the_months_say_whether_a_shift_of_sizes_is_chance(segments: Segments) -> None:
    months = segments.months("en")
    assert len(months) == 12
    is_chance = months["psi"] <= months["critical"]
    assert ((months["verdict"] == "none") == is_chance).all()


@pytest.mark.parametrize(("psi", "verdict"), [(0.05, "small"), (0.2, "moderate"), (0.3, "large")])
def test_a_shift_beyond_chance_has_a_size(segments: Segments, psi: float, verdict: str) -> None:
    first, second, *_ = segments.payload["history"]
    history = [first, second | {"psi": psi, "critical": 0.01}]
    months = replace(segments, payload={**segments.payload, "history": history}).months("en")
    assert months["verdict"].tolist() == [verdict]


def test_every_refit_has_psi_with_its_critical_value_and_agreement(segments: Segments) -> None:
    for record in segments.payload["history"][1:]:
        assert record["psi"] >= 0
        assert record["critical"] > 0
        assert 0.5 < record["agreement"] <= 1
