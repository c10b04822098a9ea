"""The boards of the segments page.

Stored models are read, never fitted here: one JSON file and one table per edition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import segment_charts
from analytics.segments import report, store
from analytics.segments.definitions import FACTS, INACTIVE, Fact
from analytics.segments.report import Segments
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import background, is_dark, tint

TELLING = 10
MEASURES = ("n", "balance", "lift")


@st.cache_resource(show_spinner=False, max_entries=4)
def _read_segments(edition: str, scope: str, as_of: date, modified: int) -> Segments:
    return report.read(queries.warehouse(), as_of)


def segments_of(selection: Selection) -> Segments:
    """Return the model of the selected month end, else the newest one, with a notice.

    Raises UserError when there is no model.
    """
    served = queries.warehouse()
    months = store.months(served.home, served.edition.id)
    requested = date.fromisoformat(selection.as_of)
    used = requested if requested in months or not months else months[-1]
    if months and used != requested:
        listed = text.listing([text.month(day, selection.lang) for day in months], selection.lang)
        st.info(
            say(
                "segments.other_month",
                selection.lang,
                months=listed,
                shown=text.month(used, selection.lang),
            )
        )
    path = served.home / store.FOLDER / served.edition.id / f"{used}.json"
    modified = path.stat().st_mtime_ns if path.exists() else 0
    return _read_segments(served.edition.id, queries.ROW_SCOPE, used, modified)


def lead(segments: Segments, selection: Selection) -> None:
    """Draw the headline: how many segments, with the lowest and the highest later overdue rate."""
    lang = selection.lang
    table = segments.table()
    comparable = table[(table["overdue_n"] >= MIN_GROUP_SIZE) & (table["segment"] != INACTIVE)]
    facts = {"customers": f"{segments.payload['customers']:,}", "count": len(segments.order)}
    if comparable.empty:
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
            "base": text.month(segments.base, lang),
            "as_of": text.month(segments.as_of, lang),
        }
        headline = segments.headline(selection.scheme, lang)
        boards.headline(
            [say("segments.lead", lang, **facts), headline[:1].lower() + headline[1:]], lang
        )
        caption(
            say("segments.basis", lang, base=text.month(segments.base, lang)),
            say("segments.never", lang),
        )
    idle = say(
        "segments.idle_note",
        lang,
        n=f"{segments.payload['idle']:,}",
        name=segments.name(INACTIVE, lang),
    )
    caption(*([idle] if segments.payload["idle"] else []), *segments.notes(lang))


def outcomes(segments: Segments, selection: Selection) -> None:
    """Draw size and later outcomes of every segment, with intervals."""
    lang = selection.lang
    table = segments.table()
    title = say("segments.outcomes" if segments.base else "segments.sizes", lang)
    section_title(title)
    if segments.base:
        whole = segments.payload["whole"]["overdue"]["rate"]
        draw(
            segment_charts.outcomes(table, whole, lang, dark=is_dark()),
            "outcomes",
            say("segments.overdue", lang),
            lang,
        )
    out = pd.DataFrame(
        {
            say("segments.segment", lang): table[lang],
            say("segments.customers", lang): [f"{n:,}" for n in table["customers"]],
            say("segments.share", lang): [text.number(v, "rate", lang) for v in table["share"]],
        }
    )
    for outcome, unit in (("overdue", "rate"), ("reloan", "rate"), ("contribution", "money")):
        cells = zip(*(table[f"{outcome}{end}"] for end in ("", "_low", "_high", "_n")), strict=True)
        out[say(f"segments.{outcome}", lang)] = [_interval(*cell, unit, lang) for cell in cells]
    sheet(out if segments.base else out.iloc[:, :3], 1, title)
    if segments.base:
        gone = say(
            "segments.gone_note", lang, n=len(segments.former), base=text.month(segments.base, lang)
        )
        caption(
            gone if segments.former else "",
            say("segments.outcomes_note", lang, base=text.month(segments.base, lang)),
        )


def validation(segments: Segments, selection: Selection) -> None:
    """Draw how well classes, segments and both predict later outcomes."""
    lang = selection.lang
    section_title(segments.headline(selection.scheme, lang))
    if not segments.base:
        return caption(segments.verdict(selection.scheme, lang))
    rows = segments.validation(selection.scheme)
    if "segment_auc" not in rows:
        return caption(segments.verdict(selection.scheme, lang))
    figure = segment_charts.validation(rows, lang, dark=is_dark())
    draw(figure, "auc", segments.verdict(selection.scheme, lang), lang)
    names = {part: say(f"segments.{part}", lang).lower() for part in ("class", "segment", "both")}
    out = pd.DataFrame(
        {
            say("segments.outcome", lang): [
                say(f"segments.outcome_{o}", lang) for o in rows["outcome"]
            ]
        }
    )
    out["n"] = [f"{n:,}" for n in rows["n"]]
    out[say("segments.events", lang)] = [f"{n:,}" for n in rows["events"]]
    for figure in ("auc", "gini", "ks"):
        for part, name in names.items():
            cells = rows[f"{part}_{figure}"] if f"{part}_{figure}" in rows else [None] * len(rows)
            out[say(f"segments.{figure}", lang, name=name)] = [three_decimals(v) for v in cells]
    if "gain" in rows:
        cells = zip(rows["gain"], rows["gain_low"], rows["gain_high"], strict=True)
        out[say("segments.gain", lang)] = [
            text.NOTHING
            if text.is_missing(v)
            else f"{three_decimals(v)} ({three_decimals(a)} – {three_decimals(b)})"
            for v, a, b in cells
        ]
    sheet(out, 1, segments.headline(selection.scheme, lang))
    caption(say("segments.validation_note", lang, seen=f"{segments.payload['seen']:,}"))


def cells(segments: Segments, selection: Selection) -> None:
    """Draw class by segment: customers, balance or lift of later overdue."""
    lang = selection.lang
    rows = segments.cells(selection.scheme)
    agreed = segments.agreement(selection.scheme)
    key = "cells_none" if agreed is None else "cells"
    section_title(say(f"segments.{key}", lang, agreement=f"{agreed or 0:.2f}"))
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
    names = {
        c: n
        for c, n in report.class_names(selection.scheme, lang).items()
        if any(c == key[0] for key in row_of)
    }
    out = pd.DataFrame(
        {say("segments.segment", lang): [segments.name(code, lang) for code in segments.order]}
    )
    for code, name in names.items():
        out[name] = [
            _cell(row_of.get((code, segment)), measure, lang) for segment in segments.order
        ]
    sheet(out, 1, say("segments.class", lang))
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
    main = list(segments.importance()["fact"])[:TELLING]
    facts = [fact for fact in dict.fromkeys(rows["fact"]) if which == "all" or fact in main]
    by = {(row["fact"], row["segment"]): row for row in rows.to_dict("records")}
    out = pd.DataFrame({say("segments.fact", lang): [FACTS[f].name[lang] for f in facts]})
    out[say("segments.bank", lang)] = [_bank_value(FACTS[f], by[f, codes[0]], lang) for f in facts]
    z_scores = {}
    for code in codes:
        name = segments.name(code, lang)
        out[name] = [_value(FACTS[f], by[f, code], lang) for f in facts]
        z_scores[name] = [by[f, code]["height"] for f in facts]

    def paint(column: pd.Series) -> list[str]:
        if column.name not in z_scores:
            return [""] * len(column)
        return [_shade(z_score) for z_score in z_scores[str(column.name)]]

    sheet(out, 1, say("segments.fact", lang), style=paint)
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


def draw(figure: Mapping[str, Any], key: str, alt: str, lang: str) -> None:
    """Draw a figure with its alt text."""
    chart.draw(figure, f"segments_{key}_{lang}", say("figure.alt", lang, title=alt))


def sheet(
    out: pd.DataFrame, first: int, alt: str, style: Callable[[pd.Series], list[str]] | None = None
) -> None:
    """Draw a table whose first columns are pinned."""
    config = {name: st.column_config.Column(pinned=True) for name in list(out)[:first]}
    config |= {name: st.column_config.Column(alignment="right") for name in list(out)[first:]}
    styled = out.style.apply(style) if style else out
    st.dataframe(styled, hide_index=True, column_config=config, height="content", alt=alt)


def _interval(
    value: float | None, low: float | None, high: float | None, n: int, unit: str, lang: str
) -> str:
    if text.is_missing(value):
        return text.NOTHING
    if n < MIN_GROUP_SIZE:
        return f"{say('figure.few', lang)} n = {n:,}"
    both = (
        f" ({text.number(low, unit, lang)} – {text.number(high, unit, lang)})"
        if not text.is_missing(low)
        else ""
    )
    return f"{text.number(value, unit, lang)}{both} n = {n:,}"


def three_decimals(value: float | None) -> str:
    """Return the value with three decimals."""
    return text.NOTHING if text.is_missing(value) else f"{value:.3f}".replace("-", "−")


def _cell(row: dict | None, measure: str, lang: str) -> str:
    if row is None:
        return text.NOTHING
    if measure == "lift":
        if text.is_missing(row["lift"]):
            return text.NOTHING
        if row["later_n"] < MIN_GROUP_SIZE:
            return say("figure.few", lang)
        return f"{row['lift']:.2f} ({row['lift_low']:.2f} – {row['lift_high']:.2f})"
    return text.number(row[measure], "money" if measure == "balance" else "count", lang)


def _value(fact: Fact, row: dict, lang: str) -> str:
    if fact.is_category:
        if row["code"] is None or text.is_missing(row["value"]):
            return text.NOTHING
        return f"{fact.code(row['code'], lang)} {text.number(row['value'], 'rate', lang)}"
    return report.amount(fact, row["value"], lang)


def _bank_value(fact: Fact, row: dict, lang: str) -> str:
    return "" if fact.is_category else report.amount(fact, row["bank"], lang)
