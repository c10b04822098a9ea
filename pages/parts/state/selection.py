"""What the reader looks at, frozen: month, comparison, scheme, branch, filters. Kept in the URL by language-free codes.

The URL is the memory: a copied link, a reload and the browser's back button all show the same view in either language.
Values that the bank does not know are replaced by the nearest valid one and said aloud. No customer ever
stands in a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from analytics.i18n.text import LANGUAGES, listing, month, say

COMPARE = ("mom", "yoy", "none")
OPENINGS = (3, 1, 12, 0)
FILTER = "f."
LOST = "lost"


@dataclass(frozen=True)
class Offer:
    """What the bank can show. `branches` maps a branch to its path from the top, itself last; `splits` are the columns
    one may filter by; `values(column)` gives the codes of one."""

    months: tuple[str, ...]
    schemes: tuple[str, ...]
    branches: Mapping[str, tuple[str, ...]]
    splits: Collection[str]
    values: Callable[[str], Collection[str]]


@dataclass(frozen=True)
class Choice:
    """One view. `as_of` is an ISO month end; `opening` the months before it at which the tier is taken, 0 for today's;
    `branch` a path of branch codes; `where` (column, codes) in the order chosen; `picks` what one page adds."""

    as_of: str
    compare: str = "mom"
    scheme: str = ""
    opening: int = 3
    branch: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lang: str = LANGUAGES[0]
    picks: tuple[tuple[str, str], ...] = ()

    def pick(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """A page's own switch, such as the metric of a chart; an unknown value is the default (the first option)."""
        value = dict(self.picks).get(name)
        return value if value in options else default if default is not None else options[0]

    @property
    def filters(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Everything that narrows the rows: the branch as a filter on its level, then the chosen ones."""
        branch = ((f"branch_{len(self.branch)}", (self.branch[-1],)),) if self.branch else ()
        return branch + self.where

    @property
    def against(self) -> str | None:
        """The comparison as a question takes it."""
        return None if self.compare == "none" else self.compare


def openings(offer: Offer) -> list[int]:
    """The months before at which a tier can be taken in a bank of so many months; 0, today's, always can."""
    return [months for months in OPENINGS if months < len(offer.months)]


Problem = tuple[str, dict[str, str]]


def default(offer: Offer, lang: str = LANGUAGES[0]) -> Choice:
    """The view of somebody who asked for nothing: the newest month, the first scheme, the whole bank."""
    return Choice(as_of=offer.months[-1], scheme=offer.schemes[0], opening=openings(offer)[0], lang=lang)


def write(choice: Choice) -> dict[str, list[str]]:
    """A choice → query parameters, in a fixed order."""
    address = {
        "asof": [choice.as_of],
        "vs": [choice.compare],
        "scheme": [choice.scheme],
        "opening": [str(choice.opening)],
        "lang": [choice.lang],
    }
    if choice.branch:
        address["branch"] = [choice.branch[-1]]
    address |= {f"{FILTER}{column}": list(codes) for column, codes in choice.where}
    address |= {name: [value] for name, value in choice.picks}
    return address


def read(address: Mapping[str, Sequence[str]], offer: Offer) -> tuple[Choice, list[Problem]]:
    """Query parameters → the nearest valid choice, and what had to be changed: (locale key, values) each."""
    problems: list[Problem] = []
    known = {"asof", "vs", "scheme", "opening", "lang", "branch", LOST}

    def one(name: str, options: Sequence[str], label: str) -> str:
        value = address[name][-1] if address.get(name) else options[0]
        if value not in options:
            problems.append(("address.unknown_choice", {"label": label, "value": value, "used": options[0]}))
            return options[0]
        return value

    lang = address["lang"][-1] if address.get("lang") and address["lang"][-1] in LANGUAGES else LANGUAGES[0]
    if address.get("lang") and address["lang"][-1] != lang:
        problems.append(("address.unknown_choice", {"label": "lang", "value": address["lang"][-1], "used": lang}))

    if address.get(LOST):
        used = say("page.overview", lang)
        problems.append(("address.unknown_page", {"value": address[LOST][-1], "used": used}))

    asked = address["asof"][-1] if address.get("asof") else offer.months[-1]
    as_of = asked
    if asked not in offer.months:
        as_of = next((stamp for stamp in offer.months if stamp[:7] == asked[:7]), None) or max(
            (stamp for stamp in offer.months if stamp <= asked), default=offer.months[0]
        )
        if asked not in (as_of, as_of[:7]):
            problems.append(("address.unknown_month", {"value": asked, "used": month(as_of, lang)}))

    branch: tuple[str, ...] = ()
    if address.get("branch"):
        branch = offer.branches.get(address["branch"][-1], ())
        if not branch:
            label, value = say("head.branch", lang), address["branch"][-1]
            problems.append(("address.unknown_value", {"label": label, "value": value}))

    where = []
    for name, codes in address.items():
        if not name.startswith(FILTER):
            continue
        column = name.removeprefix(FILTER)
        if column not in offer.splits:
            problems.append(("address.unknown_filter", {"value": column}))
            continue
        valid = offer.values(column)
        kept = tuple(dict.fromkeys(code for code in codes if code in valid))
        for code in codes:
            if code not in valid:
                problems.append(("address.unknown_value", {"label": column, "value": code}))
        if kept:
            where.append((column, kept))

    picks = tuple(
        (name, values[-1])
        for name, values in address.items()
        if name not in known and not name.startswith(FILTER) and values
    )
    choice = Choice(
        as_of=as_of,
        compare=one("vs", COMPARE, say("head.compare", lang)),
        scheme=one("scheme", offer.schemes, say("head.scheme", lang)),
        opening=int(one("opening", [str(months) for months in openings(offer)], say("head.opening", lang))),
        branch=branch,
        where=tuple(where),
        lang=lang,
        picks=picks,
    )
    return choice, problems


def said(problems: Sequence[Problem], lang: str) -> str:
    """One sentence for all that was changed in an address."""
    parts = [say(key, lang, **{name: value[:40] for name, value in values.items()}) for key, values in problems]
    return say("address.corrected", lang) + listing(parts, lang)


def sync(offer: Offer, page: str) -> tuple[Choice, list[Problem]]:
    """Bring URL and session together at the start of a run, and return the choice with the problems to print.

    The URL rules when it differs from what was last written: a link, a reload, back or forward. A page reached without
    parameters keeps the choice.
    """
    state = st.session_state
    address = {name: st.query_params.get_all(name) for name in st.query_params}
    moved = state.get("page") != page
    problems: list[Problem] = []
    if "choice" not in state or (address != state.get("address") and not (moved and not address)):
        state.choice, problems = read(address, offer)
    else:
        state.choice, problems = read(write(state.choice), offer)
    state.page = page
    _publish()
    return state.choice, problems


def now() -> Choice:
    """The choice of this run."""
    return st.session_state.choice


def change(**fields: object) -> None:
    """Replace fields of the choice and write the URL. For callbacks of widgets."""
    st.session_state.choice = replace(st.session_state.choice, **fields)
    _publish()


def pick(**values: str | None) -> None:
    """Set (or, with None, drop) some of the page's own switches: one step back for the browser. For callbacks."""
    rest = tuple(entry for entry in now().picks if entry[0] not in values)
    change(picks=(*rest, *((name, value) for name, value in values.items() if value is not None)))


def without(choice: Choice, *names: str) -> Choice:
    """The choice without some of the page's own switches."""
    return replace(choice, picks=tuple(entry for entry in choice.picks if entry[0] not in names))


def filter_by(column: str, codes: Sequence[str]) -> None:
    """Set the filter on one column; no codes drops it. For callbacks."""
    rest = tuple(entry for entry in now().where if entry[0] != column)
    change(where=(*rest, (column, tuple(codes))) if codes else rest)


def carried() -> dict[str, list[str]]:
    """The query parameters that a link to another page takes along: everything but the page's own switches."""
    return write(replace(now(), picks=()))


def _publish() -> None:
    address = write(st.session_state.choice)
    if {name: st.query_params.get_all(name) for name in st.query_params} != address:
        st.query_params.from_dict(address)
    st.session_state.address = address
    st.session_state.lang = st.session_state.choice.lang
