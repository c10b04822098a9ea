"""The boards of the segments page. Kept fits are read, never made: one JSON and one table per edition, cached by
content."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics import exports, segment_figures, text
from analytics.look import SMALL
from analytics.segments import keep, kept
from analytics.segments.declared import FACTS, IDLE
from analytics.segments.kept import Disagreements, Segments
from analytics.text import say
from data.engine import Refused
from pages.parts import bank, boards, charts, drill, header
from pages.parts.choice import Choice
from pages.parts.tiles import is_dark

PAGE = 15
LEAVES = 10
WHY = ("weights", "rules", "map")
TELLING = 10
RULE = 700
"""Pixels that the longest rule needs."""
MEASURES = ("n", "balance", "lift")


@st.cache_resource(show_spinner=False, max_entries=4)
def _read(edition: str, scope: str, as_of: date, made: int) -> Segments:
    return kept.read(bank.bank(), as_of)


@st.cache_resource(show_spinner=False, max_entries=24)
def _disagreements(edition: str, scope: str, table: str, scheme: str, kind: str, branch: str, _of: Segments):
    return _of.disagreements(bank.bank(), scheme, kind, branch)


def fitted(here: Choice) -> Segments:
    """The fit of the chosen month end, else the newest one, with a note. Raises Refused when nothing was fitted."""
    served = bank.bank()
    months = keep.months(served.home, served.edition.id)
    asked = date.fromisoformat(here.as_of)
    used = asked if asked in months or not months else months[-1]
    if months and used != asked:
        listed = text.listing([text.month(day, here.lang) for day in months], here.lang)
        st.info(say("segments.other_month", here.lang, months=listed, shown=text.month(used, here.lang)))
    path = served.home / keep.FOLDER / served.edition.id / f"{used}.json"
    return _read(served.edition.id, bank.SCOPE, used, path.stat().st_mtime_ns if path.exists() else 0)


def lead(of: Segments, here: Choice) -> None:
    """How many, which one fell behind least and most; what a segment is and is not."""
    lang, table = here.lang, of.table()
    known = table[(table["overdue_n"] >= SMALL) & (table["segment"] != IDLE)]
    said = {"customers": f"{of.told['customers']:,}", "count": len(of.order)}
    if known.empty:
        boards.lead([say("segments.lead_short", lang, **said)], lang)
        boards.note(say("segments.basis_short", lang, as_of=text.month(of.as_of, lang)), say("segments.never", lang))
    else:
        best, worst = known.loc[known["overdue"].idxmin()], known.loc[known["overdue"].idxmax()]
        said |= {
            "best": best[lang], "low": text.number(best["overdue"], "rate", lang), "worst": worst[lang],
            "high": text.number(worst["overdue"], "rate", lang), "base": text.month(of.base, lang),
            "as_of": text.month(of.as_of, lang),
        }  # fmt: skip
        headline = of.headline(here.scheme, lang)
        boards.lead([say("segments.lead", lang, **said), headline[:1].lower() + headline[1:]], lang)
        boards.note(say("segments.basis", lang, base=text.month(of.base, lang)), say("segments.never", lang))
    idle = say("segments.idle_note", lang, n=f"{of.told['idle']:,}", name=of.name(IDLE, lang))
    boards.note(*([idle] if of.told["idle"] else []), *of.notes(lang))


def outcomes(of: Segments, here: Choice) -> None:
    """Size and later outcomes of every segment, with intervals."""
    lang, table = here.lang, of.table()
    title = say("segments.outcomes" if of.base else "segments.sizes", lang)
    boards.heading(title)
    if of.base:
        whole = of.told["whole"]["overdue"]["rate"]
        _draw(
            segment_figures.outcomes(table, whole, lang, dark=is_dark()),
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
    _table(out if of.base else out.iloc[:, :3], 1, title)
    if of.base:
        gone = say("segments.gone_note", lang, n=len(of.gone), base=text.month(of.base, lang))
        boards.note(
            gone if of.gone else "", say("segments.outcomes_note", lang, base=text.month(of.base, lang))
        )


def validation(of: Segments, here: Choice) -> None:
    """Classes, segments and both against what came later, with the verdict in words."""
    lang = here.lang
    boards.heading(of.headline(here.scheme, lang))
    if not of.base:
        return boards.note(of.verdict(here.scheme, lang))
    rows = of.validation(here.scheme)
    if "segment_auc" not in rows:
        return boards.note(of.verdict(here.scheme, lang))
    figure = segment_figures.validation(rows, lang, dark=is_dark())
    _draw(figure, "auc", of.verdict(here.scheme, lang), lang)
    names = {part: say(f"segments.{part}", lang).lower() for part in ("class", "segment", "both")}
    out = pd.DataFrame({say("segments.outcome", lang): [say(f"segments.outcome_{o}", lang) for o in rows["outcome"]]})
    out["n"] = [f"{n:,}" for n in rows["n"]]
    out[say("segments.events", lang)] = [f"{n:,}" for n in rows["events"]]
    for figure in ("auc", "gini", "ks"):
        for part, name in names.items():
            cells = rows[f"{part}_{figure}"] if f"{part}_{figure}" in rows else [None] * len(rows)
            out[say(f"segments.{figure}", lang, name=name)] = [_three(v) for v in cells]
    if "gain" in rows:
        cells = zip(rows["gain"], rows["gain_low"], rows["gain_high"], strict=True)
        out[say("segments.gain", lang)] = [
            text.NOTHING if text.is_missing(v) else f"{_three(v)} ({_three(a)} – {_three(b)})" for v, a, b in cells
        ]
    _table(out, 1, of.headline(here.scheme, lang))
    boards.note(say("segments.validation_note", lang, seen=f"{of.told['seen']:,}"))


def cells(of: Segments, here: Choice) -> None:
    """Class by segment: customers, balance or lift of later overdue."""
    lang, rows = here.lang, of.cells(here.scheme)
    agreed = of.agreement(here.scheme)
    key = "cells_none" if agreed is None else "cells"
    boards.heading(say(f"segments.{key}", lang, agreement=f"{agreed or 0:.2f}"))
    words = {"n": "cells_n", "balance": "cells_balance", "lift": "cells_lift"}
    measures = MEASURES if of.base else MEASURES[:2]
    measure = charts.picker(
        here, "cell_of", measures, lambda code: say(f"segments.{words[code]}", lang), say("segments.cells_pick", lang)
    )
    found = {(row["class"], row["segment"]): row for row in rows.to_dict("records")}
    names = {c: n for c, n in kept.class_names(here.scheme, lang).items() if any(c == key[0] for key in found)}
    out = pd.DataFrame({say("segments.segment", lang): [of.name(code, lang) for code in of.order]})
    for code, name in names.items():
        out[name] = [_cell(found.get((code, segment)), measure, lang) for segment in of.order]
    _table(out, 1, say("segments.class", lang))
    if measure == "lift":
        boards.note(say("segments.cells_note", lang))


def disagreements(of: Segments, here: Choice) -> None:
    """Who stands in a good class and a bad segment, or the reverse, with the facts that pull; a row opens the card."""
    lang, title = here.lang, st.container()
    if not of.base:
        return
    kind = charts.picker(
        here, "kind", kept.KINDS, lambda code: say(f"segments.{code}", lang), say("segments.kinds", lang)
    )
    branch = here.branch[-1] if here.branch else ""
    try:
        found = _disagreements(of.told["edition"], bank.SCOPE, of.told["table"], here.scheme, kind, branch, of)
    except Refused as refusal:
        return boards.note(text.half(refusal, lang))
    balance = text.number(found.balance, "money", lang)
    with title:
        boards.heading(say("segments.list", lang, n=f"{len(found):,}", balance=balance))
    told = {
        "classes": text.listing([kept.class_names(here.scheme, lang).get(c, c) for c in found.classes], lang),
        "segments": text.listing([of.name(c, lang) for c in found.segments], lang),
    }
    none = say("segments.none", lang)
    key = "segments.list_note" if kind == "good_in_bad" else "segments.list_note_reverse"
    boards.note(say(key, lang, **{name: said or none for name, said in told.items()}))
    if not len(found):
        return boards.note(say("segments.list_none", lang))
    pages, at = math.ceil(len(found) / PAGE), 1
    if pages > 1:
        at = st.pagination(pages, key=f"disagree_page_{kind}_{here.scheme}_{branch}")
    lines = found.rows(bank.bank(), lang, PAGE, (at - 1) * PAGE)
    columns = _columns(lang)
    if len(found.segments) == 1:
        # The note above says which segment it is.
        columns.pop("segment")
    shown = drill.printed(_worded(lines, of, here), columns, lang)
    right = {columns["loan_balance"].header: st.column_config.Column(alignment="right")}
    event = st.dataframe(
        shown, hide_index=True, height="content", column_config=right, alt=say(f"segments.{kind}", lang),
        on_select="rerun", selection_mode="single-row", key=f"disagree_{kind}_{at}_{lang}",
    )  # fmt: skip
    picked = event["selection"]["rows"]
    with st.container(horizontal=True, gap="small"):
        if picked:
            _open_card(lines["customer_id"].iloc[picked[0]], "list", lang)
        _downloads(found, of, here, kind)


def _open_card(number: str, key: str, lang: str) -> None:
    if st.button(say("segments.open", lang), type="primary", key=f"open_card_{key}_{lang}"):
        st.session_state.customer_number = number
        st.switch_page("pages/analysis/customer.py")


def _downloads(found: Disagreements, of: Segments, here: Choice, kind: str) -> None:
    lang, edition = here.lang, bank.bank().edition
    notes = [
        (say("export.cell", lang), say(f"segments.{kind}", lang)),
        (
            say("export.filters", lang),
            text.listing([w for _, w in header.chips(here)], lang) or say("export.no_filters", lang),
        ),
        (say("export.as_of", lang), str(of.as_of)),
        (say("export.scheme", lang), bank.scheme_name(here.scheme, lang)),
        (say("export.definition", lang), say("segments.never", lang)),
        (say("export.edition", lang), f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}"),
    ]

    def made(write) -> bytes:
        return write(_worded(found.rows(bank.bank(), lang, drill.LIMIT), of, here), _columns(lang), notes, lang)

    stem = f"{kind}_{of.as_of}_{edition.id[:8]}"
    st.download_button(
        say("drill.download_csv", lang), lambda: made(exports.csv_bytes), f"{stem}.csv", "text/csv",
        on_click="ignore", key=f"disagree_csv_{lang}",
    )  # fmt: skip
    st.download_button(
        say("drill.download_xlsx", lang), lambda: made(exports.xlsx_bytes), f"{stem}.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", on_click="ignore",
        key=f"disagree_xlsx_{lang}",
    )  # fmt: skip


def profile(of: Segments, here: Choice) -> None:
    """Every segment in the facts' own units beside the bank; the facts that weigh most, or all of them."""
    lang, rows = here.lang, of.profile()
    codes = [code for code in of.order if code != IDLE]
    boards.heading(say("segments.profile", lang))
    which = charts.picker(
        here, "facts", ("main", "all"), lambda code: say(f"segments.facts_{code}", lang), say("segments.fact", lang)
    )
    telling = list(of.importance()["fact"])[:TELLING]
    facts = [fact for fact in dict.fromkeys(rows["fact"]) if which == "all" or fact in telling]
    by = {(row["fact"], row["segment"]): row for row in rows.to_dict("records")}
    out = pd.DataFrame({say("segments.fact", lang): [FACTS[f].name[lang] for f in facts]})
    out[say("segments.bank", lang)] = [_bank_value(FACTS[f], by[f, codes[0]], lang) for f in facts]
    for code in codes:
        out[of.name(code, lang)] = [_value(FACTS[f], by[f, code], lang) for f in facts]
    heights = pd.DataFrame({of.name(code, lang): [by[f, code]["height"] for f in facts] for code in codes})
    above, below = ("138, 184, 230", "163, 169, 179") if is_dark() else ("31, 78, 121", "107, 114, 128")

    def paint(column: pd.Series) -> list[str]:
        if column.name not in heights:
            return [""] * len(column)
        depths = [0.0 if text.is_missing(v) else max(-2.0, min(2.0, v)) for v in heights[column.name]]
        tints = [(above if depth > 0 else below, 0.2 * abs(depth)) for depth in depths]
        return [f"background-color: rgba({tint}, {share:.3f})" if share > 0.06 else "" for tint, share in tints]

    _table(out, 1, say("segments.fact", lang), style=paint)
    boards.note(say("segments.profile_note", lang))


