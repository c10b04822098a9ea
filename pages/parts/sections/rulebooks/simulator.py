"""The sections of the simulator: sliders, classes before and after, outcomes of those who move."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from analytics import rulebooks
from analytics.grading.swap_sets import SwapSets
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import rulebook_charts
from analytics.rulebooks import Rulebook
from analytics.rulebooks.thresholds import Threshold, failing_example
from pages.parts.widgets import chart, rulebook_tables
from pages.parts.widgets.text import caption, escape_markdown, section_title
from pages.parts.widgets.theme import is_dark

# More sliders than this are shown one class at a time.
MAX_SLIDERS = 9


def split_by_part(
    book: Rulebook, thresholds: Sequence[Threshold], lang: str
) -> tuple[list[Threshold], list[Threshold]]:
    """Return the thresholds to show and the others; a long rulebook is shown part by part."""
    if len(thresholds) <= MAX_SLIDERS:
        return list(thresholds), []
    short = rulebook_tables.rulebook_lang(lang)
    parts = {
        (t.stage, t.code): f"{say(f'rules.stage_{t.stage}', lang)} "
        f"{book.class_names(t.code)[short] if t.code else ''}".strip()
        for t in thresholds
    }
    part_key = st.selectbox(
        say("simulate.part", lang),
        list(parts),
        key=f"part_{book.digest}_{lang}",
        format_func=parts.__getitem__,
        width=320,
    )
    in_part = [t for t in thresholds if (t.stage, t.code) == part_key]
    return in_part, [t for t in thresholds if t not in in_part]


def state_key(book: Rulebook, threshold: Threshold) -> str:
    """Return the session key of a threshold's value, the same in every language and part."""
    return f"threshold_{book.digest}_{threshold.key}"


def value(book: Rulebook, threshold: Threshold) -> Any:
    """Return the value set for a threshold, whether its slider is shown or not."""
    return st.session_state.get(state_key(book, threshold), threshold.value)


def reset(book: Rulebook, thresholds: Sequence[Threshold]) -> None:
    """Reset every threshold to the value of the rulebook. For callbacks."""
    for threshold in thresholds:
        st.session_state.pop(state_key(book, threshold), None)
    st.session_state["simulate_reset"] = st.session_state.get("simulate_reset", 0) + 1


def slider(book: Rulebook, threshold: Threshold, lang: str) -> Any:
    """Draw the slider of one threshold and return its value."""
    rule = threshold.rule
    fact = threshold.rule.fact
    short = rulebook_tables.rulebook_lang(lang)
    ends = (say("rules.from", lang), say("rules.to", lang))
    sign = ends[threshold.place] if rule.sign == "between" else rule.sign
    label = escape_markdown(f"{rule.note.clause or threshold.clause}　{fact.words(short)} {sign}")
    key = f"slider_{state_key(book, threshold)}_{lang}_{st.session_state.get('simulate_reset', 0)}"
    current = value(book, threshold)
    if not fact.is_numeric:
        # The start is set here and not passed: a slider whose start changes is a new widget and
        # loses the keyboard focus.
        st.session_state.setdefault(key, current)
        new_value = st.select_slider(
            label,
            list(fact.ascending),
            key=key,
            format_func=lambda code: fact.value_words(code, short),
        )
    else:
        whole = fact.type == "int" or (fact.type == "money" and float(threshold.value).is_integer())
        low, high, step = _slider_range(
            float(threshold.value), whole, fact.name.endswith("_percentile")
        )
        kind = int if whole else float
        st.session_state.setdefault(key, kind(current))
        position = st.slider(
            label, kind(low), kind(high), step=kind(step), key=key, help=fact.unit(short) or None
        )
        new_value = position if fact.type == "int" else Decimal(str(position))
    st.session_state[state_key(book, threshold)] = new_value
    return new_value


def _slider_range(value: float, whole: bool, is_share: bool) -> tuple[float, float, float]:
    """Return lowest, highest and step of a slider: zero to twice the value, in round steps."""
    if is_share:
        return 0, 100, 1
    high = max(2 * value, value + 10) if whole else max(2 * value, 1.0)
    if not whole:
        return 0.0, high, 0.01
    step = 1
    while high / step > 200:
        step *= 10
    # The value in force must lie on a step of the slider.
    step = step if value % step == 0 else 1
    return 0, high - high % step, step


