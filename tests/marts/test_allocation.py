"""Every loan-month and customer-month of an invented bank against an oracle in plain Python: equal to the fen."""

import shutil
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analytics.marts.build import build
from analytics.marts.context import BuildContext
from analytics.metrics.assumptions import assumptions
from data import demo
from data.dates import month_end
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.support.allocation_oracle import (
    NOTHING,
    Loan,
    by_customer,
    cents,
    first_payment,
    reloaned,
    settlements,
    state,
)

AS_OF, MONTHS, CUSTOMERS, SEED = date(2026, 10, 31), 18, 2_000, 7
ENDS = [month_end(AS_OF, -back) for back in range(MONTHS - 1, -1, -1)]
BEFORE = month_end(ENDS[0], -1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("allocation")


@pytest.fixture(scope="module")
def whole(folder) -> Warehouse:
    """The bank of 18 months in one load; its story hangs on the month before the last, as that of `grown` does."""
    demo.write(folder / "full", CUSTOMERS, MONTHS, SEED, AS_OF, anchor=month_end(AS_OF, -1))
    load(folder / "full", "contract", folder / "whole", build_marts=build)
    bank = Warehouse(folder / "whole")
    yield bank
    bank.close()


@pytest.fixture(scope="module")
def loans(whole, folder) -> dict[str, Loan]:
    """The delivery's loans, read without the loader."""
    found = {}
    for row in _rows(folder, "loan"):
        found[row["loan_id"]] = Loan(
            row["loan_id"], row["customer_id"], row["principal"], row["disbursed_on"], row["closed_on"],
            row["written_off_on"], row["sold_on"], row["rollover_of"], row["funding_rate"], row["guarantee"],
        )  # fmt: skip
    for row in _rows(folder, "instalment"):
        found[row["loan_id"]].instalments.append(
            (row["due_on"], row["number"], row["principal"], row["interest"] or NOTHING)
        )
    for row in _rows(folder, "payment"):
        found[row["loan_id"]].payments.append((row["paid_at"].date(), row["amount"], row["kind"]))
    return found


@pytest.fixture(scope="module")
def states(loans) -> dict[tuple[str, date], object]:
    """Loan number and month end (one before the first as well) → its state by the oracle."""
    return {
        (key, end): state(loan, end)
        for key, loan in loans.items()
        for end in [BEFORE, *ENDS]
        if loan.disbursed_on <= end
    }


@pytest.fixture(scope="module")
def mart(whole) -> dict[tuple[str, date], dict]:
    rows = whole.arrow(
        "select loan_id, as_of, balance, days_past_due, overdue_amount, interest_received, balance_written_off, "
        "disbursed, is_settled, is_first_payment_judged, is_first_payment_missed, provision, "
        "cast(loan_five as varchar) as loan_five "
        "from loan_month join loan_number using (loan_key)"
    ).to_pylist()
    found = {(row["loan_id"], row["as_of"]): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def customer_mart(whole) -> dict[tuple[str, date], dict]:
    rows = whole.arrow(
        "select * from customer_month join customer_number using (customer_key)"
    ).to_pylist()
    return {(row["customer_id"], row["as_of"]): row for row in rows}


def _rows(folder, table: str) -> list[dict]:
    return pq.read_table(folder / "full" / f"{table}.parquet").to_pylist()


def test_the_bank_has_all_that_can_go_wrong(loans):
    kinds = {kind for loan in loans.values() for _, _, kind in loan.payments}
    assert kinds == {"instalment", "prepayment", "reversal"}
    assert sum(loan.written_off_on is not None for loan in loans.values()) > 5
    assert sum(loan.rollover_of is not None for loan in loans.values()) > 5
    assert sum(loan.closed_on is not None for loan in loans.values()) > 100


def test_every_loan_with_a_balance_has_its_row_and_no_other_has_a_balance(states, mart):
    owed = {
        key
        for key, it in states.items()
        if key[1] != BEFORE and (it.balance > 0 or it.written_off > 0)
    }
    held = {
        key for key, row in mart.items() if row["balance"] > 0 or row["balance_written_off"] > 0
    }
    assert len(owed) > 10_000
    assert held == owed


@pytest.mark.parametrize(
    ("column", "told"),
    [("days_past_due", "days_past_due"), ("balance", "balance"), ("overdue_amount", "overdue_amount"),
     ("balance_written_off", "written_off")],
)  # fmt: skip
def test_every_loan_month_is_that_of_the_oracle(states, mart, column, told):
    wrong = {
        key: (row[column], getattr(states[key], told))
        for key, row in mart.items()
        if row[column] != getattr(states[key], told)
    }
    assert not wrong, dict(list(wrong.items())[:5])


def test_every_months_interest_is_that_of_the_oracle(loans, states, mart):
    wrong = {}
    for (key, end), row in mart.items():
        loan, last = loans[key], month_end(end, -1)
        # Of a loan older than the records nobody knows in which month its earlier interest came.
        carried = end == ENDS[0] and loan.disbursed_on <= last
        before = states[key, last].interest_so_far if (key, last) in states else NOTHING
        expected = NOTHING if carried else states[key, end].interest_so_far - before
        if row["interest_received"] != expected:
            wrong[key, end] = (row["interest_received"], expected)
    assert not wrong, dict(list(wrong.items())[:5])


def test_no_interest_falls_outside_the_rows(states, mart):
    total = sum(
        (row["interest_received"] for (_, end), row in mart.items() if end != ENDS[0]), NOTHING
    )
    first = {key: it.interest_so_far for (key, end), it in states.items() if end == ENDS[0]}
    last = {key: it.interest_so_far for (key, end), it in states.items() if end == AS_OF}
    assert total == sum(last.values(), NOTHING) - sum(first.values(), NOTHING)


def test_every_first_payment_is_judged_as_by_the_oracle(loans, mart):
    judged = {}
    for key, loan in loans.items():
        found = first_payment(loan, AS_OF)
        for end in ENDS:
            # The judgement stands for the three months up to the month end.
            if found and month_end(end, -3) < found[0] <= end:
                judged[key, end] = found[1]
    held = {
        key: row["is_first_payment_missed"]
        for key, row in mart.items()
        if row["is_first_payment_judged"]
    }
    assert sum(judged.values()) > 3
    assert held == judged


def test_every_loan_settles_in_the_month_in_which_it_is_closed(loans, mart):
    settled = {
        (key, month_end(loan.closed_on))
        for key, loan in loans.items()
        if loan.closed_on and BEFORE < loan.closed_on <= AS_OF and not loan.written_off_on
    }
    assert {key for key, row in mart.items() if row["is_settled"]} == settled


def test_principal_disbursed_is_counted_once_in_its_own_month(loans, mart):
    lent = {
        (key, month_end(loan.disbursed_on)): loan.principal
        for key, loan in loans.items()
        if BEFORE < loan.disbursed_on <= AS_OF
    }
    assert {key: row["disbursed"] for key, row in mart.items() if row["disbursed"]} == lent


@pytest.mark.parametrize("days", [30, 90, 180, 365])
def test_every_settlement_and_reloan_is_that_of_the_oracle(loans, customer_mart, days):
    expected = {}
    for customer, theirs in by_customer(loans).items():
        pairs = settlements(theirs)
        for end in ENDS:
            judged, again = reloaned(pairs, end, month_end(end, -3), days)
            if judged:
                expected[customer, end] = again
    held = {
        key: row[f"is_reloaned_{days}"]
        for key, row in customer_mart.items()
        if row[f"is_settled_{days}"]
    }
    assert len(expected) > 10
    assert held == expected


def test_every_customers_days_past_due_are_the_largest_of_its_loans(loans, states, customer_mart):
    worst = defaultdict(int)
    for (key, end), it in states.items():
        if it.balance > 0:
            worst[loans[key].customer, end] = max(worst[loans[key].customer, end], it.days_past_due)
    wrong = {
        key: row["days_past_due"]
        for key, row in customer_mart.items()
        if row["days_past_due"] != worst[key]
    }
    assert not wrong, dict(list(wrong.items())[:5])


def test_every_provision_is_the_general_and_the_classs_own_rate_of_the_balance(mart):
    # 2002 guide: 1 % of everything, and 2, 25, 50, 100 % by class
    rates = {
        "normal": "0.01",
        "special_mention": "0.03",
        "substandard": "0.26",
        "doubtful": "0.51",
        "loss": "1.01",
    }
    wrong = {
        key: row["provision"]
        for key, row in mart.items()
        if row["provision"] != cents(row["balance"] * Decimal(rates[row["loan_five"]]))
    }
    assert not wrong, dict(list(wrong.items())[:5])


def _twelve(monthly: dict, customer: str, end: date) -> Decimal:
    """The sum of the last twelve month ends of the records."""
    months = [month_end(end, -back) for back in range(12)]
    return sum((monthly[customer, month] for month in months if month in ENDS), NOTHING)


def test_every_contribution_of_twelve_months_is_that_of_the_oracle(
    folder, loans, mart, customer_mart
):
    assumed = {
        name: Decimal(str(value))
        for name, value in assumptions(AS_OF).items()
        if isinstance(value, float)
    }
    pd = {code: Decimal(str(value)) for code, value in assumptions(AS_OF)["pd"].items()}
    names = ("interest", "fees", "margin", "funding_cost", "expected_loss", "operating_cost")
    parts = {name: defaultdict(lambda: NOTHING) for name in names}
    for (key, end), row in mart.items():
        loan = loans[key]
        at, balance = (loan.customer, end), row["balance"]
        parts["interest"][at] += row["interest_received"]
        rate = loan.funding_rate if loan.funding_rate is not None else assumed["funding_rate"]
        parts["funding_cost"][at] += cents(balance * rate / 12)
        secured = loan.guarantee in ("mortgaged", "pledged")
        lgd = assumed["lgd_secured" if secured else "lgd_unsecured"]
        parts["expected_loss"][at] += (
            cents(balance * pd[row["loan_five"]] * lgd / 12) if balance else NOTHING
        )
        parts["operating_cost"][at] += assumed["operating_cost_loan"] if balance else NOTHING
    for row in _rows(folder, "deposit_balance"):
        at = (row["customer_id"], row["as_of"])
        parts["margin"][at] += cents(row["balance"] * assumed["deposit_margin"] / 12)
        parts["operating_cost"][at] += (
            assumed["operating_cost_deposit"] if row["balance"] > 0 else NOTHING
        )
    for row in _rows(folder, "income"):
        parts["fees"][row["customer_id"], month_end(row["booked_on"])] += row["amount"]
    for name, monthly in parts.items():
        wrong = {
            (customer, end): (row[f"{name}_12m"], _twelve(monthly, customer, end))
            for (customer, end), row in customer_mart.items()
            if row[f"{name}_12m"] != _twelve(monthly, customer, end)
        }
        assert not wrong, (name, len(wrong), dict(list(wrong.items())[:5]))
    for row in customer_mart.values():
        gross = row["interest_12m"] + row["fees_12m"] + row["margin_12m"]
        costs = row["funding_cost_12m"] + row["expected_loss_12m"] + row["operating_cost_12m"]
        assert (row["contribution_gross_12m"], row["contribution_net_12m"]) == (
            gross,
            gross - costs,
        )


# ---------- one more month


@pytest.fixture(scope="module")
def first(folder) -> Path:
    """The home of the bank of 17 months."""
    demo.write(folder / "first", CUSTOMERS, MONTHS - 1, SEED, month_end(AS_OF, -1))
    load(folder / "first", "contract", folder / "grown", build_marts=build)
    return folder / "grown"


@pytest.fixture(scope="module", params=["as kept", "turned round"])
def grown(first, folder, request) -> Warehouse:
    """The bank of 17 months, then the increment of the eighteenth. DuckDB tells the rows of a large table in any order:
    turned round, those that the first load left come last first.
    """
    home, delivery = folder / request.param, folder / f"next {request.param}"
    shutil.copytree(first, home)
    demo.write_next(delivery, CUSTOMERS, MONTHS - 1, SEED, month_end(AS_OF, -1))
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "turned round":
            left = BuildContext.left
            patch.setattr(
                BuildContext, "left", lambda *given: f"{left(*given)} order by rowid desc"
            )
        load(delivery, "contract", home, build_marts=build)
    bank = Warehouse(home)
    yield bank
    bank.close()


@pytest.mark.parametrize("table", ["loan_month", "customer_month"])
def test_an_increment_gives_the_marts_of_the_full_load_row_for_row(grown, whole, table):
    key, number = (
        ("loan_key", "loan_number")
        if table == "loan_month"
        else ("customer_key", "customer_number")
    )
    name = number.removesuffix("_number") + "_id"
    kept = [
        c for c in whole.query(f"select * from {table} limit 0").columns if not c.endswith("_key")
    ]
    columns = ", ".join(f"mart.{column}" for column in kept)
    sql = f"select {name}, {columns} from {table} as mart join {number} using ({key}) order by mart.as_of, {name}"
    one, two = whole.arrow(sql), grown.arrow(sql)
    assert one.num_rows == two.num_rows > 10_000
    differing = [
        column for column in one.column_names if one[column].to_pylist() != two[column].to_pylist()
    ]
    assert differing == []
