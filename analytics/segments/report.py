"""Reports on a stored fit, for pages and the command line: tables in codes, sentences in words.

This module only reads; it does not import scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks.registry import schemes
from analytics.segments import store
from analytics.segments.definitions import FACTS, GROUPS, INACTIVE
from analytics.sql.templates import load
from data.editions.reader import Warehouse
from data.errors import UserError

KINDS = ("good_in_bad", "bad_in_good")
DRIVERS = 3
SMALL_PSI, LARGE_PSI = 0.1, 0.25
"""Thresholds of the common rule of thumb, for an index above its critical value."""


@dataclass(frozen=True)
class Segments:
    """One stored fit; `payload` is the JSON that `analytics.segments.pipeline` wrote."""

    payload: Mapping
    home: Path

    @property
    def as_of(self) -> date:
        return date.fromisoformat(self.payload["as_of"])

    @property
    def base(self) -> date | None:
        """The month end a year before, from which the outcomes are known; None where the history is
        too short.
        """
        return date.fromisoformat(self.payload["base"]) if self.payload["base"] else None

    @property
    def sizes(self) -> dict[str, int]:
        """Customers today by segment code."""
        return self.payload["history"][-1]["sizes"]

    @property
    def order(self) -> list[str]:
        """Codes of today's segments, lowest later overdue first; then those without outcomes, by
        size; then the customers without dealings.
        """

        def place(code: str):
            rate = self.payload["outcomes"].get(code, {}).get("overdue", {}).get("rate")
            return code == INACTIVE, rate is None, rate or 0.0, -self.sizes[code], code

        return sorted(self.sizes, key=place)

    @property
    def former(self) -> list[str]:
        """Codes of the segments of a year ago that are no more."""
        return [code for code in self.payload["outcomes"] if code not in self.sizes]

    def name(self, code: str, lang: str) -> str:
        said = (self.payload["history"][0]["names"] | self.payload["names"])[code][lang]
        return say("segments.gone", lang, name=said) if code in self.former else said

    def table(self) -> pd.DataFrame:
        """One row per segment of today, then of those gone: code, zh-CN, en, customers, share of
        all, customers a year ago; of these later overdue, reloan (rate, low, high, n) and
        contribution (CNY a customer), lift of overdue, verdict good, bad or plain.
        """
        sizes, before = self.sizes, self.payload["history"][0]["sizes"] if self.base else {}
        rows = []
        for code in [*self.order, *self.former]:
            row = {"segment": code, **{lang: self.name(code, lang) for lang in text.LANGUAGES}}
            row |= {
                "customers": sizes.get(code, 0),
                "share": sizes.get(code, 0) / sum(sizes.values()),
            }
            row["customers_base"] = before.get(code, 0)
            later = self.payload["outcomes"].get(code, {})
            for outcome in ("overdue", "reloan", "contribution"):
                mine = later.get(outcome) or {}
                row |= {
                    outcome: mine.get("rate"),
                    f"{outcome}_low": mine.get("low"),
                    f"{outcome}_high": mine.get("high"),
                }
                row[f"{outcome}_n"] = mine.get("n", 0)
            verdict = "plain" if code == INACTIVE else later.get("verdict", "plain")
            rows.append(row | {"lift": later.get("lift"), "verdict": verdict})
        return pd.DataFrame(rows)

    def candidates(self) -> pd.DataFrame:
        """The comparison: method, count, is_reduced, silhouette, stability, smallest, out-of-time
        figures, seconds, is_chosen.
        """
        return pd.DataFrame(self.payload["candidates"])

    def profile(self) -> pd.DataFrame:
        """Segment × fact in the fact's own unit beside the bank: segment, fact, group, unit, value,
        low, high, bank, code, height, n (see `explain.profile`).
        """
        rows = pd.DataFrame(self.payload["profile"])
        about = {fact: (FACTS[fact].group, FACTS[fact].unit) for fact in rows["fact"].unique()}
        rows["group"], rows["unit"] = (rows["fact"].map(lambda f, i=i: about[f][i]) for i in (0, 1))
        return rows[
            [
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
            ]
        ]

    def months(self, lang: str) -> pd.DataFrame:
        """The refits: as_of, previous, customers, psi, critical, verdict (none, small, moderate,
        large), agreement (adjusted Rand of the customers' segments), same (of both models on the
        same facts), events in words.
        """
        rows = []
        for entry, said in zip(self.payload["history"][1:], self._events(lang), strict=True):
            told = {
                name: entry[name]
                for name in ("as_of", "previous", "psi", "critical", "agreement", "same")
            }
            psi, noise = entry["psi"], entry["psi"] <= entry["critical"]
            size = (
                "none"
                if noise
                else "small"
                if psi < SMALL_PSI
                else "moderate"
                if psi < LARGE_PSI
                else "large"
            )
            rows.append(
                told | {"customers": sum(entry["sizes"].values()), "verdict": size, "events": said}
            )
        return pd.DataFrame(rows)

    def facts(self, lang: str) -> pd.DataFrame:
        """Every declared fact in words: fact, name, group, unit, transform, meaning, used (or why
        not).
        """
        why = {note["fact"]: note["key"] for note in self.payload["notes"] if "fact" in note}
        rows = []
        for fact in FACTS.values():
            key = f"used_{why.get(fact.id, 'note_used').removeprefix('note_')}"
            rows.append(
                {"fact": fact.id, "name": fact.name[lang], "group": GROUPS[fact.group][lang],
                 "unit": say(f"segments.unit_{fact.unit}", lang),
                 "transform": say(f"segments.transform_{'category' if fact.is_category else fact.transform}", lang),
                 "meaning": fact.meaning[lang], "used": say(f"segments.{key}", lang)}
            )  # fmt: skip
        return pd.DataFrame(rows)

    def importance(self) -> pd.DataFrame:
        """fact, moved: share of customers whose segment changes when the fact is shuffled; most
        important first.
        """
        return pd.DataFrame(self.payload["importance"])

    def cells(self, scheme: str) -> pd.DataFrame:
        """Class × segment: class, segment, n, balance (CNY) today; overdue, lift, lift_low,
        lift_high, later_n of the same cell a year ago.
        """
        rows = []
        for cell in self._scheme(scheme)["cells"]:
            later = cell.get("later") or {}
            mine = later.get("overdue") or {}
            told = {name: cell[name] for name in ("class", "segment", "n", "balance")}
            told |= {"overdue": mine.get("rate"), "later_n": mine.get("n", 0)}
            rows.append(
                told | {name: later.get(name) for name in ("lift", "lift_low", "lift_high")}
            )
        return pd.DataFrame(rows)

    def agreement(self, scheme: str) -> float | None:
        """Adjusted Rand index of classes and segments today; None with one class only."""
        return self._scheme(scheme)["agreement"]

    def validation(self, scheme: str) -> pd.DataFrame:
        """One row per outcome: n, events, AUC, Gini and KS of class, segment and both, gain with
        interval, verdict.

        Raises UserError where the outcomes are not known.
        """
        if not self.base:
            raise UserError("no_segment_base", reason=self.sentence_both("no_base"))
        return pd.DataFrame(self._scheme(scheme)["validation"])

    def classes(self, scheme: str, verdict: str) -> list[str]:
        """The classes of a scheme whose members were later overdue clearly less (good) or more
        (bad) often than all.
        """
        found = self._scheme(scheme).get("classes", {})
        return [
            code
            for code, told in found.items()
            if told["verdict"] == verdict and code not in ("no_loan", "new")
        ]

    def segments(self, verdict: str) -> list[str]:
        """Today's segments of that verdict. Who has no dealings disagrees with no class."""
        told = self.payload["outcomes"]
        return [
            code
            for code in self.order
            if code != INACTIVE and told.get(code, {}).get("verdict") == verdict
        ]

    def disagreements(
        self, warehouse: Warehouse, scheme: str, kind: str, branch: str = ""
    ) -> Disagreements:
        """Customers in a good class and a bad segment (good_in_bad), or the reverse, largest balance first.

        branch  id of a branch below which the customers must be; empty for the whole bank
        Raises UserError where the outcomes that make classes and segments good or bad are not known.
        """
        if kind not in KINDS:
            raise UserError("unknown_disagreement_kind", kinds=KINDS, kind=kind)
        if not self.base:
            raise UserError("no_segment_base", reason=self.sentence_both("no_base"))
        good, bad = ("good", "bad") if kind == "good_in_bad" else ("bad", "good")
        classes, mine = self.classes(scheme, good), self.segments(bad)
        part = self._members[self._members["segment"].isin([int(code) for code in mine])]
        sql = load("segments/graded", scheme=scheme)
        graded = warehouse.query(sql, None, as_of=self.as_of, classes=classes, branch=branch)
        found = graded.merge(part, on="customer_key").astype({"segment": str})
        found = found.sort_values(
            ["loan_balance", "customer_key"], ascending=[False, True], ignore_index=True
        )
        return Disagreements(self, found, classes, mine)

    def customer(self, warehouse: Warehouse, scheme: str, key: int) -> Disagreements:
        """One customer in the form of those lists: class, segment and the facts that pull."""
        self._scheme(scheme)
        graded = warehouse.query(
            load("segments/graded_one", scheme=scheme), None, as_of=self.as_of, key=key
        )
        found = graded.merge(self._members[self._members["customer_key"] == key], on="customer_key")
        return Disagreements(self, found.astype({"segment": str}), [], [])

    @cached_property
    def _members(self) -> pd.DataFrame:
        return store.members(self.home, dict(self.payload))

    def _scheme(self, scheme: str) -> Mapping:
        if scheme not in self.payload["schemes"]:
            known = ", ".join(self.payload["schemes"])
            raise UserError("scheme_not_in_fit", scheme=scheme, known=known)
        return self.payload["schemes"][scheme]

    # ---- words

    def driver(self, place: int, value: float, lang: str) -> str:
        """One fact that pulls, with the customer's own value and the bank's: 平均存款 12.30万（全行 2.10万）."""
        if place < 0:
            return ""
        axis = self.payload["space"]["axes"][place]
        fact = FACTS[axis["fact"]]
        if axis["codes"]:
            code = axis["codes"][int(value)] if 0 <= int(value) < len(axis["codes"]) else "other"
            share = axis["shares"][axis["codes"].index(code)] if code in axis["codes"] else None
            return self._said(fact, fact.code(code, lang), text.number(share, "rate", lang), lang)
        whole = next(row["bank"] for row in self.payload["profile"] if row["fact"] == fact.id)
        if fact.unit == "flag":
            share = say("segments.share_yes", lang, share=amount(fact, whole, lang))
            return self._said(fact, say(f"segments.{'yes' if value else 'no'}", lang), share, lang)
        return self._said(fact, amount(fact, value, lang), amount(fact, whole, lang), lang)

    @staticmethod
    def _said(fact, mine: str, whole: str, lang: str) -> str:
        return say("segments.pull", lang, fact=fact.name[lang], mine=mine, bank=whole)

    def reason(self, lang: str) -> str:
        """Why this candidate."""
        told = dict(self.payload["reason"])
        told |= {name: f"{value:.2f}" for name, value in told.items() if isinstance(value, float)}
        if "method" in told:
            told["method"] = say(f"segments.method_{told['method']}", lang)
        return say(f"segments.{told.pop('key')}", lang, **told)

    def verdict(self, scheme: str, lang: str) -> str:
        """The honest sentence: do segments say more than the classes of the scheme, outcome by
        outcome.
        """
        if not self.base:
            return self.sentence("no_base", lang)
        said = []
        for row in self.payload["schemes"][scheme]["validation"]:
            values = {
                "outcome": say(f"segments.outcome_{row['outcome']}", lang),
                "events": row["events"],
            }
            for name in ("class_auc", "segment_auc", "both_auc", "gain", "gain_low", "gain_high"):
                values[name] = f"{row[name]:.3f}" if row.get(name) is not None else text.NOTHING
            said.append(say(f"segments.verdict_{row['verdict']}", lang, **values))
        return "".join(said) if lang == "zh-CN" else " ".join(said)

    def headline(self, scheme: str, lang: str) -> str:
        """The verdict in one line."""
        rows = self._scheme(scheme).get("validation", [])
        told = [row["verdict"] for row in rows if row["verdict"] in ("adds", "nothing")]
        if not told:
            return self.sentence("validation_none", lang)
        if "adds" not in told:
            return self.sentence("validation_nothing", lang)
        return say("segments.validation", lang, adds=told.count("adds"), all=len(told))

    def notes(self, lang: str) -> list[str]:
        """What was left out of this fit and why."""
        said, facts = [], {}
        for note in self.payload["notes"]:
            if "fact" in note:
                facts.setdefault(note["key"], []).append(FACTS[note["fact"]].name[lang])
            else:
                said.append(
                    say(
                        f"segments.{note['key']}",
                        lang,
                        **{k: v for k, v in note.items() if k != "key"},
                    )
                )
        return said + [
            say(f"segments.{key}", lang, facts=text.listing(names, lang))
            for key, names in facts.items()
        ]

    def reduction(self, lang: str) -> str:
        """Whether fewer components were used, and why: the same method with and without, side by
        side.
        """
        rows = (
            self.candidates().query("method == 'kmeans'").assign(use=lambda r: r["use"].fillna(0))
        )
        means = rows.groupby("is_reduced")[["stability", "use"]].mean()
        space = self.payload["space"]
        told = {
            "columns": len(space["centre"]),
            "components": len(space["loadings"]),
            "share": f"{space['share']:.0%}",
        }
        for is_reduced, side in ((True, "less"), (False, "all")):
            if is_reduced in means.index:
                told |= {
                    f"{side}_{name}": f"{means.loc[is_reduced, name]:.2f}"
                    for name in ("stability", "use")
                }
        return say(
            f"segments.{'reduced' if self.payload['reduced'] else 'not_reduced'}", lang, **told
        )

    def events(self, lang: str) -> list[str]:
        """Month by month: how stable the segments stayed, and which split, died or are new."""
        said = []
        for entry, events in zip(self.payload["history"][1:], self._events(lang), strict=True):
            values = {
                "now": text.month(entry["as_of"], lang), "before": text.month(entry["previous"], lang),
                "psi": small_number(entry["psi"]), "critical": small_number(entry["critical"]),
                "agreement": f"{entry['agreement']:.2f}", "same": f"{entry['same']:.2f}",
            }  # fmt: skip
            said.append(say("segments.followed", lang, **values) + events)
        return said

    def _events(self, lang: str) -> list[str]:
        """Per refit which segments split, died or are new, in words; empty where none did."""
        said = []
        for entry in self.payload["history"][1:]:
            names = self.payload["names"] | entry["names"]
            before = next(e for e in self.payload["history"] if e["as_of"] == entry["previous"])[
                "names"
            ]
            line = ""
            for event in entry["events"]:
                old = text.listing(
                    [(before | names).get(c, {lang: c})[lang] for c in event["old"]], lang
                )
                new = text.listing([names.get(c, {lang: c})[lang] for c in event["new"]], lang)
                line += say(f"segments.{event['key']}", lang, old=old, new=new)
            said.append(line)
        return said

    def leaf(self, leaf: Mapping, lang: str) -> str:
        """The path to one leaf of the tree in words."""
        steps = []
        for step in leaf["path"]:
            fact = FACTS[step["fact"]]
            if step["code"] is not None:
                key = "segments.is" if step["sign"] == ">" else "segments.is_not"
                steps.append(
                    say(key, lang, fact=fact.name[lang], code=fact.code(step["code"], lang))
                )
            elif fact.unit == "flag":
                said = say(f"segments.{'yes' if step['sign'] == '>' else 'no'}", lang)
                steps.append(say("segments.is", lang, fact=fact.name[lang], code=said))
            else:
                steps.append(f"{fact.name[lang]} {_bound(fact, step, lang)}")
        return say("segments.and", lang).join(steps)

    def sentence(self, key: str, lang: str) -> str:
        return say(f"segments.{key}", lang)

    def sentence_both(self, key: str) -> dict[str, str]:
        return {language: say(f"segments.{key}", language) for language in text.LANGUAGES}


