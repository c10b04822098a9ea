"""The explorer: a metric cut by up to three splits in the reader's order, down to the list, the comparison kept."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date
from functools import partial

import pandas as pd
import streamlit as st

from analytics.analysis import attribution
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, SPLITS
from analytics.metrics.query import Question
from analytics.presentation import metric_charts
from analytics.presentation.theme import theme_for
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets import boards, chart, drilldown
from pages.parts.widgets.text import escape_markdown
from pages.parts.widgets.theme import is_dark

LEVELS = 3
VIEWS = ("table", "bars", "heat", "trend")
SORTS = ("effect", "value", "n", "name")
LINES = 24
Cell = tuple[str, str]


def splits_of(selection: Selection, metric: str) -> list[str]:
    """Every split that the metric may honestly be cut by and that has values in this bank."""
    declared = METRICS[metric]
    found = ["class"] if declared.may_split(None) else []
    return found + [
        split.id
        for split in SPLITS.values()
        if declared.may_split(split) and set(queries.labels(split.id, selection.lang)) - {"unknown"}
    ]


def order_picker(selection: Selection, metric: str) -> list[str]:
    """Up to three splits in the reader's order; a change of order begins again at the top."""
    lang, open_ = selection.lang, splits_of(selection, metric)
    asked = dict(selection.page_params).get("cut", "class,branch_1,product").split(",")
    picked = list(dict.fromkeys(name for name in asked if name in open_))[:LEVELS] or open_[:1]
    with st.container(horizontal=True, gap="small"):
        for level in range(min(LEVELS, len(picked) + 1)):
            taken = picked[:level]
            options = [name for name in open_ if name not in taken]
            none = ["none"] if level else []
            key = f"cut_{level}_{lang}"
            st.session_state[key] = picked[level] if level < len(picked) else "none"

            def chosen(level: int = level, key: str = key) -> None:
                name = st.session_state[key]
                rest = (
                    []
                    if name == "none"
                    else [name, *(other for other in picked[level + 1 :] if other != name)]
                )
                set_param(cut=",".join([*picked[:level], *rest]), path=None)

            st.selectbox(
                say("explorer.level", lang, level=level + 1),
                [*none, *options],
                key=key,
                on_change=chosen,
                width=240,
                format_func=lambda id: (
                    say("explorer.none", lang) if id == "none" else queries.dimension_name(id, lang)
                ),
            )
    return picked


def path_of(selection: Selection, order: Sequence[str]) -> list[Cell]:
    """The cells gone down, as the URL has them: (split, code) level by level; what does not fit is dropped."""
    found: list[Cell] = []
    for part, split in zip(
        dict(selection.page_params).get("path", "").split("~"), order, strict=False
    ):
        name, _, code = part.partition(":")
        if name != split or code not in queries.labels(split, "en", selection.scheme):
            break
        found.append((split, code))
    return found


def go(path: Sequence[Cell]) -> None:
    """Go to a cell. For callbacks."""
    set_param(path="~".join(f"{split}:{code}" for split, code in path) or None)


def breadcrumb(selection: Selection, path: Sequence[Cell]) -> None:
    """From the whole bank to here, each step a way back."""
    lang = selection.lang
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for place in range(len(path) + 1):
            name = say("explorer.whole", lang)
            if place:
                split, code = path[place - 1]
                name = f"{queries.dimension_name(split, lang)} · {queries.labels(split, lang, selection.scheme)[code]}"
            st.button(
                escape_markdown(("" if place == 0 else "› ") + name),
                key=f"crumb_{place}_{lang}",
                type="tertiary",
                on_click=go,
                args=(list(path[:place]),),
                disabled=place == len(path),
            )


def question_of(
    selection: Selection, metric: str, by: Sequence[str], path: Sequence[Cell]
) -> Question:
    """The metric by the given splits within the cells gone down."""
    question = queries.question_for(selection, metric, tuple(by), compare=False)
    return question.about(where=(*question.where, *((split, (code,)) for split, code in path)))


