"""Loans, instalments and payments of the demo bank add up."""

import pandas as pd

from tests.demo.delivered_bank import AS_OF, DeliveredBank


def test_a_settled_loan_has_paid_back_exactly_its_principal(small: DeliveredBank) -> None:
    settled = small.loan[small.loan.closed_on.notna()].set_index("loan_id")
    scheduled = small.instalment.groupby("loan_id").principal.sum()
    prepaid = small.payment[small.payment.kind == "prepayment"].groupby("loan_id").amount.sum()
    back = scheduled.reindex(settled.index).fillna(0) + prepaid.reindex(settled.index).fillna(0)
    assert len(settled) > 100
    assert (back == settled.principal).all()


def test_a_settled_loan_has_paid_all_interest_and_nothing_falls_due_after_it(
    small: DeliveredBank,
) -> None:
    settled = small.loan[small.loan.closed_on.notna()].set_index("loan_id").closed_on
    plan = small.instalment[small.instalment.loan_id.isin(settled.index)]
    paid = small.payment[
        small.payment.loan_id.isin(settled.index) & (small.payment.kind != "prepayment")
    ]
    assert (plan.due_on <= plan.loan_id.map(settled)).all()
    pd.testing.assert_series_equal(
        (plan.principal + plan.interest).groupby(plan.loan_id).sum(),
        paid.groupby("loan_id").amount.sum(),
        check_names=False,
    )


def test_instalment_payments_never_exceed_what_has_fallen_due_by_the_end_of_their_month(
    small: DeliveredBank,
) -> None:
    paid = small.payment[small.payment.kind != "prepayment"]
    paid = paid.amount.groupby([paid.loan_id, paid.paid_at.dt.to_period("M")]).sum()
    due = small.instalment.principal + small.instalment.interest
    due = due.groupby([small.instalment.loan_id, small.instalment.due_on.dt.to_period("M")]).sum()
    both = pd.DataFrame({"paid": paid, "due": due}).fillna(0).sort_index().groupby(level=0).cumsum()
    assert (both.paid <= both.due).all()


def test_balances_lie_between_nothing_and_the_principal(small: DeliveredBank) -> None:
    positions = small.loan_positions(AS_OF)
    assert ((positions.balance > 0) & (positions.balance <= positions.principal)).all()


def test_loans_from_before_the_records_bring_their_past_forward_in_one_instalment(
    small: DeliveredBank,
) -> None:
    opening = pd.Timestamp("2025-09-01")
    first = small.instalment.sort_values("number").groupby("loan_id").first()
    old = small.loan[small.loan.disbursed_on < pd.Timestamp("2025-06-01")].set_index("loan_id")
    first = first.reindex(old.index).dropna()
    assert len(first) > 500
    assert (first.due_on < opening).mean() > 0.99
    assert (first.number > 1).mean() > 0.9


def test_every_path_of_a_payment_occurs(small: DeliveredBank) -> None:
    kinds = small.payment.kind.value_counts()
    assert set(kinds.index) == {"instalment", "prepayment", "reversal"}
    assert (small.payment[small.payment.kind == "reversal"].amount < 0).all()
    days = small.loan_positions(AS_OF).days_past_due
    for low, high in ((1, 30), (31, 90), (91, 600)):
        assert days.between(low, high).any(), (low, high)