def explained(of: Segments, here: Choice) -> None:
    """What tells the segments apart, one view at a time: what each fact weighs, the rules of a tree, the map."""
    title = st.container()
    view = charts.picker(
        here, "why", WHY, lambda code: say(f"segments.why_{code}", here.lang), say("segments.why", here.lang)
    )
    {"weights": _weights, "rules": _rules, "map": _map}[view](of, here, title)


def _map(of: Segments, here: Choice, title: DeltaGenerator) -> None:
    """A sample of customers on two components; a click on a dot says who it is and why he stands there."""
    lang, told = here.lang, of.told["map"]
    names = {code: of.name(code, lang) for code in of.order if code != IDLE}
    share = text.number(of.told["space"]["map_share"], "rate", lang)
    with title:
        boards.heading(say("segments.map", lang, n=f"{len(told['x']):,}", share=share))
    codes = list(names)
    picked = charts.chooser(here, "dots", codes[::-1], names.get, say("segments.map_pick", lang))
    scene = segment_figures.customer_map(told, names, picked, lang, dark=is_dark())
    event = st.pydeck_chart(
        scene, height=400, on_select="rerun", selection_mode="single-object", key=f"segments_map_{picked}_{lang}",
        alt=say("figure.alt", lang, title=say("segments.map_alt", lang, name=names[picked])),
    )  # fmt: skip
    dots = [dot for layer in event["selection"]["objects"].values() for dot in layer if "i" in dot]
    if not dots or not 0 <= int(dots[0]["i"]) < len(told["key"]):
        return boards.note(say("segments.map_note", lang))
    line = of.customer(bank.bank(), here.scheme, told["key"][int(dots[0]["i"])]).rows(bank.bank(), lang)
    for row in _worded(line, of, here).to_dict("records"):
        who = f"{row['customer_id']} {row['name']} · {row['class']} · {row['segment']}"
        pulls = [row[f"pull_{place}"] for place in (1, 2, 3) if row[f"pull_{place}"]]
        boards.note(f"{who}{say('segments.colon', lang)}{text.listing(pulls, lang)}")
        _open_card(row["customer_id"], "map", lang)


