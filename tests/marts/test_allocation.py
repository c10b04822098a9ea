"""Every row of both marts of an invented bank equals an oracle in plain Python, to the fen."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    State,
    by_customer,
    cents,
    first_payment,
    reloaned,
    settlements,
    state,
)

AS_OF = date(2026, 10, 31)
MONTHS = 18
CUSTOMERS = 2_000
SEED = 7
ENDS = [month_end(AS_OF, -back) for back in range(MONTHS - 1, -1, -1)]
BEFORE = month_end(ENDS[0], -1)

# Number of a loan or customer, and month end.
Key = tuple[str, date]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allocation")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Iterator[Warehouse]:
    """Return 18 months in one load; the invented events depend on the month before the last."""
    demo.write(folder / "full", CUSTOMERS, MONTHS, SEED, AS_OF, anchor=month_end(AS_OF, -1))
    load(folder / "full", "contract", folder / "whole", build_marts=build)
    warehouse = Warehouse(folder / "whole")
    yield warehouse
    warehouse.close()


@pytest.fixture(scope="module")
def loans(whole: Warehouse, folder: Path) -> dict[str, Loan]:
    """Return the loans of the delivery, read without the loader."""
    loans = {
        row["loan_id"]: Loan(
            key=row["loan_id"],
            customer=row["customer_id"],
            principal=row["principal"],
            disbursed_on=row["disbursed_on"],
            closed_on=row["closed_on"],
            written_off_on=row["written_off_on"],
            sold_on=row["sold_on"],
            rollover_of=row["rollover_of"],
            funding_rate=row["funding_rate"],
            guarantee=row["guarantee"],
        )
        for row in _rows(folder, "loan")
    }
    for row in _rows(folder, "instalment"):
        interest = row["interest"] or NOTHING
        loans[row["loan_id"]].instalments.append(
            (row["due_on"], row["number"], row["principal"], interest)
        )
    for row in _rows(folder, "payment"):
        loans[row["loan_id"]].payments.append((row["paid_at"].date(), row["amount"], row["kind"]))
    return loans


@pytest.fixture(scope="module")
def states(loans: dict[str, Loan]) -> dict[Key, State]:
    """Return the oracle's states, also for the month end before the first."""
    return {
        (key, end): state(loan, end)
        for key, loan in loans.items()
        for end in [BEFORE, *ENDS]
        if loan.disbursed_on <= end
    }


@pytest.fixture(scope="module")
def mart(whole: Warehouse) -> dict[Key, Row]:
    rows = whole.arrow(
        "select loan_id, as_of, balance, days_past_due, overdue_amount, interest_received, "
        "balance_written_off, disbursed, is_settled, is_first_payment_assessed, "
        "is_first_payment_missed, provision, cast(loan_five as varchar) as loan_five "
        "from loan_month join loan_number using (loan_key)"
    ).to_pylist()
    mart = {(row["loan_id"], row["as_of"]): row for row in rows}
    assert len(mart) == len(rows)
    return mart


@pytest.fixture(scope="module")
def customer_mart(whole: Warehouse) -> dict[Key, Row]:
    rows = whole.arrow(
        "select * from customer_month join customer_number using (customer_key)"
    ).to_pylist()
    return {(row["customer_id"], row["as_of"]): row for row in rows}


def _rows(folder: Path, table: str) -> list[Row]:
    return pq.read_table(folder / "full" / f"{table}.parquet").to_pylist()


def _differences(actual: dict[Any, Any], expected: Callable[[Any], Any]) -> dict[Any, Any]:
    """Return the first five values that differ from those of the oracle, with these."""
    pairs = {key: (value, expected(key)) for key, value in actual.items()}
    return dict([(key, pair) for key, pair in pairs.items() if pair[0] != pair[1]][:5])


def test_the_invented_bank_has_every_kind_of_event(loans: dict[str, Loan]) -> None:
    kinds = {kind for loan in loans.values() for _, _, kind in loan.payments}
    assert kinds == {"instalment", "prepayment", "reversal"}
    assert sum(loan.written_off_on is not None for loan in loans.values()) > 5
    assert sum(loan.rollover_of is not None for loan in loans.values()) > 5
    assert sum(loan.closed_on is not None for loan in loans.values()) > 100


def test_every_loan_with_a_balance_has_its_row_and_no_other_has_a_balance(
    states: dict[Key, State], mart: dict[Key, Row]
) -> None:
    by_oracle = {
        key
        for key, loan in states.items()
        if key[1] != BEFORE and (loan.balance > 0 or loan.written_off > 0)
    }
    in_mart = {
        key for key, row in mart.items() if row["balance"] > 0 or row["balance_written_off"] > 0
    }
    assert len(by_oracle) > 10_000
    assert in_mart == by_oracle


