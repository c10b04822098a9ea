"""A matrix of moves as a table: from the rows to the columns, tinted by share, with its sums; a cell opens its list."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analytics.analysis import migration
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, drilldown, move_drilldown
from pages.parts.widgets.theme import is_dark

MEASURES = ("share", "n", "balance_before", "balance")
_SUM = "sum"


def show(
    selection: Selection,
    key: str,
    title: str,
    frame: pd.DataFrame,
    states: Sequence[str],
    names: Mapping[str, str],
    measure: str,
) -> None:
    """`frame` as `moves.matrix` gives it; `states` in their order; `measure` one of MEASURES."""
    lang = selection.lang
    rows = [
        code
        for code in (*states, migration.JOINED, migration.MOVED_IN)
        if code in set(frame["before"])
    ]
    columns = [code for code in (*states, *migration.EXITS) if code in set(frame["after"])]
    sums = frame.pivot_table(
        index="before", columns="after", values=["n", "balance_before", "balance"], aggfunc="sum"
    )
    counted = sums["n"].reindex(index=rows, columns=columns).fillna(0)
    amounts = (
        counted
        if measure in ("n", "share")
        else sums[measure].reindex(index=rows, columns=columns).fillna(0)
    )
    whole = amounts.assign(**{_SUM: amounts.sum(axis=1)})
    whole.loc[_SUM] = whole.sum()
    # Who joins comes from nowhere: a share of them is the make-up of the newcomers, and is shown as one.
    shares = whole.div(whole[_SUM].where(whole[_SUM] > 0), axis=0)
    shown = shares.drop(columns=_SUM) if measure == "share" else whole
    shown = shown.drop(index=_SUM) if measure == "share" else shown
    few = set(counted.index[counted.sum(axis=1) < MIN_GROUP_SIZE])
    unit = {"share": "rate", "n": "count"}.get(measure, "money")
    head = [names.get(code, say("table.total", lang)) for code in shown.columns]
    n_head = say("migration.opening_n", lang)
    cells = pd.DataFrame(
        [
            [text.number(value, unit, lang) if value else text.NOTHING for value in line]
            for line in shown.to_numpy()
        ],
        columns=[str(code) for code in shown.columns],
    )
    cells.insert(0, "name", [names.get(code, say("table.total", lang)) for code in shown.index])
    if measure == "share":
        cells["opening_n"] = [
            f"{int(counted.loc[code].sum()):,}"
            + (f" {say('figure.few', lang)}" if code in few else "")
            for code in shown.index
        ]
    tint = "138, 184, 230" if is_dark() else "31, 78, 121"

    def paint(column: pd.Series) -> list[str]:
        if column.name not in shares.columns or column.name == _SUM:
            return [""] * len(column)
        depths = [
            shares[column.name].get(code, 0.0) if code != _SUM else 0.0 for code in shown.index
        ]
        return [
            ""
            if depth != depth or depth == 0
            else f"background-color: rgba({tint}, {0.06 + 0.34 * depth:.3f})"
            for depth in depths
        ]

    def clicked(at: int, column: str) -> None:
        code = shown.index[at]
        picked = {} if code == _SUM else {"before": code}
        if column in columns:
            picked["after"] = column
        if picked:
            move_drilldown.open_move(picked)

    boards.section_title(title)
    config = {
        "name": st.column_config.TextColumn(say("migration.from_to", lang), pinned=True, width=130)
    }
    config |= {
        str(c): st.column_config.Column(h, alignment="right")
        for c, h in zip(shown.columns, head, strict=True)
    }
    config["opening_n"] = st.column_config.Column(
        n_head, alignment="right", width=110 if few else "small"
    )
    drilldown.clickable_table(
        selection,
        f"{key}_{measure}_{lang}",
        cells.style.apply(paint),
        clicked,
        height="content",
        column_config=config,
        alt=title,
    )
    st.html(f'<p class="lp-note">{html.escape(say("migration.click", lang))}</p>')