@dataclass(frozen=True)
class Disagreements:
    """The customers of one list, in order; `classes` and `segments` are the good and bad ones that
    make it.
    """

    of: Segments
    found: pd.DataFrame
    classes: list[str]
    segments: list[str]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def balance(self) -> float:
        """CNY."""
        return float(self.found["loan_balance"].sum())

    def rows(
        self, warehouse: Warehouse, lang: str, limit: int = 200, offset: int = 0
    ) -> pd.DataFrame:
        """customer_id, name (masked), class, segment, loan_balance, pull_1 … pull_3 in words."""
        page = self.found.iloc[offset : offset + limit]
        named = warehouse.query(
            load("segments/named"), None, keys=[int(key) for key in page["customer_key"]]
        )
        page = page.merge(named, on="customer_key", how="left")
        out = page[["customer_id", "name", "class", "segment", "loan_balance"]].copy()
        for place in range(1, DRIVERS + 1):
            pairs = zip(page[f"fact_{place}"], page[f"value_{place}"], strict=True)
            out[f"pull_{place}"] = [
                self.of.driver(int(fact), float(value), lang) for fact, value in pairs
            ]
        return out


def amount(fact, value: float | None, lang: str) -> str:
    """A value of a numeric fact in its own unit; of a flag the share of yes."""
    return text.number(
        value, "rate" if fact.unit == "flag" else fact.unit, lang, tick=fact.unit == "number"
    )


