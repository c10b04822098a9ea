"""Plain text on a page: small print, titles, and labels that are read as Markdown."""

from __future__ import annotations

import html

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE


def escape_markdown(words: str) -> str:
    """Escape whatever a label that Streamlit reads as Markdown could take for markup."""
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+-.!|<>:$~" else mark for mark in words)


def mark_small_group(words: str, n: float, lang: str) -> str:
    """Return the words, marked where a group of `n` is too small to be interpreted."""
    return f"{words} {say('figure.few', lang)}" if n < MIN_GROUP_SIZE else words


def caption(*sentences: str) -> None:
    """Draw small print."""
    words = " ".join(html.escape(sentence) for sentence in sentences if sentence)
    if words:
        st.html(f'<p class="lp-note">{words}</p>')


def section_title(title: str) -> None:
    """Draw the title of a board that draws no chart of its own."""
    st.html(f'<p class="lp-message">{html.escape(title)}</p>')
