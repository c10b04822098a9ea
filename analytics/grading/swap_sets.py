"""Swap sets: who changes class when one rulebook replaces another, and how those customers fared.

A static recomputation (静态重算): the facts of one month end are graded by both rulebooks, with
unchanged behaviour. Outcomes are observed over twelve month ends: those after that day where the
edition has all of them; else the twelve up to it. In the latter case a rule on past overdue is
judged by the very outcomes that it selects on; `ObservationWindow.is_out_of_time` tells which.
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
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError

_BALANCES = {"customer": "loan_balance", "loan": "balance"}
# Two-sided, for every interval in this module.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ObservationWindow:
    """The month ends at which outcomes were observed; out of time: after the day of grading."""

    first: date
    last: date
    is_out_of_time: bool


@dataclass(frozen=True)
class SwapSets:
    """The comparison of two rulebooks at a month end.

    Attributes
    ----------
    frame
        One row per (class_from, class_to) with customers or loans, unchanged classes included, in
        the order of the classes. Columns: n, balance (CNY); observed, overdue, overdue_rate with
        overdue_low and overdue_high (Wilson 1927); settled, reloaned, reloan_rate with its bounds
        (Wilson); contributing, contribution (CNY a customer, net, 12 months) with its bounds
        (Student's t, mean ± t·s/√n); provision_change (CNY, rates of the guide; None for schemes
        without rates).
    codes
        The classes of both rulebooks, the unrated one last.
    """

    frame: pd.DataFrame
    window: ObservationWindow
    codes: tuple[str, ...]

    @property
    def moved(self) -> pd.DataFrame:
        """The rows whose class changes."""
        return self.frame[self.frame["class_from"] != self.frame["class_to"]]

    def totals(self) -> pd.DataFrame:
        """Return per class n and balance by either rulebook, and how many enter and leave.

        n_to = n_from + swapped_in - swapped_out.
        """
        rows = []
        for code in self.codes:
            before = self.frame[self.frame["class_from"] == code]
            after = self.frame[self.frame["class_to"] == code]
            rows.append(
                {
                    "class": code,
                    "n_from": int(before["n"].sum()),
                    "n_to": int(after["n"].sum()),
                    "swapped_in": int(after.loc[after["class_from"] != code, "n"].sum()),
                    "swapped_out": int(before.loc[before["class_to"] != code, "n"].sum()),
                    "balance_from": float(before["balance"].sum()),
                    "balance_to": float(after["balance"].sum()),
                }
            )
        return pd.DataFrame(rows)


def observation_window(months: Sequence[date], as_of: date) -> ObservationWindow:
    """Return the twelve month ends after `as_of` if the last exists, else the twelve up to it."""
    if month_end(as_of, 12) in months:
        return ObservationWindow(month_end(as_of, 1), month_end(as_of, 12), True)
    return ObservationWindow(month_end(as_of, -11), as_of, False)


def compare(warehouse: Warehouse, before: Rulebook, after: Rulebook, as_of: date) -> SwapSets:
    """Grade all customers or loans by both rulebooks on the facts of `as_of`.

    Raises UserError where the two rulebooks differ in grain or the edition lacks the month end.
    """
    if before.grain != after.grain:
        raise UserError(
            "schemes_grade_different_things",
            id=before.id,
            id_2=after.id,
            grain=before.grain,
            grain_2=after.grain,
        )
    grain, balance = before.grain, _BALANCES[before.grain]
    names = dict.fromkeys([*before.facts, *after.facts])
    codes = tuple(dict.fromkeys([*after.class_codes[:-1], *before.class_codes[:-1], UNRATED]))
    # As enums the classes are cheaper to compute and to group by than as texts.
    enum_values = ", ".join(f"'{code}'" for code in codes)
    written = f"cast('{{}}' as enum({enum_values}))".format
    with warehouse.session() as reader:
        query = facts.facts_query(
            reader, grain, names, as_of, extra=f"month.{balance} as outstanding"
        )
        when = observation_window(facts.months_of(reader), as_of)
        placeholders = {
            "facts": query.sql,
            "key": f"{grain}_key" if grain == "customer" else "loan_key",
            "mart": f"{grain}_month",
            "outstanding": balance,
            "class_from": before.to_sql(written=written),
            "class_to": after.to_sql(written=written),
        }
        text = load("questions/swaps", **placeholders)
        if grain == "customer":
            twice = "        customer_key,\n        customer_key,\n"
            text = text.replace(twice, "        customer_key,\n")
        frame = reader.query(text, None, **query.params, first=when.first, last=when.last)
    frame = frame.astype({"class_from": str, "class_to": str})
    order = {code: rank for rank, code in enumerate(codes)}
    frame = frame.sort_values(
        ["class_from", "class_to"], key=lambda column: column.map(order), ignore_index=True
    )
    return SwapSets(_with_rates(frame, before, after), when, codes)


def _with_rates(frame: pd.DataFrame, before: Rulebook, after: Rulebook) -> pd.DataFrame:
    """Return the counts with their rates and confidence intervals."""
    # Imported here because statsmodels takes a second to import.
    from scipy.stats import t
    from statsmodels.stats.proportion import proportion_confint

    result = frame.copy()
    for hits, whole, name in (
        ("overdue", "observed", "overdue"),
        ("reloaned", "settled", "reloan"),
    ):
        count, among = frame[hits].to_numpy(float), frame[whole].to_numpy(float)
        among = np.where(among > 0, among, np.nan)
        result[f"{name}_rate"] = count / among
        low, high = proportion_confint(count, among, alpha=1 - CONFIDENCE, method="wilson")
        result[f"{name}_low"] = low
        result[f"{name}_high"] = high
    n = frame["contributing"].to_numpy(float)
    several = np.where(n > 1, n, np.nan)
    half = (
        t.ppf((1 + CONFIDENCE) / 2, several - 1)
        * frame["spread"].to_numpy(float)
        / np.sqrt(several)
    )
    result["contribution_low"] = result["contribution"] - half
    result["contribution_high"] = result["contribution"] + half
    rates = [_provision_rates(book) for book in (before, after)]
    result["provision_change"] = None
    if all(rates):
        moves = zip(frame["class_from"], frame["class_to"], frame["balance"], strict=True)
        result["provision_change"] = [
            balance * float(rates[1].get(class_to, 0) - rates[0].get(class_from, 0))
            for class_from, class_to, balance in moves
        ]
    return result.drop(columns="spread")


def _provision_rates(book: Rulebook) -> dict:
    """Return class → provision rate of the guide, general rate included; {} without rates."""
    general = book.parameters.get("general_provision_rate")
    rates = {item.code: book.attribute(item.code, "provision_rate") for item in book.classes}
    return (
        {}
        if general is None or None in rates.values()
        else {c: rate + general.value for c, rate in rates.items()}
    )


def class_counts(warehouse: Warehouse, scheme: Scheme, as_of: date) -> dict[str, int]:
    """Return class → number of customers or loans in it at a month end, from the mart."""
    rows = warehouse.query(
        f"select cast({scheme.id} as varchar) as class, count(*) as n from {scheme.grain}_month "
        "where as_of = $as_of group by 1",
        as_of=as_of,
    )
    return dict(zip(rows["class"], rows["n"].tolist(), strict=True))


def find_rulebook(scheme: Scheme, named: str) -> Rulebook:
    """Return the rulebook that a command names: an effective date, or a file. Raises UserError."""
    for book in scheme.editions:
        if book.effective_on.isoformat() == named:
            return book
    if not named.endswith(".toml"):
        there = ", ".join(book.effective_on.isoformat() for book in scheme.editions)
        raise UserError("unknown_rulebook_edition", id=scheme.id, named=named, there=there)
    try:
        book = rulebooks.read_rulebook_file(Path(named))
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_edition_missing", reason=error) from error
    if book.id != scheme.id:
        raise UserError("rulebook_of_other_scheme", named=named, id=book.id, id_2=scheme.id)
    return book
