"""The colour scheme of the page."""

from __future__ import annotations

import streamlit as st


def is_dark() -> bool:
    """Whether the reader's page is dark."""
    return st.context.theme.type == "dark"
