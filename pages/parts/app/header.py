"""The header of every page: what is looked at, in words and selectors, and the edition it comes from."""

from __future__ import annotations

import html

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import SPLITS
from data.editions.engine import Warehouse
from pages.parts.state import queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import (
    COMPARE,
    Selection,
    available_openings,
    filter_by,
    update_selection,
)
from pages.parts.widgets.text import escape_markdown

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
    """Title, selectors, chips of the applied filters with a reset, edition and data date."""
    lang, edition = selection.lang, served.edition
    from_where = say(
        "head.edition",
        lang,
        edition=edition.id[:8],
        as_of=text.day(edition.as_of, lang),
        source=edition.source,
    )
    st.html(f'<p class="lp-title">{html.escape(title)}</p><p class="lp-edition">{html.escape(from_where)}</p>')
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
        _select("compare", COMPARE, selection.compare, lambda code: say(f"head.{code}", lang), 150, lang)
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
        st.html(f'<p class="lp-note">{html.escape(say("head.opening_0_note", lang))}</p>')
    _chips(selection)


def _select(field: str, options, value, words, width: int, lang: str) -> None:
    # A key per language: a selectbox keeps the labels it was born with.
    key = f"head_{field}_{lang}"
    st.session_state[key] = value

    def chosen() -> None:
        update_selection(**{field: st.session_state[key]})

    st.selectbox(
        say(f"head.{field}", lang),
        options,
        key=key,
        format_func=words,
        on_change=chosen,
        width=width,
        placeholder=say("head.choose", lang),
    )


def _branches(selection: Selection) -> None:
    """One selector per level of the tree, as deep as the path chosen so far and one further."""
    tree, lang = queries.branch_tree(), selection.lang
    for level in range(min(len(selection.branch) + 1, 3)):
        above = selection.branch[:level]
        options = [
            code for code, branch in tree.items() if len(branch.path) == level + 1 and branch.path[:level] == above
        ]
        if not options:
            return
        key = f"head_branch_{level}_{lang}_{'/'.join(above)}"
        st.session_state[key] = selection.branch[level] if len(selection.branch) > level else ""

        def chosen(key: str = key, above: tuple[str, ...] = above) -> None:
            picked = st.session_state[key]
            update_selection(branch=(*above, picked) if picked else above)

        st.selectbox(
            SPLITS[f"branch_{level + 1}"].name[lang],
            ["", *options],
            key=key,
            on_change=chosen,
            width=150,
            format_func=lambda code: tree[code].name(lang) if code else say("head.all_branches", lang),
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

            def chosen(key: str = key, column: str = column) -> None:
                filter_by(column, st.session_state[key])

            st.multiselect(
                SPLITS[column].name[lang],
                list(words),
                key=key,
                format_func=lambda code, words=words: words.get(code, code),
                on_change=chosen,
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
                {"branch": ()} if column == "branch" else {"where": tuple(e for e in selection.where if e[0] != column)}
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
