"""Segments: found against the invented bank's hidden types, kept steady, judged out of time, refused in sentences."""

import html
import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from streamlit.testing.v1 import AppTest

from analytics.__main__ import main
from analytics.i18n import text
from analytics.i18n.text import LANGUAGES
from analytics.marts.build import build
from analytics.presentation import metric_charts, segment_charts
from analytics.segments import (
    cluster,
    definitions,
    evaluation,
    explain,
    feature_space,
    features,
    pipeline,
    report,
    store,
    tracking,
)
from analytics.sql import templates
from data.dates import month_end
from data.demo import hidden_misgraded, hidden_types
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import load

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "real"
CUSTOMERS, MONTHS, SEED = 3_000, 28, 11
LAST = date(2026, 10, 31)


@pytest.fixture(scope="session")
def home(fitted_home) -> Path:
    return fitted_home


@pytest.fixture(scope="module")
def bank(home):
    bank = Warehouse(home)
    yield bank
    bank.close()


@pytest.fixture(scope="module")
def of(bank) -> report.Segments:
    return report.read(bank)


@pytest.fixture(scope="module")
def frame(bank) -> pd.DataFrame:
    """The facts of the newest month end."""
    with bank.session() as view:
        return features.facts_at(view, LAST)


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )


def numbers(bank) -> pd.Series:
    """The bank's own number by customer_key."""
    frame = bank.query("select customer_key, customer_id from customer_number")
    return frame.set_index("customer_key")["customer_id"]


# ---- found


def test_segments_agree_with_the_hidden_types(bank, of):
    members = store.members(bank.home, dict(of.payload))
    types = pd.Series(*hidden_types(CUSTOMERS, SEED)[::-1])
    told = members["customer_key"].map(numbers(bank)).map(types)
    assert adjusted_rand_score(told[told.notna()], members["segment"][told.notna()]) >= 0.6


@pytest.mark.parametrize(("kind", "place"), [("bad_in_good", 0), ("good_in_bad", 1)])
def test_the_misgraded_are_five_times_as_frequent_on_the_lists(bank, of, kind, place):
    hidden = set(hidden_misgraded(CUSTOMERS, SEED)[place])
    everybody = numbers(bank)
    listed = of.disagreements(bank, "abcd", kind).found["customer_key"].map(everybody)
    # share of the list ÷ share of the bank
    assert listed.isin(hidden).mean() >= 5 * everybody.isin(hidden).mean()


def test_the_chosen_candidate_is_stable_over_bootstraps(of):
    chosen = of.candidates().query("is_chosen")
    assert len(chosen) == 1
    assert chosen["stability"].iloc[0] >= 0.8


def test_the_candidates_are_compared_with_all_their_figures_and_times(of):
    table = of.candidates()
    used = table[table["is_reduced"] == of.payload["reduced"]]
    assert set(used["method"]) == set(cluster.METHODS)
    assert set(used[used["method"] == "kmeans"]["count"]) == set(cluster.COUNTS)
    assert table[["silhouette", "stability", "contribution_share", "seconds"]].notna().all().all()


def test_reduction_is_kept_only_where_the_same_method_gains_by_it(of):
    """KMeans is compared on the leading components and on all of them; what is steadier and more useful is used."""
    table = (
        of.candidates()
        .query("method == 'kmeans'")
        .groupby("is_reduced")[["stability", "use"]]
        .mean()
    )
    means = table.sum(axis=1)
    assert of.payload["reduced"] == (means[True] >= means[False])
    assert all(f"{table.loc[few, 'stability']:.2f}" in of.reduction("en") for few in (True, False))
    # 0.9 + 0.3 = 1.2 on few components against 0.8 + 0.5 = 1.3 on all of them
    few, every = (
        cluster.Candidate("kmeans", 4, is_reduced, 0.5, stable, 0.1, use, use, use, 0.0)
        for is_reduced, stable, use in ((True, 0.9, 0.3), (False, 0.8, 0.5))
    )
    assert not cluster.improves([few], [every])
    assert cluster.improves([every], [few])


