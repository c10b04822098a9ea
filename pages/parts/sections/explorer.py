"""The explorer: a metric by up to three dimensions in any order, down to the list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import pandas as pd
import streamlit as st

from analytics.analysis import attribution
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS, MIN_GROUP_SIZE, Metric
from analytics.metrics.query import Question
from analytics.presentation import metric_charts
from analytics.presentation.theme import theme_for
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets import boards, chart, drilldown
from pages.parts.widgets.text import caption, escape_markdown, section_title
from pages.parts.widgets.theme import background, is_dark, tint

LEVELS = 3
VIEWS = ("table", "bars", "heat", "trend")
SORTS = ("effect", "value", "n", "name")
LINES = 24
Cell = tuple[str, str]


def dimensions_of(selection: Selection, metric: str) -> list[str]:
    """Return the dimensions that the metric supports and that have values."""
    declared = METRICS[metric]
    dimensions = ["class"] if declared.supports(None) else []
    return dimensions + [
        dimension.id
        for dimension in DIMENSIONS.values()
        if declared.supports(dimension)
        and set(queries.labels(dimension.id, selection.lang)) - {"unknown"}
    ]


def order_picker(selection: Selection, metric: str) -> list[str]:
    """Draw the choice of up to three dimensions; a change of order starts again at the top."""
    lang = selection.lang
    dimensions = dimensions_of(selection, metric)
    names = dict(selection.page_params).get("cut", "class,branch_1,product").split(",")
    valid = list(dict.fromkeys(name for name in names if name in dimensions))
    order = valid[:LEVELS] or dimensions[:1]
    with st.container(horizontal=True, gap="small"):
        for level in range(min(LEVELS, len(order) + 1)):
            above = order[:level]
            options = [name for name in dimensions if name not in above]
            none = ["none"] if level else []
            key = f"cut_{level}_{lang}"
            st.session_state[key] = order[level] if level < len(order) else "none"

            def write_url(level: int = level, key: str = key) -> None:
                name = st.session_state[key]
                new_order = order[:level]
                if name != "none":
                    new_order += [name, *(o for o in order[level + 1 :] if o != name)]
                set_param(cut=",".join(new_order), path=None)

            st.selectbox(
                say("explorer.level", lang, level=level + 1),
                [*none, *options],
                key=key,
                on_change=write_url,
                width=240,
                format_func=lambda id: (
                    say("explorer.none", lang) if id == "none" else queries.dimension_name(id, lang)
                ),
            )
    return order


def path_of(selection: Selection, order: Sequence[str]) -> list[Cell]:
    """Return the path from the URL as (dimension, code) per level, up to the first invalid part."""
    path: list[Cell] = []
    for part, dimension in zip(
        dict(selection.page_params).get("path", "").split("~"), order, strict=False
    ):
        name, _, code = part.partition(":")
        if name != dimension or code not in queries.labels(dimension, "en", selection.scheme):
            break
        path.append((dimension, code))
    return path


def go(path: Sequence[Cell]) -> None:
    """Go to a cell. For callbacks."""
    set_param(path="~".join(f"{dimension}:{code}" for dimension, code in path) or None)


def breadcrumb(selection: Selection, path: Sequence[Cell]) -> None:
    """Draw the path from the whole bank to the current cell, each step a button back."""
    lang = selection.lang
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for place in range(len(path) + 1):
            name = say("explorer.whole", lang)
            if place:
                dimension, code = path[place - 1]
                label = queries.labels(dimension, lang, selection.scheme)[code]
                name = f"{queries.dimension_name(dimension, lang)} · {label}"
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
    """Return the question about the metric by the dimensions within the path."""
    question = queries.question_for(selection, metric, tuple(by), compare=False)
    return question.about(
        where=(*question.where, *((dimension, (code,)) for dimension, code in path))
    )


def level(
    selection: Selection,
    metric: str,
    order: Sequence[str],
    path: Sequence[Cell],
    before: date,
    view: str,
) -> None:
    """Draw one level: its parts in the selected view, each with a way down."""
    lang = selection.lang
    deep = len(path) == len(order)
    dimension = order[len(path)] if not deep else order[-1]
    within = list(path) if not deep else list(path[:-1])
    with boards.guarded_section(selection, metric):
        question = question_of(selection, metric, (dimension,), within)
        parts, whole, reason = compare_parts(question, before, lang)
        compared = not reason
        names = queries.labels(dimension, lang, selection.scheme)
        down = partial(_down, metric, order, within, dimension)
        section_title(_message(selection, metric, parts, dimension, names, compared))
        if view == "bars":
            _bars(selection, question, parts, dimension, names, down)
        elif view == "heat" and len(order) > len(within) + 1:
            _heat(selection, metric, (dimension, order[len(within) + 1]), within)
        elif view == "trend":
            _trend(selection, question, parts, dimension, names, down)
        else:
            if view == "heat":
                caption(say("explorer.two", lang))
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
                sort_parts(parts, sort, dimension, list(names)),
                whole,
                dimension,
                names,
                within,
                down,
            )
        is_last = len(within) + 1 == len(order)
        hint = ""
        if is_last or view != "heat":
            mark = {"bars": "bar", "trend": "line"}.get(view, "row")
            hint = say(f"explorer.click_{mark}_list" if is_last else f"explorer.click_{mark}", lang)
        caption(hint, reason)
        st.button(
            say("explorer.list", lang),
            key=f"cut_list_{lang}",
            type="tertiary",
            on_click=drilldown.open_cell,
            args=(metric, dict(path)),
        )


def compare_parts(
    question: Question, before: date, lang: str
) -> tuple[pd.DataFrame, pd.Series, str]:
    """Return parts and total with comparison and effects, and an empty reason.

    Where a comparison is not possible: parts and total alone, and the reason.
    """
    try:
        result = queries.cached_analysis(attribution.bridge, question, before)
    except UserError as refusal:
        return queries.ask(question), queries.ask(question.about(by=())).iloc[0], refusal.text(lang)
    whole = result.whole.copy()
    whole["change"] = result.change
    whole["effect"] = float(result.parts["effect"].sum())
    whole["rate_effect"] = result.rate
    whole["mix_effect"] = result.mix
    return result.parts, whole, ""


def sort_parts(
    parts: pd.DataFrame, sort: str, dimension: str, codes: Sequence[str]
) -> pd.DataFrame:
    """Return the rows by effect, value or n, largest first, or in the order of `codes`."""
    if sort == "name":
        place = {code: at for at, code in enumerate(codes)}
        return parts.sort_values(
            dimension, key=lambda column: column.map(lambda code: place.get(code, len(place)))
        )
    if sort == "effect":
        return (
            parts.assign(size=parts["effect"].abs())
            .sort_values("size", ascending=False)
            .drop(columns="size")
        )
    return parts.sort_values(sort, ascending=False, na_position="last")


def _down(
    metric: str, order: Sequence[str], within: Sequence[Cell], dimension: str, cell: dict[str, str]
) -> None:
    path = [*within, (dimension, cell[dimension])]
    if len(path) < len(order):
        go(path)
    else:
        drilldown.open_cell(metric, dict(path))


def _message(
    selection: Selection,
    metric: str,
    parts: pd.DataFrame,
    dimension: str,
    names: Mapping[str, str],
    compared: bool,
) -> str:
    lang = selection.lang
    declared = METRICS[metric]
    large = parts[(parts["n"] >= MIN_GROUP_SIZE)]
    if not compared or large.empty:
        return declared.name[lang]
    top = large.loc[large["effect"].abs().idxmax()]
    effect = text.change(top["effect"], declared.unit, declared.better, lang)
    name = names.get(top[dimension], top[dimension])
    return say("explorer.title", lang, metric=declared.name[lang], name=name, effect=effect.words)


# Column of the table → locale key of its head; the name of the rows comes first.
_HEADS = {
    "value": "changes.value",
    "before": "changes.value_before",
    "change": "table.change",
    "effect": "changes.effect",
    "numerator": "definition.numerator",
    "denominator": "definition.denominator",
}


def _table(
    selection: Selection,
    metric: str,
    parts: pd.DataFrame,
    whole: pd.Series,
    dimension: str,
    names: Mapping[str, str],
    within: Sequence[Cell],
    down: Callable[[dict[str, str]], None],
) -> None:
    lang = selection.lang
    declared = METRICS[metric]
    tone = theme_for(is_dark())
    rows = [*parts.to_dict("records"), whole.to_dict()]
    codes = [row.get(dimension) for row in rows]
    is_small = [row["n"] < MIN_GROUP_SIZE for row in rows]
    changes = {column: _changes(rows, column, declared, lang) for column in ("change", "effect")}
    hidden: list[str] = []
    if "effect" not in parts:
        hidden += ["before", "change", "effect"]
    if not declared.denominator_sql:
        hidden += ["numerator", "denominator"]
    columns = _table_columns(rows, changes, declared, lang)
    names_of_rows = [_row_name(code, names, lang) for code in codes]
    frame = pd.DataFrame({"name": names_of_rows} | columns).drop(columns=hidden)

    def paint(column: pd.Series) -> list[str]:
        if column.name not in changes:
            return [f"color: {tone.grey}" if small else "" for small in is_small]
        verdicts = [change.verdict for change in changes[str(column.name)]]
        return [
            f"color: {tone.grey if small else tone.verdict_colour(verdict)}"
            for verdict, small in zip(verdicts, is_small, strict=True)
        ]

    def open_row(row: int, _: str) -> None:
        if codes[row] is None:
            drilldown.open_cell(metric, dict(within))
        else:
            down({dimension: str(codes[row])})

    heads = {column: say(key, lang) for column, key in _HEADS.items()} | {"n": "n"}
    if declared.unit == "rate":
        heads["change"] = say("table.change_points", lang)
    config = {
        column: st.column_config.Column(head, alignment="right")
        for column, head in heads.items()
        if column not in hidden
    }
    dimension_name = queries.dimension_name(dimension, lang)
    config["name"] = st.column_config.TextColumn(dimension_name, pinned=True, width=150)
    drilldown.clickable_table(
        selection,
        f"cut_{dimension}_{lang}_{dict(selection.page_params).get('path', '')}",
        frame.style.apply(paint),
        open_row,
        height="content" if len(frame) <= 40 else 900,
        column_config=config,
        alt=declared.name[lang],
    )


def _row_name(code: str | None, names: Mapping[str, str], lang: str) -> str:
    return say("table.total", lang) if code is None else names.get(code, code)


def _changes(rows: Sequence[dict], column: str, metric: Metric, lang: str) -> list[text.Change]:
    return [
        text.change(row.get(column), metric.unit, metric.better, lang, bare=True) for row in rows
    ]


def _value(row: dict, metric: Metric, lang: str) -> str:
    value = text.number(row["value"], metric.unit, lang)
    return f"{value} {say('figure.few', lang)}" if row["n"] < MIN_GROUP_SIZE else value


def _table_columns(
    rows: Sequence[dict],
    changes: Mapping[str, Sequence[text.Change]],
    metric: Metric,
    lang: str,
) -> dict[str, list[str]]:
    def numbers(column: str, unit: str) -> list[str]:
        return [text.number(row.get(column), unit, lang) for row in rows]

    return {
        "value": [_value(row, metric, lang) for row in rows],
        "before": numbers("value_before", metric.unit),
        "change": [str(change) for change in changes["change"]],
        "effect": [str(effect) for effect in changes["effect"]],
        "numerator": numbers("numerator", metric.measure),
        "denominator": numbers("denominator", metric.measure),
        "n": [f"{int(row['n']):,}" for row in rows],
    }


def _bars(
    selection: Selection,
    question: Question,
    parts: pd.DataFrame,
    dimension: str,
    names: Mapping[str, str],
    down: Callable[[dict[str, str]], None],
) -> None:
    declared = METRICS[question.metric]
    answer = queries.ask(question)
    bars = boards.largest_first(answer)
    whole = (
        queries.ask(question.about(by=()))["value"].iloc[0]
        if declared.unit not in ("money", "count")
        else None
    )
    figure = metric_charts.bars(
        bars,
        declared,
        dimension,
        names,
        selection.lang,
        dark=is_dark(),
        order=list(bars[dimension]),
        whole=whole,
    )
    chart.show(selection, "cut_bars", "", figure, answer, question, (dimension,), down)


def _trend(
    selection: Selection,
    question: Question,
    parts: pd.DataFrame,
    dimension: str,
    names: Mapping[str, str],
    down: Callable[[dict[str, str]], None],
) -> None:
    answer = queries.ask(question.about(last=24))
    codes = list(parts.sort_values("n", ascending=False)[dimension].head(12))
    order = [code for code in names if code in codes]
    if "as_of" not in answer or not order:
        caption(say("explorer.no_trend" if order else "figure.nobody", selection.lang))
        return
    figure = metric_charts.multiples(
        answer[answer[dimension].isin(codes)],
        METRICS[question.metric],
        dimension,
        names,
        selection.lang,
        dark=is_dark(),
        order=order,
    )
    chart.show(
        selection, "cut_trend", "", figure, answer, question.about(last=24), (dimension,), down
    )


@dataclass(frozen=True)
class _Heatmap:
    """Two dimensions crossed; None is the code of a total.

    `cells` maps (row code, column code) to a row of the answer.
    """

    metric: Metric
    rows: Sequence[str | None]
    columns: Sequence[str | None]
    cells: Mapping[tuple[str | None, str | None], dict]

    def words(self, row: str | None, column: str | None, lang: str) -> str:
        cell = self.cells.get((row, column))
        return text.NOTHING if cell is None else _value(cell, self.metric, lang)

    def shade(self, row: str | None, column: str | None, largest: float) -> str:
        cell = self.cells.get((row, column))
        if row is None or column is None or cell is None or not _is_comparable(cell):
            return ""
        return background(tint(), 0.05 + 0.4 * abs(cell["value"]) / largest)

    def largest(self) -> float:
        """The largest absolute value of the shaded cells; 1 where there is none."""
        values = [
            abs(cell["value"])
            for codes, cell in self.cells.items()
            if None not in codes and _is_comparable(cell)
        ]
        return max(values, default=0) or 1


def _is_comparable(cell: dict) -> bool:
    return cell["n"] >= MIN_GROUP_SIZE and not text.is_missing(cell["value"])


def _heatmap(
    selection: Selection, metric: str, dimensions: tuple[str, str], within: Sequence[Cell]
) -> _Heatmap:
    lang = selection.lang
    down, across = dimensions
    cells: dict[tuple[str | None, str | None], dict] = {}
    for by in (dimensions, (down,), (across,), ()):
        for row in queries.ask(question_of(selection, metric, by, within)).to_dict("records"):
            cells[row.get(down), row.get(across)] = row
    row_codes = queries.labels(down, lang, selection.scheme)
    column_codes = queries.labels(across, lang, selection.scheme)
    rows = [code for code in row_codes if (code, None) in cells]
    columns = [code for code in column_codes if (None, code) in cells]
    return _Heatmap(METRICS[metric], (*rows, None), (*columns, None), cells)


def _heat(
    selection: Selection, metric: str, dimensions: tuple[str, str], within: Sequence[Cell]
) -> None:
    lang = selection.lang
    down, across = dimensions
    heatmap = _heatmap(selection, metric, dimensions, within)
    rows = heatmap.rows
    columns = heatmap.columns
    largest = heatmap.largest()
    row_names = queries.labels(down, lang, selection.scheme)
    column_names = queries.labels(across, lang, selection.scheme)
    frame = pd.DataFrame({"name": [_row_name(code, row_names, lang) for code in rows]})
    for place, code in enumerate(columns):
        frame[str(place)] = [heatmap.words(row, code, lang) for row in rows]

    def paint(column: pd.Series) -> list[str]:
        if column.name == "name":
            return [""] * len(rows)
        code = columns[int(str(column.name))]
        return [heatmap.shade(row, code, largest) for row in rows]

    def open_list(row: int, column: str) -> None:
        codes = {down: rows[row], across: None if column == "name" else columns[int(column)]}
        cell = {dimension: code for dimension, code in codes.items() if code is not None}
        drilldown.open_cell(metric, dict(within) | cell)

    config = {}
    for place, code in enumerate(columns):
        head = _row_name(code, column_names, lang)
        config[str(place)] = st.column_config.Column(head, alignment="right")
    dimension_name = queries.dimension_name(down, lang)
    config["name"] = st.column_config.TextColumn(dimension_name, pinned=True, width=150)
    drilldown.clickable_table(
        selection,
        f"cut_heat_{down}_{across}_{lang}",
        frame.style.apply(paint),
        open_list,
        height="content" if len(frame) <= 40 else 900,
        column_config=config,
        alt=METRICS[metric].name[lang],
    )
    caption(say("explorer.heat", lang))
