"""The customers of the demo bank: attributes, levels of a retail bank, hidden types that stay
hidden.
"""

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet as pq

from data import demo
from data.demo.delivery import CONTRACT
from tests.demo.delivered_bank import AS_OF, DELIVERED_TABLES, SEED, DeliveredBank


def test_attributes_include_every_grade_employer_and_education(bank: DeliveredBank) -> None:
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


def test_levels_are_those_of_a_retail_bank(bank: DeliveredBank) -> None:
    positions = bank.loan_positions(AS_OF)
    share = {
        days: positions.balance[positions.days_past_due > days].sum() / positions.balance.sum()
        for days in (0, 30, 90)
    }
    assert 0.03 < share[0] < 0.06
    assert 0.015 < share[30] < 0.03
    assert 0.009 < share[90] < 0.02
    assert 0.5 < bank.loan.customer_id.nunique() / bank.customer.customer_id.nunique() < 0.65


def test_no_delivered_column_reveals_the_hidden_type(bank: DeliveredBank) -> None:
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
    for table in DELIVERED_TABLES:
        arrow = pq.read_table(bank.folder / f"{table}.parquet")
        for name in arrow.column_names:
            if arrow.column(name).type == "string":
                values = pyarrow.compute.call_function("unique", [arrow.column(name)])
                assert not set(values.to_pylist()) & set(demo.TYPES), (table, name)
