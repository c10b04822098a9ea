"""The compliance lists: loans and customers that break a service rule of data/rulebooks/service.toml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from analytics import facts, rulebooks
from analytics.rulebooks.service import ServiceRule, read_service
from data.engine import Refused

_SQL = Path(__file__).parent / "sql" / "questions"
_ASKED = {
    "loan": (
        "consumer_five", "has_payroll", "wage_account_pledged", "birth_on", "monthly_income", "spouse_monthly_income",
        "provident_fund_monthly", "other_debt_monthly",
    ),
    "customer": ("consumer_five",),
}  # fmt: skip


def rules(as_of: date, folder: Path = rulebooks.FOLDER) -> dict[str, ServiceRule]:
    """The service rules by id, with the limits in force on `as_of`. Raises Refused where the file cannot be read."""
    try:
        return read_service(folder, rulebooks.read(folder), as_of)[0]
    except rulebooks.RulebookError as error:
        raise Refused(str(error)) from error


def counts(bank, as_of: date) -> pd.DataFrame:
    """One row per rule: rule, grain, looked_at (loans or customers it applies to), breaches, undecided (a fact is
    missing), amount (balance of those that break it, CNY), share (breaches ÷ those decided).
    """
    found = []
    with bank.lease() as view:
        for rule in rules(as_of).values():
            sql, params = _relation(view, rule, as_of)
            row = view.one(
                f"with {sql} select count(*), count(*) filter (where is_breach), "
                "count(*) filter (where is_breach is null), "
                "coalesce(sum(amount) filter (where is_breach), 0)::double from judged",
                **params,
            )
            decided = row[0] - row[2]
            named = ("looked_at", "breaches", "undecided", "amount")
            share = row[1] / decided if decided else None
            found.append({"rule": rule.id, "grain": rule.grain, **dict(zip(named, row, strict=True)), "share": share})
    return pd.DataFrame(found)


def trend(bank, months: Sequence[date]) -> pd.DataFrame:
    """`counts` of several month ends, as_of first."""
    return pd.concat([counts(bank, month).assign(as_of=pd.Timestamp(month)) for month in months], ignore_index=True)


def breaches(bank, as_of: date, rule_id: str, limit: int = 200, offset: int = 0) -> pd.DataFrame:
    """The loans or customers that break one rule, largest balance first: their numbers, the masked name, branch,
    manager, class, and the facts that the rule asks for. Raises Refused for an unknown rule.
    """
    known = rules(as_of)
    if rule_id not in known:
        raise Refused(f"没有合规规则 {rule_id}。There is no service rule {rule_id!r}. Known: {', '.join(known)}.")
    rule = known[rule_id]
    with bank.lease() as view:
        sql, params = _relation(view, rule, as_of)
        names = dict.fromkeys(leaf.fact.name for part in (rule.applies, rule.breach) for leaf in part.leaves())
        shown = ", ".join(
            f"cast(page.{name} as varchar) as {name}" if _is_code(rule, name) else f"page.{name}" for name in names
        )
        loan = rule.grain == "loan"
        return view.query(
            f"with {sql}, page as (select * from judged where is_breach "
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


def _relation(view, rule: ServiceRule, as_of: date) -> tuple[str, dict]:
    """Common table expressions that end in `judged`: the rows of the rule with is_breach, null where undecided."""
    made = facts.relation(view, "customer", _ASKED[rule.grain], as_of)
    params = dict(made.params)
    if rule.grain == "loan":
        home = rulebooks.read()["home_loan"].edition(as_of)
        params["count_provident_fund"] = home.parameters["count_provident_fund"].value
    text = (_SQL / f"service_{rule.grain}.sql").read_text("utf-8").replace("{facts}", made.sql)
    applies, breach = (part.sql(lambda fact: fact.name) for part in (rule.applies, rule.breach))
    # a row that may or may not be within the rule is undecided
    judged = (
        f"judged as (select *, case when {applies} then {breach} end as is_breach from asked "
        f"where ({applies}) is not false)"
    )
    return f"{text},\n\n{judged}", params


def _is_code(rule: ServiceRule, name: str) -> bool:
    leaves = [*rule.applies.leaves(), *rule.breach.leaves()]
    return any(leaf.fact.name == name and leaf.fact.type == "code" for leaf in leaves)