def test_the_choice_sees_the_outcomes_of_half_and_the_other_half_judges_it(bank, of):
    base = month_end(LAST, -12)
    with bank.session() as view:
        dealt = int(features.is_active(features.facts_at(view, base)).sum())
        known = int(features.outcomes_after(view, base)["contribution"].notna().sum())
    assert of.payload["seen"] == dealt // 2
    # every other customer whose contribution is known and who is graded, none of those who chose
    judged = of.validation("abcd").set_index("outcome").loc["contribution", "n"]
    assert judged <= known - of.payload["seen"] * 0.9


def test_agreement_is_the_adjusted_rand_index():
    draws = np.random.default_rng(1)
    for one, other in ((3, 5), (2, 2), (7, 1)):
        left, right = draws.integers(0, one, 500), draws.integers(0, other, 500)
        right[:200] = left[:200] % other
        assert cluster.agreement(left, right) == pytest.approx(
            adjusted_rand_score(left, right), abs=1e-12
        )
    assert cluster.agreement(np.zeros(5, dtype=int), np.zeros(5, dtype=int)) == 1


def test_customers_without_dealings_are_a_segment_by_rule_that_no_method_sees(bank, of, frame):
    members = store.members(bank.home, dict(of.payload)).set_index("customer_key")
    idle = set(frame["customer_key"][~features.is_active(frame)])
    assert idle == set(members.index[members["segment"] == 0])
    assert of.payload["idle"] == len(idle) > 0
    assert of.order[-1] == definitions.INACTIVE
    assert definitions.INACTIVE not in of.payload["codes"]
    assert (members.loc[list(idle), "fact_1"] == -1).all()
    assert not idle & set(of.payload["map"]["key"])
    # by hand: no month with a loan, no deposit, no fee
    key = min(idle)
    about = {"key": key, "since": month_end(LAST, -12), "last": LAST}
    assert bank.one(
        "select (select count(*) from loan_month where customer_key = $key and balance > 0 and as_of > $since and "
        "as_of <= $last) + (select count(*) from income where customer_key = $key and booked_on > $since "
        "and booked_on <= $last)",
        **about,
    )[0] == 0  # fmt: skip


def test_the_segments_order_later_overdue_and_add_to_the_classes(of):
    rows = of.validation("abcd").set_index("outcome")
    assert rows.loc["overdue", "both_auc"] > rows.loc["overdue", "class_auc"]
    assert rows.loc["overdue", "gain_low"] > 0
    assert rows.loc["overdue", "verdict"] == "adds"
    assert "增量" in of.verdict("abcd", "zh-CN")


# ---- steady


def test_two_fits_with_one_seed_are_identical(home, of, tmp_path):
    bank = Warehouse(home)
    bank.home = tmp_path
    again = pipeline.fit(bank, monthly=True)
    bank.close()
    before = json.loads(json.dumps(of.payload))
    for one in (before, again):
        del one["seconds"]
        for candidate in (*one["candidates"], one["reason"]):
            candidate.pop("seconds", None)
    assert again == before


def test_names_are_kept_over_twelve_refits(of):
    history = of.payload["history"]
    assert [entry["as_of"] for entry in history] == [
        str(month_end(LAST, -back)) for back in range(12, -1, -1)
    ]
    assert all(entry["names"] == history[0]["names"] for entry in history)
    assert not any(entry["events"] for entry in history)


def test_the_months_say_whether_a_shift_of_sizes_is_noise(of):
    months = of.months("en")
    assert len(months) == 12
    assert all((row.verdict == "none") == (row.psi <= row.critical) for row in months.itertuples())
    entry = dict(of.payload["history"][1])
    for psi, said in ((0.05, "small"), (0.2, "moderate"), (0.3, "large")):
        told = dict(of.payload) | {
            "history": [of.payload["history"][0], entry | {"psi": psi, "critical": 0.01}]
        }
        assert replace(of, payload=told).months("en")["verdict"].tolist() == [said]


def test_every_refit_tells_psi_with_its_critical_value_and_agreement(of):
    for entry in of.payload["history"][1:]:
        assert entry["psi"] >= 0
        assert entry["critical"] > 0
        assert 0.5 < entry["agreement"] <= 1


def test_names_are_distinct_in_both_languages(of):
    for lang in LANGUAGES:
        names = [of.name(code, lang) for code in of.order]
        assert len(set(names)) == len(names)


