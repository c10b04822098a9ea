"""Who moved between two month ends: migration matrix, money bridge of the overdue stock, roll rates, 五级分类迁徙率.

Every count, amount and cell here is a set of loans or customers that opens as a list (`list_rows`, `count_rows`). The
population is what has a balance; joiners and leavers stand in the matrix, so that its rows add up to the
opening and its columns to the closing book. A filter is applied on each of the two days; who was there but
outside it has moved in or out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from analytics.analysis.attribution import validate_periods
from analytics.metrics.buckets import Buckets, buckets_named
from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import Question, check
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from analytics.sql.templates import load
from data.dates import month_end
from data.errors import UserError

JOINED, MOVED_IN = "joined", "moved_in"
EXITS = ("settled", "written_off", "sold", "gone", "left", "moved_out")
DAYS = (0, 30, 60, 90)
# The terms between opening and closing, in the order in which they are told.
TERMS = (
    "rolled_in",
    "new",
    "moved_in",
    "cured",
    "settled",
    "written_off",
    "sold",
    "gone",
    "moved_out",
    "stayed",
)
_TERM = """case
            when before = 'late' and after = 'late' then 'stayed'
            when after = 'late' and before = 'joined' then 'new'
            when after = 'late' and before = 'moved_in' and days_past_due_before > $days then 'moved_in'
            when after = 'late' then 'rolled_in'
            when after = 'moved_out' and days_past_due > $days then 'moved_out'
            when after in ('current', 'moved_out') then 'cured'
            else after
        end"""
# By days past due an open loan counts even when a snapshot tells no balance of it.
_OPEN = "(fact.ended_on is null and fact.written_off_on is null)"
RATES = ("normal_loans", "normal", "special_mention", "substandard", "doubtful")


@dataclass(frozen=True)
class MigrationQuery:
    """One way of telling moves apart. `by`: class (of the question's scheme), bucket (of `buckets`), or late (>
    days)."""

    question: Question
    before: date
    by: str = "class"
    buckets: str = "months"
    days: int = 30

    @property
    def of_loans(self) -> bool:
        """Whether loans are counted: always but for the classes of a scheme that grades customers."""
        return self.by != "class" or schemes()[self.question.scheme].grain == "loan"


@dataclass
class _Written:
    """The SQL text up to and with the step `moved`, with its values."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)


def _moved(view, asked: MigrationQuery) -> _Written:
    of_loans = asked.of_loans
    question = asked.question.about(
        "loans" if of_loans else "customers", by=(), opening=0, last=1, compare=None
    )
    validate_periods(view, question, asked.before)
    parts: dict[str, str] = {}
    if of_loans:
        parts["in_book"] = _OPEN if asked.by == "bucket" else "fact.balance > 0"
    params: dict[str, Any] = {"opening_on": asked.before, "closing_on": question.as_of}
    for side, day in (("before", asked.before), ("after", question.as_of)):
        writer = SqlBuilder(view, metric_named(question.metric), question.about(as_of=day))
        writer.params = params
        state = _state(writer, asked)
        condition = writer.conditions([day])
        parts[f"state_{side}"] = state
        parts[f"asked_{side}"] = f"({condition})"
        parts[f"joins_{side}"] = "\n    ".join(writer.joins.values())
    if asked.by == "late":
        params["days"] = asked.days
    text = load("questions/moved_loans" if of_loans else "questions/moved_customers", **parts)
    return _Written(text.rstrip(), params)


def _state(writer: SqlBuilder, asked: MigrationQuery) -> str:
    if asked.by == "late":
        if asked.days not in DAYS:
            raise UserError("unknown_days_past_due", days=asked.days)
        return "case when fact.days_past_due > $days then 'late' else 'current' end"
    if asked.by == "bucket":
        return buckets_named(asked.buckets).sql
    return f"coalesce(cast({writer.expression('class')} as varchar), 'unrated')"


def matrix(bank, asked: MigrationQuery) -> pd.DataFrame:
    """Moves by where from and where to. Columns: before, after, n, balance_before, balance (CNY; a joiner has
    no opening balance, a leaver no closing one), share (of the row's n), share_balance (closing balance ÷ the
    row's opening one)."""
    with bank.session() as view:
        written = _moved(view, asked)
        found = view.query(
            f"{written.sql}\n{load('questions/moved_matrix')}", None, **written.params
        )
    found[["balance_before", "balance"]] = found[["balance_before", "balance"]].fillna(0.0)
    rows = found.groupby("before")
    return found.assign(
        share=found["n"] / rows["n"].transform("sum"),
        share_balance=(found["balance"] / rows["balance_before"].transform("sum")).where(
            rows["balance_before"].transform("sum") > 0
        ),
    )


