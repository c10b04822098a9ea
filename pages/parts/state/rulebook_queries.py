"""What the pages on rules ask, cached as in `bank`: the shelf of rulebooks, swaps, compliance lists, customer cards."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from analytics import rulebooks
from analytics.grading import compliance, customer_profile, swap_sets
from analytics.grading.customer_profile import Card
from analytics.grading.swap_sets import Swaps
from analytics.i18n.text import say
from analytics.rulebooks import Rulebook, RulebookError, Scheme
from analytics.rulebooks.registry import kept_rulebooks
from pages.parts.state import queries

KEPT = 64


def _stamp() -> tuple:
    """Changes when a rulebook is written, added or taken away."""
    files = sorted(rulebooks.FOLDER.rglob("*.toml"))
    return tuple((file.as_posix(), (seen := file.stat()).st_mtime_ns, seen.st_size) for file in files)


@st.cache_resource(show_spinner=False, max_entries=2)
def _shelf(edition: str, stamp: tuple) -> tuple[dict[str, Scheme], list[RulebookError]]:
    return rulebooks.read_good(rulebooks.FOLDER, kept_rulebooks(queries.bank()))


def shelf() -> tuple[dict[str, Scheme], list[RulebookError]]:
    """The rulebooks as they lie in the folder now, and the files refused."""
    return _shelf(queries.bank().edition.id, _stamp())


def warn(lang: str) -> None:
    """Say which rulebooks are refused now, where any is."""
    for refusal in shelf()[1]:
        st.warning(say("rules.refused", lang, reason=refusal.text("zh" if lang == "zh-CN" else "en")))


def is_kept(book: Rulebook) -> bool:
    """Whether this very text graded the data that is shown."""
    return kept_rulebooks(queries.bank()).get((book.id, book.effective_on.isoformat())) == book.text


@st.cache_data(show_spinner=False, max_entries=KEPT, hash_funcs={Rulebook: lambda book: (book.id, book.digest)})
def _swaps(edition: str, before: Rulebook, after: Rulebook, as_of: str) -> Swaps:
    return swap_sets.compare(queries.bank(), before, after, date.fromisoformat(as_of))


def compare(before: Rulebook, after: Rulebook, as_of: str) -> Swaps:
    """Who moves when one rulebook takes the place of the other at a month end."""
    return _swaps(queries.bank().edition.id, before, after, as_of)


@st.cache_data(show_spinner=False, max_entries=KEPT)
def _classes(edition: str, scope: str, as_of: str, scheme: str) -> dict[str, int]:
    return swap_sets.counted(queries.bank(), queries.schemes()[scheme], date.fromisoformat(as_of))


def classes(as_of: str, scheme: str) -> dict[str, int]:
    """Class → how many customers or loans are in it at a month end."""
    return _classes(queries.bank().edition.id, queries.SCOPE, as_of, scheme)


@st.cache_data(show_spinner=False, max_entries=KEPT)
def _counts(edition: str, scope: str, as_of: str, stamp: tuple) -> pd.DataFrame:
    return compliance.counts(queries.bank(), date.fromisoformat(as_of))


def counts(as_of: str) -> pd.DataFrame:
    """Per service rule how many are looked at, break it, or cannot be judged."""
    return _counts(queries.bank().edition.id, queries.SCOPE, as_of, _stamp())


def trend(as_of: str, months: int) -> pd.DataFrame:
    """`counts` of the last month ends, each kept by itself."""
    asked = [month for month in queries.offer().months if month <= as_of][-months:]
    return pd.concat([counts(month).assign(as_of=month) for month in asked], ignore_index=True)


@st.cache_data(show_spinner=False, max_entries=KEPT)
def _breaches(edition: str, scope: str, asked: tuple, stamp: tuple) -> pd.DataFrame:
    as_of, rule, limit, offset = asked
    return compliance.breaches(queries.bank(), date.fromisoformat(as_of), rule, limit, offset)


def breaches(as_of: str, rule: str, limit: int, offset: int = 0) -> pd.DataFrame:
    """The loans or customers that break a rule, largest balance first."""
    return _breaches(queries.bank().edition.id, queries.SCOPE, (as_of, rule, limit, offset), _stamp())


@st.cache_data(show_spinner=False, max_entries=KEPT, ttl=600)
def _card(edition: str, scope: str, as_of: str, customer_id: str) -> Card:
    return customer_profile.card(queries.bank(), queries.schemes(), date.fromisoformat(as_of), customer_id)


def card_of(as_of: str, customer_id: str) -> Card:
    """The card of one customer. Raises Refused for an unknown number."""
    return _card(queries.bank().edition.id, queries.SCOPE, as_of, customer_id)


@st.cache_data(show_spinner=False, max_entries=KEPT)
def examples(edition: str, scope: str, as_of: str, scheme: str) -> pd.DataFrame:
    """A customer of each class of a scheme."""
    return customer_profile.examples(queries.bank(), scheme, date.fromisoformat(as_of))
