"""The compliance lists: loans and customers that break a service rule of data/rulebooks/service.toml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from analytics import rulebooks
from analytics.grading import facts
from analytics.rulebooks.conditions import Group
from analytics.rulebooks.facts import Fact
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.service_rules import ServiceRule, read_service
from data.errors import UserError

_SQL = Path(__file__).parents[1] / "sql" / "questions"
_ASKED = {
    "loan": (
        "consumer_five", "has_payroll", "wage_account_pledged", "birth_on", "monthly_income", "spouse_monthly_income",
        "provident_fund_monthly", "other_debt_monthly",
    ),
    "customer": ("consumer_five", "owner_kind"),
}  # fmt: skip


# A row is 0 outside a rule, 1 undecided (it may be within, or may break it), 2 a breach, 3 in order.
_SUMS = (
    "count(*) filter (where state_{0} > 0), count(*) filter (where state_{0} = 2), "
    "count(*) filter (where state_{0} = 1), coalesce(sum(amount) filter (where state_{0} = 2), 0)::double"
)


def rules(as_of: date, folder: Path = rulebooks.FOLDER) -> dict[str, ServiceRule]:
    """The service rules by id, with the limits in force on `as_of`. Raises UserError where the file cannot be read."""
    try:
        return read_service(folder, schemes(), as_of)[0]
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_edition_missing", reason=error) from error


def counts(bank, as_of: date) -> pd.DataFrame:
    """One row per rule: rule, grain, looked_at (loans or customers it applies to), breaches, undecided (a fact is
    missing), amount (balance of those that break it, CNY), share (breaches ÷ those decided).
    """
    known, found = rules(as_of), {}
    named = ("looked_at", "breaches", "undecided", "amount")
    with bank.session() as view:
        for grain in dict.fromkeys(rule.grain for rule in known.values()):
            own = [rule for rule in known.values() if rule.grain == grain]
            sql, params = _asked(view, grain, as_of)
            states = ", ".join(f"{_state(rule)} as state_{place}" for place, rule in enumerate(own))
            sums = ", ".join(_SUMS.format(place) for place, _ in enumerate(own))
            judged = f"judged as (select amount, {states} from asked)"
            row = view.one(f"with {sql}, {judged} select {sums} from judged", **params)
            for place, rule in enumerate(own):
                found[rule.id] = dict(zip(named, row[4 * place : 4 * place + 4], strict=True))
    rows = []
    for rule in known.values():
        told = found[rule.id]
        decided = told["looked_at"] - told["undecided"]
        share = told["breaches"] / decided if decided else None
        rows.append({"rule": rule.id, "grain": rule.grain, **told, "share": share})
    return pd.DataFrame(rows)


def _state(rule: ServiceRule) -> str:
    """What one rule says of a row. Each condition is asked of those only for whom the one before left it open."""
    return (
        f"case when {_possible(rule.applies)} then case when {_sure(rule.applies)} then "
        f"case when {_sure(rule.breach)} then 2 when {_possible(rule.breach)} then 1 else 3 end else 1 end else 0 end"
    )


def _sure(test: Group) -> str:
    return f"({test.sql(_column)})"


def _possible(test: Group) -> str:
    return f"({test.possible_sql(_column)})"


def _column(fact: Fact) -> str:
    return fact.name


def trend(bank, months: Sequence[date]) -> pd.DataFrame:
    """`counts` of several month ends, as_of first."""
    return pd.concat([counts(bank, month).assign(as_of=pd.Timestamp(month)) for month in months], ignore_index=True)


def breaches(bank, as_of: date, rule_id: str, limit: int = 200, offset: int = 0) -> pd.DataFrame:
    """The loans or customers that break one rule, largest balance first: their numbers, the masked name, branch,
    manager, class, and the facts that the rule asks for. Raises UserError for an unknown rule.
    """
    known = rules(as_of)
    if rule_id not in known:
        raise UserError("unknown_service_rule", rule_id=rule_id, known=known)
    rule = known[rule_id]
    with bank.session() as view:
        sql, params = _asked(view, rule.grain, as_of)
        applies, breach = rule.applies.sql(_column), rule.breach.sql(_column)
        names = dict.fromkeys(leaf.fact.name for part in (rule.applies, rule.breach) for leaf in part.leaves())
        shown = ", ".join(
            f"cast(page.{name} as varchar) as {name}" if _is_code(rule, name) else f"page.{name}" for name in names
        )
        loan = rule.grain == "loan"
        return view.query(
            f"with {sql}, page as (select * from asked where ({applies}) and ({breach}) "
            f"order by amount desc nulls last, {rule.grain}_key limit :limit offset :offset),\n"
            "named as (select customer_key, arg_max(name_masked, valid_from) as name_masked from customer\n"
            "    where customer_key in (select customer_key from page) group by customer_key)\n"
            f"select {'loan_number.loan_id, ' if loan else ''}customer_number.customer_id, named.name_masked as name,\n"
            "    branch.branch_id as branch, manager.manager_id as manager, page.amount as balance, "
            f"{shown}\nfrom page\nleft join customer_number on customer_number.customer_key = page.customer_key\n"
            + ("left join loan_number on loan_number.loan_key = page.loan_key\n" if loan else "")
            + "left join branch on branch.branch_key = page.branch_key\n"
            "left join manager on manager.manager_key = page.manager_key\n"
            "left join named on named.customer_key = page.customer_key\n"
            f"order by page.amount desc nulls last, page.{rule.grain}_key",
            None,
            **params,
            limit=limit,
            offset=offset,
        )


def _asked(view, grain: str, as_of: date) -> tuple[str, dict]:
    """Common table expressions that end in `asked`: what the service rules ask of every loan or customer."""
    made = facts.relation(view, "customer", _ASKED[grain], as_of)
    params = dict(made.params)
    if grain == "loan":
        home = schemes()["home_loan"].edition(as_of)
        params["count_provident_fund"] = home.parameters["count_provident_fund"].value
    return (_SQL / f"service_{grain}.sql").read_text("utf-8").replace("{facts}", made.sql), params


def _is_code(rule: ServiceRule, name: str) -> bool:
    leaves = [*rule.applies.leaves(), *rule.breach.leaves()]
    return any(leaf.fact.name == name and leaf.fact.type == "code" for leaf in leaves)