def test_a_fit_of_the_edition_before_hands_on_its_names(home, tmp_path):
    """The next month is loaded as an increment; its fit takes over what the segments were called."""
    copied = tmp_path / "home"
    for source in [p for p in home.rglob("*") if p.is_file()]:
        (copied / source.relative_to(home)).parent.mkdir(parents=True, exist_ok=True)
        (copied / source.relative_to(home)).write_bytes(source.read_bytes())
    (copied / "key").chmod(0o600)
    size = ("--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", str(SEED))
    assert run("data", "demo", *size, "--next", "--to", str(tmp_path / "next")).returncode == 0
    told = run(
        "data", "load", str(tmp_path / "next"), "--source", "contract", "--home", str(copied)
    )
    assert told.returncode == 0, told.stderr
    before = report.read(Warehouse(home)).payload
    bank = Warehouse(copied)
    earlier = store.previous_fit(bank.home, bank.edition, LAST)
    now = pipeline.fit(bank)
    assert earlier["names"] == before["names"]
    assert now["reason"]["key"] == "reason_kept"
    assert now["names"] == before["names"]


def test_a_segment_that_splits_is_said_so():
    # Old 0 had 100 members: half of them stay (new 0), half go to new 2; old 1 stays as it is.
    old = np.repeat([0, 1], [100, 100])
    new = np.repeat([0, 2, 1], [50, 50, 100])
    before, now = np.array([[0.0, 0], [9, 0]]), np.array([[-5.0, 0], [9, 0], [5, 0]])
    pairs, events = tracking.match_centroids(before, now, old, new)
    # new 0 and old 0 share 50 of 100: half, so it is the same segment; what left it is new
    assert pairs == {0: 0, 1: 1}
    assert events == [{"key": "event_new", "new": [2]}]
    new = np.repeat([0, 2, 1], [49, 51, 100])
    new[:2] = 1
    pairs, events = tracking.match_centroids(before, now, old, new)
    # 47 of 100 are less than half: the old segment is no more, its members went to two new ones
    assert 0 not in pairs or pairs[0] != 0
    assert {"key": "event_split", "old": 0, "new": [0, 2]} in events


def test_a_segment_whose_members_went_elsewhere_has_died():
    old, new = np.repeat([0, 1, 2], [100, 100, 10]), np.repeat([0, 1, 1], [100, 100, 10])
    before, now = np.array([[0.0], [5], [9]]), np.array([[0.0], [5]])
    assert tracking.match_centroids(before, now, old, new)[1] == [
        {"key": "event_died", "old": 2, "new": [1]}
    ]


def test_psi_of_two_distributions_by_hand():
    told = tracking.psi([500, 500], [600, 400])
    # (0.6 − 0.5)·ln(0.6/0.5) + (0.4 − 0.5)·ln(0.4/0.5) = 0.018232 + 0.022314; χ²(1) at 95 % 3.8415 × 2/1000
    assert told["psi"] == pytest.approx(0.040547, abs=1e-6)
    assert told["critical"] == pytest.approx(0.007683, abs=1e-6)


# ---- honest


def test_a_labelling_by_chance_adds_nothing():
    draws = np.random.default_rng(3)
    classes = pd.Series(draws.choice(["A", "B"], 4_000))
    y = (draws.random(4_000) < np.where(classes == "A", 0.05, 0.2)).astype(float)
    outcomes = pd.DataFrame({"overdue": y, "reloan": np.nan, "contribution": np.nan})
    row = evaluation.validation(draws.integers(0, 5, 4_000), classes, outcomes, 7)[0]
    assert row["verdict"] == "nothing"
    assert row["class_auc"] > 0.6
    assert abs(row["segment_auc"] - 0.5) < 0.06


def test_auc_of_two_classes_by_hand():
    # Class B holds 80 of the 100 bad and 100 of the 300 good. AUC = P(B|bad)·P(A|good) + ties/2
    # = 0.8·2/3 + (0.8·1/3 + 0.2·2/3)/2 = 0.5333 + 0.2 = 0.7333; KS = 0.8 − 1/3
    classes = pd.Series(["A"] * 220 + ["B"] * 180)
    y = np.array([1.0] * 20 + [0] * 200 + [1] * 80 + [0] * 100)
    outcomes = pd.DataFrame({"overdue": y, "reloan": np.nan, "contribution": np.nan})
    row = evaluation.validation(np.zeros(400, dtype=int), classes, outcomes, 7)[0]
    # each fold tells a rate of its own, which costs a little
    assert row["class_auc"] == pytest.approx(0.7333, abs=0.03)
    assert row["class_ks"] == pytest.approx(0.4667, abs=0.03)
    assert row["gain"] == pytest.approx(0, abs=0.01)