def _weights(of: Segments, here: Choice, title: DeltaGenerator) -> None:
    """What each fact weighs."""
    lang = here.lang
    rows = [(FACTS[row.fact].name[lang], row.moved) for row in of.importance().itertuples()][:TELLING]
    moved = text.number(rows[0][1], "rate", lang)
    with title:
        boards.heading(say("segments.importance", lang, fact=rows[0][0], moved=moved))
    _draw(segment_figures.weights(rows, lang, dark=is_dark()), "weights", rows[0][0], lang)


def _rules(of: Segments, here: Choice, title: DeltaGenerator) -> None:
    """The shallow tree that repeats the segments, as one rule a leaf, with how often it is right."""
    lang, tree = here.lang, of.told["tree"]
    fidelity, guess = (text.number(tree[name], "rate", lang) for name in ("fidelity", "guess"))
    key = "tree_none" if tree["fidelity"] is None else "tree"
    with title:
        boards.heading(say(f"segments.{key}", lang, fidelity=fidelity, guess=guess))
    leaves = sorted(tree["leaves"], key=lambda leaf: (of.order.index(leaf["segment"]), -leaf["n"]))
    most = sorted(tree["leaves"], key=lambda leaf: -leaf["n"])[:LEAVES]
    heads = [say(f"segments.{name}", lang) for name in ("segment", "rule", "customers", "right")]
    out = pd.DataFrame(
        [
            [
                of.name(leaf["segment"], lang),
                of.leaf(leaf, lang),
                f"{leaf['n']:,}",
                text.number(leaf["share"], "rate", lang),
            ]
            for leaf in leaves
            if leaf in most
        ],
        columns=heads,
    )
    config = {heads[0]: st.column_config.Column(pinned=True), heads[1]: st.column_config.Column(width=RULE)}
    config |= {name: st.column_config.Column(alignment="right", width="small") for name in heads[2:]}
    st.dataframe(out, hide_index=True, column_config=config, height="content", alt=heads[1])


