"""The invented bank: its delivery keeps the contract, its money adds up, and the planted story can be found in it.

The balances and days past due here are worked out with pandas, apart from the product's own marts.
"""

import hashlib
import json
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from data import demo
from data.demo.delivery import ARROW_TYPES, CONTRACT

AS_OF, YEAR_BEFORE = pd.Timestamp("2026-10-31"), pd.Timestamp("2025-10-31")
SEED = 7
KEYS = {name: table["key"] for name, table in CONTRACT.items()}


def read(folder, table) -> pd.DataFrame:
    """A delivered table; money as whole fen."""
    arrow = pq.read_table(folder / f"{table}.parquet")
    frame = pd.DataFrame(index=range(arrow.num_rows))
    for name in arrow.column_names:
        kind = CONTRACT[table]["column"][name]["type"]
        column = arrow.column(name)
        if kind == "money":
            frame[name] = (column.cast("float64").to_pandas() * 100).round()
        elif kind in ("date", "month", "time"):
            frame[name] = pd.to_datetime(column.to_pandas())
        else:
            frame[name] = column.to_pandas()
    return frame


class Bank:
    """Delivered tables, read when first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.books = {}

    def __getattr__(self, table):
        frame = read(self.folder, table)
        setattr(self, table, frame)
        return frame

    def book(self, at) -> pd.DataFrame:
        """Loans on the book at a month end: balance (fen) and days past due, payments first in first out."""
        if at not in self.books:
            self.books[at] = self._book(at)
        return self.books[at]

    def _book(self, at) -> pd.DataFrame:
        loans = self.loan[self.loan.disbursed_on <= at]
        for ended in ("closed_on", "written_off_on", "sold_on"):
            loans = loans[loans[ended].isna() | (loans[ended] > at)]
        loans = loans.set_index("loan_id")
        payments = self.payment[self.payment.paid_at < at + pd.Timedelta(days=1)]
        prepaid = payments[payments.kind == "prepayment"].groupby("loan_id").amount.sum()
        paid = payments[payments.kind != "prepayment"].groupby("loan_id").amount.sum()
        plan = self.instalment[self.instalment.loan_id.isin(loans.index)].sort_values(
            ["loan_id", "number"]
        )
        due = plan.principal + plan.interest
        after = due.groupby(plan.loan_id).cumsum()
        had = plan.loan_id.map(paid).fillna(0)
        covered = (had - (after - due) - plan.interest).clip(lower=0)
        principal_paid = np.minimum(covered, plan.principal).groupby(plan.loan_id).sum()
        oldest = plan[(after > had) & (plan.due_on <= at)].groupby("loan_id").due_on.min()
        loans["balance"] = (
            loans.principal
            - principal_paid.reindex(loans.index).fillna(0)
            - prepaid.reindex(loans.index).fillna(0)
        )
        loans["days_past_due"] = (at - oldest.reindex(loans.index)).dt.days.fillna(0)
        return loans

    def grades(self, at) -> pd.Series:
        """Credit grade by customer as known at `at`."""
        known = self.customer[self.customer.valid_from <= at].sort_values("valid_from")
        return known.groupby("customer_id").credit_grade.last()

    def settlements(self) -> pd.DataFrame:
        """Last loans settled with no other loan open: customer, closed_on, whether borrowed again within 90 days."""
        loans = self.loan.assign(
            ended=self.loan[["closed_on", "written_off_on", "sold_on"]]
            .min(axis=1)
            .fillna(pd.Timestamp("2100-01-01"))
        )
        settled = loans.loc[loans.closed_on.notna(), ["customer_id", "closed_on", "branch_id"]]
        pairs = settled.merge(
            loans[["customer_id", "disbursed_on", "ended", "rollover_of"]], on="customer_id"
        )
        pairs["open"] = (pairs.disbursed_on <= pairs.closed_on) & (pairs.ended > pairs.closed_on)
        days = (pairs.disbursed_on - pairs.closed_on).dt.days
        pairs["again"] = days.between(1, 90) & pairs.rollover_of.isna()
        found = (
            pairs.groupby(["customer_id", "closed_on", "branch_id"])[["open", "again"]]
            .any()
            .reset_index()
        )
        return found[~found.open]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    demo.write(folder, 2_000, 14, SEED)
    return Bank(folder)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    demo.write(folder, 20_000, 36, SEED)
    return Bank(folder)


# ---- the delivery


def test_one_seed_writes_the_same_bytes_and_another_seed_does_not(small, tmp_path):
    again = demo.write(tmp_path / "again", 2_000, 14, SEED)
    other = demo.write(tmp_path / "other", 2_000, 14, SEED + 1)
    assert again == json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (
        other["tables"]["payment"]["files"][0]["sha256"]
        != again["tables"]["payment"]["files"][0]["sha256"]
    )


def test_every_table_but_the_snapshots_has_the_columns_and_types_of_the_contract(small):
    for table, declared in CONTRACT.items():
        if table == "loan_snapshot":
            continue
        schema = pq.read_schema(small.folder / f"{table}.parquet")
        expected = {
            name: ARROW_TYPES[column["type"]] for name, column in declared["column"].items()
        }
        assert dict(zip(schema.names, schema.types, strict=True)) == expected, table


def test_required_columns_are_never_empty_and_keys_are_unique(small):
    for table, declared in CONTRACT.items():
        if table == "loan_snapshot":
            continue
        frame = getattr(small, table)
        required = [name for name, column in declared["column"].items() if column.get("required")]
        assert frame[required].notna().all(axis=None), table
        assert not frame.duplicated(KEYS[table]).any(), table


def test_codes_are_words_of_the_contract_and_references_are_known(small):
    for table, declared in CONTRACT.items():
        if table == "loan_snapshot":
            continue
        for name, column in declared["column"].items():
            values = set(getattr(small, table)[name].dropna().unique())
            if column["type"] == "code":
                assert values <= set(column["values"]), (table, name)
            if "refers" in column:
                assert values <= set(getattr(small, column["refers"])[f"{column['refers']}_id"]), (
                    table,
                    name,
                )


def test_the_manifest_tells_rows_sums_and_sha256_of_the_files(small):
    manifest = json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["kind"], manifest["from"], manifest["as_of"]) == (
        "full",
        "2025-09-30",
        "2026-10-31",
    )
    for table, told in manifest["tables"].items():
        path = small.folder / told["files"][0]["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == told["files"][0]["sha256"]
        arrow = pq.read_table(path)
        assert arrow.num_rows == told["rows"]
        money = {
            name for name, column in CONTRACT[table]["column"].items() if column["type"] == "money"
        }
        assert set(told["totals"]) == money
        for name, total in told["totals"].items():
            assert sum(filter(None, arrow.column(name).to_pylist()), Decimal(0)) == Decimal(
                total
            ), (table, name)


def test_csv_and_parquet_carry_the_same_rows(small, tmp_path):
    told = demo.write(tmp_path, 2_000, 14, SEED, form="csv")
    manifest = json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    for table in manifest["tables"]:
        for part in ("rows", "totals"):
            assert told["tables"][table][part] == manifest["tables"][table][part]
    csv = pyarrow.csv.read_csv(
        tmp_path / "instalment.csv",
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"principal": ARROW_TYPES["money"], "number": ARROW_TYPES["int"]}
        ),
    )
    parquet = pq.read_table(small.folder / "instalment.parquet")
    for name in ("loan_id", "number", "due_on", "principal"):
        assert csv.column(name).to_pylist() == parquet.column(name).to_pylist()


def test_nobody_can_have_the_identity_numbers_or_telephones(small):
    # GB/T 2260 has no area 99; mobile numbers begin with 13 to 19, so 100 is nobody's.
    numbers = small.customer.drop_duplicates("customer_id").id_number.dropna()
    assert numbers.str.fullmatch(r"99\d{15}[\dX]").all()
    assert numbers.is_unique
    assert small.customer.phone.str.fullmatch(r"100\d{8}").all()


def test_instalments_and_payments_come_in_order_of_their_day(small):
    assert small.instalment.due_on.is_monotonic_increasing
    assert small.payment.paid_at.is_monotonic_increasing


def test_an_increment_carries_on_where_the_full_delivery_ended(tmp_path):
    demo.write(tmp_path / "full", 1_000, 14, 3)
    told = demo.write_next(tmp_path / "next", 1_000, 14, 3)
    demo.write(
        tmp_path / "whole", 1_000, 15, 3, as_of=date(2026, 11, 30), anchor=date(2026, 10, 31)
    )
    assert (told["kind"], told["from"], told["as_of"]) == ("increment", "2026-11-30", "2026-11-30")
    for table in KEYS.keys() - {"loan_snapshot"}:
        full, more, whole = (read(tmp_path / name, table) for name in ("full", "next", "whole"))
        # Loans are handed over again when changed, branches, managers and products always; nothing else twice.
        joined = pd.concat([full, more]).drop_duplicates(
            KEYS[table] if table in ("loan", "branch", "manager", "product") else None, keep="last"
        )
        assert not joined.duplicated(KEYS[table]).any(), table
        pd.testing.assert_frame_equal(
            joined.sort_values(KEYS[table], ignore_index=True),
            whole.sort_values(KEYS[table], ignore_index=True),
        )


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"customers": 5}, "customers"),
        ({"months": 0}, "months"),
        ({"seed": -1}, "seed"),
        ({"form": "xls"}, "form"),
        ({"as_of": date(2026, 10, 30)}, "2026-10-30"),
        ({"anchor": date(2026, 11, 30)}, "anchor"),
    ],
)
def test_a_bank_that_cannot_be_made_is_refused_with_the_argument_named(tmp_path, wrong, word):
    with pytest.raises(ValueError, match=word):
        demo.write(**({"to": tmp_path, "customers": 200, "months": 3, "seed": 1} | wrong))


# ---- the money


def test_a_settled_loan_has_paid_back_exactly_its_principal(small):
    settled = small.loan[small.loan.closed_on.notna()].set_index("loan_id")
    scheduled = small.instalment.groupby("loan_id").principal.sum()
    prepaid = small.payment[small.payment.kind == "prepayment"].groupby("loan_id").amount.sum()
    back = scheduled.reindex(settled.index).fillna(0) + prepaid.reindex(settled.index).fillna(0)
    assert len(settled) > 100
    assert (back == settled.principal).all()


def test_a_settled_loan_has_paid_all_interest_and_nothing_falls_due_after_it(small):
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


def test_instalment_payments_never_exceed_what_has_fallen_due_by_the_end_of_their_month(small):
    paid = small.payment[small.payment.kind != "prepayment"]
    paid = paid.amount.groupby([paid.loan_id, paid.paid_at.dt.to_period("M")]).sum()
    due = small.instalment.principal + small.instalment.interest
    due = due.groupby([small.instalment.loan_id, small.instalment.due_on.dt.to_period("M")]).sum()
    both = pd.DataFrame({"paid": paid, "due": due}).fillna(0).sort_index().groupby(level=0).cumsum()
    assert (both.paid <= both.due).all()


def test_balances_lie_between_nothing_and_the_principal(small):
    book = small.book(AS_OF)
    assert ((book.balance > 0) & (book.balance <= book.principal)).all()


def test_loans_from_before_the_records_bring_their_past_forward_in_one_instalment(small):
    opening = pd.Timestamp("2025-09-01")
    first = small.instalment.sort_values("number").groupby("loan_id").first()
    old = small.loan[small.loan.disbursed_on < opening - pd.DateOffset(months=3)].set_index(
        "loan_id"
    )
    first = first.reindex(old.index).dropna()
    assert len(first) > 500
    assert (first.due_on < opening).mean() > 0.99
    assert (first.number > 1).mean() > 0.9


def test_every_path_of_a_payment_occurs(small):
    kinds = small.payment.kind.value_counts()
    assert set(kinds.index) == {"instalment", "prepayment", "reversal"}
    assert (small.payment[small.payment.kind == "reversal"].amount < 0).all()
    days = small.book(AS_OF).days_past_due
    for low, high in ((1, 30), (31, 90), (91, 600)):
        assert days.between(low, high).any(), (low, high)


# ---- the people


def test_attributes_let_every_grade_employer_and_education_occur(bank):
    for name in (
        "credit_grade",
        "employer_kind",
        "education",
        "employment",
        "own_credit_record",
        "post",
        "licence",
    ):
        assert set(bank.customer[name].dropna()) == set(
            CONTRACT["customer"]["column"][name]["values"]
        ), name


def test_levels_are_those_of_a_retail_bank(bank):
    book = bank.book(AS_OF)
    share = {
        days: book.balance[book.days_past_due > days].sum() / book.balance.sum()
        for days in (0, 30, 90)
    }
    assert 0.03 < share[0] < 0.06
    assert 0.015 < share[30] < 0.03
    assert 0.009 < share[90] < 0.02
    assert 0.5 < bank.loan.customer_id.nunique() / bank.customer.customer_id.nunique() < 0.65


def test_no_delivered_column_gives_the_hidden_type_away(bank):
    ids, kinds = demo.hidden_types(20_000, SEED)
    people = bank.customer.drop_duplicates("customer_id").set_index("customer_id")
    kinds = pd.Series(kinds, ids).reindex(people.index)
    assert len(kinds) == 20_000
    for name in people.columns:
        if people[name].nunique() > 100:
            continue
        # Guessing each value's commonest type must stay far from certain.
        right = pd.crosstab(people[name].astype(str), kinds).max(axis=1).sum()
        assert right / len(people) < 0.5, name
    for table in CONTRACT.keys() - {"loan_snapshot"}:
        arrow = pq.read_table(bank.folder / f"{table}.parquet")
        for name in arrow.column_names:
            if arrow.column(name).type == "string":
                words = pc.is_in(arrow.column(name), value_set=pyarrow.array(demo.TYPES))
                assert not pc.any(words).as_py(), (table, name)


# ---- the story


def test_partner_loans_of_two_quarters_go_bad_in_one_province(bank):
    loans = bank.loan[bank.loan.disbursed_on.between("2025-01-01", "2025-06-30")].set_index(
        "loan_id"
    )
    late = set()
    for at in pd.date_range("2025-03-31", "2026-06-30", freq="ME"):
        book = bank.book(at)
        late |= set(
            book.index[
                (book.days_past_due > 30) & (at <= book.disbursed_on + pd.DateOffset(months=12))
            ]
        )
    went_bad = pd.Series(loans.index.isin(late), loans.index)
    partner, here = loans.channel == "partner", loans.branch_id.str.startswith("03")
    assert (partner & here).sum() > 100
    assert went_bad[partner & here].mean() > 0.45
    assert went_bad[partner & here].mean() > 1.5 * went_bad[partner & ~here].mean()
    assert went_bad[~partner & here].mean() < 0.2


@pytest.mark.parametrize("opening", [1, 3, 12])
def test_every_group_of_grades_improves_and_the_bank_gets_worse(bank, opening):
    groups = {"AAA": 1, "AA": 1, "A": 2, "BBB": 2, "BB": 3, "B": 3, "C": 4, "D": 4}
    rates, shares, totals = [], [], []
    for at in (YEAR_BEFORE, AS_OF):
        book = bank.book(at)
        opened = at - pd.DateOffset(months=opening) + pd.offsets.MonthEnd(0)
        group = book.customer_id.map(bank.grades(opened).map(groups))
        late = book.balance * (book.days_past_due > 30)
        rates.append(late.groupby(group).sum() / book.balance.groupby(group).sum())
        shares.append(book.balance.groupby(group).sum() / book.balance.sum())
        totals.append(late.sum() / book.balance.sum())
    assert (rates[1] < rates[0]).all()
    assert totals[1] > totals[0] + 0.0005
    assert shares[1][3] > shares[0][3] + 0.10
    mix = ((shares[1] - shares[0]) * (rates[0] + rates[1]) / 2).sum()
    assert mix > 0.002


def test_the_win_back_campaign_doubles_reloans_of_three_months(bank):
    settled = bank.settlements()
    again = settled.again.groupby(settled.closed_on.dt.to_period("M")).mean()
    campaign = again["2026-03":"2026-05"]
    usual = again["2024-01":"2026-02"]
    assert 0.2 < usual.mean() < 0.33
    assert campaign.mean() > 1.7 * usual.mean()
    assert campaign.min() > usual.max()
    called = bank.action[
        (bank.action.kind == "win_back") & bank.action.done_on.between("2026-04-01", "2026-06-30")
    ]
    assert len(called) > 0.4 * (bank.action.kind == "win_back").sum()


def test_hidden_customers_behave_against_their_grade(bank):
    good, bad = demo.hidden_misgraded(20_000, SEED)
    opening = bank.book(YEAR_BEFORE).groupby("customer_id").days_past_due.max()
    later = pd.concat([bank.book(at) for at in pd.date_range("2025-11-30", AS_OF, freq="ME")])
    worst = (
        later.groupby("customer_id")
        .days_past_due.max()
        .reindex(opening[opening == 0].index)
        .dropna()
    )
    grade = bank.grades(YEAR_BEFORE).reindex(worst.index)
    late = worst > 30
    high, low = grade.isin(["AAA", "AA", "A", "BBB"]), grade.isin(["BB", "B", "C", "D"])
    is_good, is_bad = worst.index.isin(good), worst.index.isin(bad)
    assert (is_bad & high).sum() > 50
    assert (is_good & low).sum() > 50
    assert late[is_bad & high].mean() > 5 * late[~is_bad & high].mean()
    assert late[is_good & low].mean() < late[~is_good & low].mean() / 5


def test_one_provincial_branch_misses_its_targets_and_the_others_do_not(bank):
    book = bank.book(AS_OF)
    province = book.branch_id.str[:2]
    late = (book.balance * (book.days_past_due > 30)).groupby(
        province
    ).sum() / book.balance.groupby(province).sum()
    target = bank.target[(bank.target.as_of == AS_OF) & (bank.target.branch_id != "00")]
    target = target.set_index(["metric", "branch_id"])
    overdue = target.loc["overdue_rate_30"]
    assert list(late[late > overdue.value].index) == ["06"]
    assert late["06"] > overdue.red_line["06"]
    settled = bank.settlements()
    settled = settled[settled.closed_on.between("2025-08-01", "2026-07-31")]
    again = settled.again.groupby(settled.branch_id.str[:2]).mean()
    reloan = target.loc["reloan_rate_90"]
    assert list(again[again < reloan.value].index) == ["06"]
    home = bank.customer.groupby("customer_id").branch_id.first().str[:2]
    customers = (
        book[book.balance > 0]
        .drop_duplicates("customer_id")
        .customer_id.map(home)
        .value_counts()
        .sort_index()
    )
    assert list(customers.index[customers < target.loc["customers"].value]) == ["06"]


def test_one_manager_leaves_warnings_unhandled(bank):
    manager = bank.customer.groupby("customer_id").manager_id.first()
    recent = bank.signal[bank.signal.raised_on > YEAR_BEFORE]
    silent = recent[recent.handled_on.isna()].customer_id.map(manager).value_counts()
    raised = recent.customer_id.map(manager).value_counts()
    assert silent.index[0] == "M00001"
    assert silent.iloc[0] > 2.5 * silent.iloc[1]
    assert silent.iloc[0] / raised["M00001"] > 0.85
