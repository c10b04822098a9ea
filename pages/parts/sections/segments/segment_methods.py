"""How the segments differ (weights, rules, map) and were made (candidates, facts, refits)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import segment_charts
from analytics.segments import report
from analytics.segments.definitions import FEATURES, INACTIVE
from analytics.segments.report import Segments
from pages.parts.sections.segments import segment_boards, segment_disagreements
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

if TYPE_CHECKING:
    from pydeck import Deck

EXPLANATIONS = ("weights", "rules", "map")
MAX_LEAVES = 10
# Pixels that the longest rule needs.
RULE_WIDTH = 700


def explanation(segments: Segments, selection: Selection) -> None:
    """Draw what distinguishes the segments: weights of the facts, rules of a tree, or the map."""
    title = st.container()
    kind = chart.picker(
        selection,
        "why",
        EXPLANATIONS,
        lambda code: say(f"segments.why_{code}", selection.lang),
        say("segments.why", selection.lang),
    )
    {"weights": _weights, "rules": _rules, "map": _map}[kind](segments, selection, title)


def _map(segments: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """Draw a sample of customers on two components; a click on a point explains the customer."""
    lang = selection.lang
    map_data = segments.payload["map"]
    names = {code: segments.name(code, lang) for code in segments.order if code != INACTIVE}
    share = text.number(segments.payload["space"]["map_share"], "rate", lang)
    with title:
        section_title(say("segments.map", lang, n=f"{len(map_data['x']):,}", share=share))
    codes = list(names)
    segment = chart.chooser(
        selection, "dots", codes[::-1], names.__getitem__, say("segments.map_pick", lang)
    )
    scene = segment_charts.customer_map(map_data, names, segment, lang, dark=is_dark())
    event = st.pydeck_chart(
        # Streamlit asks a Deck for its JSON alone.
        cast("Deck", scene),
        height=400,
        on_select="rerun",
        selection_mode="single-object",
        key=f"segments_map_{segment}_{lang}",
        alt=say("figure.alt", lang, title=say("segments.map_alt", lang, name=names[segment])),
    )
    dots = [dot for layer in event["selection"]["objects"].values() for dot in layer if "i" in dot]
    if not dots or not 0 <= int(dots[0]["i"]) < len(map_data["key"]):
        caption(say("segments.map_note", lang))
        return
    key = map_data["key"][int(dots[0]["i"])]
    customer = segments.customer(queries.warehouse(), selection.scheme, key)
    frame = customer.rows(queries.warehouse(), lang)
    for row in segment_disagreements.with_labels(frame, segments, selection).to_dict("records"):
        who = f"{row['customer_id']} {row['name']} · {row['class']} · {row['segment']}"
        drivers = [row[f"pull_{place}"] for place in (1, 2, 3) if row[f"pull_{place}"]]
        caption(f"{who}{say('segments.colon', lang)}{text.listing(drivers, lang)}")
        segment_disagreements.customer_button(row["customer_id"], "map", lang)


def _weights(segments: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """Draw the importance of each fact."""
    lang = selection.lang
    importance = segments.importance().head(segment_boards.MAX_MAIN_FACTS)
    rows = [
        (FEATURES[row["fact"]].name[lang], row["moved"]) for row in importance.to_dict("records")
    ]
    share = text.number(rows[0][1], "rate", lang)
    with title:
        section_title(say("segments.importance", lang, fact=rows[0][0], moved=share))
    segment_boards.draw(
        segment_charts.weights(rows, lang, dark=is_dark()), "weights", rows[0][0], lang
    )


def _rules(segments: Segments, selection: Selection, title: DeltaGenerator) -> None:
    """Draw the surrogate tree as one rule per leaf, with its accuracy."""
    lang = selection.lang
    tree = segments.payload["tree"]
    fidelity, guess = (text.number(tree[name], "rate", lang) for name in ("fidelity", "guess"))
    key = "tree_none" if tree["fidelity"] is None else "tree"
    with title:
        section_title(say(f"segments.{key}", lang, fidelity=fidelity, guess=guess))
    leaves = sorted(
        tree["leaves"], key=lambda leaf: (segments.order.index(leaf["segment"]), -leaf["n"])
    )
    most = sorted(tree["leaves"], key=lambda leaf: -leaf["n"])[:MAX_LEAVES]
    heads = [say(f"segments.{name}", lang) for name in ("segment", "rule", "customers", "right")]
    frame = pd.DataFrame(
        [
            [
                segments.name(leaf["segment"], lang),
                segments.leaf(leaf, lang),
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
        heads[1]: st.column_config.Column(width=RULE_WIDTH),
    }
    config |= {
        name: st.column_config.Column(alignment="right", width="small") for name in heads[2:]
    }
    st.dataframe(frame, hide_index=True, column_config=config, height="content", alt=heads[1])


def method_details(segments: Segments, selection: Selection) -> None:
    """Draw refits by month, candidates with the selection and its reason, and the facts.

    Each part is drawn when it is expanded.
    """
    lang = selection.lang
    count = len(segments.candidates())
    parts = {
        "candidates": (
            say("segments.candidates", lang, n=count, count=segments.payload["count"]),
            _candidates,
        ),
        "facts": (say("segments.facts_title", lang, n=len(FEATURES)), _facts),
    }
    if len(segments.payload["history"]) > 1:
        parts = {"months": (_months_title(segments.months(lang), lang), _months), **parts}
    for name, (title, draw) in parts.items():
        part = st.expander(title, key=f"segments_{name}_{lang}", on_change="rerun")
        if part.open:
            with part:
                draw(segments, lang)


def _candidates(segments: Segments, lang: str) -> None:
    rows = segments.candidates()
    caption(segments.reason(lang), segments.reduction(lang))
    frame = pd.DataFrame(
        {say("segments.method", lang): [say(f"segments.method_{m}", lang) for m in rows["method"]]}
    )
    frame[say("segments.count", lang)] = [str(n) for n in rows["count"]]
    frame[say("segments.components", lang)] = [
        say(f"segments.components_{'few' if reduced else 'all'}", lang)
        for reduced in rows["is_reduced"]
    ]
    frame[say("segments.chosen", lang)] = [
        "✓" if selected else "" for selected in rows["is_chosen"]
    ]
    for name in (
        "silhouette",
        "stability",
        "overdue_gini",
        "reloan_gini",
        "contribution_share",
        "seconds",
    ):
        frame[say(f"segments.{name}", lang)] = [
            segment_boards.three_decimals(v) for v in rows[name]
        ]
    frame[say("segments.smallest", lang)] = [text.number(v, "rate", lang) for v in rows["smallest"]]
    segment_boards.sheet(frame, 1, say("segments.method", lang))
    caption(say("segments.candidates_note", lang, fitted=f"{segments.payload['fitted']:,}"))


def _facts(segments: Segments, lang: str) -> None:
    heads = {"name": 190, "meaning": 520, "unit": 80, "transform": 140, "group": 130, "used": 160}
    heads_of = {head: say(f"segments.head_{head}", lang) for head in heads}
    config = {
        heads_of[head]: st.column_config.Column(width=width, pinned=head == "name")
        for head, width in heads.items()
    }
    frame = segments.features(lang)[list(heads)].rename(columns=heads_of)
    st.dataframe(
        frame,
        hide_index=True,
        column_config=config,
        height="content",
        alt=say("segments.fact", lang),
    )


def _months_title(months: pd.DataFrame, lang: str) -> str:
    with_events = int((months["events"] != "").sum())
    least = f"{months['same'].min():.2f}"
    key = "months_changed" if with_events else "months"
    return say(f"segments.{key}", lang, n=len(months), changed=with_events, least=least)


def _months(segments: Segments, lang: str) -> None:
    months = segments.months(lang)
    frame = pd.DataFrame(
        {say("segments.month", lang): [text.month(day, lang) for day in months["as_of"]]}
    )
    frame[say("segments.against", lang)] = [text.month(day, lang) for day in months["previous"]]
    frame[say("segments.customers", lang)] = [f"{n:,}" for n in months["customers"]]
    for name in ("psi", "critical"):
        frame[say(f"segments.{name}", lang)] = [report.small_number(v) for v in months[name]]
    frame[say("segments.shift", lang)] = [
        say(f"segments.shift_{verdict}", lang) for verdict in months["verdict"]
    ]
    for name in ("same", "agreement"):
        frame[say(f"segments.{name}", lang)] = [f"{v:.2f}" for v in months[name]]
    frame[say("segments.happened", lang)] = [
        events or say("segments.kept", lang) for events in months["events"]
    ]
    segment_boards.sheet(frame, 1, say("segments.month", lang))
    caption(say("segments.months_note", lang))