def small_number(value: float) -> str:
    """A stability index: four decimals, or that it is below them."""
    return "< 0.0001" if 0 < value < 0.0001 else f"{value:.4f}"


def _bound(fact, step: Mapping, lang: str) -> str:
    """≤ 46 or ≥ 47 where a tree cuts between two counts, else ≤ or > the value."""
    value, below = step["value"], step["sign"] == "<="
    if fact.unit == "number" and value % 1 == 0.5:
        return (
            (f"≤ {value - 0.5:,.0f}" if value > 0.5 else "= 0")
            if below
            else f"≥ {value + 0.5:,.0f}"
        )
    return f"{'≤' if below else '>'} {amount(fact, value, lang)}"


def read(warehouse: Warehouse, as_of: date | None = None) -> Segments:
    """Return the stored fit of the current edition. Raises UserError where there is none."""
    return Segments(store.read(warehouse.home, warehouse.edition.id, as_of), warehouse.home)


def class_names(scheme: str, lang: str) -> dict[str, str]:
    """Class code → words, in the order of the scheme, for tables of one scheme."""
    of = schemes()[scheme]
    found = {
        code: of.class_names(code)["zh" if lang == "zh-CN" else "en"] for code in of.class_codes
    }
    return found | {
        code: say(f"segments.{code}", lang)
        for code in ("no_loan", "new", "unrated")
        if code not in found
    }
