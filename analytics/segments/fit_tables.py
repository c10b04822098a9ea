"""One stored fit as tables of codes and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.segments import store
from analytics.segments.definitions import FEATURES, INACTIVE
from data.errors import UserError

SMALL_PSI = 0.1
LARGE_PSI = 0.25
"""Thresholds of the common rule of thumb, for an index above its critical value (Siddiqi 2006)."""
PROFILE_COLUMNS = (
    "segment",
    "fact",
    "group",
    "unit",
    "value",
    "low",
    "high",
    "bank",
    "code",
    "height",
    "n",
)


@dataclass(frozen=True)
class FitTables:
    """One stored fit.

    Attributes
    ----------
    payload
        The JSON file that `analytics.segments.store` wrote.
    home
        Folder of the editions, in which the table of members lies.
    """

    payload: Mapping[str, Any]
    home: Path

    @property
    def as_of(self) -> date:
        """The fitted month end."""
        return date.fromisoformat(self.payload["as_of"])

    @property
    def base(self) -> date | None:
        """The month end a year before, from which outcomes are observed; None without history."""
        return date.fromisoformat(self.payload["base"]) if self.payload["base"] else None

    @property
    def sizes(self) -> dict[str, int]:
        """Today's customers by segment code."""
        return self.payload["history"][-1]["sizes"]

    @property
    def order(self) -> list[str]:
        """Codes of today's segments.

        In ascending order of later overdue; then those without outcomes, by size; last the inactive
        customers.
        """

        def sort_key(code: str) -> tuple[bool, bool, float, int, str]:
            rate = self.payload["outcomes"].get(code, {}).get("overdue", {}).get("rate")
            return code == INACTIVE, rate is None, rate or 0.0, -self.sizes[code], code

        return sorted(self.sizes, key=sort_key)

    @property
    def former(self) -> list[str]:
        """Codes of the segments of a year ago that no longer exist."""
        return [code for code in self.payload["outcomes"] if code not in self.sizes]

    def name(self, code: str, lang: str) -> str:
        """Return the name of a segment; that of a former one says that it is gone."""
        names = self.payload["history"][0]["names"] | self.payload["names"]
        name = names[code][lang]
        return say("segments.gone", lang, name=name) if code in self.former else name

    def table(self) -> pd.DataFrame:
        """Return one row per segment of today, then of the former ones.

        Returns
        -------
        DataFrame
            segment, its name (zh-CN, en), customers, share (of all customers), customers_base (a
            year ago); of those the later overdue and reloan (share of one) and contribution (CNY a
            customer), each with _low, _high and _n; lift of overdue; verdict good, bad or plain.
        """
        sizes = self.sizes
        before = self.payload["history"][0]["sizes"] if self.base else {}
        total = sum(sizes.values())
        rows = []
        for code in [*self.order, *self.former]:
            later = self.payload["outcomes"].get(code, {})
            row: dict[str, Any] = {"segment": code}
            row |= {lang: self.name(code, lang) for lang in text.LANGUAGES}
            row["customers"] = sizes.get(code, 0)
            row["share"] = row["customers"] / total
            row["customers_base"] = before.get(code, 0)
            for outcome in ("overdue", "reloan", "contribution"):
                figures = later.get(outcome) or {}
                row[outcome] = figures.get("rate")
                row[f"{outcome}_low"] = figures.get("low")
                row[f"{outcome}_high"] = figures.get("high")
                row[f"{outcome}_n"] = figures.get("n", 0)
            row["lift"] = later.get("lift")
            row["verdict"] = "plain" if code == INACTIVE else later.get("verdict", "plain")
            rows.append(row)
        return pd.DataFrame(rows)

    def candidates(self) -> pd.DataFrame:
        """Return the comparison, one row per candidate.

        Returns
        -------
        DataFrame
            The fields of `selection.Candidate`, and use: its usefulness.
        """
        return pd.DataFrame(self.payload["candidates"])

    def profile(self) -> pd.DataFrame:
        """Return every feature of every segment beside all customers.

        Returns
        -------
        DataFrame
            segment, fact (id of the feature), group, unit, and value, low, high, bank, code, height
            and n as in `explain.profile`.
        """
        rows = pd.DataFrame(self.payload["profile"])
        rows["group"] = [FEATURES[id].group for id in rows["fact"]]
        rows["unit"] = [FEATURES[id].unit for id in rows["fact"]]
        return rows[list(PROFILE_COLUMNS)]

    def importance(self) -> pd.DataFrame:
        """Return fact and moved, most important first (see `explain.importance`)."""
        return pd.DataFrame(self.payload["importance"])

    def shifts(self) -> pd.DataFrame:
        """Return how far every refit moved from the month before.

        Returns
        -------
        DataFrame
            as_of, previous (month ends), psi, critical, agreement (adjusted Rand index of the
            segments of the customers of both months), same (that of both models on the same
            features), customers, verdict (none, small, moderate or large).
        """
        rows = []
        for record in self.payload["history"][1:]:
            row = {
                name: record[name]
                for name in ("as_of", "previous", "psi", "critical", "agreement", "same")
            }
            row["customers"] = sum(record["sizes"].values())
            row["verdict"] = _shift_size(record["psi"], record["critical"])
            rows.append(row)
        return pd.DataFrame(rows)

    def cells(self, scheme: str) -> pd.DataFrame:
        """Return the combinations of class and segment.

        Returns
        -------
        DataFrame
            class, segment, n, balance (CNY) today; of the same cell a year ago the later overdue,
            later_n, lift, lift_low, lift_high.
        """
        rows = []
        for cell in self._scheme(scheme)["cells"]:
            later = cell.get("later") or {}
            overdue = later.get("overdue") or {}
            row = {name: cell[name] for name in ("class", "segment", "n", "balance")}
            row |= {"overdue": overdue.get("rate"), "later_n": overdue.get("n", 0)}
            row |= {name: later.get(name) for name in ("lift", "lift_low", "lift_high")}
            rows.append(row)
        return pd.DataFrame(rows)

    def agreement(self, scheme: str) -> float | None:
        """Return the adjusted Rand index of classes and segments; None with one class only."""
        return self._scheme(scheme)["agreement"]

    def validation(self, scheme: str) -> pd.DataFrame:
        """Return one row per outcome, see `evaluation.validation`.

        Raises
        ------
        UserError
            When the history is too short for outcomes.
        """
        self._require_base()
        return pd.DataFrame(self._scheme(scheme)["validation"])

    def classes(self, scheme: str, verdict: str) -> list[str]:
        """Return the classes with a verdict: good (later overdue clearly less often) or bad."""
        rates = self._scheme(scheme).get("classes", {})
        return [
            code
            for code, figures in rates.items()
            if figures["verdict"] == verdict and code not in ("no_loan", "new")
        ]

    def segments(self, verdict: str) -> list[str]:
        """Return today's segments with a verdict, without that of the inactive customers."""
        outcomes = self.payload["outcomes"]
        return [
            code
            for code in self.order
            if code != INACTIVE and outcomes.get(code, {}).get("verdict") == verdict
        ]

    @cached_property
    def members(self) -> pd.DataFrame:
        """The table of members, see `store.members`."""
        return store.members(self.home, self.payload)

    def _scheme(self, scheme: str) -> Mapping[str, Any]:
        if scheme not in self.payload["schemes"]:
            schemes = ", ".join(self.payload["schemes"])
            raise UserError("scheme_not_in_fit", scheme=scheme, known=schemes)
        return self.payload["schemes"][scheme]

    def _require_base(self) -> None:
        if not self.base:
            reason = {lang: say("segments.no_base", lang) for lang in text.LANGUAGES}
            raise UserError("no_segment_base", reason=reason)


def _shift_size(psi: float, critical: float) -> str:
    if psi <= critical:
        return "none"
    if psi < SMALL_PSI:
        return "small"
    return "moderate" if psi < LARGE_PSI else "large"
