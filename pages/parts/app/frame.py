"""The frame around every page: configuration, language, menu, header; then the page itself."""

from __future__ import annotations

import html
from pathlib import Path

import streamlit as st

from analytics.i18n.text import LANGUAGES, half, say
from data.errors import Refused
from pages.parts.app import header, server
from pages.parts.state import navigation, queries, selection
from pages.parts.widgets import drilldown

_CSS = f"<style>{(Path(__file__).parent / 'style.css').read_text('utf-8')}</style>"


def show() -> None:
    """One run of the script."""
    lang = _language()
    st.set_page_config(page_title=say("app.name", lang), layout="wide", initial_sidebar_state="auto")
    st.html(_CSS)
    sections = navigation.pages(lang)
    everything = [page for pages in sections.values() for page in pages.values()]
    if not everything:
        return _no_edition(lang)
    page = st.navigation(everything, position="hidden")
    try:
        served = queries.refresh()
        here, problems = selection.sync(queries.offer(), page.url_path)
        if here.lang != lang:
            st.rerun()
        _speak(here.lang)
        _sidebar(sections, here.lang)
        header.show(here, served, page.title)
        problems += drilldown.problems(here)
        if problems:
            st.info(selection.said(problems, here.lang))
        drilldown.show(here)
        page.run()
    except queries.Moved:
        st.rerun()
    except Refused as refusal:
        _no_edition(lang) if not _has_edition() else st.warning(half(refusal, lang))


def _language() -> str:
    """The language of the URL when it names one; else of the session; Chinese at first."""
    asked = st.query_params.get("lang")
    return asked if asked in LANGUAGES else st.session_state.get("lang", LANGUAGES[0])


def _speak(lang: str) -> None:
    """Tell the browser which language it reads: fonts, screen readers and hyphenation follow it."""
    st.html(f"<script>{server.LANGUAGE_SCRIPTS[lang]}</script>", unsafe_allow_javascript=True)


def _sidebar(sections: dict[str, dict[str, st.Page]], lang: str) -> None:
    other = next(code for code in LANGUAGES if code != lang)
    with st.sidebar:
        st.html(
            f'<p class="lp-brand">{html.escape(say("app.name", lang))}'
            f"<small>{html.escape(say('app.name', other))}</small></p>"
        )
        for section, pages in sections.items():
            st.html(f'<p class="lp-section">{html.escape(say(f"menu.{section}", lang))}</p>')
            for page in pages.values():
                st.page_link(page, query_params=selection.carried())
        st.button(
            say("app.other_language", lang),
            key="language",
            type="tertiary",
            help=say("app.choose_language", lang),
            on_click=selection.change,
            kwargs={"lang": other},
        )


def _has_edition() -> bool:
    try:
        queries.bank()
    except Refused:
        return False
    return True


def _no_edition(lang: str) -> None:
    st.title(say("app.name", lang))
    st.text(say("app.no_edition", lang))
    st.code(say("app.no_edition_help", lang, home=queries.home().name), language=None)