def test_rates_tell_lift_interval_and_n_by_hand():
    outcomes = pd.DataFrame(
        {"overdue": [1.0] * 30 + [0] * 70 + [0] * 100, "reloan": np.nan, "contribution": 10.0}
    )
    told = evaluation.rates(np.repeat([0, 1], 100), ["x", "y"], outcomes)
    # 30 % against 15 % of all: twice as often; Wilson interval of 30 in 100: 21.9 % to 39.6 %
    assert told["x"]["lift"] == pytest.approx(2)
    assert (told["x"]["overdue"]["low"], told["x"]["overdue"]["high"]) == pytest.approx(
        (0.2189, 0.3958), abs=1e-4
    )
    assert (told["x"]["verdict"], told["y"]["verdict"]) == ("bad", "good")
    assert told["x"]["contribution"]["rate"] == pytest.approx(10)


def test_outcomes_count_only_those_in_order_with_a_balance_later(bank):
    base = month_end(LAST, -12)
    with bank.session() as view:
        found = features.outcomes_after(view, base)
        by_hand = view.one(
            "select count(*) from customer_month as t where as_of = $base and days_past_due <= 30 and exists ("
            "select 1 from customer_month as l where l.customer_key = t.customer_key and l.as_of > $base "
            "and l.as_of <= $last and l.has_loan)",
            base=base,
            last=LAST,
        )[0]
    assert found["overdue"].notna().sum() == by_hand
    assert found["overdue"].sum() > 0


def test_no_fact_knows_days_past_due_or_a_class(frame):
    sql = "\n".join(
        line
        for line in templates.load("segments/facts").splitlines()
        if not line.startswith("--") and "days_past_due = 0" not in line
    )
    assert "past_due" not in sql
    assert not any(scheme in sql.split() for scheme in ("abcd", "loan_five", "credit_grade"))
    assert set(frame.columns) == {"customer_key", *definitions.FACTS}


# ---- facts by hand


def test_facts_of_one_customer_are_those_counted_by_hand(bank, frame):
    row = frame[frame["months_with_loan"].between(0.3, 0.9) & frame["paid_on_time"].notna()].iloc[0]
    key = int(row["customer_key"])
    since = month_end(LAST, -12)
    about = {"key": key, "since": since, "last": LAST}
    months = "from customer_month where customer_key = $key and as_of > $since and as_of <= $last"
    assert row["months_with_loan"] == pytest.approx(
        bank.one(f"select avg(case when has_loan then 1.0 else 0 end) {months}", **about)[0]
    )
    assert row["loan_balance"] == pytest.approx(
        float(bank.one(f"select avg(loan_balance) {months}", **about)[0])
    )
    fees = bank.one(
        "select coalesce(sum(amount), 0) from income where customer_key = $key and booked_on > $since "
        "and booked_on <= $last",
        **about,
    )[0]
    assert row["fees"] == pytest.approx(float(fees))


def test_facts_read_twice_are_the_same_to_the_last_digit(bank, frame):
    """Sums of doubles would depend on which thread met which row first."""
    with bank.session() as view:
        for _ in range(3):
            pd.testing.assert_frame_equal(features.facts_at(view, LAST), frame, check_exact=True)


def test_the_swing_of_deposits_is_their_standard_deviation_over_their_mean(bank, frame):
    row = frame[frame["deposit_swing"] > 0.05].iloc[0]
    balances = bank.query(
        "select balance::double as balance from deposit_balance where customer_key = $key and as_of > $since "
        "and as_of <= $last",
        key=int(row["customer_key"]),
        since=month_end(LAST, -12),
        last=LAST,
    )["balance"]
    assert row["deposit_swing"] == pytest.approx(balances.std(ddof=0) / balances.mean())


# ---- explained