@pytest.mark.parametrize(
    ("column", "attribute"),
    [
        ("days_past_due", "days_past_due"),
        ("balance", "balance"),
        ("overdue_amount", "overdue_amount"),
        ("balance_written_off", "written_off"),
    ],
)
def test_every_loan_month_equals_the_oracle(
    states: dict[Key, State], mart: dict[Key, Row], column: str, attribute: str
) -> None:
    values = {key: row[column] for key, row in mart.items()}
    assert not _differences(values, lambda key: getattr(states[key], attribute))


def test_the_interest_of_every_month_equals_the_oracle(
    loans: dict[str, Loan], states: dict[Key, State], mart: dict[Key, Row]
) -> None:
    def expected(loan_month: Key) -> Decimal:
        key, end = loan_month
        previous = month_end(end, -1)
        if end == ENDS[0] and loans[key].disbursed_on <= previous:
            # The months of interest before the records are unknown.
            return NOTHING
        before = states.get((key, previous))
        so_far = before.interest_so_far if before else NOTHING
        return states[loan_month].interest_so_far - so_far

    values = {key: row["interest_received"] for key, row in mart.items()}
    assert not _differences(values, expected)


def test_no_interest_falls_outside_the_rows(states: dict[Key, State], mart: dict[Key, Row]) -> None:
    total = sum(
        (row["interest_received"] for (_, end), row in mart.items() if end != ENDS[0]), NOTHING
    )
    first = {key: loan.interest_so_far for (key, end), loan in states.items() if end == ENDS[0]}
    last = {key: loan.interest_so_far for (key, end), loan in states.items() if end == AS_OF}
    assert total == sum(last.values(), NOTHING) - sum(first.values(), NOTHING)


def test_every_first_payment_is_assessed_as_by_the_oracle(
    loans: dict[str, Loan], mart: dict[Key, Row]
) -> None:
    by_oracle = {}
    for key, loan in loans.items():
        assessment = first_payment(loan, AS_OF)
        for end in ENDS:
            # The result is reported for the three months up to the month end.
            if assessment and month_end(end, -3) < assessment[0] <= end:
                by_oracle[key, end] = assessment[1]
    in_mart = {
        key: row["is_first_payment_missed"]
        for key, row in mart.items()
        if row["is_first_payment_assessed"]
    }
    assert sum(by_oracle.values()) > 3
    assert in_mart == by_oracle


def test_every_loan_settles_in_the_month_in_which_it_is_closed(
    loans: dict[str, Loan], mart: dict[Key, Row]
) -> None:
    expected = {
        (key, month_end(loan.closed_on))
        for key, loan in loans.items()
        if loan.closed_on and BEFORE < loan.closed_on <= AS_OF and not loan.written_off_on
    }
    assert {key for key, row in mart.items() if row["is_settled"]} == expected


def test_principal_disbursed_is_counted_once_in_its_own_month(
    loans: dict[str, Loan], mart: dict[Key, Row]
) -> None:
    disbursed = {
        (key, month_end(loan.disbursed_on)): loan.principal
        for key, loan in loans.items()
        if BEFORE < loan.disbursed_on <= AS_OF
    }
    assert {key: row["disbursed"] for key, row in mart.items() if row["disbursed"]} == disbursed


@pytest.mark.parametrize("days", [30, 90, 180, 365])
def test_every_settlement_and_reloan_equals_the_oracle(
    loans: dict[str, Loan], customer_mart: dict[Key, Row], days: int
) -> None:
    expected = {}
    for customer, customer_loans in by_customer(loans).items():
        pairs = settlements(customer_loans)
        for end in ENDS:
            is_assessed, is_reloaned = reloaned(pairs, end, month_end(end, -3), days)
            if is_assessed:
                expected[customer, end] = is_reloaned
    in_mart = {
        key: row[f"is_reloaned_{days}"]
        for key, row in customer_mart.items()
        if row[f"is_settled_{days}"]
    }
    assert len(expected) > 10
    assert in_mart == expected


def test_the_days_past_due_of_every_customer_are_the_most_of_the_loans(
    loans: dict[str, Loan], states: dict[Key, State], customer_mart: dict[Key, Row]
) -> None:
    worst: dict[Key, int] = defaultdict(int)
    for (key, end), loan in states.items():
        if loan.balance > 0:
            customer_month = (loans[key].customer, end)
            worst[customer_month] = max(worst[customer_month], loan.days_past_due)
    values = {key: row["days_past_due"] for key, row in customer_mart.items()}
    assert not _differences(values, lambda key: worst[key])


def test_every_provision_is_the_general_and_the_classs_own_rate_of_the_balance(
    mart: dict[Key, Row],
) -> None:
    # 2002 guide: 1 % of everything, and 2, 25, 50, 100 % by class
    rates = {
        "normal": Decimal("0.01"),
        "special_mention": Decimal("0.03"),
        "substandard": Decimal("0.26"),
        "doubtful": Decimal("0.51"),
        "loss": Decimal("1.01"),
    }
    values = {key: row["provision"] for key, row in mart.items()}
    assert not _differences(
        values, lambda key: cents(mart[key]["balance"] * rates[mart[key]["loan_five"]])
    )