@dataclass(frozen=True)
class Flows:
    """The overdue stock from `opening` to `closing` (CNY). `terms`: term, loans, customers, amount, signed as
    it enters."""

    opening: Decimal
    closing: Decimal
    terms: pd.DataFrame
    residual: Decimal
    loans_before: int
    loans: int


def flows(bank, asked: MigrationQuery) -> Flows:
    """Opening + rolled in − cured − settled or collected − written off ± balance change of those that stay = closing.

    `new` is overdue and was not in the book at the opening, `gone` has left it without a reason in the data (a
    bank that hands over snapshots only), `moved_in` and `moved_out` were overdue on the other day too, but
    outside the filter. Raises UserError as `ask` does.
    """
    asked = MigrationQuery(asked.question, asked.before, "late", days=asked.days)
    with bank.session() as view:
        written = _moved(view, asked)
        sums = view.arrow(
            f"{written.sql},\n\n{_termed()}\n\n{load('questions/flow_sums')}",
            None,
            **written.params,
        ).to_pylist()
    found = {row["term"]: row for row in sums}
    nothing = {"loans": 0, "customers": 0, "amount": Decimal(0)}
    opening, closing = (found.get(name, nothing) for name in ("opening", "closing"))
    lines = [{"term": term, **{k: found.get(term, nothing)[k] for k in nothing}} for term in TERMS]
    explained = sum((line["amount"] for line in lines), Decimal(0))
    residual = closing["amount"] - opening["amount"] - explained
    terms = pd.DataFrame(lines).astype(
        {"amount": "float64", "loans": "int64", "customers": "int64"}
    )
    return Flows(
        opening["amount"], closing["amount"], terms, residual, opening["loans"], closing["loans"]
    )


def rates(bank, question: Question, before: date) -> pd.DataFrame:
    """五级分类迁徙率 between two month ends: rate (RATES), n (loans of the opening class), opening, decrease,
    numerator, denominator, value. Source: 商业银行风险监管核心指标 (2005); normal_loans is 正常贷款迁徙率, the
    others by class."""
    asked = MigrationQuery(question.about(scheme="loan_five"), before)
    with bank.session() as view:
        written = _moved(view, asked)
        found = view.query(f"{written.sql}\n{load('questions/five_rates')}", None, **written.params)
    found = found.set_index("rate").reindex(list(RATES)).rename_axis("rate").reset_index()
    sums = ["opening", "decrease", "numerator", "denominator"]
    found[sums] = found[sums].fillna(0.0)
    return found.assign(n=found["n"].fillna(0).astype("int64"))


def roll(bank, question: Question, before: date, buckets: str = "months") -> pd.DataFrame:
    """The roll matrix by days past due, in loans and balance; columns as in `matrix`, states are codes of `buckets`."""
    return matrix(bank, MigrationQuery(question, before, "bucket", buckets))


def roll_series(bank, question: Question, last: int = 12, buckets: str = "months") -> pd.DataFrame:
    """Stock roll rates month by month: bucket k+1 now ÷ bucket k a month ago. The last bucket has no upper
    edge: it keeps what came long ago, and no rate leads into it.

    Columns: as_of, bucket (k), into (k+1), n (loans in k a month ago), numerator, denominator (CNY), value;
    value_loans is the same in loans. Raises UserError for a set whose buckets are not one month
    wide, and for a bank of one month end.
    """
    declared = buckets_named(buckets)
    if not declared.monthly:
        raise UserError("buckets_not_monthly", buckets=buckets)
    with bank.session() as view:
        asked = question.about("loans", by=(), opening=0, last=1, compare=None)
        check(view, asked)
        months = [
            m for m in metadata(view).months if month_end(asked.as_of, -last) <= m <= asked.as_of
        ]
        if len(months) < 2:
            raise UserError("roll_rate_needs_months")
        found = stocks(view, asked, months, declared)
    return _rolled(found, declared)


