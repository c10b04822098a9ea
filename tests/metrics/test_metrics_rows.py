"""The list behind a cell has the rows that the cell counts; the cubes give the marts' answers."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.drilldown import ORDERS, count_rows, list_rows
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError

TODAY = date(2026, 10, 31)
LIVE = [metric.id for metric in METRICS.values() if not metric.retired]
# Every number of the list; a cell of the demo bank may hold more than one page.
ALL = 1_000_000


@pytest.fixture(scope="module")
def demo_bank(demo_home: Path) -> Iterator[Warehouse]:
    bank = Warehouse(demo_home)
    yield bank
    bank.close()


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A question of any metric, with up to two honest splits, a scheme, an opening and a month."""
    metric = METRICS[draw(st.sampled_from(LIVE))]
    honest = [split.id for split in DIMENSIONS.values() if metric.supports(split)]
    honest += ["class"] if metric.supports(None) else []
    by = draw(st.lists(st.sampled_from(honest), max_size=2, unique=True))
    back = draw(st.integers(0, 2)) if metric.history > 1 else draw(st.integers(0, 6))
    return Question(
        metric.id,
        month_end(TODAY, -back),
        by=tuple(by),
        scheme=draw(st.sampled_from(sorted(schemes()))),
        opening=draw(st.sampled_from([0, 1, 3])),
    )


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(question=questions(), data=st.data())
def test_a_cell_opens_exactly_the_n_rows_of_the_answer(
    demo_bank: Warehouse, question: Question, data: st.DataObject
) -> None:
    answer = ask(demo_bank, question)
    assume(len(answer))
    row = answer.iloc[data.draw(st.integers(0, len(answer) - 1))]
    cell = {split: row[split] for split in question.by}
    assert count_rows(demo_bank, question, cell) == row["n"]
    assert len(list_rows(demo_bank, question, cell, limit=ALL)) == row["n"]


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(question=questions(), data=st.data())
def test_the_numerators_list_holds_the_rows_of_the_numerator(
    demo_bank: Warehouse, question: Question, data: st.DataObject
) -> None:
    metric = METRICS[question.metric]
    assume(metric.numerator_filter is not None)
    answer = ask(demo_bank, question)
    assume(len(answer))
    row = answer.iloc[data.draw(st.integers(0, len(answer) - 1))]
    cell = {split: row[split] for split in question.by}
    loan_rows = list_rows(demo_bank, question, cell, hit=True, limit=ALL)
    assert len(loan_rows) == count_rows(demo_bank, question, cell, hit=True)
    if metric.measure_expr == "1":
        assert len(loan_rows) == row["numerator"]
    elif metric.measure_expr == "fact.balance":
        assert loan_rows["balance"].sum() == pytest.approx(row["numerator"], abs=0.005)


def test_a_list_in_pages_holds_every_row_once(demo_bank: Warehouse) -> None:
    question = Question("loans", TODAY, by=("class",), opening=0)
    n = count_rows(demo_bank, question, {"class": "B"})
    pages = [
        list_rows(demo_bank, question, {"class": "B"}, limit=50, offset=at, order="days_past_due")
        for at in range(0, n, 50)
    ]
    numbers = pd.concat(pages)["loan_id"]
    assert (len(numbers), numbers.nunique()) == (n, n)


@pytest.mark.parametrize(
    ("metric", "order"),
    [
        (next(m.id for m in METRICS.values() if m.source.id == source), order)
        for source in ORDERS
        for order in ORDERS[source]
    ],
)
def test_a_list_can_be_sorted_by_each_order(demo_bank: Warehouse, metric: str, order: str) -> None:
    loan_rows = list_rows(demo_bank, Question(metric, TODAY), order=order, limit=300)
    if order in loan_rows:
        known_values = loan_rows[order].dropna()
        assert known_values.is_monotonic_decreasing


def test_a_list_in_an_unknown_order_is_refused(demo_bank: Warehouse) -> None:
    with pytest.raises(UserError, match="cannot be put in order by 'name'"):
        list_rows(demo_bank, Question("loans", TODAY), order="name")