Flows = dict[str, dict[Key, Decimal]]


@pytest.fixture(scope="module")
def flows(folder: Path, loans: dict[str, Loan], mart: dict[Key, Row]) -> Flows:
    """Return the amounts of each kind by customer and month end."""
    rates = {name: Decimal(str(value)) for name, value in assumptions(AS_OF).parameters().items()}
    default_rates = {code: Decimal(str(value)) for code, value in assumptions(AS_OF).pd.items()}
    names = ("interest", "fees", "margin", "funding_cost", "expected_loss", "operating_cost")
    flows: Flows = {name: defaultdict(lambda: NOTHING) for name in names}
    for (key, end), row in mart.items():
        loan = loans[key]
        at = (loan.customer, end)
        balance = row["balance"]
        flows["interest"][at] += row["interest_received"]
        funding_rate = rates["funding_rate"] if loan.funding_rate is None else loan.funding_rate
        flows["funding_cost"][at] += cents(balance * funding_rate / 12)
        if balance:
            is_secured = loan.guarantee in ("mortgaged", "pledged")
            lgd = rates["lgd_secured" if is_secured else "lgd_unsecured"]
            loss = balance * default_rates[row["loan_five"]] * lgd / 12
            flows["expected_loss"][at] += cents(loss)
            flows["operating_cost"][at] += rates["operating_cost_loan"]
    for row in _rows(folder, "deposit_balance"):
        at = (row["customer_id"], row["as_of"])
        flows["margin"][at] += cents(row["balance"] * rates["deposit_margin"] / 12)
        if row["balance"] > 0:
            flows["operating_cost"][at] += rates["operating_cost_deposit"]
    for row in _rows(folder, "income"):
        flows["fees"][row["customer_id"], month_end(row["booked_on"])] += row["amount"]
    return flows


def test_every_sum_of_twelve_months_equals_the_oracle(
    flows: Flows, customer_mart: dict[Key, Row]
) -> None:
    for name, amounts in flows.items():

        def expected(customer_month: Key, amounts: dict = amounts) -> Decimal:
            customer, end = customer_month
            months = [month_end(end, -back) for back in range(12)]
            return sum((amounts[customer, month] for month in months if month in ENDS), NOTHING)

        values = {key: row[f"{name}_12m"] for key, row in customer_mart.items()}
        assert not _differences(values, expected), name


def test_every_contribution_is_the_sum_of_its_parts(
    customer_mart: dict[Key, Row],
) -> None:
    for row in customer_mart.values():
        gross = row["interest_12m"] + row["fees_12m"] + row["margin_12m"]
        costs = row["funding_cost_12m"] + row["expected_loss_12m"] + row["operating_cost_12m"]
        assert row["contribution_gross_12m"] == gross
        assert row["contribution_net_12m"] == gross - costs


@pytest.fixture(scope="module")
def first(folder: Path) -> Path:
    """Return the home of a bank of 17 months."""
    demo.write(folder / "first", CUSTOMERS, MONTHS - 1, SEED, month_end(AS_OF, -1))
    load(folder / "first", "contract", folder / "extended", build_marts=build)
    return folder / "extended"


@pytest.fixture(scope="module", params=["stored order", "reverse order"])
def extended(first: Path, folder: Path, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """Return the bank of 17 months with the increment of the eighteenth.

    The rows of a table have no order of their own: the state of the first load is read in the order
    in which it was stored, and in reverse.
    """
    home = folder / request.param
    delivery = folder / f"next {request.param}"
    shutil.copytree(first, home)
    demo.write_next(delivery, CUSTOMERS, MONTHS - 1, SEED, month_end(AS_OF, -1))
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "reverse order":
            in_stored_order = BuildContext.previous_state_query
            patch.setattr(
                BuildContext,
                "previous_state_query",
                lambda *arguments: f"{in_stored_order(*arguments)} order by rowid desc",
            )
        load(delivery, "contract", home, build_marts=build)
    warehouse = Warehouse(home)
    yield warehouse
    warehouse.close()


@pytest.mark.parametrize("grain", ["loan", "customer"])
def test_an_increment_gives_the_rows_of_the_full_load(
    extended: Warehouse, whole: Warehouse, grain: str
) -> None:
    mart = f"{grain}_month"
    # Surrogate keys differ between loads.
    names = [
        name
        for name in whole.query(f"select * from {mart} limit 0").columns
        if not name.endswith("_key")
    ]
    columns = ", ".join(f"mart.{name}" for name in names)
    sql = (
        f"select {grain}_id, {columns} from {mart} as mart join {grain}_number "
        f"using ({grain}_key) order by mart.as_of, {grain}_id"
    )
    expected = whole.arrow(sql)
    actual = extended.arrow(sql)
    assert actual.num_rows == expected.num_rows > 10_000
    differing = [
        name
        for name in expected.column_names
        if expected[name].to_pylist() != actual[name].to_pylist()
    ]
    assert differing == []
