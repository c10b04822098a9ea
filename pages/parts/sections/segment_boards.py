"""The boards of the segments page. Kept fits are read, never made: one JSON and one table per edition, cached by
content."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import segment_charts
from analytics.segments import report, store
from analytics.segments.definitions import FACTS, IDLE
from analytics.segments.report import Segments
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart
from pages.parts.widgets.theme import is_dark

TELLING = 10
MEASURES = ("n", "balance", "lift")


@st.cache_resource(show_spinner=False, max_entries=4)
def _read(edition: str, scope: str, as_of: date, made: int) -> Segments:
    return report.read(queries.warehouse(), as_of)


def fitted(selection: Selection) -> Segments:
    """The fit of the chosen month end, else the newest one, with a note. Raises UserError when nothing was fitted."""
    served = queries.warehouse()
    months = store.months(served.home, served.edition.id)
    asked = date.fromisoformat(selection.as_of)
    used = asked if asked in months or not months else months[-1]
    if months and used != asked:
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
    return _read(
        served.edition.id, queries.ROW_SCOPE, used, path.stat().st_mtime_ns if path.exists() else 0
    )


def lead(of: Segments, selection: Selection) -> None:
    """How many, which one fell behind least and most; what a segment is and is not."""
    lang, table = selection.lang, of.table()
    known = table[(table["overdue_n"] >= MIN_GROUP_SIZE) & (table["segment"] != IDLE)]
    said = {"customers": f"{of.told['customers']:,}", "count": len(of.order)}
    if known.empty:
        boards.headline([say("segments.lead_short", lang, **said)], lang)
        boards.caption(
            say("segments.basis_short", lang, as_of=text.month(of.as_of, lang)),
            say("segments.never", lang),
        )
    else:
        best, worst = known.loc[known["overdue"].idxmin()], known.loc[known["overdue"].idxmax()]
        said |= {
            "best": best[lang],
            "low": text.number(best["overdue"], "rate", lang),
            "worst": worst[lang],
            "high": text.number(worst["overdue"], "rate", lang),
            "base": text.month(of.base, lang),
            "as_of": text.month(of.as_of, lang),
        }
        headline = of.headline(selection.scheme, lang)
        boards.headline(
            [say("segments.lead", lang, **said), headline[:1].lower() + headline[1:]], lang
        )
        boards.caption(
            say("segments.basis", lang, base=text.month(of.base, lang)), say("segments.never", lang)
        )
    idle = say("segments.idle_note", lang, n=f"{of.told['idle']:,}", name=of.name(IDLE, lang))
    boards.caption(*([idle] if of.told["idle"] else []), *of.notes(lang))


def outcomes(of: Segments, selection: Selection) -> None:
    """Size and later outcomes of every segment, with intervals."""
    lang, table = selection.lang, of.table()
    title = say("segments.outcomes" if of.base else "segments.sizes", lang)
    boards.section_title(title)
    if of.base:
        whole = of.told["whole"]["overdue"]["rate"]
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
    sheet(out if of.base else out.iloc[:, :3], 1, title)
    if of.base:
        gone = say("segments.gone_note", lang, n=len(of.gone), base=text.month(of.base, lang))
        boards.caption(
            gone if of.gone else "",
            say("segments.outcomes_note", lang, base=text.month(of.base, lang)),
        )


def validation(of: Segments, selection: Selection) -> None:
    """Classes, segments and both against what came later, with the verdict in words."""
    lang = selection.lang
    boards.section_title(of.headline(selection.scheme, lang))
    if not of.base:
        return boards.caption(of.verdict(selection.scheme, lang))
    rows = of.validation(selection.scheme)
    if "segment_auc" not in rows:
        return boards.caption(of.verdict(selection.scheme, lang))
    figure = segment_charts.validation(rows, lang, dark=is_dark())
    draw(figure, "auc", of.verdict(selection.scheme, lang), lang)
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
            out[say(f"segments.{figure}", lang, name=name)] = [three(v) for v in cells]
    if "gain" in rows:
        cells = zip(rows["gain"], rows["gain_low"], rows["gain_high"], strict=True)
        out[say("segments.gain", lang)] = [
            text.NOTHING if text.is_missing(v) else f"{three(v)} ({three(a)} – {three(b)})"
            for v, a, b in cells
        ]
    sheet(out, 1, of.headline(selection.scheme, lang))
    boards.caption(say("segments.validation_note", lang, seen=f"{of.told['seen']:,}"))


def cells(of: Segments, selection: Selection) -> None:
    """Class by segment: customers, balance or lift of later overdue."""
    lang, rows = selection.lang, of.cells(selection.scheme)
    agreed = of.agreement(selection.scheme)
    key = "cells_none" if agreed is None else "cells"
    boards.section_title(say(f"segments.{key}", lang, agreement=f"{agreed or 0:.2f}"))
    words = {"n": "cells_n", "balance": "cells_balance", "lift": "cells_lift"}
    measures = MEASURES if of.base else MEASURES[:2]
    measure = chart.picker(
        selection,
        "cell_of",
        measures,
        lambda code: say(f"segments.{words[code]}", lang),
        say("segments.cells_pick", lang),
    )
    found = {(row["class"], row["segment"]): row for row in rows.to_dict("records")}
    names = {
        c: n
        for c, n in report.class_names(selection.scheme, lang).items()
        if any(c == key[0] for key in found)
    }
    out = pd.DataFrame({say("segments.segment", lang): [of.name(code, lang) for code in of.order]})
    for code, name in names.items():
        out[name] = [_cell(found.get((code, segment)), measure, lang) for segment in of.order]
    sheet(out, 1, say("segments.class", lang))
    if measure == "lift":
        boards.caption(say("segments.cells_note", lang))


def profile(of: Segments, selection: Selection) -> None:
    """Every segment in the facts' own units beside the bank; the facts that weigh most, or all of them."""
    lang, rows = selection.lang, of.profile()
    codes = [code for code in of.order if code != IDLE]
    boards.section_title(say("segments.profile", lang))
    which = chart.picker(
        selection,
        "facts",
        ("main", "all"),
        lambda code: say(f"segments.facts_{code}", lang),
        say("segments.fact", lang),
    )
    telling = list(of.importance()["fact"])[:TELLING]
    facts = [fact for fact in dict.fromkeys(rows["fact"]) if which == "all" or fact in telling]
    by = {(row["fact"], row["segment"]): row for row in rows.to_dict("records")}
    out = pd.DataFrame({say("segments.fact", lang): [FACTS[f].name[lang] for f in facts]})
    out[say("segments.bank", lang)] = [_bank_value(FACTS[f], by[f, codes[0]], lang) for f in facts]
    for code in codes:
        out[of.name(code, lang)] = [_value(FACTS[f], by[f, code], lang) for f in facts]
    heights = pd.DataFrame(
        {of.name(code, lang): [by[f, code]["height"] for f in facts] for code in codes}
    )
    above, below = (
        ("138, 184, 230", "163, 169, 179") if is_dark() else ("31, 78, 121", "107, 114, 128")
    )

    def paint(column: pd.Series) -> list[str]:
        if column.name not in heights:
            return [""] * len(column)
        depths = [
            0.0 if text.is_missing(v) else max(-2.0, min(2.0, v)) for v in heights[column.name]
        ]
        tints = [(above if depth > 0 else below, 0.2 * abs(depth)) for depth in depths]
        return [
            f"background-color: rgba({tint}, {share:.3f})" if share > 0.06 else ""
            for tint, share in tints
        ]

    sheet(out, 1, say("segments.fact", lang), style=paint)
    boards.caption(say("segments.profile_note", lang))


def draw(figure, key: str, alt: str, lang: str) -> None:
    """A figure with the words for who cannot see it."""
    chart.draw(figure, f"segments_{key}_{lang}", say("figure.alt", lang, title=alt))


def sheet(out: pd.DataFrame, first: int, alt: str, style=None) -> None:
    """The first column stays in sight when the others are scrolled."""
    config = {name: st.column_config.Column(pinned=True) for name in list(out)[:first]}
    config |= {name: st.column_config.Column(alignment="right") for name in list(out)[first:]}
    shown = out.style.apply(style) if style else out
    st.dataframe(shown, hide_index=True, column_config=config, height="content", alt=alt)


def _interval(value, low, high, n: int, unit: str, lang: str) -> str:
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


def three(value: float | None) -> str:
    """Three decimals."""
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


def _value(fact, row: dict, lang: str) -> str:
    if fact.is_category:
        if row["code"] is None or text.is_missing(row["value"]):
            return text.NOTHING
        return f"{fact.code(row['code'], lang)} {text.number(row['value'], 'rate', lang)}"
    return report.amount(fact, row["value"], lang)


def _bank_value(fact, row: dict, lang: str) -> str:
    return "" if fact.is_category else report.amount(fact, row["bank"], lang)