def test_a_cell_of_another_split_is_refused(demo_bank: Warehouse) -> None:
    with pytest.raises(UserError, match="not split by"):
        list_rows(demo_bank, Question("loans", TODAY, by=("family",)), {"branch_1": "N"})


def test_the_small_banks_overdue_loans_are_listed_by_number(small_bank: Warehouse) -> None:
    question = Question("overdue_rate", TODAY, by=("family",))
    loan_rows = list_rows(
        small_bank, question, {"family": "consumer"}, hit=True, order="days_past_due"
    )
    # L2 26 days, L5 16 days
    assert loan_rows[["loan_id", "days_past_due", "balance"]].to_numpy().tolist() == [
        ["L2", 26, 4_550],
        ["L5", 16, 4_000],
    ]


def test_a_borrower_with_two_loans_is_listed_once(small_bank: Warehouse) -> None:
    question = Question("borrowers", TODAY, by=("branch_1",))
    loan_rows = list_rows(small_bank, question, {"branch_1": "N"})
    # C1 (L1 and L2), C4, C6, C7, C9
    assert sorted(loan_rows["customer_id"]) == ["C1", "C4", "C6", "C7", "C9"]


def test_a_list_has_the_class_of_the_day_and_of_the_opening(small_bank: Warehouse) -> None:
    loan_rows = list_rows(small_bank, Question("customers", TODAY, opening=12)).set_index(
        "customer_id"
    )
    # C4 was B on 2025-10-31 and is D; C9 was not there
    assert loan_rows.loc[["C4", "C9"], ["class", "class_opening"]].to_numpy().tolist() == [
        ["D", "B"],
        ["unrated", "new"],
    ]


def test_a_list_shows_no_full_name(small_bank: Warehouse) -> None:
    loan_rows = list_rows(small_bank, Question("customers", TODAY))
    assert loan_rows["name"].str.contains("*", regex=False).all()


# ---------- cubes


def _answers(bank: Warehouse, question: Question) -> tuple[bool, pd.DataFrame]:
    with bank.session() as session:
        builder = SqlBuilder(session, METRICS[question.metric], question)
        from_cube = builder._cube() is not None
    return from_cube, ask(bank, question)


CUBED = [
    m.id for m in METRICS.values() if m.source.when == "month" and m.is_additive and m.measures
]


@pytest.mark.parametrize("metric", CUBED)
def test_the_trend_cubes_give_the_answers_of_the_marts(
    demo_bank: Warehouse, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [(), ("branch_1",), ("class",), ("class", "branch_2")]
    narrowed = [
        Question(metric, TODAY, by=by, opening=opening, scheme=scheme, last=2)
        for by in sets
        for scheme in ("abcd", "loan_five")
        for opening in ((0, 3) if "class" in by else (0,))
    ]
    fast = [_answers(demo_bank, question) for question in narrowed]
    monkeypatch.setattr(SqlBuilder, "_cube", lambda self: None)
    for question, (from_cube, quick) in zip(narrowed, fast, strict=True):
        slow = ask(demo_bank, question)
        assert from_cube, f"{question} was not answered from a cube"
        pd.testing.assert_frame_equal(quick, slow, check_exact=False, rtol=0, atol=0.001)


def test_a_filter_on_the_branch_is_the_same_from_cube_and_mart(
    demo_bank: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with demo_bank.session() as session:
        row = session.one(
            "select branch_1 from branch where branch_1 is not null order by 1 limit 1"
        )
        assert row
        assert metadata(session).cubes
    question = Question("overdue_rate", TODAY, by=("class",), where=(("branch_1", (row[0],)),))
    quick = ask(demo_bank, question)
    monkeypatch.setattr(SqlBuilder, "_cube", lambda self: None)
    pd.testing.assert_frame_equal(
        quick, ask(demo_bank, question), check_exact=False, rtol=0, atol=0.001
    )
