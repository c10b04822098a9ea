"""The frame of every page: configuration, language, menu and header; then the page itself."""

from __future__ import annotations

import html
from pathlib import Path

import streamlit as st

from analytics.i18n.text import LANGUAGES, say
from data.errors import UserError
from pages.parts.app import header
from pages.parts.app.security_headers import LANGUAGE_SCRIPTS
from pages.parts.state import navigation, queries
from pages.parts.state.selection import (
    describe_corrections,
    link_params,
    sync_with_url,
    update_selection,
)
from pages.parts.widgets import drilldown

_CSS = f"<style>{(Path(__file__).parent / 'style.css').read_text('utf-8')}</style>"


def show() -> None:
    """Run the script once: frame and page."""
    lang = _language()
    st.set_page_config(
        page_title=say("app.name", lang), layout="wide", initial_sidebar_state="auto"
    )
    st.html(_CSS)
    sections = navigation.pages(lang)
    every_page = [page for pages in sections.values() for page in pages.values()]
    page = st.navigation(every_page, position="hidden")
    try:
        served = queries.refresh()
        selection, corrections = sync_with_url(queries.selection_options(), page.url_path)
        if selection.lang != lang:
            st.rerun()
        _set_document_language(selection.lang)
        _sidebar(sections, selection.lang)
        header.show(selection, served, page.title)
        corrections += drilldown.problems(selection)
        if corrections:
            st.info(describe_corrections(corrections, selection.lang))
        drilldown.show(selection)
        page.run()
    except queries.EditionChanged:
        st.rerun()
    except UserError as refusal:
        if _has_edition():
            st.warning(refusal.text(lang))
        else:
            _no_edition(refusal, lang)


def _language() -> str:
    """Return the language of the URL, else of the session, else Chinese."""
    requested = st.query_params.get("lang")
    if requested in LANGUAGES:
        return requested
    return st.session_state.get("lang", LANGUAGES[0])


def _set_document_language(lang: str) -> None:
    """Set the language of the document, which fonts, screen readers and hyphenation follow."""
    st.html(f"<script>{LANGUAGE_SCRIPTS[lang]}</script>", unsafe_allow_javascript=True)


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
                st.page_link(page, query_params=link_params())
        st.button(
            say("app.other_language", lang),
            key="language",
            type="tertiary",
            help=say("app.choose_language", lang),
            on_click=update_selection,
            kwargs={"lang": other},
        )


def _has_edition() -> bool:
    try:
        queries.warehouse()
    except UserError:
        return False
    return True


def _no_edition(refusal: UserError, lang: str) -> None:
    """Say how to load a delivery; where there are editions, why none of them can be served."""
    st.title(say("app.name", lang))
    if refusal.code == "no_edition":
        st.text(say("app.no_edition", lang))
    else:
        st.warning(refusal.text(lang))
    st.code(say("app.no_edition_help", lang, home=queries.home().name), language=None)
