"""The frame around every page: configuration, language, menu, header; then the page itself."""

from __future__ import annotations

import html
from pathlib import Path

import streamlit as st

from analytics.text import LANGUAGES, half, say
from data.engine import Refused
from pages.parts import bank, choice, drill, header, menu, shell

_CSS = f"<style>{(Path(__file__).parent / 'look.css').read_text('utf-8')}</style>"


def show() -> None:
    """One run of the script."""
    lang = _language()
    st.set_page_config(page_title=say("app.name", lang), layout="wide", initial_sidebar_state="auto")
    st.html(_CSS)
    sections = menu.pages(lang)
    everything = [page for pages in sections.values() for page in pages.values()]
    if not everything:
        return _no_edition(lang)
    page = st.navigation(everything, position="hidden")
    try:
        served = bank.refresh()
        here, problems = choice.sync(bank.offer(), page.url_path)
        if here.lang != lang:
            st.rerun()
        _speak(here.lang)
        _sidebar(sections, here.lang)
        header.show(here, served, page.title)
        problems += drill.problems(here)
        if problems:
            st.info(choice.said(problems, here.lang))
        drill.show(here)
        page.run()
    except bank.Moved:
        st.rerun()
    except Refused as refusal:
        _no_edition(lang) if not _has_edition() else st.warning(half(refusal, lang))


def _language() -> str:
    """The language of the URL when it names one; else of the session; Chinese at first."""
    asked = st.query_params.get("lang")
    return asked if asked in LANGUAGES else st.session_state.get("lang", LANGUAGES[0])


def _speak(lang: str) -> None:
    """Tell the browser which language it reads: fonts, screen readers and hyphenation follow it."""
    st.html(f"<script>{shell.LANGUAGE_SCRIPTS[lang]}</script>", unsafe_allow_javascript=True)


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
                st.page_link(page, query_params=choice.carried())
        st.button(
            say("app.other_language", lang),
            key="language",
            type="tertiary",
            help=say("app.choose_language", lang),
            on_click=choice.change,
            kwargs={"lang": other},
        )


def _has_edition() -> bool:
    try:
        bank.bank()
    except Refused:
        return False
    return True


def _no_edition(lang: str) -> None:
    st.title(say("app.name", lang))
    st.text(say("app.no_edition", lang))
    st.code(say("app.no_edition_help", lang, home=bank.home().name), language=None)
