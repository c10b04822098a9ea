"""The boards of the segments page.

Stored models are read, never fitted here: one JSON file and one table per edition.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import segment_charts
from analytics.presentation.marks import Figure
from analytics.segments import report, store
from analytics.segments.definitions import FEATURES, INACTIVE, Feature
from analytics.segments.report import Segments
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import background, is_dark, tint

MAX_MAIN_FACTS = 10
MEASURES = ("n", "balance", "lift")


@st.cache_resource(show_spinner=False, max_entries=4)
def _read_segments(edition: str, scope: str, as_of: date, modified: int) -> Segments:
    return report.read(queries.warehouse(), as_of)


def segments_of(selection: Selection) -> Segments:
    """Return the model of the selected month end, else the newest one, with a notice.

    Raises UserError when there is no model.
    """
    lang = selection.lang
    warehouse = queries.warehouse()
    months = store.months(warehouse.home, warehouse.edition.id)
    as_of = date.fromisoformat(selection.as_of)
    if months and as_of not in months:
        as_of = months[-1]
        names = text.listing([text.month(day, lang) for day in months], lang)
        st.info(say("segments.other_month", lang, months=names, shown=text.month(as_of, lang)))
    path = warehouse.home / store.FOLDER / warehouse.edition.id / f"{as_of}.json"
    modified = path.stat().st_mtime_ns if path.exists() else 0
    return _read_segments(warehouse.edition.id, queries.ROW_SCOPE, as_of, modified)


def lead(segments: Segments, selection: Selection) -> None:
    """Draw the headline: how many segments, with the lowest and the highest later overdue rate."""
    lang = selection.lang
    table = segments.table()
    comparable = table[(table["overdue_n"] >= MIN_GROUP_SIZE) & (table["segment"] != INACTIVE)]
    facts = {"customers": f"{segments.payload['customers']:,}", "count": len(segments.order)}
    base = segments.base
    if comparable.empty or base is None:
        boards.headline([say("segments.lead_short", lang, **facts)], lang)
        caption(
            say("segments.basis_short", lang, as_of=text.month(segments.as_of, lang)),
            say("segments.never", lang),
        )
    else:
        best = comparable.loc[comparable["overdue"].idxmin()]
        worst = comparable.loc[comparable["overdue"].idxmax()]
        facts |= {
            "best": best[lang],
            "low": text.number(best["overdue"], "rate", lang),
            "worst": worst[lang],
            "high": text.number(worst["overdue"], "rate", lang),
            "base": text.month(base, lang),
            "as_of": text.month(segments.as_of, lang),
        }
        headline = segments.headline(selection.scheme, lang)
        boards.headline(
            [say("segments.lead", lang, **facts), headline[:1].lower() + headline[1:]], lang
        )
        caption(
            say("segments.basis", lang, base=text.month(base, lang)),
            say("segments.never", lang),
        )
    inactive = segments.payload["idle"]
    note = ""
    if inactive:
        name = segments.name(INACTIVE, lang)
        note = say("segments.idle_note", lang, n=f"{inactive:,}", name=name)
    caption(note, *segments.notes(lang))


def outcomes(segments: Segments, selection: Selection) -> None:
    """Draw size and later outcomes of every segment, with intervals."""
    lang = selection.lang
    table = segments.table()
    base = segments.base
    title = say("segments.outcomes" if base else "segments.sizes", lang)
    section_title(title)
    if base:
        whole = segments.payload["whole"]["overdue"]["rate"]
        draw(
            segment_charts.outcomes(table, whole, lang, dark=is_dark()),
            "outcomes",
            say("segments.overdue", lang),
            lang,
        )
    frame = pd.DataFrame(
        {
            say("segments.segment", lang): table[lang],
            say("segments.customers", lang): [f"{n:,}" for n in table["customers"]],
            say("segments.share", lang): [text.number(v, "rate", lang) for v in table["share"]],
        }
    )
    for outcome, unit in (("overdue", "rate"), ("reloan", "rate"), ("contribution", "money")):
        cells = zip(*(table[f"{outcome}{end}"] for end in ("", "_low", "_high", "_n")), strict=True)
        frame[say(f"segments.{outcome}", lang)] = [_interval(*cell, unit, lang) for cell in cells]
    if base is None:
        sheet(frame.iloc[:, :3], 1, title)
        return
    sheet(frame, 1, title)
    month = text.month(base, lang)
    former = ""
    if segments.former:
        former = say("segments.gone_note", lang, n=len(segments.former), base=month)
    caption(former, say("segments.outcomes_note", lang, base=month))


def validation(segments: Segments, selection: Selection) -> None:
    """Draw how well classes, segments and both predict later outcomes."""
    lang = selection.lang
    section_title(segments.headline(selection.scheme, lang))
    if not segments.base:
        caption(segments.verdict(selection.scheme, lang))
        return
    rows = segments.validation(selection.scheme)
    if "segment_auc" not in rows:
        caption(segments.verdict(selection.scheme, lang))
        return
    figure = segment_charts.validation(rows, lang, dark=is_dark())
    draw(figure, "auc", segments.verdict(selection.scheme, lang), lang)
    sheet(_validation_table(rows, lang), 1, segments.headline(selection.scheme, lang))
    caption(say("segments.validation_note", lang, seen=f"{segments.payload['seen']:,}"))


def _validation_table(rows: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return per outcome n, events, and AUC, Gini and KS of classes, segments and both."""
    outcomes = [say(f"segments.outcome_{outcome}", lang) for outcome in rows["outcome"]]
    frame = pd.DataFrame({say("segments.outcome", lang): outcomes})
    frame["n"] = [f"{n:,}" for n in rows["n"]]
    frame[say("segments.events", lang)] = [f"{n:,}" for n in rows["events"]]
    for statistic in ("auc", "gini", "ks"):
        for part in ("class", "segment", "both"):
            column = f"{part}_{statistic}"
            values = rows[column] if column in rows else [None] * len(rows)
            name = say(f"segments.{part}", lang).lower()
            head = say(f"segments.{statistic}", lang, name=name)
            frame[head] = [three_decimals(value) for value in values]
    if "gain" in rows:
        cells = zip(rows["gain"], rows["gain_low"], rows["gain_high"], strict=True)
        frame[say("segments.gain", lang)] = [_gain(*cell) for cell in cells]
    return frame