def level(
    selection: Selection,
    metric: str,
    order: Sequence[str],
    path: Sequence[Cell],
    before: date,
    view: str,
) -> None:
    """One level: its parts in the chosen view, each a click away from what is inside it."""
    lang = selection.lang
    deep = len(path) == len(order)
    split = order[len(path)] if not deep else order[-1]
    within = list(path) if not deep else list(path[:-1])
    with boards.guarded_section(selection, metric):
        question = question_of(selection, metric, (split,), within)
        parts, whole, reason = answered(question, before, lang)
        compared = not reason
        names = queries.labels(split, lang, selection.scheme)
        down = partial(_down, metric, order, within, split)
        boards.section_title(_message(selection, metric, parts, split, names, compared))
        if view == "bars":
            _bars(selection, question, parts, split, names, down)
        elif view == "heat" and len(order) > len(within) + 1:
            _heat(selection, metric, (split, order[len(within) + 1]), within)
        elif view == "trend":
            _trend(selection, question, parts, split, names, down)
        else:
            if view == "heat":
                boards.caption(say("explorer.two", lang))
            sort = chart.picker(
                selection,
                "sort",
                SORTS if compared else SORTS[1:],
                lambda id: say(f"explorer.sort_{id}", lang),
                say("explorer.sort", lang),
            )
            _table(
                selection,
                metric,
                ordered(parts, sort, split, list(names)),
                whole,
                split,
                names,
                within,
                down,
            )
        last = len(within) + 1 == len(order)
        two = view == "heat" and not last
        shape = {"bars": "bar", "trend": "line"}.get(view, "row")
        boards.caption(
            "" if two else say(f"explorer.click_{shape}{'_list' if last else ''}", lang), reason
        )
        st.button(
            say("explorer.list", lang),
            key=f"cut_list_{lang}",
            type="tertiary",
            on_click=drilldown.open_cell,
            args=(metric, dict(path)),
        )


def answered(question: Question, before: date, lang: str) -> tuple[pd.DataFrame, pd.Series, str]:
    """The parts and the whole with their comparison and effects; without them, and why, where that cannot be told."""
    try:
        found = queries.cached_analysis(attribution.bridge, question, before)
    except UserError as refusal:
        return queries.ask(question), queries.ask(question.about(by=())).iloc[0], refusal.text(lang)
    whole = found.whole.copy()
    whole["change"], whole["effect"] = found.change, float(found.parts["effect"].sum())
    whole["rate_effect"], whole["mix_effect"] = found.rate, found.mix
    return found.parts, whole, ""


def ordered(parts: pd.DataFrame, sort: str, split: str, codes: Sequence[str]) -> pd.DataFrame:
    """The rows in the order asked for: largest effect, value or n first, or as the split is declared."""
    if sort == "name":
        place = {code: at for at, code in enumerate(codes)}
        return parts.sort_values(
            split, key=lambda column: column.map(lambda code: place.get(code, len(place)))
        )
    if sort == "effect":
        return (
            parts.assign(size=parts["effect"].abs())
            .sort_values("size", ascending=False)
            .drop(columns="size")
        )
    return parts.sort_values(sort, ascending=False, na_position="last")


def _down(
    metric: str, order: Sequence[str], within: Sequence[Cell], split: str, cell: dict[str, str]
) -> None:
    path = [*within, (split, cell[split])]
    if len(path) < len(order):
        go(path)
    else:
        drilldown.open_cell(metric, dict(path))


def _message(
    selection: Selection, metric: str, parts: pd.DataFrame, split: str, names, compared: bool
) -> str:
    lang, declared = selection.lang, METRICS[metric]
    known = parts[(parts["n"] >= MIN_GROUP_SIZE)]
    if not compared or known.empty:
        return declared.name[lang]
    top = known.loc[known["effect"].abs().idxmax()]
    effect = text.change(top["effect"], declared.unit, declared.better, lang)
    name = names.get(top[split], top[split])
    return say("explorer.title", lang, metric=declared.name[lang], name=name, effect=effect.words)


