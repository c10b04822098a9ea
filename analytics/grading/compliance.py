"""Compliance lists: loans and customers that break a service rule (data/rulebooks/service.toml)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from analytics import rulebooks
from analytics.grading import facts
from analytics.metrics.list_layout import BRANCH, CUSTOMER, LOAN, NAME, ListLayout
from analytics.rulebooks.conditions import Group, Rule
from analytics.rulebooks.facts import Fact
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.service_rules import ServiceRule, read_service
from analytics.sql.templates import load
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

_FACTS = {
    "loan": (
        "consumer_five",
        "has_payroll",
        "wage_account_pledged",
        "birth_on",
        "monthly_income",
        "spouse_monthly_income",
        "provident_fund_monthly",
        "other_debt_monthly",
    ),
    "customer": ("consumer_five", "owner_kind"),
}
_LOAN_NUMBER_JOIN = "left join loan_number on loan_number.loan_key = page.loan_key"


# State of a row under a rule: 0 not subject to it, 1 undecided (a fact is missing), 2 breach,
# 3 compliant.
_COUNTS_SQL = (
    "count(*) filter (where state_{0} > 0), count(*) filter (where state_{0} = 2), "
    "count(*) filter (where state_{0} = 1), "
    "coalesce(sum(amount) filter (where state_{0} = 2), 0)::double"
)


def rules_in_force(as_of: date, folder: Path = rulebooks.FOLDER) -> dict[str, ServiceRule]:
    """Return the service rules by id, with the limits in force on `as_of`.

    Raises UserError where the file cannot be read.
    """
    try:
        return read_service(folder, schemes(), as_of)[0]
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_edition_missing", reason=error) from error


def counts(warehouse: Warehouse, as_of: date) -> pd.DataFrame:
    """Count the breaches of every rule at a month end.

    Returns
    -------
    One row per rule: rule, grain, looked_at (loans or customers subject to it), breaches, undecided
    (a fact is missing), amount (balance of the breaches, CNY), share (breaches ÷ those decided).
    """
    service_rules = rules_in_force(as_of)
    counts_by_rule = {}
    columns = ("looked_at", "breaches", "undecided", "amount")
    with warehouse.session() as reader:
        for grain in dict.fromkeys(rule.grain for rule in service_rules.values()):
            own = [rule for rule in service_rules.values() if rule.grain == grain]
            facts_sql, params = _facts_sql(reader, grain, as_of)
            states = [f"{_state_sql(rule)} as state_{place}" for place, rule in enumerate(own)]
            sql = load(
                "questions/service_counts",
                facts=facts_sql,
                rule_states=", ".join(states),
                counts=", ".join(_COUNTS_SQL.format(place) for place, _ in enumerate(own)),
            )
            # An aggregate without groups always gives one row.
            row = reader.one(sql, **params) or ()
            for place, rule in enumerate(own):
                values = row[4 * place : 4 * place + 4]
                counts_by_rule[rule.id] = dict(zip(columns, values, strict=True))
    rows = []
    for rule in service_rules.values():
        row_counts = counts_by_rule[rule.id]
        decided = row_counts["looked_at"] - row_counts["undecided"]
        share = row_counts["breaches"] / decided if decided else None
        rows.append({"rule": rule.id, "grain": rule.grain, **row_counts, "share": share})
    return pd.DataFrame(rows)


def _state_sql(rule: ServiceRule) -> str:
    """Return the SQL of a row's state.

    Each condition is evaluated only where the one before is open.
    """
    return (
        f"case when {_not_false_sql(rule.applies)} then case when {_true_sql(rule.applies)} then "
        f"case when {_true_sql(rule.breach)} then 2 "
        f"when {_not_false_sql(rule.breach)} then 1 else 3 "
        "end else 1 end else 0 end"
    )


def _true_sql(test: Group) -> str:
    return f"({test.sql(_column)})"


def _not_false_sql(test: Group) -> str:
    return f"({test.not_false_sql(_column)})"


def _column(fact: Fact) -> str:
    return fact.name


def trend(warehouse: Warehouse, months: Sequence[date]) -> pd.DataFrame:
    """Return `counts` of several month ends, with as_of."""
    return pd.concat(
        [counts(warehouse, month).assign(as_of=pd.Timestamp(month)) for month in months],
        ignore_index=True,
    )


def breaches(
    warehouse: Warehouse, as_of: date, rule_id: str, limit: int = 200, offset: int = 0
) -> pd.DataFrame:
    """List the loans or customers that break one rule, largest balance first.

    Columns: the bank's numbers, masked name, branch, manager, balance (CNY), and the facts that the
    rule uses. Raises UserError for an unknown rule.
    """
    service_rules = rules_in_force(as_of)
    if rule_id not in service_rules:
        raise UserError("unknown_service_rule", rule_id=rule_id, known=service_rules)
    rule = service_rules[rule_id]
    names = dict.fromkeys(leaf.fact.name for leaf in _leaves(rule))
    columns = [
        f"cast(page.{name} as varchar) as {name}" if _is_code(rule, name) else f"page.{name}"
        for name in names
    ]
    numbers = LOAN if rule.grain == "loan" else CUSTOMER
    layout = ListLayout(
        columns=(*numbers, *NAME, *BRANCH, "page.amount as balance", *columns),
        order=("amount desc nulls last", f"{rule.grain}_key"),
        joins=(_LOAN_NUMBER_JOIN,) if rule.grain == "loan" else (),
    )
    rows = (
        f"select * from asked where ({rule.applies.sql(_column)}) and ({rule.breach.sql(_column)})"
    )
    with warehouse.session() as reader:
        facts_sql, params = _facts_sql(reader, rule.grain, as_of)
        sql = f"with {facts_sql}, {layout.sql(rows)}"
        return reader.query(sql, None, **params, limit=limit, offset=offset)


def _facts_sql(reader: EditionReader, grain: str, as_of: date) -> tuple[str, dict[str, Any]]:
    """Return table expressions that end in `asked` (the facts of the rules), and parameters."""
    query = facts.facts_query(reader, "customer", _FACTS[grain], as_of)
    params = dict(query.params)
    if grain == "loan":
        home = schemes()["home_loan"].edition(as_of)
        params["count_provident_fund"] = home.parameters["count_provident_fund"].value
    return load(f"questions/service_{grain}", facts=query.sql), params


def _is_code(rule: ServiceRule, name: str) -> bool:
    return any(leaf.fact.name == name and leaf.fact.type == "code" for leaf in _leaves(rule))


def _leaves(rule: ServiceRule) -> list[Rule]:
    return [*rule.applies.leaves(), *rule.breach.leaves()]
