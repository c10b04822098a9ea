"""Targets and red lines: the bank's own, else those declared for the whole bank."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics.analysis.migration import MigrationQuery, matrix
from analytics.marts.build import build
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.metrics.targets import (
    NONE,
    Target,
    breaches,
    red_lines,
    target_scope,
    targets_at,
    unknown_metrics,
    with_targets,
)
from analytics.rulebooks import read_schemes
from data.dates import month_end
from data.declarations import BadDeclaration
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import load
from pages.parts.sections.tiers import count_directions
from tests.support import deliveries

MARCH = date(2024, 3, 31)
LAST = date(2026, 10, 31)
BRANCH = "branch_id,parent_id,name\nH,,Head office\nN,H,North\nS,H,South\n"
LOAN = """loan_id,customer_id,branch_id,principal,disbursed_on
L1,C1,N,1000.00,2024-01-10
L2,C2,S,2000.00,2024-02-10
"""
LINE = '[[red_line]]\nmetric = "npl_ratio"\neffective_on = 2020-01-01\nvalue = 1\n'
TARGET = """as_of,branch_id,metric,value,red_line
2024-03-31,,overdue_rate_30,0.5,0.6
2024-03-31,N,overdue_rate_30,0.1,0.2
2024-03-31,H,loans,3,
2024-03-31,S,profit,1,2
"""


def load_warehouse(folder: Path, **tables: str | None) -> Warehouse:
    delivery = deliveries.write(folder / "in", branch=BRANCH, loan=LOAN, **tables)
    load(delivery, "contract", folder / "home", build_marts=build, as_of=MARCH)
    return Warehouse(folder / "home")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two branches with one loan each: North 900 not late, South 2,000 which is 31 days late."""
    bank = load_warehouse(tmp_path_factory.mktemp("tiny"), target=TARGET)
    yield bank
    bank.close()


def test_the_whole_bank_is_compared_with_its_own_target(tiny: Warehouse) -> None:
    # 2,000 of 2,900 is 68.97 %: 18.97 points over the target of 50 %, 8.97 beyond the red line of
    # 60 %.
    row = with_targets(tiny, Question("overdue_rate_30", MARCH)).iloc[0]
    assert row.to_target == pytest.approx(2000 / 2900 - 0.5)
    assert row.to_red_line == pytest.approx(0.6 - 2000 / 2900)


def test_each_branch_is_compared_with_its_own_target_if_it_has_one(tiny: Warehouse) -> None:
    rows = with_targets(tiny, Question("overdue_rate_30", MARCH, by=("branch_1",))).set_index(
        "branch_1"
    )
    assert rows.loc["N", ["to_target", "to_red_line"]].tolist() == pytest.approx([-0.1, 0.2])
    assert rows.loc["S", ["target", "to_target", "red_line", "to_red_line"]].isna().all()


def test_a_target_of_the_head_office_is_that_of_the_whole_bank(tiny: Warehouse) -> None:
    # two loans, three wanted
    assert with_targets(tiny, Question("loans", MARCH)).iloc[0].to_target == -1


def test_a_filter_on_a_branch_is_that_branch(tiny: Warehouse) -> None:
    row = with_targets(
        tiny, Question("overdue_rate_30", MARCH, where=(("branch_1", ("N",)),))
    ).iloc[0]
    assert row.target == 0.1


def test_a_code_that_is_no_metric_is_reported(tiny: Warehouse) -> None:
    assert unknown_metrics(tiny) == ["profit"]
    assert not any(metric == "profit" for metric, _ in targets_at(tiny, MARCH))


@pytest.mark.parametrize("about", [
    {"by": ("product",)}, {"by": ("branch_1", "branch_2")}, {"where": (("channel", ("mobile",)),)},
    {"where": (("branch_1", ("N", "S")),)},
])  # fmt: skip
def test_a_question_filtered_by_more_than_a_branch_has_no_target(
    tiny: Warehouse, about: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="Targets and red lines are set for branches"):
        with_targets(tiny, Question("overdue_rate_30", MARCH, **about))


def test_a_bank_without_targets_has_the_declared_red_lines_only(tmp_path: Path) -> None:
    bank = load_warehouse(tmp_path, target=None)
    result = targets_at(bank, MARCH)
    assert all(mark.target is None and mark.document for mark in result.values())
    assert {metric for metric, _ in result} == {"npl_ratio", "coverage", "recognition_deviation"}
    assert (
        with_targets(bank, Question("overdue_rate_30", MARCH))[["target", "red_line"]]
        .isna()
        .all(axis=None)
    )
    bank.close()


