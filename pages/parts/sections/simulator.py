"""The parts of the simulator: sliders, classes before and after, and what was observed of those who move."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from analytics.grading.swap_sets import Swaps
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.rulebooks import Rulebook
from analytics.rulebooks.thresholds import Threshold
from pages.parts.widgets import boards, rulebook_tables
from pages.parts.widgets.text import escape_markdown

EVERY = ""
# More sliders than this are shown one class at a time.
AT_ONCE = 9


def part_of(
    book: Rulebook, known: Sequence[Threshold], lang: str
) -> tuple[list[Threshold], list[Threshold]]:
    """The thresholds to show, and those of other parts of a long rulebook, whose sliders keep what was chosen."""
    if len(known) <= AT_ONCE:
        return list(known), []
    short = rulebook_tables.rulebook_lang(lang)
    parts = {
        (t.stage, t.code): f"{say(f'rules.stage_{t.stage}', lang)} "
        f"{book.class_names(t.code)[short] if t.code else ''}".strip()
        for t in known
    }
    chosen = st.selectbox(
        say("simulate.part", lang),
        list(parts),
        key=f"part_{book.digest}_{lang}",
        format_func=parts.get,
        width=320,
    )
    shown = [t for t in known if (t.stage, t.code) == chosen]
    return shown, [t for t in known if t not in shown]


def key_of(book: Rulebook, threshold: Threshold) -> str:
    """Where the value of a slider is kept over languages and parts."""
    return f"threshold_{book.digest}_{threshold.key}"


def value(book: Rulebook, threshold: Threshold) -> Any:
    """The value chosen for a threshold, whether its slider is on the page now or not."""
    return st.session_state.get(key_of(book, threshold), threshold.value)


def reset(book: Rulebook, known: Sequence[Threshold]) -> None:
    """Put every threshold back to what the rulebook says. For callbacks."""
    for threshold in known:
        st.session_state.pop(key_of(book, threshold), None)
    st.session_state["simulate_reset"] = st.session_state.get("simulate_reset", 0) + 1


def slider(book: Rulebook, threshold: Threshold, lang: str) -> Any:
    """A slider for one threshold, the value in force marked by its start; what it gives is the new value."""
    rule, fact, short = threshold.rule, threshold.rule.fact, rulebook_tables.rulebook_lang(lang)
    ends = (say("rules.from", lang), say("rules.to", lang))
    sign = ends[threshold.place] if rule.sign == "between" else rule.sign
    label = escape_markdown(f"{rule.note.clause or threshold.clause}　{fact.words(short)} {sign}")
    key = f"slider_{key_of(book, threshold)}_{lang}_{st.session_state.get('simulate_reset', 0)}"
    now = value(book, threshold)
    if not fact.is_numeric:
        # the start is set here and not passed: a slider whose start changes is a new one and loses the keyboard
        st.session_state.setdefault(key, now)
        made = st.select_slider(
            label,
            list(fact.ascending),
            key=key,
            format_func=lambda code: fact.value_words(code, short),
        )
    else:
        whole = fact.type == "int" or (fact.type == "money" and float(threshold.value).is_integer())
        low, high, step = _reach(float(threshold.value), whole, fact.name.endswith("_percentile"))
        kind = int if whole else float
        st.session_state.setdefault(key, kind(now))
        moved = st.slider(
            label, kind(low), kind(high), step=kind(step), key=key, help=fact.unit(short) or None
        )
        made = moved if fact.type == "int" else Decimal(str(moved))
    st.session_state[key_of(book, threshold)] = made
    return made


def _reach(value: float, whole: bool, is_share: bool) -> tuple[float, float, float]:
    """(lowest, highest, step) of a slider around a value: zero to twice as much, in steps a person would take."""
    if is_share:
        return 0, 100, 1
    high = max(2 * value, value + 10) if whole else max(2 * value, 1.0)
    if not whole:
        return 0.0, high, 0.01
    step = 1
    while high / step > 200:
        step *= 10
    # every value between must be a step away from the start of the slider
    step = step if value % step == 0 else 1
    return 0, high - high % step, step


def totals(made: Swaps, names: Mapping[str, str], lang: str) -> None:
    """Per class: before, in, out, after, and the balance."""
    rows = [
        (
            names[row["class"]],
            f"{row['n_from']:,}",
            _signed(row["swapped_in"], "+"),
            _signed(row["swapped_out"], "−"),
            f"{row['n_to']:,}",
            *(text.number(row[f"balance_{end}"], "money", lang) for end in ("from", "to")),
        )
        for row in made.totals().to_dict("records")
        if row["n_from"] or row["n_to"]
    ]
    heads = ("class", "n_from", "swapped_in", "swapped_out", "n_to", "balance_from", "balance_to")
    rulebook_tables.table(
        [say(f"simulate.{head}", lang) for head in heads], rows, right=range(1, 7), tight=(0,)
    )


def _signed(count: int, sign: str) -> str:
    return f"{sign}{count:,}" if count else text.NOTHING


def swap_sets(made: Swaps, names: Mapping[str, str], lang: str) -> None:
    """Who moves from where to where, and beside them those who stay: outcomes with their intervals."""
    moved = made.moved["n"].sum() > 0
    shown = made.frame.assign(stays=made.frame["class_from"] == made.frame["class_to"])
    # of those who stay only the classes that somebody leaves or enters: they are who the movers are held against
    touched = {*made.moved["class_from"], *made.moved["class_to"]}
    shown = shown[~shown["stays"] | shown["class_from"].isin(touched)] if moved else shown
    heads = ["move", "n", "balance", "overdue", "reloan", "contribution"]
    provision = made.frame["provision_change"].notna().any()
    rows = [
        (
            say("simulate.stay", lang, name=names[row.class_from])
            if row.stays
            else f"{names[row.class_from]} → {names[row.class_to]}",
            f"{row.n:,}",
            text.number(row.balance, "money", lang),
            _interval(
                row.overdue_rate, row.overdue_low, row.overdue_high, row.observed, "rate", lang
            ),
            _interval(row.reloan_rate, row.reloan_low, row.reloan_high, row.settled, "rate", lang),
            _interval(
                row.contribution,
                row.contribution_low,
                row.contribution_high,
                row.contributing,
                "money",
                lang,
            ),
            *((text.number(row.provision_change, "money", lang),) if provision else ()),
        )
        for part in (
            shown[~shown["stays"]].sort_values("n", ascending=False),
            shown[shown["stays"]],
        )
        for row in part.itertuples()
    ]
    if provision:
        heads.append("provision")
    rulebook_tables.table(
        [say(f"simulate.{head}", lang) for head in heads], rows, right=range(1, len(heads))
    )
    boards.caption(say("simulate.intervals", lang))
    if provision:
        whole = text.number(float(made.frame["provision_change"].sum()), "money", lang)
        boards.caption(say("simulate.provision_note", lang, whole=whole))


def _interval(value: float, low: float, high: float, n: float, unit: str, lang: str) -> str:
    """A value with its interval and n; a small group says so instead."""
    if not n or pd.isna(value):
        return text.NOTHING
    if n < MIN_GROUP_SIZE:
        return f"{say('figure.few', lang)} (n = {int(n):,})"
    between = f"{text.number(low, unit, lang)} – {text.number(high, unit, lang)}"
    small = "<br>".join(html.escape(line) for line in (f"[{between}]", f"n = {int(n):,}"))
    return rulebook_tables.Html(
        f'{html.escape(text.number(value, unit, lang))}<br><span class="lp-note">{small}</span>'
    )
