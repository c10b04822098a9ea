"""The sections of the simulator: sliders, classes before and after, outcomes of those who move."""

from __future__ import annotations

import html
from collections.abc import Hashable, Mapping, Sequence
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
from analytics.rulebooks.facts import Fact
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
    parts = {(t.stage, t.code): _part_name(book, t, lang) for t in thresholds}
    part = st.selectbox(
        say("simulate.part", lang),
        list(parts),
        key=f"part_{book.digest}_{lang}",
        format_func=parts.__getitem__,
        width=320,
    )
    in_part = [t for t in thresholds if (t.stage, t.code) == part]
    return in_part, [t for t in thresholds if t not in in_part]


def _part_name(book: Rulebook, threshold: Threshold, lang: str) -> str:
    stage = say(f"rules.stage_{threshold.stage}", lang)
    if not threshold.code:
        return stage
    return f"{stage} {book.class_names(threshold.code)[lang]}"


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
    key = f"slider_{state_key(book, threshold)}_{lang}_{st.session_state.get('simulate_reset', 0)}"
    label = _slider_label(threshold, lang)
    current = value(book, threshold)
    if threshold.rule.fact.is_numeric:
        new_value = _number_slider(threshold, label, key, current, lang)
    else:
        new_value = _code_slider(threshold.rule.fact, label, key, current, lang)
    st.session_state[state_key(book, threshold)] = new_value
    return new_value


def _slider_label(threshold: Threshold, lang: str) -> str:
    """Return clause, fact and sign; of a range, the end that the slider sets."""
    rule = threshold.rule
    sign = rule.sign
    if sign == "between":
        sign = say("rules.from" if threshold.place == 0 else "rules.to", lang)
    clause = rule.note.clause or threshold.clause
    name = rule.fact.words(lang)
    return escape_markdown(f"{clause}　{name} {sign}")


def _code_slider(fact: Fact, label: str, key: str, current: str, lang: str) -> str:
    # The start is set here and not passed: a slider whose start changes is a new widget and loses
    # the keyboard focus.
    st.session_state.setdefault(key, current)
    return st.select_slider(
        label,
        list(fact.ascending),
        key=key,
        format_func=lambda code: fact.value_words(code, lang),
    )


def _number_slider(
    threshold: Threshold, label: str, key: str, current: int | Decimal, lang: str
) -> int | Decimal:
    fact = threshold.rule.fact
    start = float(threshold.value)
    whole = fact.type == "int" or (fact.type == "money" and start.is_integer())
    low, high, step = _slider_range(start, whole, fact.name.endswith("_percentile"))
    kind = int if whole else float
    st.session_state.setdefault(key, kind(current))
    unit = fact.unit(lang)
    position = st.slider(label, kind(low), kind(high), step=kind(step), key=key, help=unit or None)
    return int(position) if fact.type == "int" else Decimal(str(position))


def _slider_range(value: float, whole: bool, is_percentile: bool) -> tuple[float, float, float]:
    """Return lowest, highest and step of a slider: zero to twice the value, in round steps."""
    if is_percentile:
        return 0, 100, 1
    if not whole:
        return 0.0, max(2 * value, 1.0), 0.01
    high = max(2 * value, value + 10)
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
    has_provision = swaps.frame["provision_change"].notna().any()
    heads = ["move", "n", "balance", "overdue", "reloan", "contribution"]
    if has_provision:
        heads.append("provision")
    rows = []
    for swap in _rows_to_draw(swaps):
        row = _swap_row(swap, names, lang)
        if has_provision:
            row.append(text.number(swap["provision_change"], "money", lang))
        rows.append(row)
    rulebook_tables.table(
        [say(f"simulate.{head}", lang) for head in heads], rows, right=range(1, len(heads))
    )
    caption(say("simulate.intervals", lang))
    if has_provision:
        whole = text.number(float(swaps.frame["provision_change"].sum()), "money", lang)
        caption(say("simulate.provision_note", lang, whole=whole))


def _rows_to_draw(swaps: SwapSets) -> list[dict[Hashable, Any]]:
    """Return those who change class, most first; then those who stay, for comparison.

    Where somebody changes class, those who stay are only drawn in the classes that somebody leaves
    or enters.
    """
    stays = swaps.frame["class_from"] == swaps.frame["class_to"]
    same_class = swaps.frame[stays]
    if swaps.moved["n"].sum() > 0:
        affected_classes = {*swaps.moved["class_from"], *swaps.moved["class_to"]}
        same_class = same_class[same_class["class_from"].isin(affected_classes)]
    moves = swaps.frame[~stays].sort_values("n", ascending=False)
    return [*moves.to_dict("records"), *same_class.to_dict("records")]


def _swap_row(swap: Mapping[Hashable, Any], names: Mapping[str, str], lang: str) -> list[str]:
    """Return who moves, n, balance and the outcomes with their intervals."""
    name = names[swap["class_from"]]
    if swap["class_from"] == swap["class_to"]:
        move = say("simulate.stay", lang, name=name)
    else:
        move = f"{name} → {names[swap['class_to']]}"
    outcomes = (
        ("overdue_rate", "overdue", "observed", "rate"),
        ("reloan_rate", "reloan", "settled", "rate"),
        ("contribution", "contribution", "contributing", "money"),
    )
    row = [move, f"{swap['n']:,}", text.number(swap["balance"], "money", lang)]
    for value_of, ends, count, unit in outcomes:
        low = swap[f"{ends}_low"]
        high = swap[f"{ends}_high"]
        row.append(_interval(swap[value_of], low, high, swap[count], unit, lang))
    return row


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
    n_moved = int(swaps.moved["n"].sum())
    title = "simulate.moved" if n_moved else "simulate.nobody"
    section_title(say(title, lang, n=f"{n_moved:,}", all=f"{int(swaps.frame['n'].sum()):,}"))
    window = "simulate.window_before"
    if swaps.window.is_out_of_time:
        window = "simulate.window_after"
    first = text.month(swaps.window.first, lang)
    caption(say(window, lang, first=first, last=text.month(swaps.window.last, lang)))
    grid = st.grid(2, min_column_width=520, gap="medium")
    with grid.cell():
        totals(swaps, names, lang)
    with grid.cell():
        figure = rulebook_charts.moves(swaps.frame, swaps.codes, names, lang, dark=is_dark())
        chart.draw(figure, f"moves_{lang}", say("simulate.moves", lang))
        caption(say("simulate.moves", lang))
    section_title(say("simulate.outcomes" if n_moved else "simulate.outcomes_all", lang))
    swap_sets(swaps, names, lang)


def signing(base: Rulebook, new_text: str, effective_on: date, lang: str) -> None:
    """Draw whether the worked examples of the edited rulebook hold, and its download."""
    section_title(say("simulate.sign", lang))
    path = f"{base.id}/{effective_on}.toml"
    problem = failing_example(new_text, lambda toml: rulebooks.parse_rulebook_text(toml, path=path))
    if problem:
        reason = problem.text(lang)
        caption(say("simulate.examples_fail", lang, reason=reason))
    else:
        caption(say("simulate.examples_hold", lang))
    st.download_button(
        say("simulate.download", lang),
        new_text,
        f"{effective_on}.toml",
        "application/toml",
        on_click="ignore",
        key=f"edited_{lang}",
    )