def stocks(view, question: Question, months: list[date], declared: Buckets) -> pd.DataFrame:
    """Loans and balance by bucket: as_of, bucket, n, balance."""
    writer = SqlBuilder(view, metric_named("loans"), question)
    asked = writer.conditions(months)
    joins = "\n".join(writer.joins.values())
    text = load("questions/bucket_stocks", state=declared.sql, asked=asked, joins=joins)
    return view.query(text, None, **writer.params)


def _rolled(found: pd.DataFrame, declared: Buckets) -> pd.DataFrame:
    into = dict(zip(declared.codes[:-2], declared.codes[1:-1], strict=True))
    source = found[found["bucket"].isin(into)].assign(into=lambda rows: rows["bucket"].map(into))
    source["as_of"] = source["as_of"] + pd.offsets.MonthEnd(1)
    target = found.rename(
        columns={"bucket": "into", "n": "numerator_loans", "balance": "numerator"}
    )
    both = source.rename(columns={"balance": "denominator"}).merge(
        target, on=["as_of", "into"], how="left"
    )
    both = both[both["as_of"] <= found["as_of"].max()]
    both[["numerator", "numerator_loans"]] = both[["numerator", "numerator_loans"]].fillna(0.0)
    both = both.assign(
        value=both["numerator"] / both["denominator"].where(both["denominator"] > 0),
        value_loans=both["numerator_loans"] / both["n"].where(both["n"] > 0),
    )
    kept = ["as_of", "bucket", "into", "n", "numerator", "denominator", "value", "value_loans"]
    return both[kept].sort_values(["as_of", "bucket"]).reset_index(drop=True)


def list_rows(
    bank, asked: MigrationQuery, picked: Mapping[str, str], limit: int = 200, offset: int = 0
) -> pd.DataFrame:
    """The loans or customers behind one cell {before: …, after: …} (either may be left out), one term {term: …}, or the
    opening loans of one migration rate {rate: …}, masked.

    The terms opening and closing are the stocks. Raises UserError for a cell or term that is not known.
    """
    of_loans = asked.of_loans or bool({"term", "rate"} & set(picked))
    with bank.session() as view:
        written, source, test = _picked(view, asked, picked)
        name = "questions/moved_loan_list" if of_loans else "questions/moved_customer_list"
        text = load(name, **{"from": source, "picked": test})
        return view.query(
            f"{written.sql},\n\n{text}", None, **written.params, limit=limit, offset=offset
        )


def count_rows(bank, asked: MigrationQuery, picked: Mapping[str, str]) -> int:
    """Return the number of rows that `list_rows` gives without a limit."""
    with bank.session() as view:
        written, source, test = _picked(view, asked, picked)
        return int(
            view.one(
                f"{written.sql}\nselect count(*) from {source} where {test}", None, **written.params
            )[0]
        )


def _picked(view, asked: MigrationQuery, picked: Mapping[str, str]) -> tuple[_Written, str, str]:
    if unknown := set(picked) - {"before", "after", "term", "rate"}:
        raise UserError("unknown_matrix_cell", unknown=min(unknown))
    if "term" in picked:
        asked = MigrationQuery(asked.question, asked.before, "late", days=asked.days)
        written, term = _moved(view, asked), picked["term"]
        stock = {"opening": "before = 'late'", "closing": "after = 'late'"}
        if term not in (*TERMS, *stock):
            raise UserError("unknown_term", term=term, stock_terms=(*stock, *TERMS))
        written.sql += f",\n\n{_termed()}"
        if term in stock:
            return written, "termed", stock[term]
        written.params["term"] = term
        return written, "termed", "term = $term"
    if "rate" in picked:
        if picked["rate"] not in RATES:
            told = ", ".join(RATES)
            raise UserError("unknown_rate", rate=picked["rate"], told=told)
        written = _moved(
            view, MigrationQuery(asked.question.about(scheme="loan_five"), asked.before)
        )
        opening = (
            ("normal", "special_mention") if picked["rate"] == "normal_loans" else (picked["rate"],)
        )
        return (
            written,
            "moved",
            f"was_in and before in ({', '.join(repr(code) for code in opening)})",
        )
    written = _moved(view, asked)
    tests = []
    for side, code in picked.items():
        written.params[side] = code
        tests.append(f"{side} = ${side}")
    return written, "moved", " and ".join(tests) or "true"


def _termed() -> str:
    return load("questions/flow_terms", term=_TERM)
