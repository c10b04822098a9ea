"""Facts of customers and loans at a month end, the same as the mart build graded them on.

`Rulebook.classify` takes those of one customer, `Rulebook.to_sql` runs over those of all. A fact is
a column of the mart where the mart has it; else it comes from the version of the customer valid on
that day (of a loan: from the last delivery), or from the signals of the three months before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from analytics.rulebooks import Decision, Rulebook
from analytics.rulebooks.schemes import NONE
from analytics.sql.templates import fragment, load
from data.contract.schema import read_contract
from data.dates import month_end
from data.editions.reader import EditionReader
from data.errors import UserError

_CONTRACT = read_contract().table("customer")
_DATED = ("has_loan_overdue", "is_restructured", "months_since_restructured", "is_written_off")


@dataclass(frozen=True)
class FactsQuery:
    """Common table expressions and the parameters that they bind.

    The last expression, `known`, has the key, for loans also customer_key, and the facts by name.
    """

    sql: str
    params: Mapping[str, Any]


def facts_query(
    reader: EditionReader,
    grain: str,
    names: Iterable[str],
    as_of: date,
    key: int | None = None,
    extra: str = "",
) -> FactsQuery:
    """Return the query of the facts `names` at a month end.

    `grain` is customer or loan; `key` restricts the query to one of them. `extra` are further
    select items over `month`, the row of the mart. Raises UserError for a month end that the
    edition does not have.
    """
    months = months_of(reader)
    if as_of not in months:
        raise UserError("no_month_end", as_of=as_of, first=months[0], last=months[-1])
    build = _customers if grain == "customer" else _loans
    return build(reader, tuple(names), as_of, key, extra)


def months_of(reader: EditionReader) -> Sequence[date]:
    """Return the month ends of the edition that is read, ascending."""
    if reader.edition is None:
        raise ValueError("a candidate edition has no month ends before it is published")
    return reader.edition.months


def _customers(
    reader: EditionReader, names: tuple[str, ...], as_of: date, key: int | None, extra: str
) -> FactsQuery:
    mart = frozenset(reader.query("select * from customer_month limit 0").columns)
    attributes = frozenset(reader.query("select * from customer limit 0").columns)
    params: dict[str, Any] = {"as_of": as_of}
    selected = ["month.customer_key,"]
    joins = []
    if extra:
        selected.append(f"{extra},")
    for name in names:
        if name.startswith("worst_") and name.removeprefix("worst_") in mart:
            selected.append(
                f"nullif(cast(month.{name.removeprefix('worst_')} as varchar), '{NONE}') as {name},"
            )
        elif name in mart:
            selected.append(f"month.{name},")
        elif name not in attributes and name in _CONTRACT.columns:
            # A part loaded before the contract had the column.
            selected.append(f"cast(null as varchar) as {name},")
        elif not name.startswith("has_signal_"):
            selected.append(f"attribute.{name},")
            joins.append("left join attribute on attribute.customer_key = month.customer_key")
    if any(name.startswith("has_signal_") for name in names):
        selected.append(fragment("customer_signals_known"))
        joins.append("left join warned on warned.customer_key = month.customer_key")
        params |= {
            "has_signals": reader.one("select exists (select 1 from signal)") == (True,),
            "judged_after": month_end(as_of, -3),
        }
    query = _filled(
        "questions/customer_facts",
        params,
        key,
        selected,
        joins,
        "and month.customer_key = $key",
        attributes=fragment("customer_attributes"),
        signals=fragment("customer_signals"),
    )
    if "judged_after" in params:
        return query
    # The expression with the signals is not used, and its parameter not bound.
    return replace(query, sql=query.sql.replace("raised_on > $judged_after and ", ""))


def _loans(
    reader: EditionReader, names: tuple[str, ...], as_of: date, key: int | None, extra: str
) -> FactsQuery:
    mart = frozenset(reader.query("select * from loan_month limit 0").columns) | set(_DATED)
    selected = ["month.loan_key,", "month.customer_key,"]
    joins = []
    if extra:
        selected.append(f"{extra},")
    for name in names:
        selected.append(f"month.{name}," if name in mart else f"attribute.{name},")
        if name not in mart:
            joins.append("left join attribute on attribute.loan_key = month.loan_key")
    return _filled(
        "questions/loan_facts",
        {"as_of": as_of},
        key,
        selected,
        joins,
        "and loan_key = $key",
        dates=fragment("loan_dates"),
    )


def _filled(
    name: str,
    params: dict[str, Any],
    key: int | None,
    selected: list[str],
    joins: list[str],
    only: str,
    **placeholders: str,
) -> FactsQuery:
    text = load(
        name,
        facts="\n".join(dict.fromkeys(selected)),
        joins="\n".join(dict.fromkeys(joins)),
        only="" if key is None else only,
        **placeholders,
    )
    return FactsQuery(text, params if key is None else params | {"key": key})


def facts_of(
    reader: EditionReader, grain: str, names: Iterable[str], as_of: date, key: int
) -> dict[str, Any] | None:
    """Return facts of one customer or loan as `classify` takes them; None without a row."""
    names = tuple(dict.fromkeys(names))
    query = facts_query(reader, grain, names, as_of, key)
    row = reader.one(f"with {query.sql} select {', '.join(names)} from known", **query.params)
    return None if row is None else dict(zip(names, row, strict=True))


def customer_key_of(reader: EditionReader, customer_id: str) -> int:
    """Return the key of a customer by the bank's number.

    Raises UserError for an unknown number, without repeating it.
    """
    row = reader.one(
        "select customer_key from customer_number where customer_id = $customer_id",
        customer_id=customer_id,
    )
    if row is None:
        raise UserError("unknown_customer")
    return row[0]


@dataclass(frozen=True)
class GradingResult:
    """The decision of one rulebook on a customer or a loan, with reasons.

    `number` is the bank's number of the customer or loan, `stored_class` the class in the mart.
    """

    book: Rulebook
    number: str
    stored_class: str
    decision: Decision


def explain_customer(
    reader: EditionReader, books: Sequence[Rulebook], as_of: date, customer_id: str
) -> list[GradingResult]:
    """Classify one customer at a month end by several rulebooks, those of loans loan by loan.

    Raises UserError for an unknown customer or month end.
    """
    customer_key = customer_key_of(reader, customer_id)
    results = []
    for grain in dict.fromkeys(book.grain for book in books):
        own = [book for book in books if book.grain == grain]
        names = [name for book in own for name in book.facts]
        for key, number in _numbers(reader, grain, customer_key, customer_id, as_of).items():
            values = facts_of(reader, grain, names, as_of, key)
            if values is None:
                continue
            stored_classes = reader.one(
                f"select {', '.join(f'cast({book.id} as varchar)' for book in own)} "
                f"from {grain}_month where as_of = $as_of and {grain}_key = $key",
                as_of=as_of,
                key=key,
            )
            results += [
                GradingResult(book, number, stored_class, book.classify(values))
                for book, stored_class in zip(own, stored_classes or (), strict=True)
            ]
    return results


def _numbers(
    reader: EditionReader, grain: str, customer_key: int, customer_id: str, as_of: date
) -> dict[int, str]:
    """Return key → the bank's number, of the customer or of every loan with a row."""
    if grain == "customer":
        return {customer_key: customer_id}
    loans = reader.query(
        "select loan_key, any_value(loan_id) as loan_id from loan_number "
        "where customer_key = $key and loan_key in "
        "(select loan_key from loan_month where as_of = $as_of and customer_key = $key) "
        "group by 1 order by 1",
        key=customer_key,
        as_of=as_of,
    )
    return dict(zip(loans["loan_key"].tolist(), loans["loan_id"], strict=True))