def made(of: Segments, here: Choice) -> None:
    """How the segments were made, each part drawn when it is opened: the refits month by month, candidates with the
    choice and its reason, the facts."""
    lang, count = here.lang, len(of.candidates())
    parts = {
        "candidates": (say("segments.candidates", lang, n=count, count=of.told["count"]), _candidates),
        "facts": (say("segments.facts_title", lang, n=len(FACTS)), _facts),
    }
    if len(of.told["history"]) > 1:
        parts = {"months": (_months_title(of.months(lang), lang), _months), **parts}
    for name, (title, draw) in parts.items():
        part = st.expander(title, key=f"segments_{name}_{lang}", on_change="rerun")
        if part.open:
            with part:
                draw(of, lang)


def _candidates(of: Segments, lang: str) -> None:
    rows = of.candidates()
    boards.note(of.reason(lang), of.reduction(lang))
    out = pd.DataFrame({say("segments.method", lang): [say(f"segments.method_{m}", lang) for m in rows["method"]]})
    out[say("segments.count", lang)] = [str(n) for n in rows["count"]]
    out[say("segments.components", lang)] = [
        say(f"segments.components_{'few' if reduced else 'all'}", lang) for reduced in rows["is_reduced"]
    ]
    out[say("segments.chosen", lang)] = ["✓" if chosen else "" for chosen in rows["is_chosen"]]
    for name in ("silhouette", "stability", "overdue_gini", "reloan_gini", "contribution_share", "seconds"):
        out[say(f"segments.{name}", lang)] = [_three(v) for v in rows[name]]
    out[say("segments.smallest", lang)] = [text.number(v, "rate", lang) for v in rows["smallest"]]
    _table(out, 1, say("segments.method", lang))
    boards.note(say("segments.candidates_note", lang, fitted=f"{of.told['fitted']:,}"))