def totals(swaps: SwapSets, names: Mapping[str, str], lang: str) -> None:
    """Draw per class the number before, in, out and after, and the balance."""
    rows = [
        (
            names[row["class"]],
            f"{row['n_from']:,}",
            _signed_count(row["swapped_in"], "+"),
            _signed_count(row["swapped_out"], "−"),
            f"{row['n_to']:,}",
            *(text.number(row[f"balance_{end}"], "money", lang) for end in ("from", "to")),
        )
        for row in swaps.totals().to_dict("records")
        if row["n_from"] or row["n_to"]
    ]
    heads = ("class", "n_from", "swapped_in", "swapped_out", "n_to", "balance_from", "balance_to")
    rulebook_tables.table(
        [say(f"simulate.{head}", lang) for head in heads], rows, right=range(1, 7), tight=(0,)
    )


def _signed_count(count: int, sign: str) -> str:
    return f"{sign}{count:,}" if count else text.NOTHING


def swap_sets(swaps: SwapSets, names: Mapping[str, str], lang: str) -> None:
    """Draw the swap sets and, for comparison, those who stay: outcomes with intervals."""
    any_moved = swaps.moved["n"].sum() > 0
    rows_shown = swaps.frame.assign(stays=swaps.frame["class_from"] == swaps.frame["class_to"])
    if any_moved:
        # Those who stay are shown for comparison, in the classes that somebody leaves or enters.
        touched = {*swaps.moved["class_from"], *swaps.moved["class_to"]}
        is_compared = rows_shown["class_from"].isin(touched)
        rows_shown = rows_shown[~rows_shown["stays"] | is_compared]
    heads = ["move", "n", "balance", "overdue", "reloan", "contribution"]
    provision = swaps.frame["provision_change"].notna().any()
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
            rows_shown[~rows_shown["stays"]].sort_values("n", ascending=False),
            rows_shown[rows_shown["stays"]],
        )
        for row in part.itertuples()
    ]
    if provision:
        heads.append("provision")
    rulebook_tables.table(
        [say(f"simulate.{head}", lang) for head in heads], rows, right=range(1, len(heads))
    )
    caption(say("simulate.intervals", lang))
    if provision:
        whole = text.number(float(swaps.frame["provision_change"].sum()), "money", lang)
        caption(say("simulate.provision_note", lang, whole=whole))


def _interval(value: float, low: float, high: float, n: float, unit: str, lang: str) -> str:
    """Return a value with its interval and n; a small group is only named as such."""
    if not n or pd.isna(value):
        return text.NOTHING
    if n < MIN_GROUP_SIZE:
        return f"{say('figure.few', lang)} (n = {int(n):,})"
    between = f"{text.number(low, unit, lang)} – {text.number(high, unit, lang)}"
    small = "<br>".join(html.escape(line) for line in (f"[{between}]", f"n = {int(n):,}"))
    return rulebook_tables.Html(
        f'{html.escape(text.number(value, unit, lang))}<br><span class="lp-note">{small}</span>'
    )


def outcome(swaps: SwapSets, names: Mapping[str, str], lang: str) -> None:
    """Draw how many change class, from where to where, and what was observed of them."""
    moved = int(swaps.moved["n"].sum())
    title = "simulate.moved" if moved else "simulate.nobody"
    section_title(say(title, lang, n=f"{moved:,}", all=f"{int(swaps.frame['n'].sum()):,}"))
    window = "simulate.window_before"
    if swaps.window.is_out_of_time:
        window = "simulate.window_after"
    first = text.month(swaps.window.first, lang)
    caption(say(window, lang, first=first, last=text.month(swaps.window.last, lang)))
    wall = st.grid(2, min_column_width=520, gap="medium")
    with wall.cell():
        totals(swaps, names, lang)
    with wall.cell():
        figure = rulebook_charts.moves(swaps.frame, swaps.codes, names, lang, dark=is_dark())
        chart.draw(figure, f"moves_{lang}", say("simulate.moves", lang))
        caption(say("simulate.moves", lang))
    section_title(say("simulate.outcomes" if moved else "simulate.outcomes_all", lang))
    swap_sets(swaps, names, lang)


def signing(base: Rulebook, edited: str, effective_on: date, lang: str) -> None:
    """Draw whether the worked examples of the edited rulebook hold, and its download."""
    section_title(say("simulate.sign", lang))
    path = f"{base.id}/{effective_on}.toml"
    problem = failing_example(edited, lambda toml: rulebooks.parse_rulebook_text(toml, path=path))
    if problem:
        reason = problem.text(rulebook_tables.rulebook_lang(lang))
        caption(say("simulate.examples_fail", lang, reason=reason))
    else:
        caption(say("simulate.examples_hold", lang))
    st.download_button(
        say("simulate.download", lang),
        edited,
        f"{effective_on}.toml",
        "application/toml",
        on_click="ignore",
        key=f"edited_{lang}",
    )