def _gain(value: float, low: float, high: float) -> str:
    if text.is_missing(value):
        return text.NOTHING
    return f"{three_decimals(value)} ({three_decimals(low)} – {three_decimals(high)})"


def cells(segments: Segments, selection: Selection) -> None:
    """Draw class by segment: customers, balance or lift of later overdue."""
    lang = selection.lang
    rows = segments.cells(selection.scheme)
    agreement = segments.agreement(selection.scheme)
    key = "cells_none" if agreement is None else "cells"
    section_title(say(f"segments.{key}", lang, agreement=f"{agreement or 0:.2f}"))
    words = {"n": "cells_n", "balance": "cells_balance", "lift": "cells_lift"}
    measures = MEASURES if segments.base else MEASURES[:2]
    measure = chart.picker(
        selection,
        "cell_of",
        measures,
        lambda code: say(f"segments.{words[code]}", lang),
        say("segments.cells_pick", lang),
    )
    row_of = {(row["class"], row["segment"]): row for row in rows.to_dict("records")}
    present = {code for code, _ in row_of}
    frame = pd.DataFrame(
        {say("segments.segment", lang): [segments.name(code, lang) for code in segments.order]}
    )
    for code, name in report.class_names(selection.scheme, lang).items():
        if code in present:
            frame[name] = [
                _cell(row_of.get((code, segment)), measure, lang) for segment in segments.order
            ]
    sheet(frame, 1, say("segments.class", lang))
    if measure == "lift":
        caption(say("segments.cells_note", lang))