def test_pulls_add_up_to_how_much_nearer_the_centre_is(frame):
    few = frame.iloc[:300]
    made = feature_space.fit_space(few)
    full = made.full(few)
    labels = (full[:, 0] > 0).astype(int)
    centres = explain.centres_of(full, labels, 2)
    best, hard = explain.drivers(few, labels, made, centres)
    z, c = full - np.array(made.centre), centres[labels]
    whole = ((z**2).sum(axis=1) - ((z - c) ** 2).sum(axis=1)) / 2
    told = few[[axis.fact for axis in made.axes]].notna().all(axis=1).to_numpy()
    # where every fact applies, the three strongest are part of the whole and sorted
    assert (hard[:, 0] >= hard[:, 1]).all()
    assert (best[hard > 0] >= 0).all()
    assert whole[told].shape[0] == told.sum()
    positive = np.clip(z * c - c**2 / 2, 0, None).sum(axis=1)
    assert (hard.sum(axis=1) <= positive + 1e-3).all()


def test_the_tree_says_how_faithful_it_is(of):
    assert 0.7 < of.payload["tree"]["fidelity"] <= 1
    assert all(of.leaf(leaf, lang) for leaf in of.payload["tree"]["leaves"] for lang in LANGUAGES)


def test_the_profile_is_in_the_facts_own_units(of, frame):
    members = (
        store.members(of.home, dict(of.payload)).set_index("customer_key")["segment"].astype(str)
    )
    code = of.order[0]
    mine = frame[frame["customer_key"].map(members) == code]
    row = of.profile().query("segment == @code and fact == 'deposits'").iloc[0]
    assert row["value"] == pytest.approx(mine["deposits"].median())
    assert row["bank"] == pytest.approx(frame["deposits"][features.is_active(frame)].median())


def test_a_profile_tells_medians_and_quartiles_of_those_with_dealings_by_hand(frame):
    few = frame[features.is_active(frame)].iloc[:300].copy()
    labels = np.repeat([0, 1, -1], [100, 150, 50])
    few["loan_balance"] = np.r_[np.arange(100.0), np.full(150, 500.0), np.full(50, 1e9)]
    few["payroll"] = np.r_[np.ones(25), np.zeros(75), np.ones(150), np.ones(50)]
    told = {
        (row["fact"], row["segment"]): row
        for row in explain.profile(few, labels, 2, feature_space.fit_space(few[labels >= 0]))
    }
    # of 0 … 99 the median is 49.5, the quartiles 24.75 and 74.25; of the 250 with dealings the median is 500
    row = told["loan_balance", 0]
    assert (row["value"], row["low"], row["high"], row["bank"], row["n"]) == (
        49.5,
        24.75,
        74.25,
        500,
        100,
    )
    # yes for 25 of 100, of all 175 of 250
    assert (told["payroll", 0]["value"], told["payroll", 0]["bank"]) == (0.25, 0.7)
    assert told["payroll", 0]["height"] < 0 < told["payroll", 1]["height"]


def test_a_segment_that_is_gone_still_tells_what_became_of_it(of):
    outcomes, code = dict(of.payload["outcomes"]), of.order[0]
    base, *others = of.payload["history"]
    sizes, names = base["sizes"] | {"99": 7}, base["names"] | {"99": {"zh-CN": "旧群", "en": "Old"}}
    history = [base | {"sizes": sizes, "names": names}, *others]
    told = dict(of.payload) | {"outcomes": outcomes | {"99": outcomes[code]}, "history": history}
    table = replace(of, payload=told).table()
    row = table[table["segment"] == "99"].iloc[0]
    assert (row["customers"], row["customers_base"], row["overdue_n"]) == (
        0,
        7,
        outcomes[code]["overdue"]["n"],
    )
    assert (row["en"], row["zh-CN"]) == ("Old (gone)", "旧群（已消失）")


def test_every_fact_is_told_with_unit_transform_meaning_and_use(of):
    for lang in LANGUAGES:
        table = of.facts(lang)
        assert list(table["fact"]) == list(definitions.FACTS)
        assert (table.drop(columns="fact").map(len) > 0).all().all()


