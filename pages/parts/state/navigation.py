"""The menu: sections and pages in the order of the product; only pages that exist are offered."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from analytics.i18n.text import say

ROOT = Path(__file__).parents[2]
FIRST = "overview"
SECTIONS = {
    "overall": ("overview", "tiers", "overdue", "reloan", "contribution"),
    "analysis": ("changes", "migration", "segments", "explorer", "customer"),
    "rules": ("rulebooks", "compare", "compliance"),
    "management": ("warning", "post_loan", "lifecycle", "no_loan", "expansion", "process"),
    "about": ("data", "definitions", "meeting"),
}


def present() -> dict[str, list[str]]:
    """Section → the pages that exist as pages/<section>/<page>.py."""
    found = {
        section: [page for page in pages if (ROOT / section / f"{page}.py").exists()]
        for section, pages in SECTIONS.items()
    }
    return {section: pages for section, pages in found.items() if pages}


def pages(lang: str) -> dict[str, dict[str, st.Page]]:
    """Section → page name → Streamlit page, titled in the reader's language. The first lies at the root address."""
    made: dict[str, dict[str, st.Page]] = {}
    for section, names in present().items():
        made[section] = {}
        for name in names:
            first = not any(made.values())
            path = None if first else name
            made[section][name] = st.Page(
                ROOT / section / f"{name}.py", title=say(f"page.{name}", lang), url_path=path, default=first
            )
    return made
