"""Reports on a stored fit: tables add up, lists have their customers, words are complete."""

from dataclasses import replace

import pytest

from analytics.i18n.text import LANGUAGES
from analytics.segments import definitions
from analytics.segments.report import Segments
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.segments.support import LAST, customer_ids, scalar


def test_a_former_segment_still_has_its_outcomes(segments: Segments) -> None:
    code = segments.order[0]
    outcomes = segments.payload["outcomes"]
    base, *others = segments.payload["history"]
    former = base | {
        "sizes": base["sizes"] | {"99": 7},
        "names": base["names"] | {"99": {"zh-CN": "旧群", "en": "Old"}},
    }
    changes = {"outcomes": outcomes | {"99": outcomes[code]}, "history": [former, *others]}
    table = replace(segments, payload={**segments.payload, **changes}).table()
    row = table.set_index("segment").loc["99"]
    assert (row["customers"], row["customers_base"]) == (0, 7)
    assert row["overdue_n"] == outcomes[code]["overdue"]["n"]
    assert (row["en"], row["zh-CN"]) == ("Old (gone)", "旧群（已消失）")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_feature_is_listed_with_unit_transform_meaning_and_use(
    segments: Segments, lang: str
) -> None:
    table = segments.features(lang)
    assert list(table["fact"]) == list(definitions.FEATURES)
    assert (table.drop(columns="fact").map(len) > 0).all().all()


def test_cells_add_up_to_the_bank(warehouse: Warehouse, segments: Segments) -> None:
    rows = segments.cells("abcd")
    where = "from customer_month where as_of = $as_of"
    assert rows["n"].sum() == scalar(warehouse, f"select count(*) {where}", as_of=LAST)
    balance = scalar(warehouse, f"select sum(loan_balance) {where}", as_of=LAST)
    assert rows["balance"].sum() == pytest.approx(float(balance), abs=0.5)


def test_a_list_is_in_order_of_balance_and_has_exactly_its_n(
    warehouse: Warehouse, segments: Segments
) -> None:
    disagreements = segments.disagreements(warehouse, "abcd", "bad_in_good")
    rows = disagreements.rows(warehouse, "en", limit=10_000)
    assert len(rows) == len(disagreements) > 0
    assert rows["loan_balance"].is_monotonic_decreasing
    assert set(rows["class"]) <= set(disagreements.classes)
    assert set(rows["segment"]) <= set(disagreements.segments)
    assert (rows["pull_1"] != "").all()
    assert rows["name"].str.contains("*", regex=False).all()


def test_a_list_of_one_branch_is_part_of_the_whole(
    warehouse: Warehouse, segments: Segments
) -> None:
    branch = scalar(
        warehouse, "select branch_id from branch where level = 1 order by branch_id limit 1"
    )
    whole = segments.disagreements(warehouse, "abcd", "bad_in_good").customers
    part = segments.disagreements(warehouse, "abcd", "bad_in_good", branch).customers
    assert set(part["customer_key"]) < set(whole["customer_key"])


def test_one_customer_of_the_map_has_number_segment_and_drivers(
    warehouse: Warehouse, segments: Segments
) -> None:
    key = segments.payload["map"]["key"][0]
    row = segments.customer(warehouse, "abcd", key).rows(warehouse, "en").iloc[0]
    assert row["customer_id"] == customer_ids(warehouse)[key]
    assert row["segment"] == segments.payload["map"]["segment"][0]
    assert "(bank " in row["pull_1"]


def test_a_short_history_gives_segments_without_validation(
    warehouse: Warehouse, segments: Segments
) -> None:
    short = replace(segments, payload={**segments.payload, "base": None, "outcomes": {}})
    assert "无法检验" in short.verdict("abcd", "zh-CN")
    with pytest.raises(UserError, match="cannot be validated"):
        short.validation("abcd")
    with pytest.raises(UserError, match="no disagreement"):
        short.disagreements(warehouse, "abcd", "good_in_bad")
