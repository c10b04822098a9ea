"""Reports on a stored fit for pages and the command line: tables, sentences, lists of customers.

Nothing is fitted here; scikit-learn is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks.registry import schemes
from analytics.segments import store
from analytics.segments.definitions import FEATURES, GROUPS, Feature
from analytics.segments.fit_tables import FitTables
from analytics.sql.templates import load
from data.editions.reader import Warehouse
from data.errors import UserError

KINDS = ("good_in_bad", "bad_in_good")
DRIVERS = 3


class Segments(FitTables):
    """One stored fit as tables, in words, and as lists of customers."""

    def months(self, lang: str) -> pd.DataFrame:
        """Return the refits: the columns of `shifts`, and events in words."""
        table = self.shifts()
        if len(table):
            table["events"] = self._events(lang)
        return table

    def features(self, lang: str) -> pd.DataFrame:
        """Return the declared features in words.

        Returns
        -------
        DataFrame
            fact (id), name, group, unit, transform, meaning, used (or the reason why not).
        """
        note_of = {note["fact"]: note["key"] for note in self.payload["notes"] if "fact" in note}
        rows = []
        for feature in FEATURES.values():
            transform = "category" if feature.is_category else feature.transform
            use = note_of.get(feature.id, "note_used").removeprefix("note_")
            rows.append(
                {
                    "fact": feature.id,
                    "name": feature.name[lang],
                    "group": GROUPS[feature.group][lang],
                    "unit": say(f"segments.unit_{feature.unit}", lang),
                    "transform": say(f"segments.transform_{transform}", lang),
                    "meaning": feature.meaning[lang],
                    "used": say(f"segments.used_{use}", lang),
                }
            )
        return pd.DataFrame(rows)

    def disagreements(
        self, warehouse: Warehouse, scheme: str, kind: str, branch: str = ""
    ) -> Disagreements:
        """Return the customers on whom class and segment disagree, largest loan balance first.

        Parameters
        ----------
        kind
            good_in_bad: a good class and a bad segment; bad_in_good: the reverse.
        branch
            Id of a branch, with those below it; empty for the whole bank.

        Raises
        ------
        UserError
            When the history is too short to call classes and segments good or bad.
        """
        if kind not in KINDS:
            raise UserError("unknown_disagreement_kind", kinds=KINDS, kind=kind)
        self._require_base()
        class_verdict, segment_verdict = ("good", "bad") if kind == KINDS[0] else ("bad", "good")
        classes = self.classes(scheme, class_verdict)
        segments = self.segments(segment_verdict)
        members = self.members[self.members["segment"].isin([int(code) for code in segments])]
        sql = load("segments/class_members", scheme=scheme)
        graded = warehouse.query(sql, None, as_of=self.as_of, classes=classes, branch=branch)
        customers = graded.merge(members, on="customer_key").astype({"segment": str})
        customers = customers.sort_values(
            ["loan_balance", "customer_key"], ascending=[False, True], ignore_index=True
        )
        return Disagreements(self, customers, classes, segments)

    def customer(self, warehouse: Warehouse, scheme: str, key: int) -> Disagreements:
        """Return one customer in the form of those lists."""
        self._scheme(scheme)
        sql = load("segments/class_of_customer", scheme=scheme)
        graded = warehouse.query(sql, None, as_of=self.as_of, key=key)
        members = self.members[self.members["customer_key"] == key]
        customers = graded.merge(members, on="customer_key").astype({"segment": str})
        return Disagreements(self, customers, [], [])

    def driver(self, axis_position: int, value: float, lang: str) -> str:
        """Describe one driver: 平均存款 12.30万（全行 2.10万）; empty for the position −1.

        Parameters
        ----------
        value
            The customer's own value; of a category the position among the codes of the axis.
        """
        if axis_position < 0:
            return ""
        axis = self.payload["space"]["axes"][axis_position]
        feature = FEATURES[axis["fact"]]
        if axis["codes"]:
            own, overall = _category_values(feature, axis, int(value), lang)
        else:
            rows = self.payload["profile"]
            whole = next(row["bank"] for row in rows if row["fact"] == feature.id)
            own = amount(feature, value, lang)
            overall = amount(feature, whole, lang)
            if feature.unit == "flag":
                own = say(f"segments.{'yes' if value else 'no'}", lang)
                overall = say("segments.share_yes", lang, share=overall)
        return say("segments.pull", lang, fact=feature.name[lang], mine=own, bank=overall)

    def reason(self, lang: str) -> str:
        """Say why the candidate was selected."""
        values = dict(self.payload["reason"])
        values |= {
            name: f"{value:z.2f}" for name, value in values.items() if isinstance(value, float)
        }
        if "method" in values:
            values["method"] = say(f"segments.method_{values['method']}", lang)
        return say(f"segments.{values.pop('key')}", lang, **values)

    def verdict(self, scheme: str, lang: str) -> str:
        """Say per outcome whether the segments add anything to the classes of a scheme."""
        if not self.base:
            return say("segments.no_base", lang)
        sentences = []
        for row in self.payload["schemes"][scheme]["validation"]:
            values = {
                "outcome": say(f"segments.outcome_{row['outcome']}", lang),
                "events": row["events"],
            }
            for name in ("class_auc", "segment_auc", "both_auc", "gain", "gain_low", "gain_high"):
                figure = row.get(name)
                values[name] = text.NOTHING if figure is None else f"{figure:z.3f}"
            sentences.append(say(f"segments.verdict_{row['verdict']}", lang, **values))
        return ("" if lang == "zh-CN" else " ").join(sentences)

    def headline(self, scheme: str, lang: str) -> str:
        """Say the verdict in one line."""
        rows = self._scheme(scheme).get("validation", [])
        verdicts = [row["verdict"] for row in rows if row["verdict"] in ("adds", "nothing")]
        if not verdicts:
            return say("segments.validation_none", lang)
        if "adds" not in verdicts:
            return say("segments.validation_nothing", lang)
        return say("segments.validation", lang, adds=verdicts.count("adds"), all=len(verdicts))

    def notes(self, lang: str) -> list[str]:
        """Say what was left out of the fit and why."""
        sentences = []
        names_of: dict[str, list[str]] = {}
        for note in self.payload["notes"]:
            if "fact" in note:
                names_of.setdefault(note["key"], []).append(FEATURES[note["fact"]].name[lang])
            else:
                values = {name: value for name, value in note.items() if name != "key"}
                sentences.append(say(f"segments.{note['key']}", lang, **values))
        for key, names in names_of.items():
            sentences.append(say(f"segments.{key}", lang, facts=text.listing(names, lang)))
        return sentences

    def reduction(self, lang: str) -> str:
        """Say whether only the leading components are used: KMeans on them and on all, compared."""
        rows = self.candidates().query("method == 'kmeans'")
        means = rows.fillna({"use": 0}).groupby("is_reduced")[["stability", "use"]].mean()
        space = self.payload["space"]
        values = {
            "columns": len(space["centre"]),
            "components": len(space["loadings"]),
            "share": f"{space['share']:.0%}",
        }
        for is_reduced, side in ((True, "less"), (False, "all")):
            if is_reduced in means.index:
                for name in ("stability", "use"):
                    values[f"{side}_{name}"] = f"{means.loc[is_reduced, name]:.2f}"
        key = "reduced" if self.payload["reduced"] else "not_reduced"
        return say(f"segments.{key}", lang, **values)

    def events(self, lang: str) -> list[str]:
        """Say per refit how stable the segments were, and which split, ended or are new."""
        lines = []
        for record, events in zip(self.payload["history"][1:], self._events(lang), strict=True):
            line = say(
                "segments.followed",
                lang,
                now=text.month(record["as_of"], lang),
                before=text.month(record["previous"], lang),
                psi=small_number(record["psi"]),
                critical=small_number(record["critical"]),
                agreement=f"{record['agreement']:.2f}",
                same=f"{record['same']:.2f}",
            )
            lines.append(line + events)
        return lines

    def _events(self, lang: str) -> list[str]:
        """Per refit which segments split, ended or are new; empty where none did."""
        history = self.payload["history"]
        names_at = {record["as_of"]: record["names"] for record in history}
        lines = []
        for record in history[1:]:
            names = self.payload["names"] | record["names"]
            old_names = names_at[record["previous"]] | names
            line = ""
            for event in record["events"]:
                old = _listing(event["old"], old_names, lang)
                new = _listing(event["new"], names, lang)
                line += say(f"segments.{event['key']}", lang, old=old, new=new)
            lines.append(line)
        return lines

    def leaf(self, leaf: Mapping[str, Any], lang: str) -> str:
        """Describe the path to one leaf of the tree."""
        steps = [_step(step, lang) for step in leaf["path"]]
        return say("segments.and", lang).join(steps)


@dataclass(frozen=True)
class Disagreements:
    """The customers of one list, in order.

    Attributes
    ----------
    customers
        customer_key, class, segment, loan_balance (CNY) and the drivers (see `store.members`).
    classes, segments
        The good and bad ones that the list combines.
    """

    report: Segments
    customers: pd.DataFrame
    classes: list[str]
    segments: list[str]

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def balance(self) -> float:
        """Loan balance, CNY."""
        return float(self.customers["loan_balance"].sum())

    def rows(
        self, warehouse: Warehouse, lang: str, limit: int = 200, offset: int = 0
    ) -> pd.DataFrame:
        """Return part of the list.

        Returns
        -------
        DataFrame
            customer_id, name (masked), class, segment, loan_balance (CNY), and pull_1 … pull_3: the
            drivers in words.
        """
        page = self.customers.iloc[offset : offset + limit]
        keys = [int(key) for key in page["customer_key"]]
        names = warehouse.query(load("segments/customer_names"), None, keys=keys)
        page = page.merge(names, on="customer_key", how="left")
        rows = page[["customer_id", "name", "class", "segment", "loan_balance"]].copy()
        for rank in range(1, DRIVERS + 1):
            pairs = zip(page[f"fact_{rank}"], page[f"value_{rank}"], strict=True)
            rows[f"pull_{rank}"] = [
                self.report.driver(int(position), float(value), lang) for position, value in pairs
            ]
        return rows


def amount(feature: Feature, value: float | None, lang: str) -> str:
    """Write a value of a numeric feature in its own unit; of a flag the share of yes."""
    unit = "rate" if feature.unit == "flag" else feature.unit
    return text.number(value, unit, lang, tick=feature.unit == "number")


def small_number(value: float) -> str:
    """Write a stability index with four decimals, or say that it is smaller."""
    return "< 0.0001" if 0 < value < 0.0001 else f"{value:.4f}"


def _category_values(
    feature: Feature, axis: Mapping[str, Any], position: int, lang: str
) -> tuple[str, str]:
    """The name of a code, and the share of all customers who have it."""
    codes = axis["codes"]
    code = codes[position] if 0 <= position < len(codes) else "other"
    share = axis["shares"][codes.index(code)] if code in codes else None
    return feature.code_name(code, lang), text.number(share, "rate", lang)


def _step(step: Mapping[str, Any], lang: str) -> str:
    """One condition on the path to a leaf."""
    feature = FEATURES[step["fact"]]
    name = feature.name[lang]
    is_above = step["sign"] == ">"
    if step["code"] is not None:
        key = "segments.is" if is_above else "segments.is_not"
        return say(key, lang, fact=name, code=feature.code_name(step["code"], lang))
    if feature.unit == "flag":
        answer = say(f"segments.{'yes' if is_above else 'no'}", lang)
        return say("segments.is", lang, fact=name, code=answer)
    return f"{name} {_bound(feature, step['value'], is_above, lang)}"


def _bound(feature: Feature, value: float, is_above: bool, lang: str) -> str:
    """≤ 46 or ≥ 47 where a tree cuts between two counts, else ≤ or > the value."""
    if feature.unit != "number" or value % 1 != 0.5:
        return f"{'>' if is_above else '≤'} {amount(feature, value, lang)}"
    if is_above:
        return f"≥ {value + 0.5:,.0f}"
    return f"≤ {value - 0.5:,.0f}" if value > 0.5 else "= 0"


def _listing(codes: list[str], names: Mapping[str, Mapping[str, str]], lang: str) -> str:
    return text.listing([names[code][lang] if code in names else code for code in codes], lang)


def read(warehouse: Warehouse, as_of: date | None = None) -> Segments:
    """Return the stored fit of the current edition. Raises UserError where there is none."""
    return Segments(store.read(warehouse.home, warehouse.edition.id, as_of), warehouse.home)


def class_names(scheme: str, lang: str) -> dict[str, str]:
    """Return class code → name in the order of the scheme; codes of no rulebook come last."""
    rules = schemes()[scheme]
    names = {code: rules.class_names(code)[lang] for code in rules.class_codes}
    for code in ("no_loan", "new", "unrated"):
        if code not in names:
            names[code] = say(f"segments.{code}", lang)
    return names