def test_a_red_line_holds_from_its_day_on() -> None:
    first = min(line.effective_on for line in red_lines() if line.metric == "recognition_deviation")
    assert first == date(2023, 7, 1)


def test_a_red_line_of_a_metric_without_direction_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "red_lines.toml"
    file.write_text(f"{LINE}document = {{}}\n".replace("npl_ratio", "provision"))
    with pytest.raises(BadDeclaration, match="provision") as caught:
        red_lines(file)
    assert caught.value.facts["place"] == "red_line[0].metric"


def test_an_unknown_key_of_a_red_line_is_refused_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "red_lines.toml"
    file.write_text(f"{LINE}document = {{}}\nvalid_until = 2021-01-01\n")
    with pytest.raises(BadDeclaration) as caught:
        red_lines(file)
    assert caught.value.facts["place"] == "red_line[0].valid_until"


def test_headroom_follows_the_direction_of_the_metric() -> None:
    # 3 % against at most 5 %: two points left; 30 % against at least 25 %: five points left; 20 %:
    # five beyond
    assert Target(red_line=0.05).headroom(0.03, "lower") == pytest.approx(0.02)
    assert Target(red_line=0.25).headroom(0.30, "higher") == pytest.approx(0.05)
    assert Target(red_line=0.25).headroom(0.20, "higher") == pytest.approx(-0.05)
    assert NONE.headroom(0.2, "lower") is None
    assert NONE.gap(0.2) is None


def test_the_target_scope_of_a_question_is_its_one_branch() -> None:
    assert target_scope(Question("loans", MARCH)) == ""
    assert target_scope(Question("loans", MARCH, where=(("branch_2", ("0101",)),))) == "0101"
    assert target_scope(Question("loans", MARCH, where=(("gender", ("male",)),))) is None


def test_each_breach_is_listed_once_and_the_largest_first(bank: Warehouse) -> None:
    question = Question("customers", LAST)
    result = breaches(bank, question, "branch_1")
    assert not result.duplicated(["metric", "branch"]).any()
    assert list(result["is_beyond"]) == sorted(result["is_beyond"], reverse=True)
    # the branch of the story stands beyond its red line of overdue
    assert ("overdue_rate_30", "06") in set(zip(result.metric, result.branch, strict=True))
    for row in result[result.branch != ""].itertuples():
        narrowed = question.with_changes(row.metric, where=(("branch_1", (row.branch,)),))
        assert ask(bank, narrowed).iloc[0]["value"] == pytest.approx(row.value)
        assert row.n >= 30


@pytest.mark.parametrize(("opening", "months"), [(1, 1), (3, 3), (12, 12), (0, 1)])
def test_up_minus_down_is_what_the_migration_matrix_counts(
    bank: Warehouse, opening: int, months: int
) -> None:
    ways = count_directions(
        matrix(
            bank, MigrationQuery(Question("customers", LAST, opening=0), month_end(LAST, -months))
        ),
        read_schemes()["abcd"].class_codes[:-1],
    )
    row = ask(bank, Question("net_upgraded", LAST, opening=opening)).iloc[0]
    assert ways.loc["up", "n"] > 0
    assert row["value"] == ways.loc["up", "n"] - ways.loc["down", "n"]
    assert row["n"] == ways.loc["up", "n"] + ways.loc["down", "n"]


def test_a_month_without_moves_is_zero_and_not_left_out(small_bank: Warehouse) -> None:
    result = ask(small_bank, Question("net_upgraded", LAST, opening=1, last=6))
    assert result["value"].tolist() == [0.0] * 6
    assert result["n"].tolist() == [0] * 6


def test_the_command_line_prints_target_and_red_line(
    tiny: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    from analytics.__main__ import main

    where = ["--as-of", "2024-03-31", "--home", str(tiny.home), "--format", "json"]
    assert main(["ask", "overdue_rate_30", "--targets", *where]) == 0
    assert '"to_target": 0.1896' in capsys.readouterr().out
    assert main(["ask", "overdue_rate_30", "--targets", "--by", "product", *where]) == 2
    assert capsys.readouterr().err.count("\n") == 1