def _facts(of: Segments, lang: str) -> None:
    heads = {"name": 190, "meaning": 520, "unit": 80, "transform": 140, "group": 130, "used": 160}
    said = {head: say(f"segments.head_{head}", lang) for head in heads}
    config = {said[head]: st.column_config.Column(width=w, pinned=head == "name") for head, w in heads.items()}
    out = of.facts(lang)[list(heads)].rename(columns=said)
    st.dataframe(out, hide_index=True, column_config=config, height="content", alt=say("segments.fact", lang))


def _months_title(months: pd.DataFrame, lang: str) -> str:
    changed = int((months["events"] != "").sum())
    least = f"{months['same'].min():.2f}"
    key = "months_changed" if changed else "months"
    return say(f"segments.{key}", lang, n=len(months), changed=changed, least=least)


def _months(of: Segments, lang: str) -> None:
    months = of.months(lang)
    out = pd.DataFrame({say("segments.month", lang): [text.month(day, lang) for day in months["as_of"]]})
    out[say("segments.against", lang)] = [text.month(day, lang) for day in months["previous"]]
    out[say("segments.customers", lang)] = [f"{n:,}" for n in months["customers"]]
    for name in ("psi", "critical"):
        out[say(f"segments.{name}", lang)] = [kept.small(v) for v in months[name]]
    out[say("segments.shift", lang)] = [say(f"segments.shift_{verdict}", lang) for verdict in months["verdict"]]
    for name in ("same", "agreement"):
        out[say(f"segments.{name}", lang)] = [f"{v:.2f}" for v in months[name]]
    out[say("segments.happened", lang)] = [said or say("segments.kept", lang) for said in months["events"]]
    _table(out, 1, say("segments.month", lang))
    boards.note(say("segments.months_note", lang))


