"""The header of every page: selectors, applied filters, and the edition that is shown."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS
from data.editions.reader import Warehouse
from pages.parts.state import queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import (
    COMPARE,
    Selection,
    available_openings,
    filter_by,
    update_selection,
)
from pages.parts.widgets.text import caption, escape_markdown

MORE = (
    "family",
    "channel",
    "guarantee",
    "customer_kind",
    "employment",
    "age_band",
    "payroll",
    "credit_grade",
)


def show(selection: Selection, served: Warehouse, title: str) -> None:
    """Draw title, edition and data date, selectors, and chips of the applied filters."""
    lang = selection.lang
    edition = served.edition
    from_where = say(
        "head.edition",
        lang,
        edition=edition.id[:8],
        as_of=text.day(queries.edition_as_of(edition), lang),
        source=edition.source,
        currency=queries.currency_unit(lang),
    )
    st.html(
        f'<p class="lp-title">{html.escape(title)}</p>'
        f'<p class="lp-edition">{html.escape(from_where)}</p>'
    )
    if served.degraded_reason:
        st.warning(say("app.alarm", lang, reason=served.degraded_reason.text(lang)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _select(
            "as_of",
            list(reversed(queries.selection_options().months)),
            selection.as_of,
            lambda day: text.month(day, lang),
            130,
            lang,
        )
        _select(
            "compare", COMPARE, selection.compare, lambda code: say(f"head.{code}", lang), 150, lang
        )
        _select(
            "scheme",
            list(queries.schemes()),
            selection.scheme,
            lambda code: queries.scheme_name(code, lang),
            215,
            lang,
        )
        _select(
            "opening",
            available_openings(queries.selection_options()),
            selection.opening,
            lambda months: say(f"head.opening_{months}", lang),
            140,
            lang,
        )
        _branches(selection)
        _more(selection)
    if selection.opening == 0:
        caption(say("head.opening_0_note", lang))
    _chips(selection)


def _select(
    field: str,
    options: Sequence[Any],
    value: Any,
    words: Callable[[Any], str],
    width: int,
    lang: str,
) -> None:
    # One key per language: a select box keeps the labels that it was created with.
    key = f"head_{field}_{lang}"
    st.session_state[key] = value

    def write_url() -> None:
        update_selection(**{field: st.session_state[key]})

    st.selectbox(
        say(f"head.{field}", lang),
        options,
        key=key,
        format_func=words,
        on_change=write_url,
        width=width,
        placeholder=say("head.choose", lang),
    )


def _branches(selection: Selection) -> None:
    """Draw one selector per level of the branch tree, down to one below the selected branch."""
    tree = queries.branch_tree()
    lang = selection.lang
    for level in range(min(len(selection.branch) + 1, 3)):
        above = selection.branch[:level]
        options = [
            code
            for code, branch in tree.items()
            if len(branch.path) == level + 1 and branch.path[:level] == above
        ]
        if not options:
            return
        key = f"head_branch_{level}_{lang}_{'/'.join(above)}"
        st.session_state[key] = selection.branch[level] if len(selection.branch) > level else ""

        def write_url(key: str = key, above: tuple[str, ...] = above) -> None:
            code_below = st.session_state[key]
            update_selection(branch=(*above, code_below) if code_below else above)

        st.selectbox(
            DIMENSIONS[f"branch_{level + 1}"].name[lang],
            ["", *options],
            key=key,
            on_change=write_url,
            width=150,
            format_func=lambda code: (
                tree[code].name(lang) if code else say("head.all_branches", lang)
            ),
        )


def _more(selection: Selection) -> None:
    lang = selection.lang
    with st.popover(say("head.more", lang)):
        for column in MORE:
            words = queries.labels(column, lang)
            if not words:
                continue
            key = f"head_where_{column}_{lang}"
            st.session_state[key] = list(dict(selection.where).get(column, ()))

            def write_url(key: str = key, column: str = column) -> None:
                filter_by(column, st.session_state[key])

            st.multiselect(
                DIMENSIONS[column].name[lang],
                list(words),
                key=key,
                format_func=lambda code, words=words: words.get(code, code),
                on_change=write_url,
                placeholder=say("head.choose", lang),
                width=260,
            )


def _chips(selection: Selection) -> None:
    applied = applied_filters(selection)
    if not applied:
        return
    lang = selection.lang
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.html(f'<p class="lp-note">{html.escape(say("head.applied", lang))}</p>', width="content")
        for column, words in applied:
            drop = (
                {"branch": ()}
                if column == "branch"
                else {"where": tuple(e for e in selection.where if e[0] != column)}
            )
            st.button(
                f"{escape_markdown(words)} ✕",
                key=f"chip_{column}",
                on_click=update_selection,
                kwargs=drop,
                help=say("head.remove", lang, label=escape_markdown(words)),
            )
        st.button(
            say("head.reset", lang),
            key="chip_reset",
            type="tertiary",
            on_click=update_selection,
            kwargs={"branch": (), "where": ()},
        )