def _table(
    selection: Selection,
    metric: str,
    parts: pd.DataFrame,
    whole: pd.Series,
    split: str,
    names,
    within: Sequence[Cell],
    down,
) -> None:
    lang, declared, tone = selection.lang, METRICS[metric], theme_for(is_dark())
    rows = [*parts.to_dict("records"), whole.to_dict()]
    codes = [row.get(split) for row in rows]
    moved = [
        text.change(row.get("change"), declared.unit, declared.better, lang, bare=True)
        for row in rows
    ]
    effects = [
        text.change(row.get("effect"), declared.unit, declared.better, lang, bare=True)
        for row in rows
    ]
    few = [row["n"] < MIN_GROUP_SIZE for row in rows]
    points = "table.change_points" if declared.unit == "rate" else "table.change"
    shown = {
        "name": [
            say("table.total", lang) if code is None else names.get(code, code) for code in codes
        ],
        "value": [
            text.number(row["value"], declared.unit, lang)
            + (f" {say('figure.few', lang)}" if small else "")
            for row, small in zip(rows, few, strict=True)
        ],
        "before": [text.number(row.get("value_before"), declared.unit, lang) for row in rows],
        "change": [str(change) for change in moved],
        "effect": [str(effect) for effect in effects],
        "numerator": [text.number(row["numerator"], declared.measure, lang) for row in rows],
        "denominator": [
            text.number(row.get("denominator"), declared.measure, lang) for row in rows
        ],
        "n": [f"{int(row['n']):,}" for row in rows],
    }
    heads = {
        "name": queries.dimension_name(split, lang),
        "value": say("changes.value", lang),
        "before": say("changes.value_before", lang),
        "change": say(points, lang),
        "effect": say("changes.effect", lang),
        "numerator": say("definition.numerator", lang),
        "denominator": say("definition.denominator", lang),
        "n": "n",
    }
    if "effect" not in parts:
        for column in ("before", "change", "effect"):
            del shown[column], heads[column]
    if not declared.denominator_sql:
        for column in ("numerator", "denominator"):
            del shown[column], heads[column]
    frame = pd.DataFrame(shown)

    def paint(column: pd.Series) -> list[str]:
        told = {"change": moved, "effect": effects}.get(str(column.name))
        if told is None:
            return [f"color: {tone.grey}" if small else "" for small in few]
        return [
            f"color: {tone.grey if small else tone.of(m.verdict)}"
            for m, small in zip(told, few, strict=True)
        ]

    def clicked(at: int, _: str) -> None:
        if codes[at] is None:
            drilldown.open_cell(metric, dict(within))
        else:
            down({split: str(codes[at])})

    config = {
        name: st.column_config.Column(head, alignment="right") for name, head in heads.items()
    }
    config["name"] = st.column_config.TextColumn(heads["name"], pinned=True, width=150)
    drilldown.clickable_table(
        selection,
        f"cut_{split}_{lang}_{dict(selection.page_params).get('path', '')}",
        frame.style.apply(paint),
        clicked,
        height="content" if len(frame) <= 40 else 900,
        column_config=config,
        alt=declared.name[lang],
    )


def _bars(
    selection: Selection, question: Question, parts: pd.DataFrame, split: str, names, down
) -> None:
    declared = METRICS[question.metric]
    answer = queries.ask(question)
    kept = boards.largest_first(answer)
    whole = (
        queries.ask(question.about(by=()))["value"].iloc[0]
        if declared.unit not in ("money", "count")
        else None
    )
    figure = metric_charts.bars(
        kept,
        declared,
        split,
        names,
        selection.lang,
        dark=is_dark(),
        order=list(kept[split]),
        whole=whole,
    )
    chart.show(selection, "cut_bars", "", figure, answer, question, (split,), down)


