"""The story of the invented bank, by the `ask` commands of README."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.__main__ import main
from analytics.marts.build import build
from data.demo import write
from data.loading.pipeline import load

Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough to show the story, and long enough for a year before."""
    folder = tmp_path_factory.mktemp("story")
    write(folder / "delivery", 20_000, 26, 7)
    load(folder / "delivery", "contract", folder / "home", build_marts=build)
    return folder / "home"


@pytest.fixture
def ask(home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def query(command: str) -> list[dict[str, Any]]:
        words = [*command.split(), "--as-of", "2026-10-31", "--format", "json", "--home", str(home)]
        assert main(["ask", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return query


def test_the_partner_channel_of_one_province_stands_out(ask: Ask) -> None:
    partners = {
        row["branch_1"]: row for row in ask("overdue_rate_30 --by branch_1 --where channel=partner")
    }
    worst = max(partners, key=lambda branch: partners[branch]["numerator"])
    assert worst == "03"
    here = {
        row["channel"]: row["value"]
        for row in ask("overdue_rate_30 --by channel --where branch_1=03")
    }
    everywhere = {row["channel"]: row["value"] for row in ask("overdue_rate_30 --by channel")}
    assert max(here, key=here.__getitem__) == "partner"
    assert here["partner"] > 1.5 * everywhere["partner"]


def test_every_tier_improved_over_the_year_and_the_bank_got_worse(ask: Ask) -> None:
    tiers = {
        row["class"]: row["change"]
        for row in ask("overdue_rate_30 --by class --opening 12 --compare yoy")
    }
    assert all(tiers[tier] < 0 for tier in "ABCD")
    assert ask("overdue_rate_30 --compare yoy")[0]["change"] > 0
    balances = {row["class"]: row for row in ask("balance --by class --opening 12 --compare yoy")}
    shares = {
        half: balances["A"][half] / sum(row[half] for row in balances.values())
        for half in ("value_before", "value")
    }
    assert shares["value"] < shares["value_before"] - 0.05


def test_the_win_back_campaign_lifts_the_customers_who_settled_in_spring(ask: Ask) -> None:
    # 90 days after March to May: judged in June to August, counted as three months together at the
    # end of August
    rates = {row["as_of"][:7]: row["value"] for row in ask("reloan_rate_90 --last 12")}
    assert max(rates, key=rates.__getitem__) == "2026-08"
    assert rates["2026-08"] > 1.7 * rates["2026-05"]


def test_one_branch_misses_the_targets_that_the_others_reach(ask: Ask) -> None:
    for metric, sign in (
        ("overdue_rate_30", 1),
        ("reloan_rate_90", -1),
        ("customers", -1),
        ("contribution_net", -1),
    ):
        rows = ask(f"{metric} --by branch_1 --targets")
        assert [row["branch_1"] for row in rows if sign * row["to_target"] > 0] == ["06"]
    beyond = ask("overdue_rate_30 --by branch_1 --targets")
    assert [row["branch_1"] for row in beyond if row["to_red_line"] < 0] == ["06"]


def test_grades_hide_bad_customers_among_the_high_and_good_ones_among_the_low(ask: Ask) -> None:
    # who takes a partner's loan in spite of a good grade, and whose wage comes through the bank in
    # spite of a bad one
    high = {
        r["channel"]: r["value"]
        for r in ask("overdue_rate_30 --by channel --where credit_grade=AAA,AA,A,BBB")
    }
    assert high["partner"] > 5 * high["branch"]
    rows = ask("overdue_rate_30_customers --by payroll --where credit_grade=BB,B,C,D")
    low = {row["payroll"]: row["value"] for row in rows}
    assert low["yes"] < low["no"] / 2


def test_one_manager_handles_far_fewer_warnings_than_the_others(ask: Ask) -> None:
    left = {row["manager"]: row["value"] for row in ask("silent_warnings --by manager")}
    worst, *others = sorted(left, key=left.__getitem__, reverse=True)
    assert worst == "M00001"
    assert left[worst] > 2 * left[others[0]]
    rates = {
        row["manager"]: row["value"]
        for row in ask("silent_warning_rate --by manager --where branch_1=01")
    }
    assert max(rates, key=rates.__getitem__) == "M00001"
    assert rates["M00001"] > 2 * ask("silent_warning_rate")[0]["value"]
