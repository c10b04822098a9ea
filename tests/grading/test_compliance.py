"""Compliance lists: as many rows as were counted, and the breaches that each rule describes."""

from datetime import date

import pytest

from analytics import rulebooks
from analytics.grading import compliance
from analytics.rulebooks.service_rules import read_service
from data.errors import UserError

LAST = date(2026, 10, 31)
RULES = compliance.rules_in_force(LAST)


@pytest.fixture(scope="module")
def counts(bank):
    return compliance.counts(bank, LAST).set_index("rule")


@pytest.mark.parametrize("rule", RULES)
def test_a_list_has_as_many_rows_as_were_counted(bank, counts, rule):
    breach_rows = compliance.breaches(bank, LAST, rule, limit=10**6)
    assert len(breach_rows) == counts.loc[rule, "breaches"]
    assert breach_rows["balance"].sum() == pytest.approx(counts.loc[rule, "amount"], abs=0.01)
    assert "name" in breach_rows
    assert not breach_rows["customer_id"].isna().any()


def test_class_five_with_a_consumer_loan_on_credit_is_listed(bank, counts):
    n = bank.one(
        "select count(*) from loan_month as loan join product using (product_key) "
        "join customer_month as borrower "
        "on borrower.customer_key = loan.customer_key and borrower.as_of = loan.as_of "
        "where loan.as_of = $d and loan.balance > 0 "
        "and cast(product.family as varchar) = 'consumer' "
        "and cast(loan.guarantee as varchar) in ('credit', 'guaranteed') "
        "and cast(borrower.consumer_five as varchar) in ('five', 'outside')",
        d=LAST,
    )[0]
    assert counts.loc["credit_only_class_five", "breaches"] == n > 0


def test_the_invented_bank_follows_its_rules_on_credit_but_for_some_per_cent(counts):
    rule = counts.loc["credit_only_class_five"]
    assert 0 < rule["share"] < 0.15
    # a handful of loans in so small a bank
    assert counts.loc["class_four_without_wages", "breaches"] <= 2


def test_class_four_needs_both_payroll_and_the_pledged_account(bank):
    breach_rows = compliance.breaches(bank, LAST, "class_four_without_wages", limit=10**6)
    assert set(breach_rows["borrower_class"]) <= {"four"}
    assert not (breach_rows["has_payroll"] & breach_rows["wage_account_pledged"]).any()


def test_age_and_term_are_compared_with_the_limit_of_the_class(bank):
    breach_rows = compliance.breaches(bank, LAST, "age_plus_term", limit=10**6)
    first = breach_rows["borrower_class"].isin(["one", "two"])
    assert (breach_rows.loc[first, "age_plus_term"] > 70).all()
    assert (breach_rows.loc[~first, "age_plus_term"] > 65).all()


def test_the_repayment_ratio_is_the_level_payment_over_the_family_income(bank):
    row = compliance.breaches(bank, LAST, "repayment_ratio", limit=1).iloc[0]
    principal, rate, term, own, spouse, fund = bank.one(
        "select loan.principal, loan.rate, loan.term_months, customer.monthly_income, "
        "customer.spouse_monthly_income, customer.provident_fund_monthly "
        "from loan_month as loan join loan_number using (loan_key) "
        "join customer on customer.customer_key = loan.customer_key "
        "where loan_number.loan_id = $id and loan.as_of = $d "
        "and customer.valid_from <= $d order by customer.valid_from desc limit 1",
        id=row["loan_id"],
        d=LAST,
    )
    monthly = float(rate) / 12
    # the annuity: principal × i / (1 - (1 + i)^-n)
    payment = float(principal) * monthly / (1 - (1 + monthly) ** -term)
    income = float(own) + float(spouse or 0) + float(fund or 0)
    assert row["loan_ratio"] == pytest.approx(payment / income)
    assert row["loan_ratio"] > 0.5 or row["total_ratio"] > 0.55


def test_class_one_is_looked_after_by_a_leader_or_the_head_of_consumer_credit(bank, counts):
    owners = bank.query(
        "select coalesce(cast(customer.owner_kind as varchar), 'unknown') as owner, count(*) as n "
        "from customer_month as month "
        "join customer on customer.customer_key = month.customer_key where month.as_of = $d "
        "and cast(month.consumer_five as varchar) = 'one' and customer.valid_from <= $d "
        "group by 1, month.customer_key, customer.valid_from "
        "qualify row_number() over "
        "(partition by month.customer_key order by customer.valid_from desc) = 1",
        d=LAST,
    )["owner"].value_counts()
    breach_rows = compliance.breaches(bank, LAST, "class_one_without_owner", limit=10**6)
    assert set(breach_rows["owner_kind"]) == {"account_manager"}
    assert len(breach_rows) == owners["account_manager"] > 0
    # a class that is not known may be class one; an owner not on record may be the right one
    unrated = bank.one(
        "select count(*) from customer_month "
        "where as_of = $d and cast(consumer_five as varchar) = 'unrated'",
        d=LAST,
    )[0]
    assert counts.loc["class_one_without_owner", "undecided"] == unrated + owners.get("unknown", 0)


@pytest.mark.parametrize(
    ("owner", "manager", "breach"),
    [
        ("branch_leader", True, False),
        ("department_head", False, False),
        ("account_manager", True, True),
        (None, False, True),
        (None, True, None),
    ],
)
def test_who_may_look_after_class_one(owner, manager, breach):
    facts = {"owner_kind": owner, "has_owner": manager or owner is not None}
    assert RULES["class_one_without_owner"].breach.evaluate(facts) is breach


def test_limits_come_from_the_rulebook_of_home_loans():
    schemes = rulebooks.read_schemes()
    home = schemes["home_loan"].edition(LAST)
    literals = {leaf.text for leaf in RULES["age_plus_term"].breach.leaves()}
    assert f"age_plus_term > {home.parameters['max_age_plus_term'].value}" in literals


def test_an_unknown_rule_is_refused_with_those_there_are(bank):
    with pytest.raises(UserError, match="credit_only_class_five"):
        compliance.breaches(bank, LAST, "nothing")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"family = home"', '"famly = home"'),
        ("{home_loan.max_loan_ratio}", "{home_loan.no}"),
        ("[[rule]]", "[[rule]"),
    ],
)
def test_a_broken_file_of_service_rules_is_refused_with_a_sentence(tmp_path, old, new):
    text = (rulebooks.FOLDER / "service.toml").read_text("utf-8")
    (tmp_path / "service.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(rulebooks.RulebookError, match=r"service\.toml"):
        read_service(tmp_path, rulebooks.read_schemes(), LAST)