def test_a_rule_of_the_tree_counts_in_whole_numbers(of):
    def said(fact, value, sign, lang="en"):
        return of.leaf({"path": [{"fact": fact, "code": None, "sign": sign, "value": value}]}, lang)

    assert said("products_held", 2.5, ">") == "Products held ≥ 3"
    assert said("products_held", 2.5, "<=") == "Products held ≤ 2"
    assert said("fee_times", 0.5, "<=") == "Fee bookings = 0"
    assert said("payroll", 0.5, ">", "zh-CN") == "代发工资为是"


def test_cells_add_up_to_the_bank(bank, of):
    rows = of.cells("abcd")
    n, balance = bank.one(
        "select count(*), sum(loan_balance) from customer_month where as_of = $as_of", as_of=LAST
    )
    assert rows["n"].sum() == n
    assert rows["balance"].sum() == pytest.approx(float(balance), abs=0.5)


def test_a_list_is_in_order_of_balance_and_opens_exactly_its_n(bank, of):
    found = of.disagreements(bank, "abcd", "bad_in_good")
    lines = found.rows(bank, "en", limit=10_000)
    assert len(lines) == len(found) > 0
    assert lines["loan_balance"].is_monotonic_decreasing
    assert set(lines["class"]) <= set(found.classes)
    assert set(lines["segment"]) <= set(found.segments)
    assert (lines["pull_1"] != "").all()
    assert lines["name"].str.contains("*", regex=False).all()


def test_a_list_of_one_branch_is_part_of_the_whole(bank, of):
    whole = set(of.disagreements(bank, "abcd", "bad_in_good").found["customer_key"])
    branch = bank.one("select branch_id from branch where level = 1 order by branch_id limit 1")[0]
    part = set(of.disagreements(bank, "abcd", "bad_in_good", branch).found["customer_key"])
    assert part < whole


# ---- bad input


def test_too_few_customers_are_refused(small_home):
    with pytest.raises(UserError, match=r"少于 200.*200 or more"):
        pipeline.fit(Warehouse(small_home))


def test_constant_missing_and_infinite_facts_are_noted_and_the_rest_works(frame):
    spoiled = frame.assign(
        tenure=5.0, fees=np.nan, deposit_trend=np.where(frame.index % 50 == 0, np.inf, 0.1)
    )
    spoiled["loan_size"] = frame["loan_size"].where(frame.index % 7 > 0, np.inf)
    made = feature_space.fit_space(spoiled)
    told = {note["fact"]: note["key"] for note in made.notes}
    assert told["tenure"] == "note_constant"
    assert told["fees"] == "note_missing"
    assert told["loan_size"] == "note_infinite"
    assert np.isfinite(made.reduced(spoiled)).all()


def test_facts_that_are_the_same_for_everybody_make_no_segments(frame):
    flat = pd.DataFrame({fact: [frame[fact].iloc[0]] * 300 for fact in definitions.FACTS})
    with pytest.raises(UserError, match="Only 0 facts differ"):
        feature_space.fit_space(flat)


def test_a_bank_without_deposits_and_fees_leaves_their_facts_out(frame):
    without = frame.assign(
        **{fact.id: None if fact.is_category else np.nan for fact in definitions.FACTS.values()
           if {"deposit_balance", "income"} & set(fact.needs)}
    )  # fmt: skip
    made = feature_space.fit_space(without)
    assert not {"deposits", "fees", "fee_kind"} & {axis.fact for axis in made.axes}
    assert (
        len(
            np.unique(
                cluster.fit("kmeans", 4, made.reduced(without), 7).assign(made.reduced(without))
            )
        )
        == 4
    )


@pytest.fixture(scope="module")
def poor_home(tmp_path_factory) -> Path:
    """A bank that hands over neither deposits nor fees, one product channel, and ten months too few to look back on."""
    folder = tmp_path_factory.mktemp("poor")
    delivery, home = folder / "delivery", folder / "home"
    size = ("--customers", "700", "--months", "8", "--seed", "5")
    assert run("data", "demo", *size, "--format", "csv", "--to", str(delivery)).returncode == 0
    told = json.loads((delivery / "manifest.json").read_text())
    for table in ("deposit_balance", "income"):
        for file in told["tables"].pop(table)["files"]:
            (delivery / file["name"]).unlink()
    (delivery / "manifest.json").write_text(json.dumps(told))
    loaded = run("data", "load", str(delivery), "--source", "contract", "--home", str(home))
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    return home


