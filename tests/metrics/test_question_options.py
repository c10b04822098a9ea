"""Every metric with every option of a question: an answer, or one sentence in its language."""

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.edition_metadata import labels
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.metrics.targets import with_targets
from analytics.rulebooks.registry import schemes
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.metrics.test_metrics import TODAY

Answer = Callable[[Warehouse, Question], pd.DataFrame]
NOTHING = ""
OPTIONS: dict[str, list[Any]] = {
    "by": [NOTHING, "class", *DIMENSIONS],
    "where": [NOTHING, "class", *DIMENSIONS],
    "opening": [0, 1, 3, 12],
    "compare": [None, "mom", "yoy"],
    "last": [1, 3],
    "targets": [False, True],
    "scheme": sorted(schemes()),
}
ENGINE = re.compile(
    r"binder|catalog|parser|conversion|\berror\b|does not have a column|select ", re.I
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _combinations() -> list[dict[str, Any]]:
    """Combinations in which every two values of two options occur together at least once."""
    generator = random.Random(20261031)
    missing = {
        ((first, one), (second, other))
        for first, second in itertools.combinations(OPTIONS, 2)
        for one, other in itertools.product(OPTIONS[first], OPTIONS[second])
    }
    rows = []
    while missing:
        (first, one), (second, other) = min(missing, key=repr)
        row = {name: generator.choice(values) for name, values in OPTIONS.items()}
        row |= {first: one, second: other}
        missing -= set(itertools.combinations(row.items(), 2))
        rows.append(row)
    return rows


COMBINATIONS = _combinations()
METRIC_IDS = [id for id, metric in METRICS.items() if not metric.retired]


def _rows_of(metric: str) -> list[dict[str, Any]]:
    """The part of the combinations that this metric is asked, and each option on its own."""
    position = METRIC_IDS.index(metric)
    plain = {name: values[0] for name, values in OPTIONS.items()} | {"scheme": "abcd"}
    single = [plain | {name: value} for name, values in OPTIONS.items() for value in values]
    return [*COMBINATIONS[position :: len(METRIC_IDS)], *single]


def _first_code(warehouse: Warehouse, dimension: str, scheme: str) -> str:
    with warehouse.session() as reader:
        return next(iter(labels(reader, dimension, "en", scheme)))


@pytest.mark.parametrize("metric", METRIC_IDS)
def test_every_option_of_a_metric_gives_an_answer_or_one_sentence(
    small_bank: Warehouse, metric: str
) -> None:
    for row in _rows_of(metric):
        options = dict(row)
        answer = with_targets if options.pop("targets") else ask
        by = options.pop("by")
        where = options.pop("where")
        filters = ((where, (_first_code(small_bank, where, row["scheme"]),)),) if where else ()
        question = Question(metric, TODAY, by=(by,) if by else (), where=filters, **options)
        refused, columns = _outcome(answer, small_bank, question)
        if refused is None:
            assert {"value", "n"} <= columns, row
            continue
        assert refused.code != "query_failed", (row, refused)
        assert CHINESE.search(refused.text("zh-CN")), row
        assert not CHINESE.search(refused.text("en")), (row, refused.text("en"))
        assert not ENGINE.search(str(refused)), (row, refused)


def _outcome(
    answer: Answer, warehouse: Warehouse, question: Question
) -> tuple[UserError | None, set[str]]:
    """Return the refusal, or the columns of the answer."""
    try:
        return None, set(answer(warehouse, question).columns)
    except UserError as error:
        return error, set()


def test_a_whole_life_figure_is_compared_with_what_it_was(small_bank: Warehouse) -> None:
    # lent by 2025-10-31: L1 120,000 + L3 24,000 + L4 12,000 + L6 36,000 + L7 10,000 + L9 8,000 +
    # L11 3,000; settled by then L11 only, on the day it matured
    lent = ask(small_bank, Question("lent", TODAY, compare="yoy")).iloc[0]
    assert (lent.value, lent.value_before, lent.n_before) == (266_000, 213_000, 7)
    settled = ask(small_bank, Question("settled_loans", TODAY, by=("lateness",), compare="yoy"))
    assert settled.set_index("lateness").loc["on_time", "value_before"] == 1


@pytest.mark.parametrize("metric", ["judged_loans", "bad_rate"])
def test_an_outcome_without_a_date_is_not_compared(small_bank: Warehouse, metric: str) -> None:
    with pytest.raises(UserError) as refused:
        ask(small_bank, Question(metric, TODAY, compare="mom"))
    assert refused.value.code == "comparison_undated"
    assert "Outcome" in refused.value.text("en")
