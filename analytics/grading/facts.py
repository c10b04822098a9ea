"""The facts of customers and loans at a month end, as the build graded them: what `Rulebook.classify` is given, and
the relation over which `Rulebook.to_sql` decides everybody.

A fact is a column of the mart where it stands there; else it comes from the newest version of the customer valid by
that day (of a loan: as delivered last), or from the signals of the three months before. The expressions are those of
the build.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from analytics.rulebooks import Decision, Rulebook
from analytics.rulebooks.schemes import NONE
from analytics.sql.templates import fragment
from data.contract.schema import read_contract
from data.dates import month_end
from data.errors import UserError

_SQL = Path(__file__).parents[1] / "sql" / "questions"
_CONTRACT = read_contract().table("customer")
_DATED = ("has_loan_overdue", "is_restructured", "months_since_restructured", "is_written_off")


@dataclass(frozen=True)
class Relation:
    """Common table expressions that end in `known` (the key, for loans also customer_key, and the facts by name), and
    the values that they bind."""

    sql: str
    params: Mapping[str, Any]


def relation(view, grain: str, names: Iterable[str], as_of: date, key: int | None = None, extra: str = "") -> Relation:
    """The facts `names` of every customer or loan (grain) at a month end; of one customer or loan where `key` is given.

    `extra` are further select items over `month`, the mart's row. Raises UserError for a month end that the edition
    does not have.
    """
    if as_of not in view.edition.months:
        raise UserError("no_month_end", as_of=as_of, first=view.edition.months[0], last=view.edition.months[-1])
    return (_customers if grain == "customer" else _loans)(view, tuple(names), as_of, key, extra)


def _customers(view, names: tuple[str, ...], as_of: date, key: int | None, extra: str) -> Relation:
    mart, held = (frozenset(view.query(f"select * from {t} limit 0").columns) for t in ("customer_month", "customer"))
    params: dict[str, Any] = {"as_of": as_of}
    chosen, joins = ["month.customer_key,", *([f"{extra},"] if extra else [])], []
    for name in names:
        if name.startswith("worst_") and name.removeprefix("worst_") in mart:
            chosen.append(f"nullif(cast(month.{name.removeprefix('worst_')} as varchar), '{NONE}') as {name},")
        elif name in mart:
            chosen.append(f"month.{name},")
        elif name not in held and name in _CONTRACT.columns:
            # a part loaded before the contract had the column: not known
            chosen.append(f"cast(null as varchar) as {name},")
        elif not name.startswith("has_signal_"):
            chosen.append(f"attribute.{name},")
            joins.append("left join attribute on attribute.customer_key = month.customer_key")
    if any(name.startswith("has_signal_") for name in names):
        chosen.append(fragment("customer_signals_known"))
        joins.append("left join warned on warned.customer_key = month.customer_key")
        params |= {
            "has_signals": view.one("select exists (select 1 from signal)")[0],
            "judged_after": month_end(as_of, -3),
        }
    text = _text("customer_facts")
    if "judged_after" not in params:
        # the step is not read, and its parameter is not given
        text = text.replace("raised_on > :judged_after and ", "")
    return _filled(
        text, params, key, chosen, joins, "and month.customer_key = :key",
        attributes=fragment("customer_attributes"), signals=fragment("customer_signals"),
    )  # fmt: skip


def _loans(view, names: tuple[str, ...], as_of: date, key: int | None, extra: str) -> Relation:
    mart = frozenset(view.query("select * from loan_month limit 0").columns) | set(_DATED)
    chosen, joins = ["month.loan_key,", "month.customer_key,", *([f"{extra},"] if extra else [])], []
    for name in names:
        chosen.append(f"month.{name}," if name in mart else f"attribute.{name},")
        if name not in mart:
            joins.append("left join attribute on attribute.loan_key = month.loan_key")
    return _filled(
        _text("loan_facts"), {"as_of": as_of}, key, chosen, joins, "and loan_key = :key", dates=fragment("loan_dates")
    )


def _filled(
    text: str, params: dict[str, Any], key: int | None, chosen: list[str], joins: list[str], only: str, **put: str
) -> Relation:
    put |= {
        "facts": "\n".join(dict.fromkeys(chosen)),
        "joins": "\n".join(dict.fromkeys(joins)),
        "only": "" if key is None else only,
    }
    for name, sql in put.items():
        text = text.replace("{" + name + "}", sql)
    return Relation(text, params if key is None else params | {"key": key})


def read(view, grain: str, names: Iterable[str], as_of: date, key: int) -> dict[str, Any] | None:
    """The facts `names` of one customer or loan (grain), as `classify` takes them; None for one not there yet."""
    names = tuple(dict.fromkeys(names))
    made = relation(view, grain, names, as_of, key)
    row = view.one(f"with {made.sql} select {', '.join(names)} from known", **made.params)
    return None if row is None else dict(zip(names, row, strict=True))


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")


def key_of(view, customer_id: str) -> int:
    """The key of a customer by the bank's number. Raises UserError where there is none; the number is not repeated."""
    row = view.one("select customer_key from customer_number where customer_id = :customer_id", customer_id=customer_id)
    if row is None:
        raise UserError("unknown_customer")
    return row[0]


@dataclass(frozen=True)
class Case:
    """What one rulebook says of a customer, or of one of the loans: the bank's number, the class kept at the month end,
    and the decision with its reasons."""

    book: Rulebook
    number: str
    kept: str
    decision: Decision


def cases(view, books: Sequence[Rulebook], as_of: date, customer_id: str) -> list[Case]:
    """What rulebooks decide about one customer at a month end, those of loans about each of the loans.

    Raises UserError for an unknown customer or month end.
    """
    customer_key = key_of(view, customer_id)
    found = []
    for grain in dict.fromkeys(book.grain for book in books):
        own = [book for book in books if book.grain == grain]
        names = [name for book in own for name in book.facts]
        for key, number in _numbers(view, grain, customer_key, customer_id, as_of).items():
            known = read(view, grain, names, as_of, key)
            if known is None:
                continue
            kept = view.one(
                f"select {', '.join(f'cast({book.id} as varchar)' for book in own)} from {grain}_month "
                f"where as_of = :as_of and {grain}_key = :key",
                as_of=as_of,
                key=key,
            )
            found += [Case(book, number, was, book.classify(known)) for book, was in zip(own, kept, strict=True)]
    return found


def _numbers(view, grain: str, customer_key: int, customer_id: str, as_of: date) -> dict[int, str]:
    """Key → the bank's number of the customer, or of every loan with a row at the month end."""
    if grain == "customer":
        return {customer_key: customer_id}
    loans = view.query(
        "select loan_key, any_value(loan_id) as loan_id from loan_number where customer_key = :key and loan_key in "
        "(select loan_key from loan_month where as_of = :as_of and customer_key = :key) group by 1 order by 1",
        key=customer_key,
        as_of=as_of,
    )
    return dict(zip(loans["loan_key"].tolist(), loans["loan_id"], strict=True))
