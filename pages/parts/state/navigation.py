"""The menu: sections and their pages, in the order of the product."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from analytics.i18n.text import say

PAGES_FOLDER = Path(__file__).parents[2]
HOME_PAGE = "overview"
SECTIONS = {
    "overall": ("overview", "tiers", "overdue", "reloan", "contribution"),
    "analysis": ("changes", "migration", "segments", "explorer", "customer"),
    "rules": ("rulebooks", "compare", "compliance"),
    "about": ("data", "definitions"),
}


def page_names() -> frozenset[str]:
    """Return the names of all pages: pages/<section>/<name>.py."""
    return frozenset(name for names in SECTIONS.values() for name in names)


def pages(lang: str) -> dict[str, dict[str, st.Page]]:
    """Return section → page name → Streamlit page with its title in the reader's language.

    The home page lies at the root address.
    """
    return {
        section: {name: _page(section, name, lang) for name in names}
        for section, names in SECTIONS.items()
    }


def _page(section: str, name: str, lang: str) -> st.Page:
    is_home = name == HOME_PAGE
    return st.Page(
        PAGES_FOLDER / section / f"{name}.py",
        title=say(f"page.{name}", lang),
        url_path=None if is_home else name,
        default=is_home,
    )
