"""The cached queries of the pages on rules: rulebooks, swap sets, compliance, customer profiles."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from analytics import rulebooks
from analytics.grading import compliance, customer_profile, swap_sets
from analytics.grading.customer_profile import CustomerProfile
from analytics.grading.swap_sets import SwapSets
from analytics.i18n.text import say
from analytics.rulebooks import Rulebook, RulebookError, Scheme
from analytics.rulebooks.registry import stored_rulebooks
from pages.parts.state import queries

MAX_ENTRIES = 64
# (path, nanoseconds of the last change, bytes) of every file.
Fingerprint = tuple[tuple[str, int, int], ...]


def _folder_fingerprint() -> Fingerprint:
    """Return a value that changes when a rulebook file is written, added or removed."""
    fingerprint = []
    for file in sorted(rulebooks.FOLDER.rglob("*.toml")):
        status = file.stat()
        fingerprint.append((file.as_posix(), status.st_mtime_ns, status.st_size))
    return tuple(fingerprint)


@st.cache_resource(show_spinner=False, max_entries=2)
def _rulebooks_on_disk(
    edition: str, fingerprint: Fingerprint
) -> tuple[dict[str, Scheme], list[RulebookError]]:
    return rulebooks.read_valid_schemes(rulebooks.FOLDER, stored_rulebooks(queries.warehouse()))


def rulebooks_on_disk() -> tuple[dict[str, Scheme], list[RulebookError]]:
    """Return the valid rulebooks of the folder as it is now, and the errors of the others."""
    return _rulebooks_on_disk(queries.warehouse().edition.id, _folder_fingerprint())


def warn_of_invalid_rulebooks(lang: str) -> None:
    """Draw a warning for every invalid rulebook."""
    for refusal in rulebooks_on_disk()[1]:
        st.warning(say("rules.refused", lang, reason=refusal.text(lang)))


def graded_the_data(book: Rulebook) -> bool:
    """Return whether exactly this text graded the data that is shown."""
    return (
        stored_rulebooks(queries.warehouse()).get((book.id, book.effective_on.isoformat()))
        == book.text
    )


@st.cache_data(
    show_spinner=False,
    max_entries=MAX_ENTRIES,
    hash_funcs={Rulebook: lambda book: (book.id, book.digest)},
)
def _swaps(edition: str, before: Rulebook, after: Rulebook, as_of: str) -> SwapSets:
    return swap_sets.compare(queries.warehouse(), before, after, date.fromisoformat(as_of))


def compare(before: Rulebook, after: Rulebook, as_of: str) -> SwapSets:
    """Return who changes class when one rulebook replaces another at a month end."""
    return _swaps(queries.warehouse().edition.id, before, after, as_of)


@st.cache_data(show_spinner=False, max_entries=MAX_ENTRIES)
def _class_counts(edition: str, scope: str, as_of: str, scheme: str) -> dict[str, int]:
    return swap_sets.class_counts(
        queries.warehouse(), queries.schemes()[scheme], date.fromisoformat(as_of)
    )


def class_counts(as_of: str, scheme: str) -> dict[str, int]:
    """Return class → number of customers or loans at a month end."""
    return _class_counts(queries.warehouse().edition.id, queries.ROW_SCOPE, as_of, scheme)


@st.cache_data(show_spinner=False, max_entries=MAX_ENTRIES)
def _compliance_counts(
    edition: str, scope: str, as_of: str, fingerprint: Fingerprint
) -> pd.DataFrame:
    return compliance.counts(queries.warehouse(), date.fromisoformat(as_of))


def compliance_counts(as_of: str) -> pd.DataFrame:
    """Return per service rule the numbers checked, in breach, and undecided."""
    return _compliance_counts(
        queries.warehouse().edition.id, queries.ROW_SCOPE, as_of, _folder_fingerprint()
    )


def trend(as_of: str, months: int) -> pd.DataFrame:
    """Return `compliance_counts` of the last month ends, each cached by itself."""
    month_ends = [day for day in queries.selection_options().months if day <= as_of]
    counts = [compliance_counts(day).assign(as_of=day) for day in month_ends[-months:]]
    return pd.concat(counts, ignore_index=True)


@st.cache_data(show_spinner=False, max_entries=MAX_ENTRIES)
def _breaches(
    edition: str, scope: str, page: tuple[str, str, int, int], fingerprint: Fingerprint
) -> pd.DataFrame:
    as_of, rule, limit, offset = page
    return compliance.breaches(queries.warehouse(), date.fromisoformat(as_of), rule, limit, offset)


def breaches(as_of: str, rule: str, limit: int, offset: int = 0) -> pd.DataFrame:
    """Return the loans or customers in breach of a rule, largest balance first."""
    return _breaches(
        queries.warehouse().edition.id,
        queries.ROW_SCOPE,
        (as_of, rule, limit, offset),
        _folder_fingerprint(),
    )


@st.cache_data(show_spinner=False, max_entries=MAX_ENTRIES, ttl=600)
def _customer_card(edition: str, scope: str, as_of: str, customer_id: str) -> CustomerProfile:
    return customer_profile.profile_of(
        queries.warehouse(), queries.schemes(), date.fromisoformat(as_of), customer_id
    )


def customer_card(as_of: str, customer_id: str) -> CustomerProfile:
    """Return the profile of one customer. Raises UserError for an unknown number."""
    return _customer_card(queries.warehouse().edition.id, queries.ROW_SCOPE, as_of, customer_id)


@st.cache_data(show_spinner=False, max_entries=MAX_ENTRIES)
def examples(edition: str, scope: str, as_of: str, scheme: str) -> pd.DataFrame:
    """Return one customer of each class of a scheme."""
    return customer_profile.example_customers(
        queries.warehouse(), scheme, date.fromisoformat(as_of)
    )