def _trend(
    selection: Selection, question: Question, parts: pd.DataFrame, split: str, names, down
) -> None:
    answer = queries.ask(question.about(last=24))
    kept = list(parts.sort_values("n", ascending=False)[split].head(12))
    order = [code for code in names if code in kept]
    if "as_of" not in answer or not order:
        boards.caption(say("explorer.no_trend" if order else "figure.nobody", selection.lang))
        return
    figure = metric_charts.multiples(
        answer[answer[split].isin(kept)],
        METRICS[question.metric],
        split,
        names,
        selection.lang,
        dark=is_dark(),
        order=order,
    )
    chart.show(selection, "cut_trend", "", figure, answer, question.about(last=24), (split,), down)


def _heat(
    selection: Selection, metric: str, splits: tuple[str, str], within: Sequence[Cell]
) -> None:
    lang, declared = selection.lang, METRICS[metric]
    down, across = splits
    cells: dict[tuple[str | None, str | None], dict] = {}
    for by in (splits, (down,), (across,), ()):
        for row in queries.ask(question_of(selection, metric, by, within)).to_dict("records"):
            cells[row.get(down), row.get(across)] = row
    names = [queries.labels(split, lang, selection.scheme) for split in splits]
    # None is the total of a row or a column.
    rows: list[str | None] = [*(code for code in names[0] if (code, None) in cells), None]
    columns: list[str | None] = [*(code for code in names[1] if (None, code) in cells), None]
    inside = [row for (a, b), row in cells.items() if a is not None and b is not None]
    known = [
        row["value"]
        for row in inside
        if row["n"] >= MIN_GROUP_SIZE and not text.is_missing(row["value"])
    ]
    reach = max((abs(value) for value in known), default=0) or 1
    tint = "138, 184, 230" if is_dark() else "31, 78, 121"
    whole = say("table.total", lang)

    def said(cell) -> str:
        if cell is None:
            return text.NOTHING
        value = text.number(cell["value"], declared.unit, lang)
        return f"{value} {say('figure.few', lang)}" if cell["n"] < MIN_GROUP_SIZE else value

    frame = pd.DataFrame(
        {"name": [whole if code is None else names[0][code] for code in rows]}
        | {
            str(at): [said(cells.get((row, code))) for row in rows]
            for at, code in enumerate(columns)
        }
    )

    def paint(column: pd.Series) -> list[str]:
        code = columns[int(column.name)] if column.name != "name" else None
        told = [
            cells.get((row, code)) if row is not None and code is not None else None for row in rows
        ]
        return [
            ""
            if cell is None or cell["n"] < MIN_GROUP_SIZE or text.is_missing(cell["value"])
            else f"background-color: rgba({tint}, {0.05 + 0.4 * abs(cell['value']) / reach:.3f})"
            for cell in told
        ]

    def clicked(at: int, column: str) -> None:
        picked = {down: rows[at], across: columns[int(column)] if column != "name" else None}
        drilldown.open_cell(
            metric,
            dict(within) | {split: code for split, code in picked.items() if code is not None},
        )

    heads = [whole if code is None else names[1][code] for code in columns]
    config = {
        str(at): st.column_config.Column(head, alignment="right") for at, head in enumerate(heads)
    }
    config["name"] = st.column_config.TextColumn(
        queries.dimension_name(down, lang), pinned=True, width=150
    )
    drilldown.clickable_table(
        selection,
        f"cut_heat_{down}_{across}_{lang}",
        frame.style.apply(paint),
        clicked,
        height="content" if len(frame) <= 40 else 900,
        column_config=config,
        alt=declared.name[lang],
    )
    st.html(f'<p class="lp-note">{html.escape(say("explorer.heat", lang))}</p>')
