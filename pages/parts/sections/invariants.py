"""The invariants on the data page."""

from __future__ import annotations

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import metric_table
from pages.parts.widgets.text import section_title

VERDICTS = {True: "check.holds", False: "check.fails", None: "check.nothing"}
_HEIGHT = 330


@st.fragment(parallel=True)
def invariants(selection: Selection) -> None:
    """Draw each invariant with its verdict, in a fragment of its own.

    The checks take seconds at a million customers.
    """
    lang = selection.lang
    spot = st.empty()
    with spot:
        st.skeleton(height=_HEIGHT)
    checks = queries.checks(selection.as_of)
    broken = [check for check in checks if check.failed]
    with spot.container():
        section_title(
            say(
                "data.checks_broken" if broken else "data.checks_hold",
                lang,
                count=len(broken or checks),
            )
        )
        metric_table.plain(
            "data",
            ("number", "rule", "verdict", "cases", "example"),
            [
                (
                    check.number,
                    say(f"check.rule_{check.number}", lang),
                    say(VERDICTS[check.holds], lang),
                    text.number(check.cases, "count", lang),
                    check.failed[0] if check.failed else "",
                )
                for check in checks
            ],
            say("data.rule", lang),
            lang,
            right=("cases",),
        )
