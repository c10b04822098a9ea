"""Plain tables: right-aligned numbers, rows of words, and lists of (name, value)."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say


def right_aligned(columns: Iterable[str]) -> dict[str, Any]:
    """Return the column settings of st.dataframe for columns of numbers."""
    return {column: st.column_config.Column(alignment="right") for column in columns}


def plain(
    words: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    alt: str,
    lang: str,
    *,
    right: Sequence[str] = (),
    **settings: Any,
) -> None:
    """Draw rows of words.

    `heads` are locale keys under `words`, those in `right` are right-aligned; `settings` go to
    st.dataframe.
    """
    heads_of = {head: say(f"{words}.{head}", lang) for head in heads}
    config = right_aligned(heads_of[head] for head in right)
    frame = pd.DataFrame([list(row) for row in rows], columns=list(heads_of.values()), dtype="str")
    st.dataframe(
        frame, hide_index=True, column_config=config, alt=alt, placeholder=text.NOTHING, **settings
    )


def pairs(title: str, rows: Sequence[tuple[str, str]], note: str = "") -> None:
    """Draw a list of (name, value) under a title."""
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    small = f'<p class="lp-note">{html.escape(note)}</p>' if note else ""
    st.html(
        f'<p class="lp-message">{html.escape(title)}</p>{small}'
        f'<div class="lp-define lp-pairs"><table>{lines}</table></div>'
    )
