"""Plain text on a page: small print, titles, and labels that are read as Markdown."""

from __future__ import annotations

import html

import streamlit as st


def escape_markdown(words: str) -> str:
    """Escape whatever a label that Streamlit reads as Markdown could take for markup."""
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+-.!|<>:$~" else mark for mark in words)


def caption(*sentences: str) -> None:
    """Draw small print."""
    words = " ".join(html.escape(sentence) for sentence in sentences if sentence)
    if words:
        st.html(f'<p class="lp-note">{words}</p>')


def section_title(title: str) -> None:
    """Draw the title of a board that draws no chart of its own."""
    st.html(f'<p class="lp-message">{html.escape(title)}</p>')