def profile(segments: Segments, selection: Selection) -> None:
    """Draw every segment in the facts' own units beside the bank: the main facts, or all."""
    lang = selection.lang
    rows = segments.profile()
    codes = [code for code in segments.order if code != INACTIVE]
    section_title(say("segments.profile", lang))
    which = chart.picker(
        selection,
        "facts",
        ("main", "all"),
        lambda code: say(f"segments.facts_{code}", lang),
        say("segments.fact", lang),
    )
    main = list(segments.importance()["fact"])[:MAX_MAIN_FACTS]
    facts = [fact for fact in dict.fromkeys(rows["fact"]) if which == "all" or fact in main]
    row_of = {(row["fact"], row["segment"]): row for row in rows.to_dict("records")}
    names = [FEATURES[fact].name[lang] for fact in facts]
    frame = pd.DataFrame({say("segments.fact", lang): names})
    frame[say("segments.bank", lang)] = [
        _bank_value(FEATURES[fact], row_of[fact, codes[0]], lang) for fact in facts
    ]
    z_scores = {}
    for code in codes:
        name = segments.name(code, lang)
        frame[name] = [_value(FEATURES[fact], row_of[fact, code], lang) for fact in facts]
        z_scores[name] = [row_of[fact, code]["height"] for fact in facts]

    def paint(column: pd.Series) -> list[str]:
        if column.name not in z_scores:
            return [""] * len(column)
        return [_shade(z_score) for z_score in z_scores[str(column.name)]]

    sheet(frame, 1, say("segments.fact", lang), style=paint)
    caption(say("segments.profile_note", lang))


def _shade(z_score: float) -> str:
    """Return the background of a cell: one colour above the bank's mean, another below it."""
    if text.is_missing(z_score):
        return ""
    alpha = 0.2 * min(2.0, abs(z_score))
    if alpha <= 0.06:
        return ""
    below = "163, 169, 179" if is_dark() else "107, 114, 128"
    return background(tint() if z_score > 0 else below, alpha)


def draw(figure: Figure, key: str, alt: str, lang: str) -> None:
    """Draw a figure with its alt text."""
    chart.draw(figure, f"segments_{key}_{lang}", say("figure.alt", lang, title=alt))


def sheet(
    frame: pd.DataFrame, first: int, alt: str, style: Callable[[pd.Series], list[str]] | None = None
) -> None:
    """Draw a table whose `first` columns are pinned and whose others are right-aligned."""
    config = {name: st.column_config.Column(pinned=True) for name in list(frame)[:first]}
    config |= tables.right_aligned(list(frame)[first:])
    table = frame.style.apply(style) if style else frame
    st.dataframe(table, hide_index=True, column_config=config, height="content", alt=alt)


def _interval(
    value: float | None, low: float | None, high: float | None, n: int, unit: str, lang: str
) -> str:
    if text.is_missing(value):
        return text.NOTHING
    if n < MIN_GROUP_SIZE:
        return f"{say('figure.few', lang)} n = {n:,}"
    interval = ""
    if not text.is_missing(low):
        interval = f" ({text.number(low, unit, lang)} – {text.number(high, unit, lang)})"
    return f"{text.number(value, unit, lang)}{interval} n = {n:,}"


def three_decimals(value: float | None) -> str:
    """Return the value with three decimals."""
    if value is None or text.is_missing(value):
        return text.NOTHING
    return f"{value:z.3f}".replace("-", "−")


def _cell(row: Mapping[Hashable, Any] | None, measure: str, lang: str) -> str:
    if row is None:
        return text.NOTHING
    if measure == "lift":
        if text.is_missing(row["lift"]):
            return text.NOTHING
        if row["later_n"] < MIN_GROUP_SIZE:
            return say("figure.few", lang)
        return f"{row['lift']:.2f} ({row['lift_low']:.2f} – {row['lift_high']:.2f})"
    return text.number(row[measure], "money" if measure == "balance" else "count", lang)


def _value(fact: Feature, row: Mapping[Hashable, Any], lang: str) -> str:
    if fact.is_category:
        if row["code"] is None or text.is_missing(row["value"]):
            return text.NOTHING
        return f"{fact.code_name(row['code'], lang)} {text.number(row['value'], 'rate', lang)}"
    return report.amount(fact, row["value"], lang)


def _bank_value(fact: Feature, row: Mapping[Hashable, Any], lang: str) -> str:
    return "" if fact.is_category else report.amount(fact, row["bank"], lang)