def test_a_bank_without_deposits_fees_and_history_has_segments_and_a_page(poor_home, monkeypatch):
    done = run("analytics", "segments", "fit", "--home", str(poor_home))
    assert done.returncode == 0, done.stderr[-2000:]
    bank = Warehouse(poor_home)
    of = report.read(bank)
    assert not {"deposits", "fees", "fee_kind"} & {
        axis["fact"] for axis in of.payload["space"]["axes"]
    }
    assert len(of.payload["codes"]) >= 2
    notes = " ".join(of.notes("en"))
    assert "Fewer than 18 month ends of history" in notes
    assert "Not used, missing throughout: " in notes
    told = of.facts("en").set_index("fact")["used"]
    assert told["deposits"] == "not used: missing throughout"
    assert told["loan_balance"] == "used"
    bank.close()
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(poor_home))
    test = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    test.query_params["lang"] = "en"
    test.run()
    test.switch_page("pages/analysis/segments.py").run()
    assert not test.exception
    said = "\n".join(block.proto.body for block in test.get("html"))
    assert "the history is too short for outcomes of the year after" in said
    assert "no disagreement can be listed" in said


def test_one_class_only_is_said_and_the_segments_are_judged_alone():
    draws = np.random.default_rng(5)
    segments = draws.integers(0, 2, 2_000)
    y = (draws.random(2_000) < np.where(segments, 0.3, 0.1)).astype(float)
    outcomes = pd.DataFrame({"overdue": y, "reloan": np.nan, "contribution": np.nan})
    rows = evaluation.validation(segments, pd.Series(["unrated"] * 2_000), outcomes, 7)
    assert rows[0]["verdict"] == "one_class"
    assert rows[0]["segment_auc"] > 0.55
    assert rows[1]["verdict"] == "too_few"


def test_a_month_that_was_never_fitted_is_a_sentence(bank):
    with pytest.raises(
        UserError, match=r"2026-05-31 was never fitted; fitted month ends: 2026-10-31"
    ):
        report.read(bank, date(2026, 5, 31))


def test_an_edition_without_a_fit_says_what_to_run(demo_home):
    with pytest.raises(UserError, match="segments fit"):
        report.read(Warehouse(demo_home))


def test_a_month_end_that_the_edition_lacks_is_refused(bank):
    with pytest.raises(UserError, match="no month end 2031-01-31"):
        pipeline.fit(bank, date(2031, 1, 31))


def test_a_damaged_table_is_refused(of, tmp_path):
    folder = tmp_path / store.FOLDER / of.payload["edition"]
    folder.mkdir(parents=True)
    (folder / of.payload["table"]).write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="missing or damaged"):
        store.members(tmp_path, dict(of.payload))


def test_a_short_history_gives_segments_without_validation(bank, of, tmp_path):
    short = replace(of, payload=dict(of.payload) | {"base": None, "outcomes": {}})
    assert "无法检验" in short.verdict("abcd", "zh-CN")
    with pytest.raises(UserError, match="cannot be validated"):
        short.validation("abcd")
    with pytest.raises(UserError, match="no disagreement"):
        short.disagreements(bank, "abcd", "good_in_bad")


# ---- command line


@pytest.mark.parametrize(
    "command",
    [("show",), ("show", "--what", "candidates"), ("profile",), ("disagree",), ("validate",)],
)
def test_a_command_prints_json(home, capsys, command):
    assert main(["segments", *command, "--home", str(home), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("validate", "--scheme", "nothing"), "There is no scheme 'nothing'"),
        (("show", "--as-of", "2026-05-31"), "was never fitted"),
        (("disagree", "--kind", "other"), "is not one of"),
        (("disagree", "--branch", "nowhere"), "There is no branch 'nowhere'"),
        (("disagree", "--limit", "0"), "above zero"),
        (("profile", "--segment", "zz"), "There is no segment 'zz'"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_two(home, capsys, command, said):
    assert main(["segments", *command, "--home", str(home)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1


# ---- page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_prints_the_kept_fit(home, of, monkeypatch, lang):
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(home))
    test = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    test.query_params["lang"] = lang
    test.run()
    test.switch_page("pages/analysis/segments.py").run()
    assert not test.exception
    said = "\n".join(block.proto.body for block in test.get("html"))
    listed = of.disagreements(Warehouse(home), "abcd", "good_in_bad")
    balance = text.number(listed.balance, "money", lang)
    assert text.say("segments.list", lang, n=f"{len(listed):,}", balance=balance) in said
    assert text.say("segments.never", lang) in said
    assert html.escape(of.headline("abcd", lang)) in said


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("weights", "most by "),
        ("rules", "A shallow tree"),
        ("map", "Map of customers: a sample of "),
    ],
)
def test_one_view_at_a_time_says_what_tells_the_segments_apart(home, monkeypatch, view, said):
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(home))
    test = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    test.query_params["lang"], test.query_params["why"] = "en", view
    test.run()
    test.switch_page("pages/analysis/segments.py").run()
    assert not test.exception
    assert said in "\n".join(block.proto.body for block in test.get("html"))
    assert len(test.get("deck_gl_json_chart")) == (view == "map")


