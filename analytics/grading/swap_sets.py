"""One rulebook in the place of another: who moves from where to where, and what was observed of those who move.

A static recomputation (静态重算): the facts of one month end are graded by both rulebooks; behaviour is held fixed.
What is observed are twelve month ends: those after that day where the edition has them all; else the twelve up to it,
and then a rule that asks for past overdue has a hand in its own outcome, which `Window.is_after` tells the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from analytics import rulebooks
from analytics.grading import facts
from analytics.rulebooks import UNRATED, Rulebook, Scheme
from data.dates import month_end
from data.errors import UserError

_SQL = Path(__file__).parents[1] / "sql" / "questions"
_BALANCES = {"customer": "loan_balance", "loan": "balance"}
# Two-sided, for every interval given here.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Window:
    """The month ends at which outcomes were observed; `is_after` where they lie after the day of grading."""

    first: date
    last: date
    is_after: bool


@dataclass(frozen=True)
class Swaps:
    """The comparison of two rulebooks at a month end.

    frame   one row per (class_from, class_to) that somebody is in, those who stay included, in the order of the
    classes:
            n, balance (CNY); observed, overdue and overdue_rate with overdue_low, overdue_high (Wilson 1927); settled,
            reloaned and reloan_rate with its bounds (Wilson); contributing, contribution (CNY a customer, net, 12
            months) with its bounds (Student's t, mean ± t·s/√n); provision_change (CNY, the guide's rates; None for
            schemes without)
    """

    frame: pd.DataFrame
    window: Window
    codes: tuple[str, ...]

    @property
    def moved(self) -> pd.DataFrame:
        """The rows of those whose class changes."""
        return self.frame[self.frame["class_from"] != self.frame["class_to"]]

    def totals(self) -> pd.DataFrame:
        """Per class: n and balance by either rulebook, and how many come in and go out.

        n_to = n_from + swapped_in - swapped_out.
        """
        rows = []
        for code in self.codes:
            there = self.frame[self.frame["class_from"] == code]
            then = self.frame[self.frame["class_to"] == code]
            rows.append(
                {
                    "class": code, "n_from": int(there["n"].sum()), "n_to": int(then["n"].sum()),
                    "swapped_in": int(then.loc[then["class_from"] != code, "n"].sum()),
                    "swapped_out": int(there.loc[there["class_to"] != code, "n"].sum()),
                    "balance_from": float(there["balance"].sum()), "balance_to": float(then["balance"].sum()),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)


def window(months: Sequence[date], as_of: date) -> Window:
    """The twelve month ends after `as_of` where all are there, else the twelve up to it."""
    if month_end(as_of, 12) in months:
        return Window(month_end(as_of, 1), month_end(as_of, 12), True)
    return Window(month_end(as_of, -11), as_of, False)


def compare(bank, before: Rulebook, after: Rulebook, as_of: date) -> Swaps:
    """Grade everybody by both rulebooks on the facts of `as_of`. Raises UserError where the two do not grade the same
    things or the edition does not have that month end.
    """
    if before.grain != after.grain:
        raise UserError(
            "schemes_grade_different_things", id=before.id, id_2=after.id, grain=before.grain, grain_2=after.grain
        )
    grain, balance = before.grain, _BALANCES[before.grain]
    names = dict.fromkeys([*before.facts, *after.facts])
    codes = tuple(dict.fromkeys([*after.class_codes[:-1], *before.class_codes[:-1], UNRATED]))
    # a class is told as an enum: a text for everybody is dearer to make and to group by
    kind = ", ".join(f"'{code}'" for code in codes)
    written = f"cast('{{}}' as enum({kind}))".format
    with bank.session() as view:
        made = facts.relation(view, grain, names, as_of, extra=f"month.{balance} as outstanding")
        when = window(view.edition.months, as_of)
        put = {
            "facts": made.sql,
            "key": f"{grain}_key" if grain == "customer" else "loan_key",
            "mart": f"{grain}_month",
            "outstanding": balance,
            "class_from": before.to_sql(written=written),
            "class_to": after.to_sql(written=written),
        }
        text = (_SQL / "swaps.sql").read_text("utf-8")
        if grain == "customer":
            text = text.replace("        {key},\n        customer_key,\n", "        customer_key,\n")
        for name, sql in put.items():
            text = text.replace("{" + name + "}", sql)
        frame = view.query(text, None, **made.params, first=when.first, last=when.last)
    frame = frame.astype({"class_from": str, "class_to": str})
    order = {code: rank for rank, code in enumerate(codes)}
    frame = frame.sort_values(["class_from", "class_to"], key=lambda column: column.map(order), ignore_index=True)
    return Swaps(_judged(frame, before, after), when, codes)


def _judged(frame: pd.DataFrame, before: Rulebook, after: Rulebook) -> pd.DataFrame:
    """The counts with their rates and intervals."""
    # statsmodels takes a second to import: only who compares waits for it
    from scipy.stats import t
    from statsmodels.stats.proportion import proportion_confint

    made = frame.copy()
    for hits, whole, name in (("overdue", "observed", "overdue"), ("reloaned", "settled", "reloan")):
        count, among = frame[hits].to_numpy(float), frame[whole].to_numpy(float)
        among = np.where(among > 0, among, np.nan)
        made[f"{name}_rate"] = count / among
        low, high = proportion_confint(count, among, alpha=1 - CONFIDENCE, method="wilson")
        made[f"{name}_low"], made[f"{name}_high"] = low, high
    n = frame["contributing"].to_numpy(float)
    several = np.where(n > 1, n, np.nan)
    half = t.ppf((1 + CONFIDENCE) / 2, several - 1) * frame["spread"].to_numpy(float) / np.sqrt(several)
    made["contribution_low"], made["contribution_high"] = made["contribution"] - half, made["contribution"] + half
    rates = [_provision_rates(book) for book in (before, after)]
    made["provision_change"] = (
        [
            row.balance * float(rates[1].get(row.class_to, 0) - rates[0].get(row.class_from, 0))
            for row in frame.itertuples()
        ]
        if all(rates)
        else None
    )
    return made.drop(columns="spread")


def _provision_rates(book: Rulebook) -> dict:
    """Class → the share of the balance that the guide asks to provide, the general rate included; {} without rates."""
    general = book.parameters.get("general_provision_rate")
    rates = {item.code: book.attribute(item.code, "provision_rate") for item in book.classes}
    return {} if general is None or None in rates.values() else {c: rate + general.value for c, rate in rates.items()}


def counted(bank, scheme: Scheme, as_of: date) -> dict[str, int]:
    """Class → number of customers or loans that the mart has in it at a month end."""
    rows = bank.query(
        f"select cast({scheme.id} as varchar) as class, count(*) as n from {scheme.grain}_month "
        "where as_of = :as_of group by 1",
        as_of=as_of,
    )
    return dict(zip(rows["class"], rows["n"].tolist(), strict=True))


def edition(scheme: Scheme, named: str) -> Rulebook:
    """The rulebook that a command names: an edition by its effective date, or a file. Raises UserError."""
    for book in scheme.editions:
        if book.effective_on.isoformat() == named:
            return book
    if not named.endswith(".toml"):
        there = ", ".join(book.effective_on.isoformat() for book in scheme.editions)
        raise UserError("unknown_rulebook_edition", id=scheme.id, named=named, there=there)
    try:
        book = rulebooks.read_file(Path(named))
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_edition_missing", reason=error) from error
    if book.id != scheme.id:
        raise UserError("rulebook_of_other_scheme", named=named, id=book.id, id_2=scheme.id)
    return book