def _draw(figure, key: str, alt: str, lang: str) -> None:
    charts.draw(figure, f"segments_{key}_{lang}", say("figure.alt", lang, title=alt))


def _table(out: pd.DataFrame, first: int, alt: str, style=None) -> None:
    """The first column stays in sight when the others are scrolled."""
    config = {name: st.column_config.Column(pinned=True) for name in list(out)[:first]}
    config |= {name: st.column_config.Column(alignment="right") for name in list(out)[first:]}
    shown = out.style.apply(style) if style else out
    st.dataframe(shown, hide_index=True, column_config=config, height="content", alt=alt)


def _worded(lines: pd.DataFrame, of: Segments, here: Choice) -> pd.DataFrame:
    names = kept.class_names(here.scheme, here.lang)
    segments = [of.name(code, here.lang) for code in lines["segment"]]
    return lines.assign(**{"class": [names.get(code, code) for code in lines["class"]], "segment": segments})


def _columns(lang: str) -> dict[str, exports.Column]:
    heads = {
        "customer_id": say("column.customer_id", lang), "name": say("column.name", lang), "class": say("table.class",
        lang),
        "segment": say("segments.segment", lang), "loan_balance": say("column.loan_balance", lang),
    }  # fmt: skip
    heads |= {f"pull_{place}": say(f"segments.pull_{place}", lang) for place in (1, 2, 3)}
    return {name: exports.Column(words, "money" if name == "loan_balance" else "text") for name, words in heads.items()}


def _interval(value, low, high, n: int, unit: str, lang: str) -> str:
    if text.is_missing(value):
        return text.NOTHING
    if n < SMALL:
        return f"{say('figure.few', lang)} n = {n:,}"
    both = f" ({text.number(low, unit, lang)} – {text.number(high, unit, lang)})" if not text.is_missing(low) else ""
    return f"{text.number(value, unit, lang)}{both} n = {n:,}"


def _three(value: float | None) -> str:
    return text.NOTHING if text.is_missing(value) else f"{value:.3f}".replace("-", "−")


def _cell(row: dict | None, measure: str, lang: str) -> str:
    if row is None:
        return text.NOTHING
    if measure == "lift":
        if text.is_missing(row["lift"]):
            return text.NOTHING
        if row["later_n"] < SMALL:
            return say("figure.few", lang)
        return f"{row['lift']:.2f} ({row['lift_low']:.2f} – {row['lift_high']:.2f})"
    return text.number(row[measure], "money" if measure == "balance" else "count", lang)


def _value(fact, row: dict, lang: str) -> str:
    if fact.is_category:
        if row["code"] is None or text.is_missing(row["value"]):
            return text.NOTHING
        return f"{fact.code(row['code'], lang)} {text.number(row['value'], 'rate', lang)}"
    return kept.amount(fact, row["value"], lang)


def _bank_value(fact, row: dict, lang: str) -> str:
    return "" if fact.is_category else kept.amount(fact, row["bank"], lang)
