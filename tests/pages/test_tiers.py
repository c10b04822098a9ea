"""Two schemes crossed, and moves within one: margins and sums are those of the metrics."""

from datetime import date

import pandas as pd
import pytest

from analytics.analysis.cross_tab import cross_tabulate
from analytics.metrics.query import ask, monthly_shares
from analytics.metrics.question import Question
from data.editions.reader import Warehouse
from data.errors import UserError
from pages.parts.sections.tiers import count_directions

LAST = date(2026, 10, 31)


@pytest.mark.parametrize("where", [(), (("customer_kind", ("person",)),)])
def test_the_margins_of_the_cross_table_are_the_counts_of_both_schemes(
    bank: Warehouse, where: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    question = Question("customers", LAST, opening=0, where=where)
    frame = cross_tabulate(bank, question, "consumer_five")
    for scheme, side in (("abcd", "class_from"), ("consumer_five", "class_to")):
        answer = ask(bank, question.with_changes(scheme=scheme, by=("class",)))
        assert frame.groupby(side)["n"].sum().to_dict() == dict(
            zip(answer["class"], answer["n"], strict=True)
        )


def test_a_filter_of_loans_is_refused_for_customers(bank: Warehouse) -> None:
    with pytest.raises(UserError):
        cross_tabulate(
            bank, Question("customers", LAST, where=(("family", ("home",)),)), "consumer_five"
        )


def test_an_unknown_scheme_is_refused(bank: Warehouse) -> None:
    with pytest.raises(UserError, match="no scheme"):
        cross_tabulate(bank, Question("customers", LAST), "none; drop table loan")


def test_shares_are_those_of_the_month() -> None:
    # January 30 of 40 = 75 %, February 10 of 40 = 25 %; a month without a whole has no share
    rows = [
        ("2026-01-31", "A", 30.0),
        ("2026-01-31", "B", 10.0),
        ("2026-02-28", "A", 10.0),
        ("2026-02-28", "B", 30.0),
        ("2026-03-31", "A", 0.0),
    ]
    shares = monthly_shares(pd.DataFrame(rows, columns=["as_of", "class", "value"]))
    assert shares["value"].tolist()[:4] == [0.75, 0.25, 0.25, 0.75]
    assert shares["value"].isna().tolist()[4]


def test_moves_are_up_down_the_same_or_beyond_the_ladder() -> None:
    rows = [
        ("A", "B", 3, 10.0, 9.0),
        ("C", "A", 2, 5.0, 6.0),
        ("B", "B", 4, 1.0, 2.0),
        ("A", "unrated", 1, 1.0, 1.0),
        ("joined", "A", 5, 0.0, 7.0),
        ("D", "settled", 6, 8.0, 0.0),
    ]
    frame = pd.DataFrame(rows, columns=["before", "after", "n", "balance_before", "balance"])
    ways = count_directions(frame, ("A", "B", "C", "D"))
    assert ways["n"].to_dict() == {
        "up": 2,
        "down": 3,
        "same": 4,
        "unrated": 1,
        "came": 5,
        "left": 6,
    }
    assert ways["balance"].to_dict() == {
        "up": 6.0,
        "down": 9.0,
        "same": 2.0,
        "unrated": 1.0,
        "came": 7.0,
        "left": 8.0,
    }