def test_no_page_imports_scikit_learn():
    told = "import sys, pages.parts.sections.segment_methods; sys.exit('sklearn' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True).returncode == 0
    )


def test_the_outcomes_and_the_validation_are_sound_figures(of):
    rows = of.validation("abcd")
    for dark in (False, True):
        drawn = metric_charts.to_plotly(segment_charts.outcomes(of.table(), 0.1, "en", dark=dark))
        assert len(drawn.data[0].x) == len(of.order)
        drawn = metric_charts.to_plotly(segment_charts.validation(rows, "en", dark=dark))
        assert [trace.name for trace in drawn.data] == ["classes alone", "segments alone", "both"]
        assert list(drawn.data[2].x) == rows["both_auc"].tolist()
    judged = pd.DataFrame([{"outcome": "overdue", "n": 9, "events": 1, "verdict": "too_few"}])
    assert (
        "only 1 cases"
        in segment_charts.validation(judged, "en")["layout"]["annotations"][0]["text"]
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_map_is_a_scene_of_dots_that_asks_no_host(of, lang):
    names = {code: of.name(code, lang) for code in of.payload["codes"]}
    told = json.loads(
        segment_charts.customer_map(of.payload["map"], names, of.order[0], lang).to_json()
    )
    dots = [
        dot
        for layer in told["layers"]
        if layer["@@type"] == "ScatterplotLayer"
        for dot in layer["data"]
    ]
    assert sorted(dot["i"] for dot in dots) == list(range(len(of.payload["map"]["x"])))
    assert all(-1 <= place <= 1 for dot in dots for place in dot["p"])
    assert {dot["t"].replace("\n", " ") for dot in told["layers"][-1]["data"]} == set(
        names.values()
    )
    assert [view["@@type"] for view in told["views"]] == ["OrthographicView"]
    assert (told["mapStyle"], told["mapProvider"]) == (None, None)
    assert "//" not in json.dumps(told)


def test_a_dot_of_the_map_says_who_it_is_and_why(bank, of):
    key = of.payload["map"]["key"][0]
    row = of.customer(bank, "abcd", key).rows(bank, "en").iloc[0]
    assert row["customer_id"] == numbers(bank)[key]
    assert row["segment"] == of.payload["map"]["segment"][0]
    assert "(bank " in row["pull_1"]


# ---- real banks


@pytest.mark.parametrize("source", ["superlender", "berka"])
def test_a_real_bank_is_fitted_and_its_verdict_printed(source, tmp_path, capsys):
    if not (REAL / source).is_dir():
        pytest.skip(f"no {REAL / source}")
    load(REAL / source, source, tmp_path, build_marts=build)
    bank = Warehouse(tmp_path)
    pipeline.fit(bank)
    of = report.read(bank)
    with capsys.disabled():
        print(
            f"\n{source}: {of.reason('en')}\n{of.table()[['en', 'customers', 'overdue', 'reloan', 'lift']].to_string()}"
        )
        for scheme in of.payload["schemes"]:
            if of.base:
                print(scheme, of.validation(scheme).to_string(), of.verdict(scheme, "en"), sep="\n")
            elif scheme == "abcd":
                print(of.verdict(scheme, "en"))
    assert sum(of.table()["customers"]) == of.payload["customers"] > 200
    assert of.base is not None or "cannot be validated" in of.verdict("abcd", "en")
