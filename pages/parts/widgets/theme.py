"""The colour scheme of the page."""

from __future__ import annotations

import streamlit as st


def is_dark() -> bool:
    """Return whether the reader's page is dark."""
    return st.context.theme.type == "dark"


def tint() -> str:
    """Return the colour of shaded table cells as red, green, blue."""
    return "138, 184, 230" if is_dark() else "31, 78, 121"


def background(colour: str, alpha: float) -> str:
    """Return the style of a table cell shaded in a colour given as red, green, blue."""
    return f"background-color: rgba({colour}, {alpha:.3f})"
