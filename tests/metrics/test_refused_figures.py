"""A figure that is refused by name is shown nowhere else: lists, customers, segments."""

from collections.abc import Iterator
from datetime import date

import pytest

from analytics import rulebooks
from analytics.grading.customer_profile import profile_of
from analytics.marts.build import build
from analytics.metrics.drilldown import list_rows
from analytics.metrics.load_report import empty_tables
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.segments.features import outcomes_after
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import load
from tests.metrics.test_metrics import TODAY
from tests.support.deliveries import AS_OF, write

# Contribution needs thirteen month ends, which 2026-06-30 is not yet.
JUNE = date(2026, 6, 30)


@pytest.fixture(scope="module")
def snapshot_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A bank of snapshots without interest, deposits and income."""
    base = tmp_path_factory.mktemp("snapshots")
    load(write(base / "delivery"), "contract", base / "home", build_marts=build, as_of=AS_OF)
    warehouse = Warehouse(base / "home")
    yield warehouse
    warehouse.close()


def test_a_list_shows_contribution_only_where_the_metric_is_answered(
    small_bank: Warehouse,
) -> None:
    early = list_rows(small_bank, Question("customers", JUNE))
    late = list_rows(small_bank, Question("customers", TODAY))
    assert "contribution_net_12m" not in early
    assert "contribution_net_12m" in late


def test_a_list_is_not_put_in_order_by_a_refused_figure(small_bank: Warehouse) -> None:
    with pytest.raises(UserError) as refused:
        list_rows(small_bank, Question("customers", JUNE), order="contribution_net_12m")
    assert refused.value.code == "needs_more_history"


def test_a_customer_shows_why_contribution_is_refused(small_bank: Warehouse) -> None:
    schemes = rulebooks.read_schemes()
    assert "2026-07-31" in profile_of(small_bank, schemes, JUNE, "C1").contribution_refusal["en"]
    assert profile_of(small_bank, schemes, TODAY, "C1").contribution_refusal == {}


def test_segments_do_not_judge_by_a_refused_contribution(small_bank: Warehouse) -> None:
    # the twelve months after 2025-10-31 end on 2026-10-31, those after 2025-07-31 on 2026-07-31
    with small_bank.session() as reader:
        assert outcomes_after(reader, date(2025, 10, 31))["contribution"].notna().any()
        early = outcomes_after(reader, date(2025, 6, 30))
    assert early.empty or early["contribution"].isna().all()


def test_command_line_and_page_name_the_same_missing_tables(snapshot_bank: Warehouse) -> None:
    with pytest.raises(UserError) as refused:
        ask(snapshot_bank, Question("contribution_net", AS_OF))
    named = refused.value.facts["table"]
    assert named == ["loan_snapshot.interest_received", "income", "deposit_balance"]
    by_page = [
        table for table, ids in empty_tables(snapshot_bank).items() if "contribution_net" in ids
    ]
    assert sorted(by_page) == sorted(named)
    assert "loan_snapshot.interest_received, income, deposit_balance" in refused.value.text("en")


def test_segments_of_a_bank_without_the_tables_have_no_contribution(
    snapshot_bank: Warehouse,
) -> None:
    with snapshot_bank.session() as reader:
        assert outcomes_after(reader, AS_OF)["contribution"].isna().all()
