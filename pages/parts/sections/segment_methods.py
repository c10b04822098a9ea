"""What tells the segments apart, and how they were made: weights, rules, the map; candidates, facts, refits."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import segment_charts
from analytics.segments import report
from analytics.segments.definitions import FACTS, IDLE
from analytics.segments.report import Segments
from pages.parts.sections import segment_boards, segment_disagreements
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart
from pages.parts.widgets.theme import is_dark

WHY = ("weights", "rules", "map")
LEAVES = 10
RULE = 700
"""Pixels that the longest rule needs."""


def explained(of: Segments, selection: Selection) -> None:
    """What tells the segments apart, one view at a time: what each fact weighs, the rules of a tree, the map."""
    title = st.container()
    view = chart.picker(
        selection,
        "why",
        WHY,
        lambda code: say(f"segments.why_{code}", selection.lang),
        say("segments.why", selection.lang),
    )
    {"weights": _weights, "rules": _rules, "map": _map}[view](of, selection, title)


def _map(of: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """A sample of customers on two components; a click on a dot says who it is and why he stands there."""
    lang, told = selection.lang, of.told["map"]
    names = {code: of.name(code, lang) for code in of.order if code != IDLE}
    share = text.number(of.told["space"]["map_share"], "rate", lang)
    with title:
        boards.section_title(say("segments.map", lang, n=f"{len(told['x']):,}", share=share))
    codes = list(names)
    picked = chart.chooser(
        selection, "dots", codes[::-1], names.get, say("segments.map_pick", lang)
    )
    scene = segment_charts.customer_map(told, names, picked, lang, dark=is_dark())
    event = st.pydeck_chart(
        scene,
        height=400,
        on_select="rerun",
        selection_mode="single-object",
        key=f"segments_map_{picked}_{lang}",
        alt=say("figure.alt", lang, title=say("segments.map_alt", lang, name=names[picked])),
    )
    dots = [dot for layer in event["selection"]["objects"].values() for dot in layer if "i" in dot]
    if not dots or not 0 <= int(dots[0]["i"]) < len(told["key"]):
        return boards.caption(say("segments.map_note", lang))
    line = of.customer(queries.warehouse(), selection.scheme, told["key"][int(dots[0]["i"])]).rows(
        queries.warehouse(), lang
    )
    for row in segment_disagreements.worded(line, of, selection).to_dict("records"):
        who = f"{row['customer_id']} {row['name']} · {row['class']} · {row['segment']}"
        pulls = [row[f"pull_{place}"] for place in (1, 2, 3) if row[f"pull_{place}"]]
        boards.caption(f"{who}{say('segments.colon', lang)}{text.listing(pulls, lang)}")
        segment_disagreements.open_card(row["customer_id"], "map", lang)


def _weights(of: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """What each fact weighs."""
    lang = selection.lang
    rows = [(FACTS[row.fact].name[lang], row.moved) for row in of.importance().itertuples()][
        : segment_boards.TELLING
    ]
    moved = text.number(rows[0][1], "rate", lang)
    with title:
        boards.section_title(say("segments.importance", lang, fact=rows[0][0], moved=moved))
    segment_boards.draw(
        segment_charts.weights(rows, lang, dark=is_dark()), "weights", rows[0][0], lang
    )


def _rules(of: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """The shallow tree that repeats the segments, as one rule a leaf, with how often it is right."""
    lang, tree = selection.lang, of.told["tree"]
    fidelity, guess = (text.number(tree[name], "rate", lang) for name in ("fidelity", "guess"))
    key = "tree_none" if tree["fidelity"] is None else "tree"
    with title:
        boards.section_title(say(f"segments.{key}", lang, fidelity=fidelity, guess=guess))
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
    config = {
        heads[0]: st.column_config.Column(pinned=True),
        heads[1]: st.column_config.Column(width=RULE),
    }
    config |= {
        name: st.column_config.Column(alignment="right", width="small") for name in heads[2:]
    }
    st.dataframe(out, hide_index=True, column_config=config, height="content", alt=heads[1])


def made(of: Segments, selection: Selection) -> None:
    """How the segments were made, each part drawn when it is opened: the refits month by month, candidates with the
    choice and its reason, the facts."""
    lang, count = selection.lang, len(of.candidates())
    parts = {
        "candidates": (
            say("segments.candidates", lang, n=count, count=of.told["count"]),
            _candidates,
        ),
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
    boards.caption(of.reason(lang), of.reduction(lang))
    out = pd.DataFrame(
        {say("segments.method", lang): [say(f"segments.method_{m}", lang) for m in rows["method"]]}
    )
    out[say("segments.count", lang)] = [str(n) for n in rows["count"]]
    out[say("segments.components", lang)] = [
        say(f"segments.components_{'few' if reduced else 'all'}", lang)
        for reduced in rows["is_reduced"]
    ]
    out[say("segments.chosen", lang)] = ["✓" if chosen else "" for chosen in rows["is_chosen"]]
    for name in (
        "silhouette",
        "stability",
        "overdue_gini",
        "reloan_gini",
        "contribution_share",
        "seconds",
    ):
        out[say(f"segments.{name}", lang)] = [segment_boards.three(v) for v in rows[name]]
    out[say("segments.smallest", lang)] = [text.number(v, "rate", lang) for v in rows["smallest"]]
    segment_boards.sheet(out, 1, say("segments.method", lang))
    boards.caption(say("segments.candidates_note", lang, fitted=f"{of.told['fitted']:,}"))


def _facts(of: Segments, lang: str) -> None:
    heads = {"name": 190, "meaning": 520, "unit": 80, "transform": 140, "group": 130, "used": 160}
    said = {head: say(f"segments.head_{head}", lang) for head in heads}
    config = {
        said[head]: st.column_config.Column(width=w, pinned=head == "name")
        for head, w in heads.items()
    }
    out = of.facts(lang)[list(heads)].rename(columns=said)
    st.dataframe(
        out, hide_index=True, column_config=config, height="content", alt=say("segments.fact", lang)
    )


def _months_title(months: pd.DataFrame, lang: str) -> str:
    changed = int((months["events"] != "").sum())
    least = f"{months['same'].min():.2f}"
    key = "months_changed" if changed else "months"
    return say(f"segments.{key}", lang, n=len(months), changed=changed, least=least)


def _months(of: Segments, lang: str) -> None:
    months = of.months(lang)
    out = pd.DataFrame(
        {say("segments.month", lang): [text.month(day, lang) for day in months["as_of"]]}
    )
    out[say("segments.against", lang)] = [text.month(day, lang) for day in months["previous"]]
    out[say("segments.customers", lang)] = [f"{n:,}" for n in months["customers"]]
    for name in ("psi", "critical"):
        out[say(f"segments.{name}", lang)] = [report.small(v) for v in months[name]]
    out[say("segments.shift", lang)] = [
        say(f"segments.shift_{verdict}", lang) for verdict in months["verdict"]
    ]
    for name in ("same", "agreement"):
        out[say(f"segments.{name}", lang)] = [f"{v:.2f}" for v in months[name]]
    out[say("segments.happened", lang)] = [
        said or say("segments.kept", lang) for said in months["events"]
    ]
    segment_boards.sheet(out, 1, say("segments.month", lang))
    boards.caption(say("segments.months_note", lang))
